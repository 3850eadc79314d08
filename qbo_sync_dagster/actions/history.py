"""What staff say of payments from before the sync: apply, push, or match; each one by one.

Nothing moves here. The next cycle applies or pushes what was chosen, under its usual protections.
"""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from qbo_sync_dagster.actions.cases import Case, Choice, decide, note, one_of, settle
from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.domain import history_leftovers
from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.domain.history_leftovers import StoredLeftover
from qbo_sync_dagster.domain.money import format_minor
from qbo_sync_dagster.ledger import decisions, links
from qbo_sync_dagster.ledger.errors import DoubleLinkError
from qbo_sync_dagster.sync.history import HISTORY, as_decision, leftovers


def apply_history(ledger: sa.Engine, choice: Choice, payment_id: str = "") -> str:
    """Have a QuickBooks payment from before the sync applied in AlgaPSA; says what follows.

    `payment_id` may be left out where the exception names only one. Raises ActionRefusedError.
    """

    def act(connection: sa.Connection, case: Case) -> str:
        chosen = _chosen(connection, case, payment_id, is_ours=False)
        _store(connection, case, chosen, history_leftovers.Choice.APPLY)
        return f"The next cycle applies QuickBooks payment {chosen.record_id} in AlgaPSA."

    return decide(ledger, choice, Action.APPLY, act)


def push_history(ledger: sa.Engine, choice: Choice, row_id: str = "") -> str:
    """Have an AlgaPSA payment from before the sync pushed to QuickBooks; says what follows.

    `row_id` may be left out where the exception names only one. Raises ActionRefusedError.
    """

    def act(connection: sa.Connection, case: Case) -> str:
        chosen = _chosen(connection, case, row_id, is_ours=True)
        _store(connection, case, chosen, history_leftovers.Choice.PUSH)
        return f"The next cycle pushes AlgaPSA payment {chosen.record_id} to QuickBooks."

    return decide(ledger, choice, Action.PUSH, act)


def match_history(ledger: sa.Engine, choice: Choice, pair: str = "") -> str:
    """Say that two payments are the same money; they are linked and nothing moves.

    `pair` is `AlgaPSA's id=QuickBooks' id`, and may be left out where the exception names one of
    each. Raises ActionRefusedError, for different amounts too.
    """

    def act(connection: sa.Connection, case: Case) -> str:
        ours_id, _, theirs_id = (part.strip() for part in pair.partition("="))
        ours = _chosen(connection, case, ours_id, is_ours=True)
        theirs = _chosen(connection, case, theirs_id, is_ours=False)
        if ours.minor != theirs.minor:
            raise ActionRefusedError(
                f"AlgaPSA's payment is {format_minor(ours.minor)} and QuickBooks' is "
                f"{format_minor(theirs.minor)} on this invoice: they are not the same money. "
                "Correct the wrong one, or apply and push them."
            )
        _link(connection, case, ours, theirs)
        return "The two payments are linked; nothing moves."

    return decide(ledger, choice, Action.MATCH, act)


def _link(
    connection: sa.Connection, case: Case, ours: StoredLeftover, theirs: StoredLeftover
) -> None:
    new = links.NewLink(
        "payment", ours.record_id, theirs.record_id, "matched", invoice_id=ours.invoice_id
    )
    try:
        links.add(connection, case.realm, [new])
    except DoubleLinkError as error:
        raise ActionRefusedError("One of the two is matched with another payment.") from error
    for each in (ours, theirs):
        _forget(connection, case, each)
    _close(connection, case, after=f"{ours.record_id}={theirs.record_id}")


def _store(
    connection: sa.Connection,
    case: Case,
    chosen: StoredLeftover,
    what: history_leftovers.Choice,
) -> None:
    decisions.decide(connection, case.realm, as_decision(replace(chosen, choice=what), case.by))
    _close(connection, case, after=chosen.counterpart)


def _close(connection: sa.Connection, case: Case, *, after: str) -> None:
    """Close the case with the last payment it names; until then only keep what was said."""
    if _waiting(connection, case):
        note(connection, case, after=after)
    else:
        settle(connection, case, how=str(case.action), after=after)


def _forget(connection: sa.Connection, case: Case, left: StoredLeftover) -> None:
    record = f"invoice:{left.invoice_id}"
    decisions.withdraw(connection, case.realm, HISTORY, record, left.counterpart)


def _chosen(connection: sa.Connection, case: Case, named: str, *, is_ours: bool) -> StoredLeftover:
    of_side = {
        each.record_id: each for each in _waiting(connection, case) if each.is_ours == is_ours
    }
    side = "AlgaPSA" if is_ours else "QuickBooks"
    record_id = one_of(list(of_side), named, f"{side} payment")
    if record_id not in of_side:
        listed = ", ".join(of_side) or "none"
        raise ActionRefusedError(
            f"{side} payment {record_id} does not wait on this invoice. Those that do: {listed}."
        )
    return of_side[record_id]


def _waiting(connection: sa.Connection, case: Case) -> list[StoredLeftover]:
    return [
        each
        for each in leftovers(connection, case.realm)
        if each.invoice_id == case.record_id and each.choice is history_leftovers.Choice.WAIT
    ]
