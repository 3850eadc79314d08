"""The machine that drives people, the engine, faults and the clock by chance, beside the model.

Belongs here: what can happen next. Does not: running it for a time, what the model says, and what
must hold. A failure is shrunk by hypothesis; what it found becomes a scenario test.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from benchmarks.year.invariants import BrokenPromiseError
from chaos.crash import LEASE_RUN_OUT
from chaos.expected import Bill, Note, Receipt
from chaos.forking import in_a_child
from chaos.history import History
from chaos.points import Point, Watch, kill_here, watch_this_process
from chaos.promises import check_after_cycle, disagreements
from chaos.stores import Kept
from chaos.world import World
from qbo_sync_dagster.sandbox.algapsa import credit, invoices, payments, tenants
from qbo_sync_dagster.sync.cycle import last_end, run_cycle

_QUARTER = timedelta(minutes=15)
# Longer than Intuit remembers a request; longer than its change data reach.
_TIMES = (_QUARTER, timedelta(hours=25), timedelta(days=31))
_FAULTS = (
    *("timeout_after_commit", "drop_after_commit", "502_after_commit", "malformed_json"),
    *("timeout_before", "drop_before", "502_html", "503", "429", "500", "omit_item", "html_200"),
)
_FAULTY_CALLS = ("any", "batch", "cdc", "query")
_MOST_CYCLES = 8
PICKS = st.integers(0, 999)
AMOUNTS = st.integers(1, 20_000)


class BooksMachine(RuleBasedStateMachine):
    """One history: people act on both sides, cycles run, calls fail, processes die."""

    world: ClassVar[World]
    start: ClassVar[Kept]
    tally: ClassVar[Counter[str]]

    def __init__(self) -> None:
        super().__init__()
        self.world.stores.restore(self.start)
        self.history = History(self.world)
        self.cursor = datetime.min.replace(tzinfo=UTC)

    @initialize()
    def begin(self) -> None:
        """Some invoices and a credit note have come over already."""
        for client, cents in ((0, 10_000), (0, 7_500), (1, 30_000)):
            self.history.bill(cents, client)
        self.issue_a_note(2_500, 0)
        self.cycle()

    # AlgaPSA's people

    @rule(cents=st.integers(100, 50_000), client=st.integers(0, 1))
    def bill(self, cents: int, client: int) -> None:
        """An invoice is finalized."""
        self.history.note("bill")
        self.history.bill(cents, client)

    @rule(cents=st.integers(100, 50_000))
    @precondition(lambda self: not any(each.lacks for each in self.history.expected.bills))
    def bill_a_new_service(self, cents: int) -> None:
        """An invoice over a service that nobody has linked: it waits, and nothing else does."""
        name = f"Project {self.history.note('bill a new service')}"
        service = self.world.do(tenants.create_service, tenants.Service(name, cents))
        self.history.bill(cents, 0, service)

    @rule(cents=st.integers(100, 20_000), client=st.integers(0, 1))
    def issue_a_note(self, cents: int, client: int) -> None:
        """A credit note is finalized."""
        self.history.note("issue a note")
        note = self.world.bill(-cents, client)
        self.history.expected.notes.append(Note(self.history.number(note), cents))

    @rule(pick=PICKS, cents=AMOUNTS)
    def use_credit(self, pick: int, cents: int) -> None:
        """Credit is applied to an invoice, from whichever notes AlgaPSA takes."""
        found = self.history.payable_in_algapsa(pick, cents)
        if found is not None:
            self.history.note("use credit")
            self.world.do(credit.apply_credit, found[0].identity, found[1])
            self.history.read_uses(found[0])

    @rule(pick=PICKS)
    def take_credit_back(self, pick: int) -> None:
        """What credit gave to an invoice is taken back."""
        credited = {number for _, number, _ in self.history.expected.uses}
        bills = [each for each in self.history.expected.bills if each.number in credited]
        if bills:
            self.history.note("take credit back")
            bill = bills[pick % len(bills)]
            self.world.do(credit.reverse_credit, bill.identity)
            self.history.read_uses(bill)

    @rule(pick=PICKS, cents=AMOUNTS)
    def receive(self, pick: int, cents: int) -> None:
        """A client pays in AlgaPSA."""
        found = self.history.payable_in_algapsa(pick, cents)
        if found is not None and found[0].is_known:
            bill, amount = found
            reference = f"R {self.history.note('receive')}"
            paid = payments.Payment(bill.identity, amount, self.world.today, reference=reference)
            identity = self.world.do(payments.record_payment, paid)
            self.history.expected.receipts.append(Receipt(identity, bill, amount))

    @rule(pick=PICKS, part=st.sampled_from([1, 2]))
    def bounce(self, pick: int, part: int) -> None:
        """A payment that AlgaPSA recorded is taken back, or half of it."""
        standing = [each for each in self.history.expected.receipts if each.cents]
        if standing:
            receipt = standing[pick % len(standing)]
            back = max(1, receipt.cents // part)
            left = receipt.cents - back
            if left and left in receipt.bill.seen:
                return
            self.history.note("bounce")
            self.world.do(payments.reverse_payment, receipt.identity, back)
            receipt.cents = left
            receipt.bill.seen |= {left, back}

    @rule(pick=PICKS)
    def void_a_bill(self, pick: int) -> None:
        """An invoice is voided on which nothing stands, on either side."""
        bills = [each for each in self.history.untouched() if each.is_known]
        if bills:
            self.history.note("void a bill")
            bill = bills[pick % len(bills)]
            self.world.do(invoices.void_invoice, bill.identity)
            bill.is_void = True

    # Bookkeepers

    @rule(pick=PICKS, cents=AMOUNTS)
    def pay(self, pick: int, cents: int) -> None:
        """A bookkeeper records a payment on an invoice."""
        found = self.history.payable_in_quickbooks(pick, cents)
        if found is not None:
            self.history.note("pay")
            bill, target, amount = found
            lines = [(target, Decimal(amount) / 100)]
            customer = self.world.customer(bill.client)
            made = self.world.quickbooks.record_payment(self.world.realm, customer, lines)
            self.history.expected.cheques[str(made["Id"])] = {bill.number: amount}

    @rule(pick=PICKS, cents=AMOUNTS)
    def change_a_payment(self, pick: int, cents: int) -> None:
        """A bookkeeper changes what a payment gives to its invoice."""
        standing = [key for key, parts in self.history.expected.cheques.items() if parts]
        if not standing:
            return
        payment = standing[pick % len(standing)]
        [(number, before)] = self.history.expected.cheques[payment].items()
        bill = self.history.expected.bill(number)
        sides = self.history.sides()
        amount = self.history.amount(bill, min(cents, sides.balances[number] + before), before)
        if amount:
            self.history.note("change a payment")
            lines = [(sides.invoice_ids[number], Decimal(amount) / 100)]
            self.world.quickbooks.edit_payment(self.world.realm, payment, lines)
            self.history.expected.cheques[payment] = {number: amount}

    @rule(pick=PICKS, how=st.sampled_from(["void", "delete", "unapply"]))
    def undo_a_payment(self, pick: int, how: str) -> None:
        """A bookkeeper voids, deletes or unapplies a payment."""
        standing = [key for key, parts in self.history.expected.cheques.items() if parts]
        if standing:
            self.history.note(f"{how} a payment")
            payment = standing[pick % len(standing)]
            quickbooks, realm = self.world.quickbooks, self.world.realm
            if how == "unapply":
                quickbooks.unapply(realm, payment)
            elif how == "void":
                quickbooks.void(realm, "Payment", payment)
            else:
                quickbooks.delete(realm, "Payment", payment)
            self.history.expected.cheques[payment] = {}

    @rule(pick=PICKS)
    def touch_an_invoice(self, pick: int) -> None:
        """A bookkeeper writes a note on an invoice, which changes its version and nothing else."""
        ids = sorted(self.history.sides().invoice_ids.values())
        if ids:
            note = f"Called {self.history.note('touch an invoice')}"
            quickbooks, invoice = self.world.quickbooks, ids[pick % len(ids)]
            quickbooks.edit(self.world.realm, "Invoice", invoice, PrivateNote=note)

    @rule(cents=st.integers(100, 50_000))
    @precondition(lambda self: all(each.is_known for each in self.history.expected.bills))
    def remember_an_old_invoice(self, cents: int) -> None:
        """An invoice from before the sync stands in both books, and nobody has linked it."""
        self.history.note("remember an old invoice")
        identity, _ = self.world.history(cents)
        number = self.history.number(identity)
        self.history.expected.bills.append(Bill(identity, number, 0, cents, is_known=False))

    # Staff

    @rule()
    def close_a_gap(self) -> None:
        """Staff link what was missing: an item for a service, or an old invoice."""
        for bill in self.history.expected.bills:
            if bill.lacks:
                name = f"Item {self.history.note('link a service')}"
                made = self.world.quickbooks.item(self.world.realm, name)
                self.world.link(("service", bill.lacks, str(made["Id"])))
                bill.lacks = ""
                return
            if not bill.is_known:
                self.history.note("link an old invoice")
                shown = self.history.sides().invoice_ids[bill.number]
                self.world.link(("invoice", bill.identity, shown))
                bill.is_known = True
                return

    # The engine, its calls and its clock

    @rule()
    def cycle(self) -> None:
        """A cycle runs to its end, whatever that is."""
        self.history.note("cycle")
        self.world.cycle()
        self._check()

    @rule()
    def cycle_a_quarter_later(self) -> None:
        """The next cycle of the schedule."""
        self.world.later(_QUARTER)
        self.cycle()

    @rule(number=st.integers(1, 80))
    def crash(self, number: int) -> None:
        """A cycle is killed at a commit or a call; the next comes when its lease has run out."""
        self.history.note("crash")

        def run(_: Any) -> None:  # noqa: ANN401  (what a child tells)
            def die(point: Point) -> None:
                if point.number == number:
                    kill_here()

            watch_this_process(Watch(die))
            with self.world.engine() as engine:
                last_end(run_cycle(engine, self.world.realm, trigger="chaos"))

        if in_a_child(run).was_killed:
            self.history.note("death")
        self.world.later(LEASE_RUN_OUT)
        self._check()

    @rule(
        effect=st.sampled_from(_FAULTS),
        kind=st.sampled_from(_FAULTY_CALLS),
        after=st.integers(0, 4),
    )
    def fault(self, effect: str, kind: str, after: int) -> None:
        """A call to come is not answered as it should be."""
        self.history.note("fault")
        self.world.quickbooks.fault(
            effect, realm=self.world.realm, kind=kind, after_calls=after, hold_ms=0
        )

    @rule(by=st.sampled_from(_TIMES))
    def later(self, by: timedelta) -> None:
        """Time passes."""
        self.history.note("later")
        self.world.later(by)

    @rule()
    def come_to_rest(self) -> None:
        """The weather clears; after some cycles both books are what the model says."""
        self.history.note("come to rest")
        self._settle()

    def teardown(self) -> None:
        """However a history ends, the books agree."""
        try:
            self._settle()
        finally:
            self.tally.update(self.history.events)

    def _settle(self) -> None:
        self.world.quickbooks.clear_faults(self.world.realm)
        self.world.later(LEASE_RUN_OUT)
        for _ in range(_MOST_CYCLES):
            self.world.cycle()
            self._check()
            wrong = disagreements(self.history)
            if not wrong:
                return
            self.world.later(_QUARTER)
        raise BrokenPromiseError("The books do not come to agree:\n" + "\n".join(wrong))

    def _check(self) -> None:
        self.cursor = check_after_cycle(self.history, self.cursor)
