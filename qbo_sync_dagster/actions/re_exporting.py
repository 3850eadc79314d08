"""Re-export and void: AlgaPSA's version is to stand in QuickBooks, or nothing is.

Both file an operation with the version that staff saw. A cycle carries it out, and sends nothing
if QuickBooks shows another version by then.
"""

from __future__ import annotations

import sqlalchemy as sa

from qbo_sync_dagster.actions.cases import Case, Choice, decide, note
from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.actions.withdrawing import close_told
from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.domain.operation_kinds import UPDATE_DOCUMENT, VOID_DOCUMENT
from qbo_sync_dagster.ledger import document_links, operations
from qbo_sync_dagster.ledger.links import Link


def re_export(ledger: sa.Engine, choice: Choice) -> str:
    """Have a cycle bring QuickBooks' document back to AlgaPSA's version; says what follows.

    The exception closes once QuickBooks confirmed it. Raises ActionRefusedError.
    """
    return decide(ledger, choice, Action.RE_EXPORT, _re_export)


def void_in_quickbooks(ledger: sa.Engine, choice: Choice) -> str:
    """Have a cycle void QuickBooks' document, which AlgaPSA no longer stands for.

    The exception closes once QuickBooks confirmed it. Raises ActionRefusedError.
    """
    return decide(ledger, choice, Action.VOID, _void)


def _re_export(connection: sa.Connection, case: Case) -> str:
    label = _file(connection, case, UPDATE_DOCUMENT, VOID_DOCUMENT)
    return (
        f"{label} is sent to QuickBooks as AlgaPSA has it, by the cycle that was just asked for. "
        f"Exception {case.exception.number} closes once QuickBooks confirmed it."
    )


def _void(connection: sa.Connection, case: Case) -> str:
    label = _file(connection, case, VOID_DOCUMENT, UPDATE_DOCUMENT)
    return (
        f"{label} is voided in QuickBooks by the cycle that was just asked for. Exception "
        f"{case.exception.number} closes once QuickBooks confirmed it."
    )


def _file(connection: sa.Connection, case: Case, kind: str, instead_of: str) -> str:
    """Queue the operation anew, with what staff saw; returns what people call the document."""
    both = {kind: case.record_id, instead_of: case.record_id}
    filed = operations.of_records(connection, case.realm, both, lock=True)
    if any(operation.state == "posting" for operation in filed):
        raise ActionRefusedError(
            "Something is being sent to QuickBooks for this document at this moment. Nothing was "
            "filed; look again after the next cycle."
        )
    link = document_links.held(connection, case.realm, case.record_id)
    if link is None:
        raise ActionRefusedError(
            "The document is no longer linked. The next cycle closes the exception."
        )
    ids = [operation.operation_id for operation in filed]
    operations.change(connection, ids, "cancelled", reason=f"{case.action} was filed instead")
    label = _label(link)
    new = operations.NewOperation(kind, case.record_id, label, detail=_seen(case, link))
    operations.queue(connection, case.realm, [new])
    overtaken = [operation for operation in filed if operation.kind == instead_of]
    close_told(connection, case, overtaken)
    note(connection, case, before=link.shown)
    return label


def _seen(case: Case, link: Link) -> dict[str, object]:
    return {
        "shown": link.shown or link.snapshot,
        "by": case.by,
        "reason": case.reason,
        "exception": case.exception.number,
    }


def _label(link: Link) -> str:
    kind = "Credit note" if link.kind == "credit_memo" else "Invoice"
    number = (link.snapshot or link.shown or {}).get("number", "")
    return f"{kind} {number}".strip()
