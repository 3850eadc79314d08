"""What both sides' books say of each document of a company, read without the engine's own eyes.

Belongs here: the components of a document (its total, each payment's net, each use of a credit)
on both sides. Does not: what names a difference between them, and any reading that the engine has.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
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
        CAST(part->>'amount' AS bigint) AS amount,
        used.transaction_id::text || ':' || (part->>'creditId') AS application
    FROM transactions used
    CROSS JOIN jsonb_array_elements(used.metadata->'applied_credits') part
    JOIN credit_tracking c ON c.credit_id = CAST(part->>'creditId' AS uuid)
    JOIN transactions issued ON issued.transaction_id = c.transaction_id
    WHERE used.type = 'credit_application' AND NOT EXISTS (
        SELECT FROM transactions back WHERE back.type = 'credit_adjustment'
            AND back.metadata->>'reversal_of' = used.transaction_id::text)
    ORDER BY used.created_at, used.transaction_id
"""
_LINKS = """
    SELECT kind, algapsa_id, quickbooks_id, invoice_id, state, origin, snapshot, shown,
        difference_minor, accepted_minor
    FROM links
    WHERE realm = :realm AND state IN ('live', 'accepted')
        AND kind IN ('invoice', 'credit_memo', 'payment', 'credit_application')
    ORDER BY link_id
"""
_HOMES = "SELECT invoice_id, realm FROM document_homes"
# A row that AlgaPSA itself wrote to take money back names the row it takes back.
_TAKES_BACK = "reversal:"
ENTITIES = {"invoice": "Invoice", "credit_memo": "CreditMemo"}


@dataclass(frozen=True, slots=True)
class Component:
    """A figure that both sides have of a document, in cents; `record` is what it is a figure of.

    `document` is AlgaPSA's id of the document. `rows` are the rows of AlgaPSA that make the figure.
    """

    kind: str
    record: str
    document: str
    label: str
    algapsa: int
    quickbooks: int
    rows: frozenset[str] = frozenset()

    @property
    def difference(self) -> int:
        """What QuickBooks has more than AlgaPSA, in cents."""
        return self.quickbooks - self.algapsa

    def __str__(self) -> str:
        return f"{self.label}: AlgaPSA {self.algapsa}, QuickBooks {self.quickbooks}"


@dataclass
class _Net:
    minor: int
    rows: set[str]


