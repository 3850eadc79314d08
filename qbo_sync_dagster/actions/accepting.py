"""Accept: QuickBooks' version stands, and the difference stays as a named amount on the link.

AlgaPSA is never changed. Payments and credits are accepted in their own modules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import sqlalchemy as sa

from qbo_sync_dagster.actions.cases import Case, Choice, decide, settle
from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.actions.withdrawing import close_told
from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.catalogue import Action, ExceptionKind
from qbo_sync_dagster.domain.document_changes import is_cancelled, may_be_updated
from qbo_sync_dagster.domain.document_kinds import INVOICE
from qbo_sync_dagster.domain.document_view import DocumentView, differences
from qbo_sync_dagster.domain.drift import drift_version
from qbo_sync_dagster.domain.money import format_minor
from qbo_sync_dagster.domain.operation_kinds import UPDATE_DOCUMENT, VOID_DOCUMENT
from qbo_sync_dagster.ledger import (
    connections,
    decisions,
    document_links,
    exceptions,
    links,
    operations,
)
from qbo_sync_dagster.ledger.links import Link
from qbo_sync_dagster.sync.engine import SyncEngine
from qbo_sync_dagster.sync.payment_intake import NOT_OURS


def accept(engine: SyncEngine, choice: Choice) -> str:
    """Accept the difference that an exception about a document tells of; says what follows.

    Raises ActionRefusedError, also if the document moved since the exception was last shown, and
    AlgaPsaError.
    """
    return decide(
        engine.ledger,
        choice,
        Action.ACCEPT,
        lambda connection, case: _accept(engine, connection, case),
    )


def _accept(engine: SyncEngine, connection: sa.Connection, case: Case) -> str:
    link = document_links.held(connection, case.realm, case.record_id)
    if link is None:
        raise ActionRefusedError(
            "The document is no longer linked, so there is nothing to accept. The next cycle "
            "closes the exception."
        )
    if case.kind in _OF_VOIDS:
        return _without_void(connection, case, link, _in_algapsa(engine, connection, case))
    return _ACCEPTED[case.kind](connection, case, link)


def _in_algapsa(engine: SyncEngine, connection: sa.Connection, case: Case) -> DocumentHeader | None:
    algapsa = engine.open_algapsa(connections.get(connection, case.realm))
    return next(iter(algapsa.document_headers([case.record_id])), None)


def _quickbooks_version(connection: sa.Connection, case: Case, link: Link) -> str:
    """What QuickBooks shows becomes what both sides agreed on."""
    agreed, shown = _agreed(link), _shown(link)
    if drift_version(differences(agreed, shown)) != case.exception.version:
        raise ActionRefusedError(_MOVED)
    _withdraw(connection, case, UPDATE_DOCUMENT)
    difference = shown.total_minor - _algapsa_total(link)
    links.update(
        connection,
        link.link_id,
        snapshot=shown.as_json(),
        drift=None,
        difference_minor=difference,
        accepted_minor=difference,
    )
    _close_total_difference(connection, case)
    amount = shown.total_minor - agreed.total_minor
    _keep(connection, case, amount, before=agreed, after=shown)
    return f"QuickBooks' version of {_label(link)} stands now.{_named(difference)}"


def _loss(connection: sa.Connection, case: Case, link: Link) -> str:
    """The void or deletion stands: the link is kept, and the document never exported again."""
    agreed, shown = _agreed(link), _shown(link)
    if drift_version(differences(agreed, shown)) != case.exception.version:
        raise ActionRefusedError(_MOVED)
    _withdraw(connection, case, UPDATE_DOCUMENT)
    _retire(connection, link, difference=-_algapsa_total(link))
    _close_total_difference(connection, case)
    _keep(connection, case, -_algapsa_total(link), before=agreed, after=shown)
    return (
        f"{_label(link)} stays {shown.state} in QuickBooks and is never exported again."
        f"{_named(-_algapsa_total(link))}"
    )


def _total(connection: sa.Connection, case: Case, link: Link) -> str:
    """The two totals may differ by what the exception says."""
    if case.exception.version != str(_agreed(link).total_minor):
        raise ActionRefusedError(_MOVED)
    links.update(connection, link.link_id, accepted_minor=link.difference_minor)
    settle(connection, case, how="accepted", after=link.difference_minor)
    _remember(connection, case, link.difference_minor)
    return (
        f"The totals of {_label(link)} may differ.{_named(link.difference_minor)} Its payments "
        "apply themselves with the next cycle."
    )


def _exported_version(connection: sa.Connection, case: Case, link: Link) -> str:
    """QuickBooks keeps what was exported, although AlgaPSA says something else by now."""
    total = case.exception.amounts.get("AlgaPSA total")
    if total is None:
        raise ActionRefusedError(_MOVED)
    return _as_exported(connection, case, link, total, case.exception.version)


def _as_exported(
    connection: sa.Connection, case: Case, link: Link, total_minor: int, fingerprint: str
) -> str:
    """The link stands for AlgaPSA's version of this total; nothing filed for it is sent."""
    _withdraw(connection, case, UPDATE_DOCUMENT)
    _withdraw(connection, case, VOID_DOCUMENT)
    difference = _agreed(link).total_minor - total_minor
    links.update(
        connection,
        link.link_id,
        fingerprint=fingerprint,
        difference_minor=difference,
        accepted_minor=difference,
    )
    _keep(connection, case, difference, before=link.fingerprint, after=fingerprint)
    _close(connection, case, _SETTLED_AS_EXPORTED)
    return f"QuickBooks keeps {_label(link)} as it was exported.{_named(difference)}"


