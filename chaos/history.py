"""What people look up while a history goes on: the model beside the world that it is about.

Belongs here: one history's state, and the amounts that an act may use. Does not: the acts, and
what must hold after them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from chaos.both_sides import BothSides, read_both_sides
from chaos.expected import Bill, Expected
from chaos.world import World
from qbo_sync_dagster.sandbox.algapsa import invoices
from qbo_sync_dagster.sandbox.algapsa.charges import Charge

_BALANCE = """
    SELECT (total_amount - COALESCE(credit_applied, 0) - COALESCE((SELECT sum(p.amount)
        FROM invoice_payments p WHERE p.invoice_id = i.invoice_id), 0))::bigint
    FROM invoices i WHERE invoice_id = :id
"""
_NUMBER = "SELECT invoice_number FROM invoices WHERE invoice_id = :id"
_USES = """
    SELECT note.invoice_number AS note, invoice.invoice_number AS invoice,
        CAST(part->>'amount' AS bigint) AS cents
    FROM transactions used
    CROSS JOIN jsonb_array_elements(used.metadata->'applied_credits') part
    JOIN credit_tracking c ON c.credit_id = CAST(part->>'creditId' AS uuid)
    JOIN transactions issued ON issued.transaction_id = c.transaction_id
    JOIN invoices note ON note.invoice_id = issued.invoice_id
    JOIN invoices invoice ON invoice.invoice_id = used.invoice_id
    WHERE used.type = 'credit_application' AND NOT EXISTS (
        SELECT FROM transactions back WHERE back.type = 'credit_adjustment'
            AND back.metadata->>'reversal_of' = used.transaction_id::text)
"""
_USES_EVER = """
    SELECT COALESCE(sum(jsonb_array_length(metadata->'applied_credits')), 0)
    FROM transactions WHERE type = 'credit_application'
"""


@dataclass
class History:
    """One history: the world, what people did in it, and how much happened."""

    world: World
    expected: Expected = field(default_factory=Expected)
    events: Counter[str] = field(default_factory=Counter)

    def note(self, what: str) -> int:
        """Count an event; its number in the history."""
        self.events[what] += 1
        return self.events.total()

    def bill(self, cents: int, client: int, lacks: str = "") -> None:
        """A finalized invoice, over the service `lacks` if one is named."""
        charge = Charge("Work", cents, service_id=lacks or self.world.service)
        draft = invoices.InvoiceDraft(self.world.clients[client], self.world.today, (charge,))
        identity = self.world.do(invoices.draft_invoice, draft)
        self.world.do(invoices.finalize_invoice, identity, today=self.world.today)
        number = self.number(identity)
        self.expected.bills.append(Bill(identity, number, client, cents, lacks))

    def number(self, identity: str) -> str:
        """The number of a document of AlgaPSA."""
        return str(self._scalar(_NUMBER, identity))

    def live(self) -> list[Bill]:
        """Invoices that are not void."""
        return [each for each in self.expected.bills if not each.is_void]

    def untouched(self) -> list[Bill]:
        """Invoices on which nothing stands, on either side."""
        balances = self.sides().balances
        return [
            each
            for each in self.live()
            if self.expected.open(each) == each.total == self.balance(each)
            and balances.get(each.number, each.total) == each.total
        ]

    def payable_in_algapsa(self, pick: int, cents: int) -> tuple[Bill, int] | None:
        """An invoice that AlgaPSA wants money for, and an amount that is new to it."""
        bills = [each for each in self.live() if not each.lacks and each.is_known]
        bill = bills[pick % len(bills)]
        amount = self.amount(bill, min(cents, self.balance(bill)))
        return (bill, amount) if amount else None

    def payable_in_quickbooks(self, pick: int, cents: int) -> tuple[Bill, str, int] | None:
        """An invoice that QuickBooks wants money for, its id there, and a new amount."""
        sides = self.sides()
        bills = [each for each in self.live() if each.number in sides.invoice_ids]
        if not bills:
            return None
        bill = bills[pick % len(bills)]
        amount = self.amount(bill, min(cents, sides.balances[bill.number]))
        return (bill, sides.invoice_ids[bill.number], amount) if amount else None

    def amount(self, bill: Bill, most: int, returned: int = 0) -> int:
        """At most what nobody has paid, `returned` added; 0 if there is none that is new."""
        most = min(most, self.expected.open(bill) + returned)
        found = next((each for each in range(most, 0, -1) if each not in bill.seen), 0)
        bill.seen.add(found)
        return found

    def balance(self, bill: Bill) -> int:
        """What AlgaPSA still wants of it."""
        return int(self._scalar(_BALANCE, bill.identity))

    def read_uses(self, bill: Bill) -> None:
        """Which notes AlgaPSA took credit from is its own choice: the model takes it over."""
        with self.world.stores.algapsa.connect() as connection:
            rows = connection.execute(sa.text(_USES)).all()
        self.expected.uses = [(row.note, row.invoice, int(row.cents)) for row in rows]
        bill.seen |= {cents for _, number, cents in self.expected.uses if number == bill.number}

    def uses_ever(self) -> int:
        """Uses of credit, those taken back included."""
        with self.world.stores.algapsa.connect() as connection:
            return int(connection.execute(sa.text(_USES_EVER)).scalar_one())

    def sides(self) -> BothSides:
        """What both sides show now."""
        return read_both_sides(self.world.stores)

    def _scalar(self, query: str, identity: str) -> Any:  # noqa: ANN401  (a column)
        with self.world.stores.algapsa.connect() as connection:
            return connection.execute(sa.text(query), {"id": identity}).scalar_one()
