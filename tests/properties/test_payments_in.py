"""Payments in on random histories: what AlgaPSA holds is what QuickBooks allocated.

A history mixes what bookkeepers do in QuickBooks, what staff do in AlgaPSA, and how changes reach
the engine: late, out of order, twice, or written although the ledger never learned of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from qbo_sync_dagster.domain.payment_plan import PaymentPlan, StalePlan
from qbo_sync_dagster.domain.payment_standing import (
    InvoiceState,
    PaymentDecisions,
    RowKind,
    StandingRow,
)
from qbo_sync_dagster.domain.payment_wanted import PaymentEnd, WantedLine, WantedPayment
from qbo_sync_dagster.domain.payments_in import plan_payment
from qbo_sync_dagster.domain.same_money import LocalKind, LocalMoney

INVOICES = ("inv-a", "inv-b", "inv-c")
PAYMENTS = ("1", "2", "3")
STATUSES = ("sent", "overdue", "draft", "cancelled")


@dataclass
class AlgaPsa:
    """The rows and invoices that the plans are written to."""

    states: dict[str, InvoiceState]
    rows: dict[str, list[StandingRow]] = field(default_factory=dict)
    row_ids: list[str] = field(default_factory=list)

    def standing(self, payment_id: str) -> list[StandingRow]:
        return self.rows.setdefault(payment_id, [])

    def net(self, payment_id: str, invoice_id: str) -> int:
        return sum(r.minor for r in self.standing(payment_id) if r.invoice_id == invoice_id)

    def write(self, wanted: WantedPayment, plan: PaymentPlan) -> None:
        for row in plan.rows:
            self.row_ids.append(row.row_id)
            self.standing(wanted.payment_id).append(
                StandingRow(
                    row.row_id,
                    row.invoice_id,
                    row.minor,
                    row.kind,
                    row.date,
                    row.version,
                    row.reverses,
                    records_deletion=wanted.is_deleted,
                )
            )
            self._pay(row.invoice_id, row.minor)
        for change in plan.statuses:
            state = self.states[change.invoice_id]
            self.states[change.invoice_id] = replace(state, status=change.status)

    def record_locally(self, invoice_id: str, minor: int) -> None:
        local = LocalMoney(f"local-{len(self.row_ids)}", LocalKind.PAYMENT, minor)
        self.row_ids.append(local.record_id)
        state = self.states[invoice_id]
        self.states[invoice_id] = replace(state, local_money=(*state.local_money, local))
        self._pay(invoice_id, minor)

    def _pay(self, invoice_id: str, minor: int) -> None:
        state = self.states[invoice_id]
        self.states[invoice_id] = replace(state, paid_minor=state.paid_minor + minor)


@dataclass
class World:
    """Both sides of one history and every version that QuickBooks ever had."""

    algapsa: AlgaPsa
    decisions: PaymentDecisions
    versions: dict[str, list[WantedPayment]] = field(default_factory=dict)

    def newest(self, payment_id: str) -> WantedPayment | None:
        versions = self.versions.get(payment_id)
        return versions[-1] if versions else None

    def change(self, payment_id: str, lines: dict[str, int], day: int, currency: str) -> None:
        before = self.newest(payment_id)
        if before and before.is_deleted:
            return
        self._add(
            WantedPayment(
                "realm",
                payment_id,
                before.version + 1 if before else 0,
                date(2026, 5, 1) + timedelta(days=day),
                currency,
                payment_id,
                "58",
                tuple(WantedLine(*line) for line in lines.items()),
            )
        )

    def end(self, payment_id: str, end: PaymentEnd) -> None:
        before = self.newest(payment_id)
        if before and not before.is_deleted:
            version = -1 if end is PaymentEnd.DELETED else before.version + 1
            self._add(replace(before, version=version, gone=end))

    def deliver(self, payment_id: str, age: int) -> None:
        """Plan and write one version; whether the ledger learns of it changes nothing."""
        versions = self.versions.get(payment_id, [])
        if versions:
            self.apply(versions[max(0, len(versions) - 1 - age)])

    def apply(self, wanted: WantedPayment) -> PaymentPlan | StalePlan:
        outcome = plan_payment(
            wanted, self.algapsa.standing(wanted.payment_id), self.algapsa.states, self.decisions
        )
        if isinstance(outcome, PaymentPlan):
            self.algapsa.write(wanted, outcome)
        return outcome

    def _add(self, wanted: WantedPayment) -> None:
        self.versions.setdefault(wanted.payment_id, []).append(wanted)


cents = st.integers(min_value=0, max_value=60)
payments = st.sampled_from(PAYMENTS)
lines = st.dictionaries(st.sampled_from(INVOICES), cents, max_size=3)
actions = st.one_of(
    st.tuples(
        st.just("change"),
        payments,
        lines,
        st.integers(0, 3),
        st.sampled_from(["USD", "USD", "EUR"]),
    ),
    st.tuples(st.just("end"), payments, st.sampled_from(list(PaymentEnd))),
    st.tuples(st.just("deliver"), payments, st.integers(0, 3)),
    st.tuples(st.just("deliver"), payments, st.just(0)),
    st.tuples(st.just("local"), st.sampled_from(INVOICES), st.integers(1, 60)),
    st.tuples(st.just("status"), st.sampled_from(INVOICES), st.sampled_from(STATUSES)),
)
decisions = st.builds(
    PaymentDecisions,
    accepted_difference=st.dictionaries(st.sampled_from(INVOICES), st.integers(1, 5)),
    open_difference=st.sets(st.sampled_from(INVOICES), max_size=1),
    both_real=st.sets(st.sampled_from(INVOICES), max_size=1),
)


def world_after(history: list[tuple], totals: list[int], decided: PaymentDecisions) -> World:
    states = {
        invoice_id: InvoiceState(invoice_id, invoice_id, "sent", "USD", total, 0, 0)
        for invoice_id, total in zip(INVOICES, totals, strict=True)
    }
    world = World(AlgaPsa(states), decided)
    for name, *details in history:
        if name == "local":
            world.algapsa.record_locally(*details)
        elif name == "status":
            invoice_id, status = details
            state = world.algapsa.states[invoice_id]
            world.algapsa.states[invoice_id] = replace(state, status=status)
        else:
            getattr(world, name)(*details)
    return world


histories = st.lists(actions, max_size=25)
all_totals = st.lists(st.integers(0, 120), min_size=3, max_size=3)


@settings(deadline=None, max_examples=300)
@given(histories, all_totals, decisions)
def test_every_cent_quickbooks_holds_stands_in_algapsa_or_is_named(
    history: list[tuple], totals: list[int], decided: PaymentDecisions
) -> None:
    world = world_after(history, totals, decided)
    for payment_id in PAYMENTS:
        if not (wanted := world.newest(payment_id)):
            continue
        outcome = world.apply(wanted)
        assert isinstance(outcome, PaymentPlan), "the newest version can never be overtaken"
        named = {each.invoice_id: each.minor for each in outcome.capped}
        for each in outcome.refusal.withheld if outcome.refusal else ():
            named[each.invoice_id] = named.get(each.invoice_id, 0) + each.minor
        for invoice_id in INVOICES:
            held = wanted.per_invoice().get(invoice_id, 0)
            net = world.algapsa.net(payment_id, invoice_id)
            assert net + named.get(invoice_id, 0) == held
            assert 0 <= net <= held


@settings(deadline=None, max_examples=200)
@given(histories, all_totals, decisions)
def test_replay_writes_nothing_and_no_row_is_written_twice(
    history: list[tuple], totals: list[int], decided: PaymentDecisions
) -> None:
    world = world_after(history, totals, decided)
    for payment_id in PAYMENTS:
        if wanted := world.newest(payment_id):
            world.apply(wanted)
            again = world.apply(wanted)
            assert isinstance(again, PaymentPlan)
            assert again.is_empty
    assert len(world.algapsa.row_ids) == len(set(world.algapsa.row_ids))


@settings(deadline=None, max_examples=200)
@given(histories, all_totals)
def test_quickbooks_money_never_makes_an_invoice_overpaid(
    history: list[tuple], totals: list[int]
) -> None:
    world = world_after(history, totals, PaymentDecisions())
    for state in world.algapsa.states.values():
        ours = sum(world.algapsa.net(each, state.invoice_id) for each in PAYMENTS)
        local = state.paid_minor - ours
        assert ours == 0 or local > 0 or state.paid_minor <= state.total_minor


@settings(deadline=None, max_examples=200)
@given(histories, all_totals, decisions)
def test_rows_are_only_appended_and_every_reversal_names_a_row_of_the_same_amount(
    history: list[tuple], totals: list[int], decided: PaymentDecisions
) -> None:
    world = world_after(history, totals, decided)
    for rows in world.algapsa.rows.values():
        by_id = {row.row_id: row for row in rows}
        reversals = [row for row in rows if row.kind is RowKind.REVERSAL]
        assert len({row.reverses for row in reversals}) == len(reversals)
        for reversal in reversals:
            original = by_id[reversal.reverses or ""]
            assert (original.minor, original.date) == (-reversal.minor, reversal.date)
