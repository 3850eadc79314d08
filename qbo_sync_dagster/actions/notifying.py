"""Where a company's notifications go: setting the targets, showing them without their secrets,
and trying them."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.domain.messages import Message, harmless
from qbo_sync_dagster.ledger import audit, connections
from qbo_sync_dagster.ledger.tokens import TokenCipher
from qbo_sync_dagster.notifications import announcing, targets
from qbo_sync_dagster.notifications.delivery import Delivery, Target, deliver, target_of

_MOST_TARGETS = 20


def set_targets(
    ledger: sa.Engine, cipher: TokenCipher, company: str, urls: Sequence[str]
) -> tuple[str, ...]:
    """Send a company's notifications to these apprise URLs from now on; what each is called.

    Exceptions that are open already are told to a new target, too. Raises UnknownRealmError, and
    ActionRefusedError for an address that apprise can't send to; nothing is changed then.
    """
    wanted = _checked(urls)
    with ledger.begin() as connection:
        found = connections.locked(connection, connections.get(connection, company).realm)
        before = targets.load(connection, found.realm, cipher)
        if before != wanted:
            targets.store(connection, found.realm, wanted, cipher)
            announcing.settle_failure(connection, found.realm, "The targets were changed.")
            effect = audit.Effect(
                "ledger", "setting changed", "notification-targets", _shown(before), _shown(wanted)
            )
            audit.append(connection, found.realm, [effect])
    return tuple(target.shown for target in wanted)


def shown_targets(ledger: sa.Engine, cipher: TokenCipher, company: str) -> tuple[str, ...]:
    """What each target of a company is called. Raises UnknownRealmError."""
    return tuple(target.shown for target in _targets(ledger, cipher, company)[1])


def send_test(ledger: sa.Engine, cipher: TokenCipher, company: str) -> dict[str, Delivery]:
    """Send a test message to every target; what became of it by what the target is called.

    Raises UnknownRealmError, and ActionRefusedError without targets.
    """
    name, found = _targets(ledger, cipher, company)
    if not found:
        raise ActionRefusedError(
            f"{name} has no notification targets. Set some with `qbo-sync notifications set`."
        )
    message = Message(
        f"{harmless(name)}: test", "Notifications of qbo-sync arrive here. Nothing is to do.", ()
    )
    outcomes = deliver([(target, [message]) for target in found])
    return {target.shown: outcomes[target.key, message] for target in found}


def _targets(
    ledger: sa.Engine, cipher: TokenCipher, company: str
) -> tuple[str, tuple[Target, ...]]:
    with ledger.connect() as connection:
        found = connections.get(connection, company)
        return found.company_name, targets.load(connection, found.realm, cipher)


def _checked(urls: Sequence[str]) -> tuple[Target, ...]:
    wanted = [url.strip() for url in urls if url.strip()]
    found = {url: target_of(url) for url in wanted}
    bad = [str(place) for place, url in enumerate(wanted, start=1) if found[url] is None]
    if bad:
        # The address itself is not repeated: it may hold a password.
        raise ActionRefusedError(
            f"Address {', '.join(bad)} of {len(wanted)} is none that messages can be sent to. "
            "Addresses look like slack://TokenA/TokenB/TokenC or mailtos://user:password@host; "
            "apprise's documentation has the form of each service."
        )
    if len(found) > _MOST_TARGETS:
        raise ActionRefusedError(f"{_MOST_TARGETS} targets are the most for one company.")
    return tuple(target for target in found.values() if target is not None)


def _shown(some: Sequence[Target]) -> list[str]:
    return [target.shown for target in some]
