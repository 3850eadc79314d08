"""What both sides' books say of each linked document, compared without the engine's own eyes.

Belongs here: the components of a document (its total, each payment's net, each use of a credit)
on both sides, and what names a difference between them. Does not: any reading that the engine has.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from benchmarks.year.provider import Company, Provider

_DOCUMENTS = """
    SELECT invoice_id::text, invoice_number, status, finalized_at, total_amount, invoice_type
    FROM invoices
"""
_PAYMENTS = """
    SELECT payment_id::text, invoice_id::text, amount, status, reference_number,
        metadata->'qbo_sync' AS key
    FROM invoice_payments ORDER BY created_at, payment_id
"""
_CREDITS = """
    SELECT issued.invoice_id::text AS note, used.invoice_id::text AS invoice,
        sum(CAST(part->>'amount' AS bigint)) AS amount,
        array_agg(used.transaction_id::text || ':' || (part->>'creditId')) AS applications
    FROM transactions used
    CROSS JOIN jsonb_array_elements(used.metadata->'applied_credits') part
    JOIN credit_tracking c ON c.credit_id = CAST(part->>'creditId' AS uuid)
    JOIN transactions issued ON issued.transaction_id = c.transaction_id
    WHERE used.type = 'credit_application' AND NOT EXISTS (
        SELECT FROM transactions back WHERE back.type = 'credit_adjustment'
            AND back.metadata->>'reversal_of' = used.transaction_id::text)
    GROUP BY issued.invoice_id, used.invoice_id
"""
_LINKS = """
    SELECT kind, algapsa_id, quickbooks_id, state, accepted_minor, origin FROM links
    WHERE realm = :realm AND state IN ('live', 'accepted')
        AND kind IN ('invoice', 'credit_memo', 'payment', 'credit_application')
"""
_NAMES = """
    SELECT 'exception ' || kind AS name, record FROM exceptions
    WHERE realm = :realm AND state IN ('open', 'dismissed')
    UNION ALL
    SELECT 'operation ' || kind || ' ' || state, record_id FROM operations
    WHERE realm = :realm AND state IN ('queued', 'held', 'errored', 'posting', 'dismissed')
    UNION ALL
    SELECT 'change ' || state, object_id FROM inbound_changes
    WHERE realm = :realm AND state IN ('received', 'parked') AND entity = 'Payment'
    UNION ALL
    SELECT 'decision ' || kind, record FROM decisions WHERE realm = :realm
    UNION ALL
    SELECT 'decision ' || kind, counterpart FROM decisions WHERE realm = :realm
"""
_HOMES = "SELECT invoice_id, realm FROM document_homes"
_KEPT_OUT = "accepted total of the invoice"
# A row that AlgaPSA itself wrote to take money back names the row it takes back.
_TAKES_BACK = "reversal:"


@dataclass(frozen=True, slots=True)
class Difference:
    """A component on which the books differ, in cents; `ids` are the records it concerns."""

    realm: str
    component: str
    algapsa: int
    quickbooks: int
    ids: frozenset[str]
    accepted: int = 0
    # What an accepted total keeps from all payments of that invoice, at most.
    kept_out: int = 0
    invoice: str = ""

    def __str__(self) -> str:
        return (
            f"{self.realm} {self.component}: AlgaPSA {self.algapsa}, "
            f"QuickBooks {self.quickbooks}, accepted {self.accepted}"
        )


@dataclass(frozen=True, slots=True)
class Judged:
    """A difference with what names it."""

    difference: Difference
    names: tuple[str, ...]


def judged(provider: Provider, company: Company) -> list[Judged]:
    """Every difference of a company's books with its names."""
    rows = provider.ledger_rows(_NAMES, realm=company.realm)
    found = [(each, _names_of(each, rows)) for each in differences(provider, company)]
    kept_out = _kept_out([each for each, names in found if not names])
    return [
        Judged(each, tuple(sorted(names)) or ((_KEPT_OUT,) if each in kept_out else ()))
        for each, names in found
    ]