def _without_void(
    connection: sa.Connection, case: Case, link: Link, header: DocumentHeader | None
) -> str:
    """QuickBooks keeps its document: alone, or beside AlgaPSA's where that stands by now."""
    if case.kind is ExceptionKind.CLOSED_PERIOD:
        _refuse_without_void(connection, case)
    if header is None or is_cancelled(header):
        return _only_in_quickbooks(connection, case, link)
    if case.kind not in _FAILED_VOIDS:
        raise ActionRefusedError(_MOVED)
    if not may_be_updated(header):
        return _void_given_up(connection, case, link)
    if header.fingerprint != case.exception.version.removeprefix("voided:"):
        raise ActionRefusedError(_MOVED)
    return _as_exported(connection, case, link, header.exported_minor, header.fingerprint)


def _void_given_up(connection: sa.Connection, case: Case, link: Link) -> str:
    """A draft in AlgaPSA stays told as such: nothing of it was decided but the void."""
    _withdraw(connection, case, VOID_DOCUMENT)
    settle(connection, case, how="accepted")
    return (
        f"{_label(link)} is not voided in QuickBooks. It is a draft in AlgaPSA: finalize it there, "
        "and its payments go on."
    )


def _kept_in_quickbooks(connection: sa.Connection, case: Case, link: Link) -> str:
    """QuickBooks keeps a document that AlgaPSA has voided or no longer has."""
    _withdraw(connection, case, VOID_DOCUMENT)
    total = _shown(link).total_minor
    _retire(connection, link, difference=total)
    _close_total_difference(connection, case)
    _keep(connection, case, total, before=None, after=_shown(link))
    return f"QuickBooks keeps {_label(link)}; nothing of it is sent any more.{_named(total)}"


def _only_in_quickbooks(connection: sa.Connection, case: Case, link: Link) -> str:
    """AlgaPSA has nothing left that payments of this document could go to: they are QuickBooks'."""
    told = _kept_in_quickbooks(connection, case, link)
    if link.kind != INVOICE.link_kind:
        return told
    decisions.decide(
        connection,
        case.realm,
        decisions.NewDecision(
            kind="not_from_algapsa",
            record=f"{NOT_OURS}{link.quickbooks_id}",
            decided_by=case.by,
            reason=case.reason,
            detail={"exception": case.exception.number, "was": case.exception.record},
        ),
    )
    return f"{told} Payments on it are QuickBooks' own from now on."


def _refuse_without_void(connection: sa.Connection, case: Case) -> None:
    """Raises ActionRefusedError unless a void waits for closed books."""
    if not operations.of_records(connection, case.realm, {VOID_DOCUMENT: case.record_id}):
        raise ActionRefusedError(
            "Only what is to be voided or taken back can be given up here. Re-date what is to be "
            "created; where an update waits, accept QuickBooks' version in the document's own "
            "exception."
        )


