"""Everything that both sides and the ledger say, in a form that two runs can be compared in.

Belongs here: reading, and leaving out what may differ between two runs that did the same (ids that
a side gives in the order of creation, instants, tokens). Does not: judging.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from chaos.stores import Stores
from qbo_sync_dagster.ledger import audit

_TRANSACTIONS = ("Invoice", "CreditMemo", "Payment", "Customer")
_LEFT_OUT = frozenset({"Id", "SyncToken", "MetaData", "domain", "sparse", "LineNum"})
_ALGAPSA = {
    "invoice": """
        SELECT invoice_number, status, total_amount::bigint, credit_applied::bigint,
            finalized_at IS NOT NULL FROM invoices
    """,
    "row of a payment": """
        SELECT i.invoice_number, p.amount::bigint, p.payment_method, p.status, p.reference_number,
            p.payment_date::date, p.metadata->'qbo_sync'->>'kind'
        FROM invoice_payments p JOIN invoices i USING (tenant, invoice_id)
    """,
    "movement": "SELECT type, amount::bigint, status, description FROM transactions",
    "credit": "SELECT amount::bigint, remaining_amount::bigint, is_expired FROM credit_tracking",
    "mapping": """
        SELECT alga_entity_type, alga_entity_id, sync_status FROM tenant_external_entity_mappings
    """,
}
_LEDGER = {
    "exception": "SELECT kind, record, title FROM exceptions WHERE state = 'open'",
    "dismissed exception": "SELECT kind, record FROM exceptions WHERE state = 'dismissed'",
    "open operation": """
        SELECT kind, record_id, state FROM operations
        WHERE state IN ('queued', 'posting', 'held', 'errored')
    """,
    "unanswered posting": "SELECT request_id FROM postings WHERE state = 'sent'",
    "unsettled change": """
        SELECT entity, object_id, version, state FROM inbound_changes
        WHERE state IN ('received', 'parked')
    """,
    "decision": "SELECT kind, record, amount_minor FROM decisions",
    "company": "SELECT state, is_default FROM connections",
    # What was made and came out of doubt is told as adopted, which is the ledger's own effect.
    "audited": """
        SELECT DISTINCT CASE WHEN side = 'ledger' THEN 'quickbooks' ELSE side END, record
        FROM audit_log WHERE side <> 'ledger' OR effect LIKE 'adopt %'
            OR effect LIKE 'credit application %'
    """,
    "unfulfilled request": "SELECT requested_by FROM sync_requests WHERE fulfilled_by IS NULL",
}
_LINKS = """
    SELECT kind, quickbooks_id, algapsa_id, state, generation, difference_minor, accepted_minor,
        invoice_id, drift IS NOT NULL
    FROM links
"""
_LINKED_TO = {
    "client": "Customer",
    "invoice": "Invoice",
    "credit_memo": "CreditMemo",
    "payment": "Payment",
    "credit_application": "Payment",
}
_OBJECTS = "SELECT entity, id, deleted, body FROM object"


@dataclass(frozen=True, slots=True)
class Books:
    """What stands, line by line; what was ever created, by entity; whether the audit log holds."""

    stands: Counter[str]
    created: Counter[str]
    audit_break: str = ""

    def half_done(self) -> list[str]:
        """What no settled world has, whatever happened in it."""
        unsettled = ("unanswered posting", "unfulfilled request")
        found = [
            line
            for line in self.stands
            if line.startswith(unsettled)
            or (line.startswith("open operation") and line.endswith("| posting"))
            or (line.startswith("unsettled change") and line.endswith("| received"))
        ]
        return found + ([f"audit log: {self.audit_break}"] if self.audit_break else [])


def read_books(stores: Stores, realm: str) -> Books:
    """What stands on all sides now, between two cycles."""
    stands: Counter[str] = Counter()
    with stores.algapsa.connect() as connection:
        for what, query in _ALGAPSA.items():
            stands.update(_lines(f"AlgaPSA {what}", connection.execute(sa.text(query))))
    with stores.ledger.connect() as connection:
        for what, query in _LEDGER.items():
            stands.update(_lines(what, connection.execute(sa.text(query))))
        linked = connection.execute(sa.text(_LINKS)).all()
        found = audit.first_break(connection, realm)
    with stores.sandbox.connect() as connection:
        rows = connection.execute(sa.text(_OBJECTS)).all()
    bodies = {
        (row.entity, row.id): json.loads(row.body)
        for row in rows
        if row.entity in _TRANSACTIONS and not row.deleted
    }
    names = {key: _name(body) for key, body in bodies.items()}
    stands.update(_objects(bodies, names))
    stands.update(_links(linked, names))
    return Books(stands, Counter(row.entity for row in rows), str(found or ""))


def _lines(what: str, rows: Iterable[Any]) -> Iterable[str]:
    return [f"{what}: {' | '.join(str(value) for value in row)}" for row in rows]


def _objects(
    bodies: Mapping[tuple[str, str], Any], names: Mapping[tuple[str, str], str]
) -> list[str]:
    return [
        f"QuickBooks {entity}: {json.dumps(_plain(body, names), sort_keys=True)}"
        for (entity, _), body in bodies.items()
    ]


def _links(rows: Iterable[Any], names: Mapping[tuple[str, str], str]) -> list[str]:
    """Links with what they lead to: its name, or that it is gone."""
    told = []
    for kind, object_id, *rest in rows:
        entity = _LINKED_TO.get(kind)
        leads_to = names.get((entity, object_id), "gone") if entity else object_id
        told.append(f"link: {kind} to {leads_to} | {' | '.join(map(str, rest))}")
    return told


def _name(body: Mapping[str, Any]) -> str:
    """What people know the object by, whatever its id became."""
    known = body.get("DocNumber") or body.get("DisplayName")
    return str(known or f"{body.get('TotalAmt')} {body.get('TxnDate')} {body.get('PrivateNote')}")


def _plain(value: Any, names: Mapping[tuple[str, str], str]) -> Any:  # noqa: ANN401  (JSON)
    if isinstance(value, list):
        return sorted((_plain(each, names) for each in value), key=json.dumps)
    if not isinstance(value, dict):
        return value
    if "TxnId" in value:
        return {**value, "TxnId": names.get((value["TxnType"], value["TxnId"]), "gone")}
    return {
        key: names.get(("Customer", each["value"]), "gone")
        if key == "CustomerRef"
        else _plain(each, names)
        for key, each in value.items()
        if key not in _LEFT_OUT
    }
