"""Payments written into a real AlgaPSA database, on both editions, as the least-privilege role."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from qbo_sync_dagster.algapsa.errors import AlgaPsaBusyError, PaymentRowTakenError
from qbo_sync_dagster.algapsa.payment_statements import PaymentStatements
from qbo_sync_dagster.algapsa.payments_write import PaymentWriter
from qbo_sync_dagster.domain import payment_ids
from qbo_sync_dagster.domain.payment_plan import PaymentPlan, StalePlan
from qbo_sync_dagster.domain.payment_refusals import RefusalKind
from qbo_sync_dagster.domain.payment_standing import NO_DECISIONS, PaymentDecisions, RowKind
from qbo_sync_dagster.domain.payment_wanted import PaymentEnd, WantedLine, WantedPayment
from qbo_sync_dagster.domain.payments_in import plan_payment
from qbo_sync_dagster.sandbox.algapsa import credit, edits, invoices, payments, reading, tenants

from .conftest import Msp

REALM = "9341453"
PAID = date(2026, 3, 20)


def wanted(*lines: tuple[str, int], version: int = 0, **fields: Any) -> WantedPayment:
    described: dict[str, Any] = {
        "payment_id": "181",
        "date": PAID,
        "currency": "USD",
        "reference": "CHQ 17",
        "customer_id": "58",
    }
    return WantedPayment(
        realm=REALM,
        version=version,
        lines=tuple(WantedLine(*line) for line in lines),
        **(described | fields),
    )


def apply(
    msp: Msp,
    payment: WantedPayment,
    *also: str,
    decisions: PaymentDecisions = NO_DECISIONS,
) -> PaymentPlan | StalePlan:
    """One payment through the gateway, as a cycle does it."""
    touched = {*payment.per_invoice(), *also}
    with (
        msp.gateway.payment_writer() as writer,
        writer.transaction(REALM, payment.payment_id, touched, decisions.matched_rows) as open_,
    ):
        outcome = plan_payment(payment, open_.standing, open_.invoices, decisions)
        if isinstance(outcome, PaymentPlan):
            open_.write(payment, outcome)
        return outcome


def test_payment_is_written_as_algapsa_writes_one(msp: Msp) -> None:
    invoice = msp.final()
    apply(msp, wanted((invoice, 10_000), version=3))
    assert msp.state(invoice).status == "paid"
    [row] = reading.payment_rows(msp.owner, invoice)
    assert (row.amount, row.method, row.status, row.reference) == (
        10_000,
        "quickbooks",
        "completed",
        "CHQ 17",
    )
    assert row.payment_date == datetime(2026, 3, 20, tzinfo=UTC)
    assert row.metadata["qbo_sync"] == {
        "realm": REALM,
        "payment": "181",
        "version": 3,
        "kind": "payment",
        "allocation": 10_000,
        "date": "2026-03-20",
    }
    [transaction] = reading.transaction_rows(msp.owner, invoice)
    assert (transaction.type, transaction.amount, transaction.currency) == (
        "payment",
        10_000,
        "USD",
    )
    assert transaction.metadata is not None
    assert transaction.metadata["external_payment_id"] == "181"


def test_transaction_carries_the_invoices_client_and_currency(msp: Msp) -> None:
    invoice = msp.final(currency="CAD")
    apply(msp, wanted((invoice, 10_000), currency="CAD"))
    with msp.owner.connect() as connection:
        row = connection.execute(
            sa.text("SELECT client_id::text, currency_code, metadata FROM transactions")
        ).one()
    assert (row[0], row[1], row[2]["currency"]) == (msp.client, "CAD", "CAD")


def test_replay_finds_its_own_rows_and_writes_nothing(msp: Msp) -> None:
    invoice = msp.final()
    payment = wanted((invoice, 4_000))
    apply(msp, payment)
    outcome = apply(msp, payment)
    assert isinstance(outcome, PaymentPlan)
    assert outcome.is_empty
    assert msp.rows(invoice) == [(4_000, "completed")]
    assert msp.state(invoice).status == "partially_applied"


def test_edit_appends_a_reversal_and_the_new_amount(msp: Msp) -> None:
    invoice = msp.final()
    apply(msp, wanted((invoice, 10_000)))
    apply(msp, wanted((invoice, 2_500), version=1, date=date(2026, 4, 1)))
    assert sorted(msp.rows(invoice)) == [
        (-10_000, "reversed"),
        (2_500, "completed"),
        (10_000, "completed"),
    ]
    assert msp.state(invoice).status == "partially_applied"
    by_type = {(row.type, row.amount): row for row in reading.transaction_rows(msp.owner, invoice)}
    reversal = by_type["payment_reversal", -10_000]
    assert reversal.related_transaction_id == by_type["payment", 10_000].transaction_id


def test_reversal_remembers_the_date_it_takes_back(msp: Msp) -> None:
    invoice = msp.final()
    apply(msp, wanted((invoice, 10_000)))
    apply(msp, wanted(version=1, gone=PaymentEnd.VOIDED), invoice)
    [reversal] = [row for row in reading.payment_rows(msp.owner, invoice) if row.amount < 0]
    assert reversal.metadata["qbo_sync"]["date"] == "2026-03-20"
    assert reversal.reference == "reversal:181"
    assert msp.state(invoice).status == "sent"


def test_payment_moved_between_invoices_ends_on_the_new_one_only(msp: Msp) -> None:
    first, second = msp.final(), msp.final()
    apply(msp, wanted((first, 10_000)))
    apply(msp, wanted((second, 10_000), version=1), first)
    assert (msp.state(first).paid, msp.state(second).paid) == (0, 10_000)
    assert (msp.state(first).status, msp.state(second).status) == ("sent", "paid")


def test_older_change_that_arrives_after_a_deletion_is_stale(msp: Msp) -> None:
    invoice = msp.final()
    apply(msp, wanted((invoice, 10_000), version=2))
    apply(msp, wanted(version=-1, gone=PaymentEnd.DELETED), invoice)
    assert isinstance(apply(msp, wanted((invoice, 10_000), version=2)), StalePlan)
    assert msp.state(invoice).paid == 0


def test_nothing_is_written_when_the_caller_raises_after_writing(msp: Msp) -> None:
    invoice = msp.final()
    payment = wanted((invoice, 10_000))

    def crash_after_writing() -> None:
        with (
            msp.gateway.payment_writer() as writer,
            writer.transaction(REALM, "181", [invoice]) as open_,
        ):
            outcome = plan_payment(payment, open_.standing, open_.invoices)
            assert isinstance(outcome, PaymentPlan)
            open_.write(payment, outcome)
            raise RuntimeError("crash")

    with pytest.raises(RuntimeError, match="crash"):
        crash_after_writing()
    assert msp.rows(invoice) == []
    assert msp.state(invoice).status == "sent"


def test_row_with_our_id_that_no_longer_names_the_payment_stops_the_write(msp: Msp) -> None:
    invoice = msp.final()
    apply(msp, wanted((invoice, 4_000)))
    msp.execute("UPDATE invoice_payments SET metadata = '{}'")
    decisions = PaymentDecisions(both_real={invoice})
    with pytest.raises(PaymentRowTakenError, match="181"):
        apply(msp, wanted((invoice, 4_000)), decisions=decisions)
    assert msp.rows(invoice) == [(4_000, "completed")]


def test_credit_of_quickbooks_is_labelled_as_credit(msp: Msp) -> None:
    invoice = msp.final()
    apply(msp, wanted((invoice, 1_000), is_credit=True))
    [transaction] = reading.transaction_rows(msp.owner, invoice)
    assert transaction.metadata is not None
    assert transaction.metadata["kind"] == "credit_application"


def test_credit_applied_in_algapsa_leaves_less_room(msp: Msp) -> None:
    invoice = msp.final()
    msp.do(credit.issue_credit, msp.client, 3_000)
    msp.do(credit.apply_credit, invoice)
    outcome = apply(msp, wanted((invoice, 7_001)))
    assert isinstance(outcome, PaymentPlan)
    assert outcome.refusal
    assert outcome.refusal.kind is RefusalKind.SETTLED
    apply(msp, wanted((invoice, 7_000)))
    assert msp.state(invoice).status == "paid"


def test_credit_applied_in_algapsa_of_the_same_amount_is_a_twin(msp: Msp) -> None:
    invoice = msp.final()
    msp.do(credit.issue_credit, msp.client, 3_000)
    applied = msp.do(credit.apply_credit, invoice)
    assert applied is not None
    outcome = apply(msp, wanted((invoice, 3_000)))
    assert isinstance(outcome, PaymentPlan)
    assert outcome.refusal
    assert outcome.refusal.kind is RefusalKind.SAME_MONEY
    twin = outcome.refusal.reasons[0].twin
    assert twin
    assert twin.record_id == applied.transaction_id


def test_reversed_credit_application_is_no_twin(msp: Msp) -> None:
    invoice = msp.final()
    msp.do(credit.issue_credit, msp.client, 3_000)
    msp.do(credit.apply_credit, invoice)
    msp.do(credit.reverse_credit, invoice)
    msp.do(credit.apply_credit, invoice, 1_000)
    apply(msp, wanted((invoice, 3_000)))
    assert msp.state(invoice).paid == 3_000


def test_local_payment_of_the_same_amount_holds_the_payment(msp: Msp) -> None:
    invoice = msp.final()
    msp.pay(invoice, 2_000)
    outcome = apply(msp, wanted((invoice, 2_000)))
    assert isinstance(outcome, PaymentPlan)
    assert outcome.refusal
    assert outcome.refusal.kind is RefusalKind.SAME_MONEY
    assert msp.state(invoice).paid == 2_000


def test_bounced_local_payment_of_the_same_amount_does_not_hold_it(msp: Msp) -> None:
    invoice = msp.final()
    msp.do(payments.reverse_payment, msp.pay(invoice, 2_000))
    apply(msp, wanted((invoice, 2_000)))
    assert msp.state(invoice).paid == 2_000


def test_other_quickbooks_payment_of_the_same_amount_is_no_twin(msp: Msp) -> None:
    invoice = msp.final()
    apply(msp, wanted((invoice, 2_000)))
    apply(msp, wanted((invoice, 2_000), payment_id="182"))
    assert msp.state(invoice).paid == 4_000


def test_matched_payment_of_algapsa_stands_for_the_payment(msp: Msp) -> None:
    invoice = msp.final()
    matched = PaymentDecisions(matched_rows={msp.pay(invoice, 2_000)})
    outcome = apply(msp, wanted((invoice, 2_000)), decisions=matched)
    assert outcome == PaymentPlan()
    with (
        msp.gateway.payment_writer() as writer,
        writer.transaction(REALM, "181", [invoice], matched.matched_rows) as open_,
    ):
        assert [row.kind for row in open_.standing] == [RowKind.MATCHED]


def test_followed_row_of_algapsa_whose_match_is_lost_is_no_money_of_either_payment(
    msp: Msp,
) -> None:
    invoice = msp.final()
    followed = PaymentDecisions(matched_rows={msp.pay(invoice, 2_000)}, follows=True)
    apply(msp, wanted((invoice, 1_500), version=1), decisions=followed)

    same = apply(msp, wanted((invoice, 1_500), version=1))
    apply(msp, wanted((invoice, 2_000), payment_id="182"))

    assert same == PaymentPlan()
    assert msp.state(invoice).paid == 3_500


def test_prepaid_replenishment_is_left_to_algapsa(msp: Msp) -> None:
    invoice = msp.final()
    msp.do(edits.await_replenishment, msp.client, invoice)
    outcome = apply(msp, wanted((invoice, 10_000)))
    assert isinstance(outcome, PaymentPlan)
    assert outcome.refusal
    assert outcome.refusal.kind is RefusalKind.PREPAID_REPLENISHMENT


@pytest.mark.parametrize("edition", ["enterprise"], indirect=True)
def test_settled_invoice_with_an_active_card_payment_link_is_named(msp: Msp) -> None:
    invoice = msp.final()
    msp.do(edits.offer_card_payment, invoice, 10_000)
    outcome = apply(msp, wanted((invoice, 10_000)))
    assert isinstance(outcome, PaymentPlan)
    assert outcome.still_payable_online == (invoice,)


def test_cancelled_draft_and_deleted_invoices_take_no_payment(msp: Msp) -> None:
    cancelled, draft, deleted = msp.final(), msp.draft(), msp.final()
    msp.do(invoices.bulk_cancel, [cancelled])
    msp.do(invoices.delete_invoice, deleted)
    for invoice in (cancelled, draft, deleted):
        outcome = apply(msp, wanted((invoice, 100)))
        assert isinstance(outcome, PaymentPlan)
        assert outcome.refusal
        assert outcome.refusal.kind is RefusalKind.NOT_PAYABLE


def test_invoice_of_another_tenant_is_not_there(msp: Msp) -> None:
    invoice = msp.final()
    with msp.owner.begin() as connection:
        other = tenants.create_tenant(connection, "Harbor Tech")
    stranger = Msp(msp.owner, msp.role, other, msp.client, msp.service)
    outcome = apply(stranger, wanted((invoice, 10_000)))
    assert isinstance(outcome, PaymentPlan)
    assert outcome.refusal
    assert outcome.refusal.kind is RefusalKind.NOT_PAYABLE
    assert msp.rows(invoice) == []


def test_very_long_reference_with_a_nul_is_stored_shortened(msp: Msp) -> None:
    invoice = msp.final()
    apply(msp, wanted((invoice, 100), reference="\0" + "x" * 100_000))
    [row] = reading.payment_rows(msp.owner, invoice)
    assert row.reference == "x" * 255


@pytest.mark.parametrize("edition", ["community"], indirect=True)
def test_payment_waits_for_an_invoice_that_somebody_holds_and_says_so(msp: Msp) -> None:
    invoice = msp.final()
    with msp.owner.begin() as holder:
        holder.execute(sa.text("SELECT FROM invoices FOR UPDATE"))
        with (
            pytest.raises(AlgaPsaBusyError, match="next cycle"),
            msp.gateway.payment_writer() as writer,
            writer.transaction(REALM, "181", [invoice]),
        ):
            pass
    apply(msp, wanted((invoice, 10_000)))
    assert msp.state(invoice).paid == 10_000


def test_what_somebody_paid_while_we_waited_for_the_invoice_is_seen(msp: Msp) -> None:
    invoice = msp.final()
    seen: list[PaymentPlan | StalePlan] = []
    with msp.owner.begin() as holder:
        holder.execute(sa.text("SELECT FROM invoices FOR UPDATE"))
        waiting = threading.Thread(
            target=lambda: seen.append(apply(msp, wanted((invoice, 10_000))))
        )
        waiting.start()
        _until_somebody_waits(msp)
        payments.record_payment(holder, msp.tenant, payments.Payment(invoice, 6_000, PAID))
    waiting.join()
    [outcome] = seen
    assert isinstance(outcome, PaymentPlan)
    assert outcome.refusal
    assert outcome.refusal.kind is RefusalKind.SETTLED
    assert msp.state(invoice).paid == 6_000


def test_two_writers_of_one_payment_write_it_once(msp: Msp) -> None:
    invoice = msp.final()
    payment = wanted((invoice, 4_000))
    with msp.owner.begin() as holder:
        holder.execute(
            sa.text("SELECT pg_advisory_xact_lock(:key)"),
            {"key": payment_ids.lock_key(REALM, "181")},
        )
        writers = [threading.Thread(target=apply, args=(msp, payment)) for _ in range(2)]
        for writer in writers:
            writer.start()
        _until_somebody_waits(msp)
    for writer in writers:
        writer.join()
    assert msp.rows(invoice) == [(4_000, "completed")]


def _until_somebody_waits(msp: Msp) -> None:
    """Return once a connection to this database waits for a lock."""
    waiting = sa.text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    found = 0
    while not found:
        with msp.owner.connect() as connection:
            found = connection.execute(waiting).scalar_one()


def test_pooler_that_forgets_what_was_prepared_changes_nothing(msp: Msp) -> None:
    @sa.event.listens_for(msp.role, "begin")
    def forget(connection: sa.Connection) -> None:
        connection.connection.cursor().execute("DEALLOCATE ALL")

    first, second = msp.final(), msp.final()
    apply(msp, wanted((first, 10_000)))
    apply(msp, wanted((second, 4_000), payment_id="182"))
    assert (msp.rows(first), msp.rows(second)) == ([(10_000, "completed")], [(4_000, "completed")])
    assert (msp.state(first).status, msp.state(second).status) == ("paid", "partially_applied")


def test_pooled_connection_that_another_client_prepared_is_used_as_it_is(msp: Msp) -> None:
    invoice = msp.final()
    with msp.role.connect() as connection:
        PaymentStatements(connection)
        connection.info.clear()
    apply(msp, wanted((invoice, 10_000)))
    assert msp.rows(invoice) == [(10_000, "completed")]


def test_payments_are_found_by_their_invoice_even_where_the_first_met_an_empty_table(
    msp: Msp,
) -> None:
    invoice, other = msp.final(), msp.final()
    # Planned anew is what counts here, not what AlgaPSA's own housekeeping happens to do.
    msp.execute("ALTER TABLE invoice_payments SET (autovacuum_enabled = off)")
    with msp.gateway.payment_writer() as writer:
        with writer.transaction(REALM, "181", {invoice}):
            pass
        msp.execute(
            "INSERT INTO invoice_payments (tenant, payment_id, invoice_id, amount, payment_method,"
            " payment_date, status) SELECT :tenant, gen_random_uuid(), :invoice, 1, 'check', now(),"
            " 'completed' FROM generate_series(1, 5000)",
            tenant=msp.tenant,
            invoice=other,
        )
        for number in range(200):
            with writer.transaction(REALM, str(number), {invoice}):
                pass
        assert _payments_read(writer, invoice) == 0


def _payments_read(writer: PaymentWriter, invoice: str) -> int:
    """Rows of invoice_payments that one more payment looks at."""
    with writer.transaction(REALM, "200", {invoice}):
        # What earlier transactions read counts as this one's until it was flushed.
        writer._connection.execute(sa.text("SELECT pg_stat_force_next_flush()"))
    read = sa.text(
        "SELECT idx_tup_fetch + seq_tup_read FROM pg_stat_xact_user_tables"
        " WHERE relname = 'invoice_payments'"
    )
    with writer.transaction(REALM, "181", {invoice}):
        found: int = writer._connection.execute(read).scalar_one()
    return found