_ACCEPTED: Mapping[ExceptionKind, Callable[[sa.Connection, Case, Link], str]] = {
    ExceptionKind.DRIFT_CHANGED: _quickbooks_version,
    ExceptionKind.DRIFT_GONE: _loss,
    ExceptionKind.TOTAL_DIFFERENCE: _total,
    ExceptionKind.CHANGED_IN_ALGAPSA: _exported_version,
}
_FAILED_VOIDS = frozenset({ExceptionKind.VOID_FAILING, ExceptionKind.CLOSED_PERIOD})
# What AlgaPSA had withdrawn when they were told may stand there again.
_OF_VOIDS = _FAILED_VOIDS | {ExceptionKind.DELETED_IN_ALGAPSA, ExceptionKind.VOIDED_IN_ALGAPSA}
_SETTLED_AS_EXPORTED = (
    ExceptionKind.TOTAL_DIFFERENCE,
    ExceptionKind.CHANGED_IN_ALGAPSA,
    *_FAILED_VOIDS,
)
_MOVED = (
    "The document changed again since this exception was last shown. Nothing was accepted: run a "
    "cycle, look at what stands there now, and decide then."
)


def _withdraw(connection: sa.Connection, case: Case, kind: str) -> None:
    """Accepting takes back what was filed before. Raises ActionRefusedError if it is on its way."""
    filed = operations.of_records(connection, case.realm, {kind: case.record_id}, lock=True)
    if any(operation.state == "posting" for operation in filed):
        raise ActionRefusedError(
            "It is being sent to QuickBooks at this moment. Nothing was accepted; look again "
            "after the next cycle."
        )
    ids = [operation.operation_id for operation in filed]
    operations.change(connection, ids, "cancelled", reason=f"accepted: {case.reason}")
    close_told(connection, case, filed)


def _retire(connection: sa.Connection, link: Link, *, difference: int) -> None:
    links.update(
        connection,
        link.link_id,
        state="accepted",
        drift=None,
        difference_minor=difference,
        accepted_minor=difference,
    )


def _keep(
    connection: sa.Connection,
    case: Case,
    amount_minor: int,
    *,
    before: DocumentView | str | None,
    after: DocumentView | str,
) -> None:
    settle(connection, case, how="accepted", before=_plain(before), after=_plain(after))
    _remember(connection, case, amount_minor)


def _remember(connection: sa.Connection, case: Case, amount_minor: int) -> None:
    decisions.decide(
        connection,
        case.realm,
        decisions.NewDecision(
            kind="accepted",
            record=case.exception.record,
            decided_by=case.by,
            amount_minor=amount_minor,
            reason=case.reason,
            detail={"exception": case.exception.number, "kind": case.exception.kind},
        ),
    )


def _close_total_difference(connection: sa.Connection, case: Case) -> None:
    _close(connection, case, [ExceptionKind.TOTAL_DIFFERENCE])


def _close(connection: sa.Connection, case: Case, kinds: Iterable[ExceptionKind]) -> None:
    exceptions.resolve(
        connection,
        case.realm,
        list(kinds),
        [case.exception.record],
        f"accepted with exception {case.exception.number}",
        case.by,
    )


def _agreed(link: Link) -> DocumentView:
    return DocumentView.from_json(link.snapshot or link.shown or {})


def _shown(link: Link) -> DocumentView:
    return DocumentView.from_json(link.shown or link.snapshot or {})


def _algapsa_total(link: Link) -> int:
    """AlgaPSA's total at the last agreement, in minor units."""
    return _agreed(link).total_minor - link.difference_minor


def _label(link: Link) -> str:
    kind = "Credit note" if link.kind == "credit_memo" else "Invoice"
    return f"{kind} {_agreed(link).number}"


def _named(difference_minor: int) -> str:
    if not difference_minor:
        return ""
    told = format_minor(abs(difference_minor))
    side = "more" if difference_minor > 0 else "less"
    return f" QuickBooks has {told} {side} than AlgaPSA; that is kept as an accepted difference."


def _plain(value: DocumentView | str | None) -> object:
    return value.as_json() if isinstance(value, DocumentView) else value