class Books:
    """Both sides of one company, read at one moment between two cycles."""

    def __init__(self, provider: Provider, company: Company) -> None:
        self.realm = company.realm
        self.documents = {row.invoice_id: row for row in provider.algapsa_rows(_DOCUMENTS)}
        self.links = provider.ledger_rows(_LINKS, realm=company.realm)
        self._rows = provider.algapsa_rows(_PAYMENTS)
        self._credits = provider.algapsa_rows(_CREDITS)
        self._homes = {row.invoice_id: row.realm for row in provider.ledger_rows(_HOMES)}
        self.objects = {
            entity: provider.objects(company, entity)
            for entity in ("Invoice", "CreditMemo", "Payment")
        }
        self.invoices = self._linked("invoice")
        self.memos = self._linked("credit_memo")
        # Documents that this company has or is to get; those given up stand for themselves.
        self._lost = {link.algapsa_id for link in self.links if link.state == "accepted"}
        at_home = {key for key, realm in self._homes.items() if realm == company.realm}
        self._ours = (at_home | set(self.invoices.values())) - self._lost

    def components(self) -> list[Component]:
        """Every component of the company's documents, whether the two sides differ on it or not."""
        return [*self._totals(), *self._missing(), *self._payments(), *self._credit_uses()]

    def _totals(self) -> Iterator[Component]:
        """Each linked document's total."""
        for link in self.links:
            if link.kind in ENTITIES:
                shown = self.objects[ENTITIES[link.kind]].get(link.quickbooks_id)
                yield Component(
                    "total",
                    link.algapsa_id,
                    link.algapsa_id,
                    f"{self.realm} total of {self._label(link.algapsa_id)}",
                    _total(self.documents.get(link.algapsa_id)),
                    _cents(shown["TotalAmt"]) if shown else 0,
                )

    def _missing(self) -> Iterator[Component]:
        """Finalized documents that ought to be in this company and are not linked."""
        linked = {link.algapsa_id for link in self.links}
        for document in self.documents.values():
            identity = document.invoice_id
            if self._homes.get(identity) == self.realm and identity not in linked:
                label = f"{self.realm} export of {document.invoice_number}"
                yield Component("export", identity, identity, label, _total(document), 0)

    def _payments(self) -> Iterator[Component]:
        """Each payment's net on each invoice, by QuickBooks' id or that of AlgaPSA's own row."""
        algapsa, quickbooks = self._received(), self._applied()
        for payment, invoice in sorted({*algapsa, *quickbooks}):
            net = algapsa.get((payment, invoice), _Net(0, set()))
            yield Component(
                "payment",
                payment,
                invoice,
                f"{self.realm} payment {payment} on {self._label(invoice)}",
                net.minor,
                quickbooks.get((payment, invoice), 0),
                frozenset(net.rows),
            )

    def _credit_uses(self) -> Iterator[Component]:
        """What each credit note gave to each invoice."""
        algapsa = self.applications
        quickbooks = self.spent
        for note, invoice in sorted({*algapsa, *quickbooks}):
            yield Component(
                "credit",
                note,
                invoice,
                f"{self.realm} credit of {self._label(note)} on {self._label(invoice)}",
                sum(algapsa.get((note, invoice), {}).values()),
                sum(quickbooks.get((note, invoice), {}).values()),
            )

    @cached_property
    def applications(self) -> Mapping[tuple[str, str], dict[str, int]]:
        """AlgaPSA's uses of credit by (note, invoice): each application with its amount."""
        found: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
        for row in self._credits:
            if row.invoice in self._ours:
                found[row.note, row.invoice][row.application] = int(row.amount)
        return found

    @cached_property
    def spent(self) -> Mapping[tuple[str, str], dict[str, int]]:
        """What linked memos gave to linked invoices in QuickBooks: each payment with its part."""
        found: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for payment, lines in self._payment_lines.items():
            notes = [
                self.memos[it] for kind, it, _ in lines if kind == "CreditMemo" and it in self.memos
            ]
            for kind, target, cents in lines:
                if notes and kind == "Invoice" and target in self.invoices:
                    found[notes[0], self.invoices[target]][payment] += cents
        return found

    def _received(self) -> Mapping[tuple[str, str], _Net]:
        pushed = {row.algapsa_id: row.quickbooks_id for row in self.links if row.kind == "payment"}
        roots: dict[str, str] = {}
        nets: dict[tuple[str, str], _Net] = defaultdict(lambda: _Net(0, set()))
        for row in self._rows:
            if row.invoice_id in self._lost:
                continue
            if row.key is not None:
                if row.key["realm"] != self.realm:
                    continue
                net = nets[row.key["payment"], row.invoice_id]
            elif row.invoice_id in self._ours:
                reference = row.reference_number or ""
                root = roots.get(reference.removeprefix(_TAKES_BACK), row.payment_id)
                roots.setdefault(reference, root)
                net = nets[pushed.get(root, root), row.invoice_id]
            else:
                continue
            net.minor += row.amount
            net.rows.add(row.payment_id)
        return nets

    def _applied(self) -> Mapping[tuple[str, str], int]:
        """QuickBooks' nets by payment and AlgaPSA's invoice, uses of linked memos left out."""
        nets: dict[tuple[str, str], int] = defaultdict(int)
        for payment_id, lines in self._payment_lines.items():
            if any(kind == "CreditMemo" and target in self.memos for kind, target, _ in lines):
                continue
            for kind, target, cents in lines:
                if kind == "Invoice" and target in self.invoices:
                    nets[payment_id, self.invoices[target]] += cents
        return nets

    @cached_property
    def _payment_lines(self) -> dict[str, list[tuple[str, str, int]]]:
        return {
            payment_id: list(payment_lines(payment))
            for payment_id, payment in self.objects["Payment"].items()
        }

    def _linked(self, kind: str) -> dict[str, str]:
        # What staff accepted as lost stands for itself with all that was on it.
        return {
            row.quickbooks_id: row.algapsa_id
            for row in self.links
            if row.kind == kind and row.state == "live"
        }

    def _label(self, invoice: str) -> str:
        document = self.documents.get(invoice)
        return str(document.invoice_number) if document else invoice


def payment_lines(payment: Mapping[str, Any]) -> Iterable[tuple[str, str, int]]:
    """What a payment gives to what: (kind of transaction, its id, cents)."""
    for line in payment.get("Line", ()):
        for link in line.get("LinkedTxn", ()):
            yield link["TxnType"], link["TxnId"], _cents(line["Amount"])


def _total(document: Any) -> int:  # noqa: ANN401  (a row)
    if document is None or document.finalized_at is None or document.status == "cancelled":
        return 0
    return abs(int(document.total_amount))


def _cents(amount: Decimal | int | str) -> int:
    return int(Decimal(amount).scaleb(2))
