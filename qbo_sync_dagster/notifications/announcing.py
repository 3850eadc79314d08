"""After a cycle: tell each target what it has not been told yet.

A notice is claimed in the ledger before it is sent, so that two runs never send the same. A
message that is known not to have arrived is sent with the next cycle; one without an answer in
time is not sent again, since it may have arrived.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.connection_notices import EXPIRY_NOTICE, notification_failed
from qbo_sync_dagster.domain.messages import Message, OpenException, messages
from qbo_sync_dagster.ledger import connections, exceptions, notices
from qbo_sync_dagster.ledger.connections import Connection
from qbo_sync_dagster.ledger.tokens import TokenCipher
from qbo_sync_dagster.notifications import targets as stored_targets
from qbo_sync_dagster.notifications.delivery import LIMIT_SECONDS, Delivery, Target, deliver

_LOG = logging.getLogger(__name__)

_Due = list[tuple[Target, list[Message]]]


def announce(
    ledger: sa.Engine, cipher: TokenCipher, realm: str, limit: float = LIMIT_SECONDS
) -> int:
    """Send what is new to the company's targets; how many messages arrived.

    Takes `limit` seconds at most and raises nothing: a cycle is never worse for it.
    """
    try:
        return _announce(ledger, cipher, realm, limit)
    except Exception as error:  # noqa: BLE001 - the reason is in the docstring
        _LOG.warning("Notifications of company %s failed: %s.", realm, type(error).__name__)
        return 0


def _announce(ledger: sa.Engine, cipher: TokenCipher, realm: str, limit: float) -> int:
    with ledger.begin() as connection:
        targets = stored_targets.load(connection, realm, cipher)
        due = _claimed(connection, connections.get(connection, realm), targets)
    if not due:
        return 0
    outcomes = deliver(due, limit)
    with ledger.begin() as connection:
        _settle(connection, realm, targets, due, outcomes)
    return sum(outcome is Delivery.SENT for outcome in outcomes.values())


def _claimed(connection: sa.Connection, company: Connection, targets: Sequence[Target]) -> _Due:
    """The messages that each target lacks, from now on being sent by us."""
    if not targets:
        return []
    standing = _standing(connection, company.realm)
    if not any(each.kind == ExceptionKind.CONNECTION_EXPIRES for each in standing):
        notices.forget(connection, company.realm, EXPIRY_NOTICE)
    told = notices.sent(connection, company.realm)
    due: _Due = []
    for target in targets:
        of_target = {name.partition("/")[2] for name in told if name.startswith(f"{target.key}/")}
        wanted = messages(company.company_name, standing, of_target)
        ours = [each for each in wanted if _claim(connection, company.realm, target, each)]
        if ours:
            due.append((target, ours))
    return due


def _standing(connection: sa.Connection, realm: str) -> list[OpenException]:
    return [
        OpenException(
            number=each.number,
            kind=each.kind,
            title=each.title,
            version=each.version,
            labels=tuple(record["label"] for record in each.records if record.get("label")),
        )
        for each in exceptions.listed(connection, realm)
    ]


def _names(target: Target, message: Message) -> list[str]:
    return [f"{target.key}/{name}" for name in message.names]


def _claim(connection: sa.Connection, realm: str, target: Target, message: Message) -> bool:
    """False if another run is sending one of its notices at this moment."""
    names = _names(target, message)
    claimed = notices.claim(connection, realm, names)
    if len(claimed) < len(names):
        notices.release(connection, realm, claimed)
        return False
    return True


def _settle(
    connection: sa.Connection,
    realm: str,
    targets: Sequence[Target],
    due: _Due,
    outcomes: Mapping[tuple[str, Message], Delivery],
) -> None:
    """Let what failed be sent again, and raise or resolve the exception about it."""
    ill: dict[str, Delivery] = {}
    for target, some in due:
        for message in some:
            outcome = outcomes[target.key, message]
            if outcome is Delivery.FAILED:
                notices.release(connection, realm, _names(target, message))
            if outcome is not Delivery.SENT:
                ill[target.shown] = outcome
                _LOG.warning("A notification to %s: %s.", target.shown, outcome.value)
    if ill:
        record = notification_failed(
            realm, {name: outcome is Delivery.UNKNOWN for name, outcome in ill.items()}
        )
        exceptions.raise_all(connection, realm, [record])
    elif {target.key for target, _ in due} == {target.key for target in targets}:
        settle_failure(connection, realm, "Notifications arrive again.")


def settle_failure(connection: sa.Connection, realm: str, reason: str) -> None:
    """Close the exception about notifications that do not arrive."""
    kinds = [ExceptionKind.NOTIFICATION_FAILED]
    exceptions.resolve_others(connection, realm, kinds, [], reason)