def _kept_out(unnamed: Iterable[Difference]) -> set[Difference]:
    """What accepted totals keep from payments: of one invoice no more than was accepted."""
    by_invoice: dict[str, list[Difference]] = defaultdict(list)
    for each in unnamed:
        if each.kept_out and each.quickbooks > each.algapsa:
            by_invoice[each.invoice].append(each)
    return {
        each
        for found in by_invoice.values()
        if sum(one.quickbooks - one.algapsa for one in found) <= found[0].kept_out
        for each in found
    }


def _names_of(difference: Difference, names: Iterable[Any]) -> set[str]:
    """A name holds for the record it is about, not for all that it mentions."""
    return {
        row.name for row in names if not difference.ids.isdisjoint((row.record, _id(row.record)))
    }


def _id(record: str) -> str:
    return record.partition(":")[2]


def differences(provider: Provider, company: Company) -> list[Difference]:
    """Every component of the company's documents on which the two sides differ."""
    sides = _Sides(provider, company)
    found = [*sides.totals(), *sides.payments(), *sides.credits(), *sides.missing()]
    return [each for each in found if each.algapsa + each.accepted != each.quickbooks]


class _Sides:
    """Both sides of one company, read at one moment between two cycles."""

    def __init__(self, provider: Provider, company: Company) -> None:
        self._realm = company.realm
        self._documents = {row.invoice_id: row for row in provider.algapsa_rows(_DOCUMENTS)}
        self._rows = provider.algapsa_rows(_PAYMENTS)
        self._credits = provider.algapsa_rows(_CREDITS)
        self._links = provider.ledger_rows(_LINKS, realm=company.realm)
        self._homes = {row.invoice_id: row.realm for row in provider.ledger_rows(_HOMES)}
        self._objects = {
            entity: provider.objects(company, entity)
            for entity in ("Invoice", "CreditMemo", "Payment")
        }
        self._invoices = self._linked("invoice")
        self._memos = self._linked("credit_memo")

    def totals(self) -> Iterable[Difference]:
        """Each linked document's total."""
        for link in self._links:
            if link.kind not in ("invoice", "credit_memo"):
                continue
            entity = "Invoice" if link.kind == "invoice" else "CreditMemo"
            document = self._documents.get(link.algapsa_id)
            shown = self._objects[entity].get(link.quickbooks_id)
            yield Difference(
                self._realm,
                f"total of {self._label(link.algapsa_id)}",
                _total(document),
                _cents(shown["TotalAmt"]) if shown else 0,
                frozenset({link.algapsa_id}),
                link.accepted_minor,
            )

    def payments(self) -> Iterable[Difference]:
        """Each payment's net on each linked invoice."""
        algapsa, quickbooks = self._received(), self._applied()
        accepted = {link.algapsa_id: link.accepted_minor for link in self._links}
        for payment, invoice in sorted({*algapsa, *quickbooks}):
            yield Difference(
                self._realm,
                f"payment {payment} on {self._label(invoice)}",
                algapsa.get((payment, invoice), 0),
                quickbooks.get((payment, invoice), 0),
                frozenset({payment, *self._counterparts(payment)}),
                kept_out=accepted.get(invoice, 0),
                invoice=invoice,
            )

    def credits(self) -> Iterable[Difference]:
        """What each credit note gave to each invoice."""
        ours = set(self._invoices.values())
        algapsa = {
            (row.note, row.invoice): int(row.amount) for row in self._credits if row.invoice in ours
        }
        keys = {(row.note, row.invoice): row.applications for row in self._credits}
        quickbooks, payments = self._spent()
        for note, invoice in sorted({*algapsa, *quickbooks}):
            key = note, invoice
            ids = {note, *keys.get(key, ()), *payments.get(key, ())}
            ids |= {row.algapsa_id for row in self._links if row.quickbooks_id in ids}
            yield Difference(
                self._realm,
                f"credit of {self._label(note)} on {self._label(invoice)}",
                algapsa.get(key, 0),
                quickbooks.get(key, 0),
                frozenset(ids),
            )

    def missing(self) -> Iterable[Difference]:
        """Finalized documents that ought to be in this company and are not linked."""
        linked = {link.algapsa_id for link in self._links}
        for document in self._documents.values():
            is_ours = self._homes.get(document.invoice_id) == self._realm
            if is_ours and document.invoice_id not in linked:
                label = f"export of {document.invoice_number}"
                ids = frozenset({document.invoice_id})
                yield Difference(self._realm, label, _total(document), 0, ids)

    def _received(self) -> Mapping[tuple[str, str], int]:
        """AlgaPSA's nets by payment (QuickBooks' id, or that of its own row) and invoice."""
        pushed = {row.algapsa_id: row.quickbooks_id for row in self._links if row.kind == "payment"}
        roots: dict[str, str] = {}
        nets: dict[tuple[str, str], int] = defaultdict(int)
        ours = set(self._invoices.values())
        lost = {link.algapsa_id for link in self._links if link.state == "accepted"}
        for row in self._rows:
            if row.key is not None:
                if row.key["realm"] == self._realm and row.invoice_id not in lost:
                    nets[row.key["payment"], row.invoice_id] += row.amount
                continue
            if row.invoice_id not in ours:
                continue
            reference = row.reference_number or ""
            root = roots.get(reference.removeprefix(_TAKES_BACK), row.payment_id)
            roots.setdefault(reference, root)
            nets[pushed.get(root, root), row.invoice_id] += row.amount
        return nets

    def _applied(self) -> Mapping[tuple[str, str], int]:
        """QuickBooks' nets by payment and AlgaPSA's invoice, uses of linked memos left out."""
        nets: dict[tuple[str, str], int] = defaultdict(int)
        for payment_id, lines in self._payment_lines().items():
            if any(kind == "CreditMemo" and target in self._memos for kind, target, _ in lines):
                continue
            for kind, target, cents in lines:
                if kind == "Invoice" and target in self._invoices:
                    nets[payment_id, self._invoices[target]] += cents
        return nets

    def _spent(self) -> tuple[dict[tuple[str, str], int], dict[tuple[str, str], list[str]]]:
        """What linked memos gave to linked invoices in QuickBooks, and by which payments."""
        nets: dict[tuple[str, str], int] = defaultdict(int)
        payments: dict[tuple[str, str], list[str]] = defaultdict(list)
        for payment_id, lines in self._payment_lines().items():
            notes = [
                self._memos[it]
                for kind, it, _ in lines
                if kind == "CreditMemo" and it in self._memos
            ]
            for kind, target, cents in lines:
                if notes and kind == "Invoice" and target in self._invoices:
                    key = notes[0], self._invoices[target]
                    nets[key] += cents
                    payments[key].append(payment_id)
        return nets, payments

    def _payment_lines(self) -> dict[str, list[tuple[str, str, int]]]:
        return {
            payment_id: [
                (link["TxnType"], link["TxnId"], _cents(line["Amount"]))
                for line in payment["Line"]
                for link in line["LinkedTxn"]
            ]
            for payment_id, payment in self._objects["Payment"].items()
        }

    def _linked(self, kind: str) -> dict[str, str]:
        # What staff accepted as lost stands for itself with all that was on it.
        return {
            row.quickbooks_id: row.algapsa_id
            for row in self._links
            if row.kind == kind and row.state == "live"
        }

    def _label(self, invoice: str) -> str:
        document = self._documents.get(invoice)
        return str(document.invoice_number) if document else invoice

    def _counterparts(self, payment: str) -> set[str]:
        return {row.algapsa_id for row in self._links if row.quickbooks_id == payment}


def _total(document: Any) -> int:  # noqa: ANN401  (a row)
    if document is None or document.finalized_at is None or document.status == "cancelled":
        return 0
    return abs(int(document.total_amount))


def _cents(amount: Decimal | int) -> int:
    return int(Decimal(amount).scaleb(2))
