"""The open exception that an action settles: found, checked, closed, with who and why on record.

What belongs here: what every action on an exception has in common. What does not: what a
particular action does. Actions write the ledger only, without the lease: what must move on either
side is an operation or a decision, and the cycle that is asked for here carries it out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import sqlalchemy as sa
import stamina
from sqlalchemy.exc import OperationalError

from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.domain.catalogue import CATALOGUE, Action, ExceptionKind
from qbo_sync_dagster.ledger import audit, cycles, exceptions
from qbo_sync_dagster.ledger.exceptions import StoredException

T = TypeVar("T")
_LOCKED, _DEADLOCK = "55P03", "40P01"
# PostgreSQL looks for deadlocks after a second: giving way before, an action never costs a cycle
# its transaction.
_GIVE_WAY = sa.text("SET LOCAL lock_timeout = '700ms'")
_LONGEST_WAIT_SECONDS = 60.0
# Without a reason nobody could tell later why a figure stands or a record was left out.
_NEEDS_REASON = frozenset({Action.ACCEPT, Action.DISMISS})
_LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class Choice:
    """What somebody decided about the exception of this number, and why."""

    number: int
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """An open exception under an action that its kind allows."""

    exception: StoredException
    action: Action
    by: str
    reason: str

    @property
    def realm(self) -> str:
        """The company's realm id."""
        return self.exception.realm

    @property
    def kind(self) -> ExceptionKind:
        """What went wrong."""
        return ExceptionKind(self.exception.kind)

    @property
    def record_id(self) -> str:
        """The id of the record, without what sort of record it is."""
        return self.exception.record.partition(":")[2]

    def named(self, side: str, kind: str) -> list[str]:
        """The ids of the records of a sort that the exception names on one side."""
        return [
            record["id"]
            for record in self.exception.records
            if record["side"] == side and record["kind"] == kind
        ]


def decide(ledger: sa.Engine, choice: Choice, action: Action, act: Callable[..., T]) -> T:
    """Run `act(connection, case)` in one ledger transaction that gives way to a cycle's.

    Raises ActionRefusedError for an exception that is not there, is closed, or does not allow
    the action, and when a cycle holds the record for longer than a minute.
    """
    try:
        for attempt in stamina.retry_context(
            on=_is_held, attempts=None, timeout=_LONGEST_WAIT_SECONDS, wait_max=1.0
        ):
            with attempt, ledger.begin() as connection:
                connection.execute(_GIVE_WAY)
                return act(connection, open_case(connection, choice, action))
    except OperationalError as error:
        if not _is_held(error):
            raise
        raise ActionRefusedError(
            "A cycle works on this record right now. Nothing was changed; try again in a minute."
        ) from error
    raise AssertionError("unreachable")


def _is_held(error: Exception) -> bool:
    return isinstance(error, OperationalError) and (
        getattr(error.orig, "pgcode", None) in (_LOCKED, _DEADLOCK)
    )


def open_case(connection: sa.Connection, choice: Choice, action: Action) -> Case:
    """The exception, if it is open and allows the action. Raises ActionRefusedError."""
    found = exceptions.get(connection, choice.number)
    if found is None:
        raise ActionRefusedError(
            f"There is no exception {choice.number}. `qbo-sync exceptions list` shows the open "
            "ones."
        )
    if found.state != "open":
        raise ActionRefusedError(_closed(found))
    allowed = CATALOGUE[ExceptionKind(found.kind)].actions
    if action not in allowed:
        raise ActionRefusedError(
            f'Exception {found.number} is "{found.title}", which {action} does not settle. '
            f"What settles it: {', '.join(allowed)}."
        )
    return Case(found, action, _name(choice.by), _reason(choice.reason, action))


def settle(
    connection: sa.Connection,
    case: Case,
    *,
    how: str,
    state: str = "resolved",
    before: object = None,
    after: object = None,
) -> None:
    """Close the case, with an audit row, and ask for a cycle.

    Raises ActionRefusedError, so that nothing is changed, if it was closed meanwhile.
    """
    note(connection, case, before=before, after=after)
    told = f"{how}: {case.reason}" if case.reason else how
    if not exceptions.close(connection, case.exception.number, state, case.by, told):
        raise ActionRefusedError(
            f"Exception {case.exception.number} was closed at this moment. Nothing was changed."
        )


def note(
    connection: sa.Connection, case: Case, *, before: object = None, after: object = None
) -> None:
    """Keep who did what and why in the audit log, and ask for the cycle that follows it up."""
    told = {"exception": case.exception.number, "by": case.by, "reason": case.reason}
    effect = audit.Effect(
        "ledger", str(case.action), case.exception.record, before, told | _as_dict(after)
    )
    audit.append(connection, case.realm, [effect])
    cycles.request(connection, case.realm, case.by)


def one_of(choices: Sequence[str], named: str, what: str) -> str:
    """The one that was named, or the only one there is. Raises ActionRefusedError."""
    if named.strip():
        return named.strip()
    if len(choices) != 1:
        listed = f" Named there: {', '.join(choices)}." if choices else ""
        raise ActionRefusedError(f"Say which {what} is meant.{listed}")
    return choices[0]


def _as_dict(after: object) -> dict[str, object]:
    return {} if after is None else {"after": after}


def _closed(found: StoredException) -> str:
    by = f" by {found.closed_by}" if found.closed_by else ""
    return f'Exception {found.number} ("{found.title}") was {found.state} already{by}.'


def _name(by: str) -> str:
    return " ".join(by.split())[:100] or "somebody"


def _reason(reason: str, action: Action) -> str:
    told = " ".join(reason.split())
    if not told and action in _NEEDS_REASON:
        raise ActionRefusedError(f"Say why: {action} needs a reason, which is kept.")
    if len(told) > _LONGEST_REASON:
        raise ActionRefusedError(f"The reason is longer than {_LONGEST_REASON} characters.")
    return told
