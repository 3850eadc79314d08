"""Linking what an exception lacks: the client's customer, or the invoice that a payment pays."""

from __future__ import annotations

from datetime import date

from qbo_sync_dagster.actions.cases import Case, Choice, note, one_of, open_case
from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.actions.linking import import_links
from qbo_sync_dagster.actions.values import read_quickbooks_id
from qbo_sync_dagster.algapsa.gateway import AlgaPsa
from qbo_sync_dagster.algapsa.headers import ExportScope
from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.domain.document_kinds import DOCUMENT_KINDS, kind_of
from qbo_sync_dagster.ledger import connections, links
from qbo_sync_dagster.sync.engine import SyncEngine

_EVERY_DAY = ExportScope(dated_from=date(1900, 1, 1), finalized_from=date(1900, 1, 1))


def link_client(engine: SyncEngine, choice: Choice, customer_id: str) -> str:
    """Link the client that an exception concerns to a QuickBooks customer.

    A client that is linked to another customer is linked anew. The exception closes by itself
    once its cause is gone. Raises ActionRefusedError, LinkFileError, AlgaPsaError.
    """
    case = _case(engine, choice, Action.LINK_CLIENT)
    customer = read_quickbooks_id(customer_id, "QuickBooks customer id")
    client = _client_of(engine, case)
    _import(engine, case, f"client,{client},{customer}", replace=True)
    return (
        f"The client is linked to QuickBooks customer {customer}. What waited for that goes on "
        "with the cycle that was just asked for."
    )


def link_invoice(engine: SyncEngine, choice: Choice, target: str = "") -> str:
    """Link the AlgaPSA invoice, or credit note, and the QuickBooks one that belong together.

    `target` names the one that the exception does not: QuickBooks' id, or AlgaPSA's invoice
    number where a QuickBooks payment waits (by default the same number as in QuickBooks).
    Raises ActionRefusedError, LinkFileError, AlgaPsaError.
    """
    case = _case(engine, choice, Action.LINK_INVOICE)
    theirs = case.named("quickbooks", "Invoice")
    if case.exception.record.startswith("payment:") and theirs:
        object_id = one_of(theirs, "", "QuickBooks invoice")
        ours = _numbered(engine, case, target.strip() or _number_there(case))
    else:
        ours = _unlinked(engine, case)
        there = case.named("quickbooks", kind_of(ours).entity)
        what = f"QuickBooks {kind_of(ours).noun.lower()}"
        object_id = read_quickbooks_id(one_of(there, target, what), "QuickBooks id")
    kind = kind_of(ours)
    _import(engine, case, f"{kind.link_kind},{ours.invoice_id},{object_id}", replace=False)
    return (
        f"{kind.noun} {ours.number} is linked to QuickBooks object {object_id}. The cycle that was "
        "just asked for reads it and compares the two; what waited for that follows."
    )


def _case(engine: SyncEngine, choice: Choice, action: Action) -> Case:
    with engine.ledger.connect() as connection:
        return open_case(connection, choice, action)


def _client_of(engine: SyncEngine, case: Case) -> str:
    if case.exception.record.startswith("client:"):
        return case.record_id
    [invoice, *_] = case.named("algapsa", "invoice") or [case.record_id]
    headers = _gateway(engine, case).document_headers([invoice])
    if not headers:
        raise ActionRefusedError("AlgaPSA no longer has the invoice that this is about.")
    return headers[0].client_id


def _unlinked(engine: SyncEngine, case: Case) -> DocumentHeader:
    """The one document of AlgaPSA that the exception names and that has no link yet."""
    headers = _gateway(engine, case).document_headers(case.named("algapsa", "invoice"))
    ids = [header.invoice_id for header in headers]
    with engine.ledger.connect() as connection:
        linked = {
            invoice_id
            for kind in DOCUMENT_KINDS
            for invoice_id in links.by_algapsa_id(connection, case.realm, kind.link_kind, ids)
        }
    waiting = [header for header in headers if header.invoice_id not in linked]
    if not waiting:
        raise ActionRefusedError("What this is about is linked already, or gone from AlgaPSA.")
    if len(waiting) > 1:
        named = " and ".join(f"{kind_of(each).noun.lower()} {each.number}" for each in waiting)
        raise ActionRefusedError(
            f"Neither {named} is linked. Link them by `qbo-sync links import`, or have them "
            "exported."
        )
    return waiting[0]


def _number_there(case: Case) -> str:
    labels = [record["label"] for record in case.exception.records if record["kind"] == "Invoice"]
    return labels[0].removeprefix("Invoice ") if labels else ""


def _numbered(engine: SyncEngine, case: Case, number: str) -> DocumentHeader:
    found = _gateway(engine, case).headers_by_number(_EVERY_DAY, [number])
    if len(found) != 1:
        raise ActionRefusedError(
            f"AlgaPSA has no finalized invoice with the number {number!r}. Name the number of the "
            "invoice that this payment pays."
        )
    return found[0]


def _gateway(engine: SyncEngine, case: Case) -> AlgaPsa:
    with engine.ledger.connect() as connection:
        company = connections.get(connection, case.realm)
    return AlgaPsa(engine.algapsa, company.tenant, company.time_zone)


def _import(engine: SyncEngine, case: Case, row: str, *, replace: bool) -> None:
    # Linking may close the exception at once, so what is kept of it does not ask for it again.
    import_links(engine, case.realm, f"{row}\n", replace=replace)
    with engine.ledger.begin() as connection:
        note(connection, case, after=row)
