"""Credit that AlgaPSA applied, brought to QuickBooks as payments that link memo and invoice."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from qbo_sync_dagster.actions.cases import Choice
from qbo_sync_dagster.actions.resolving import Resolution, resolve
from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.sandbox.algapsa import credit, tenants
from qbo_sync_dagster.sandbox.algapsa.charges import Charge

from .conftest import TIME_ZONE

FAILING = "Credit application keeps failing in accounting"
DRIFT = "Applied payment was changed outside the sync"
DIFFERENT = "Credit note is applied differently in QuickBooks"
PREPAYMENT = "Prepayment credit applied to a synced invoice — QuickBooks not updated"
GRANTED = "Credit that QuickBooks cannot express was applied to a synced invoice"
WAITING = "Credit application has been waiting on an invoice export for over a week"
NOT_READY = "Scheduled accounting export failed validation"
CLOSED = "Dated in a closed QuickBooks period"


def note(world, cents: int = 3_000, client: int = 0) -> Any:
    """A finalized credit note, not exported yet."""
    charge = Charge("Refund", -cents, service_id=world.service)
    return world.finalize(world.draft(charges=(charge,), client=client))


def apply(world, invoice, cents: int | None = None, **options: Any) -> credit.CreditApplication:
    applied = world.do(credit.apply_credit, invoice.invoice_id, cents, **options)
    assert applied is not None
    return applied


def key(applied: credit.CreditApplication) -> str:
    [draw] = applied.draws
    return f"{applied.transaction_id}:{draw.credit_id}"


def balance(world, invoice) -> Decimal:
    [found] = world.in_quickbooks(invoice)
    return Decimal(str(found["Balance"]))


def remaining(world) -> list[Decimal]:
    memos = world.quickbooks.list(world.company.realm, "CreditMemo")
    return [Decimal(str(memo["RemainingCredit"])) for memo in memos]


def linking(world) -> list[dict[str, Any]]:
    """The payments of nothing that stand in QuickBooks."""
    found = world.quickbooks.list(world.company.realm, "Payment")
    return [each for each in found if not Decimal(str(each["TotalAmt"]))]


def settled(world) -> None:
    """Another two cycles find nothing to do."""
    before = world.stands()
    for _ in range(2):
        assert world.cycle().outcome == "succeeded"
    assert world.stands() == before
    assert world.operations() == {}


def test_an_application_links_memo_and_invoice_in_one_payment_of_nothing(world) -> None:
    invoice = world.exported(10_000)
    note(world)
    applied = apply(world, invoice)

    world.cycle()

    [made] = linking(world)
    there = world.engine.now().astimezone(ZoneInfo(TIME_ZONE)).date()
    assert made["TxnDate"] == there.isoformat()
    assert made["PrivateNote"].startswith("[sync:")
    assert balance(world, invoice) == Decimal(70)
    assert remaining(world) == [Decimal(0)]
    assert world.links("credit_application") == {key(applied): made["Id"]}
    assert world.titles() == []
    settled(world)
    assert world.rows(invoice) == []


def test_a_note_used_three_times_is_pushed_three_times(world) -> None:
    invoices = [world.exported(10_000) for _ in range(3)]
    note(world, 6_000)
    for invoice, cents in zip(invoices, (1_000, 2_000, 3_000), strict=True):
        apply(world, invoice, cents)
        world.cycle()

    assert [balance(world, invoice) for invoice in invoices] == [90, 80, 70]
    assert remaining(world) == [Decimal(0)]
    assert len(world.links("credit_application")) == 3
    settled(world)


def test_two_uses_of_one_note_on_one_invoice_go_in_one_cycle(world) -> None:
    invoice = world.exported(10_000)
    note(world, 6_000)
    apply(world, invoice, 1_000)
    apply(world, invoice, 1_000)

    world.cycle()

    assert len(linking(world)) == 2
    assert balance(world, invoice) == Decimal(80)
    settled(world)


def test_one_application_that_draws_on_two_notes_becomes_two_payments(world) -> None:
    invoice = world.exported(10_000)
    note(world, 1_000)
    note(world, 2_000)
    applied = apply(world, invoice, 3_000)
    assert len(applied.draws) == 2

    world.cycle()

    assert sorted(len(each["Line"]) for each in linking(world)) == [2, 2]
    assert balance(world, invoice) == Decimal(70)
    settled(world)


def test_everything_made_on_one_day_goes_in_one_cycle(world) -> None:
    note(world)
    invoice = world.invoice(10_000)
    apply(world, invoice)

    world.cycle()

    assert balance(world, invoice) == Decimal(70)
    settled(world)


def test_it_waits_for_its_documents_at_no_attempt(world) -> None:
    invoice = world.exported(10_000)
    other = world.do(_service, "Unlinked")
    charge = Charge("Refund", -3_000, service_id=other)
    made = world.finalize(world.draft(charges=(charge,)))
    apply(world, invoice)

    for _ in range(3):
        world.cycle()

    assert world.operations()[f"Credit {_number(world, made)} on invoice {invoice.number}"] == (
        "held"
    )
    [(attempt, faults)] = world.in_ledger(
        "SELECT attempt, faults FROM operations WHERE kind = 'apply_credit'"
    )
    assert (attempt, faults) == (1, 0)
    world.later(timedelta(days=8))
    world.cycle()
    assert WAITING in world.titles()

    world.link(("service", other, world.company.item))
    world.cycle()
    world.cycle()

    assert balance(world, invoice) == Decimal(70)
    assert world.titles() == []


def _service(connection, tenant: str, name: str) -> str:
    return tenants.create_service(connection, tenant, tenants.Service(name, 1_000))


def _number(world, invoice) -> str:
    return world.state(invoice).number


def test_an_answer_that_was_lost_is_settled_and_never_repeated(world) -> None:
    invoice = world.exported(10_000)
    note(world)
    world.cycle()
    applied = apply(world, invoice)
    world.quickbooks.fault(
        "timeout_after_commit", realm=world.company.realm, kind="create", entity="Payment"
    )

    world.cycle()
    assert len(linking(world)) == 1
    assert world.links("credit_application") == {}
    world.cycle()

    [made] = linking(world)
    assert world.links("credit_application") == {key(applied): made["Id"]}
    assert world.titles() == []
    settled(world)


def test_a_request_that_never_arrived_is_sent_again_once(world) -> None:
    invoice = world.exported(10_000)
    note(world)
    world.cycle()
    apply(world, invoice)
    world.quickbooks.fault(
        "drop_before", realm=world.company.realm, kind="create", entity="Payment"
    )

    world.cycle()
    assert linking(world) == []
    world.later(timedelta(minutes=15))
    world.cycle()

    assert len(linking(world)) == 1
    assert balance(world, invoice) == Decimal(70)
    settled(world)


def test_what_algapsa_takes_back_leaves_quickbooks_too(world) -> None:
    invoice = world.exported(10_000)
    note(world)
    apply(world, invoice)
    world.cycle()

    world.do(credit.reverse_credit, invoice.invoice_id)
    world.cycle()

    assert linking(world) == []
    assert balance(world, invoice) == Decimal(100)
    assert remaining(world) == [Decimal(30)]
    assert world.links("credit_application") == {}
    assert world.titles() == []
    settled(world)


def test_taken_back_and_applied_elsewhere_in_one_cycle(world) -> None:
    first, second = world.exported(10_000), world.exported(10_000)
    note(world)
    apply(world, first)
    world.cycle()

    world.do(credit.reverse_credit, first.invoice_id)
    apply(world, second)
    world.cycle()

    assert (balance(world, first), balance(world, second)) == (100, 70)
    settled(world)


def test_a_removal_without_an_answer_is_settled_from_the_payment(world) -> None:
    invoice = world.exported(10_000)
    note(world)
    apply(world, invoice)
    world.cycle()
    world.do(credit.reverse_credit, invoice.invoice_id)
    world.quickbooks.fault(
        "timeout_after_commit", realm=world.company.realm, kind="delete", entity="Payment"
    )

    world.cycle()
    world.cycle()

    assert linking(world) == []
    assert world.links("credit_application") == {}
    assert world.titles() == []
    settled(world)


def test_taken_back_before_it_was_sent_nothing_is_sent(world) -> None:
    invoice = world.exported(10_000)
    note(world)
    apply(world, invoice)
    world.do(credit.reverse_credit, invoice.invoice_id)

    world.cycle()

    assert linking(world) == []
    assert world.operations() == {}


def test_quickbooks_that_applies_credits_by_itself_is_taken_at_its_word(world) -> None:
    world.quickbooks.set(world.company.realm, auto_apply_credits=True)
    invoice = world.exported(10_000)
    note(world)
    applied = apply(world, invoice)

    world.cycle()

    [made] = linking(world)
    assert made["PrivateNote"] == "Created by QB Online to link credits to charges."
    assert world.links("credit_application") == {key(applied): made["Id"]}
    assert world.rows(invoice) == []
    settled(world)
    assert world.titles() == []
    assert "applies credits by itself" in " ".join(world.cycle().health.warnings)


def test_quickbooks_applied_another_amount_by_itself(world) -> None:
    world.quickbooks.set(world.company.realm, auto_apply_credits=True)
    invoice = world.exported(10_000)
    note(world)
    apply(world, invoice, 1_000)

    world.cycle()
    world.cycle()

    [made] = linking(world)
    assert world.titles() == [DIFFERENT]
    told = world.exception(DIFFERENT)
    assert invoice.number in told.what_happened
    assert made["Id"] in told.what_happened
    assert world.rows(invoice) == []

    world.quickbooks.set(world.company.realm, auto_apply_credits=False)
    world.quickbooks.delete(world.company.realm, "Payment", made["Id"])
    world.cycle()

    assert world.titles() == []
    assert balance(world, invoice) == Decimal(90)
    settled(world)


def test_the_note_that_quickbooks_spent_elsewhere_is_not_spent_again(world) -> None:
    first, second = world.exported(10_000), world.exported(10_000)
    note(world)
    world.cycle()
    [memo] = world.quickbooks.list(world.company.realm, "CreditMemo")
    customer = world.company.customers[world.clients[0]]
    made = world.quickbooks.apply_credit(
        world.company.realm, customer, world.quickbooks_id(first), memo["Id"], Decimal(30)
    )
    apply(world, second)

    world.cycle()

    assert world.titles() == [DIFFERENT]
    assert balance(world, second) == Decimal(100)

    world.quickbooks.delete(world.company.realm, "Payment", made["Id"])
    world.cycle()
    world.cycle()

    assert (balance(world, first), balance(world, second)) == (100, 70)
    assert world.titles() == []
    settled(world)


def test_credit_on_an_invoice_that_staff_keep_out_of_quickbooks_is_told(world) -> None:
    note(world)
    other = world.do(_service, "Unlinked")
    kept_out = world.finalize(world.draft(charges=(Charge("Work", 10_000, service_id=other),)))
    world.cycle()
    world.dismiss(NOT_READY)

    apply(world, kept_out)
    world.cycle()
    world.later(timedelta(days=8))
    world.cycle()

    assert world.titles() == [WAITING]
    assert remaining(world) == [Decimal(30)]
    world.dismiss(WAITING)
    settled(world)
    assert world.titles() == []


def test_a_note_spent_twice_stays_told_once_its_own_application_was_given_up(world) -> None:
    first, second = world.exported(10_000), world.exported(10_000)
    note(world)
    world.cycle()
    apply(world, second)
    realm = world.company.realm
    world.quickbooks.fault("fault:6000", realm=realm, kind="create", entity="Payment", times=50)
    world.cycle()
    world.quickbooks.clear_faults(realm)
    [given_up] = world.titles()
    world.dismiss(given_up)

    [memo] = world.quickbooks.list(realm, "CreditMemo")
    customer = world.company.customers[world.clients[0]]
    world.quickbooks.apply_credit(
        realm, customer, world.quickbooks_id(first), memo["Id"], Decimal(30)
    )
    for _ in range(2):
        world.cycle()
        assert world.titles() == [DIFFERENT]


def test_credit_used_on_an_invoice_that_is_no_business_of_ours(world) -> None:
    invoice = world.exported(10_000)
    note(world)
    world.cycle()
    [memo] = world.quickbooks.list(world.company.realm, "CreditMemo")
    customer = world.company.customers[world.clients[0]]
    lines = [(world.company.item, Decimal(50))]
    foreign = world.quickbooks.invoice(world.company.realm, customer, lines, DocNumber="X-1")
    apply(world, invoice)
    world.quickbooks.apply_credit(
        world.company.realm, customer, foreign["Id"], memo["Id"], Decimal(30)
    )

    world.cycle()

    assert balance(world, invoice) == Decimal(100)
    assert DIFFERENT in world.titles()


def test_an_invoice_that_was_paid_in_quickbooks_takes_no_credit(world) -> None:
    invoice = world.exported(10_000)
    note(world)
    world.cycle()
    apply(world, invoice)
    world.pay((invoice, "80.00"))

    world.cycle()

    assert balance(world, invoice) == Decimal(20)
    assert FAILING in world.titles()
    assert "20.00 open" in world.exception(FAILING).what_happened


def test_credits_without_a_memo_are_told_and_never_sent(world) -> None:
    invoice = world.exported(10_000)
    prepayment = world.draft(2_000, is_prepayment=True)
    world.finalize(prepayment)
    world.cycle()
    world.forget()
    apply(world, invoice)

    world.cycle()

    assert PREPAYMENT in world.titles()
    assert linking(world) == []
    assert world.metered() == 1
    world.do(credit.reverse_credit, invoice.invoice_id)
    world.cycle()
    assert PREPAYMENT not in world.titles()


def test_granted_credit_is_told(world) -> None:
    invoice = world.exported(10_000)
    world.do(credit.issue_credit, world.clients[0], 500)
    apply(world, invoice)

    world.cycle()

    assert world.titles() == [GRANTED]
    assert linking(world) == []


def test_expired_credit_is_told_with_its_amount(world) -> None:
    note(world)
    world.cycle()
    with world.owner.begin() as connection:
        connection.execute(sa.text("UPDATE credit_tracking SET is_expired = true"))

    world.cycle()

    assert world.titles() == [GRANTED]
    assert world.exception(GRANTED).amounts == {"credit": 3_000}


def test_a_closed_period_holds_it_until_it_is_reopened(world) -> None:
    invoice = world.exported(10_000)
    note(world)
    world.cycle()
    apply(world, invoice)
    world.quickbooks.set(
        world.company.realm, book_close_date=(world.today + timedelta(days=1)).isoformat()
    )

    world.cycle()
    assert world.titles() == [CLOSED]
    assert linking(world) == []

    world.quickbooks.set(world.company.realm, book_close_date="")
    world.cycle()

    assert len(linking(world)) == 1
    assert world.titles() == []


def test_a_refused_application_is_told_and_goes_once_the_invoice_changed(world) -> None:
    invoice = world.exported(10_000)
    note(world)
    world.cycle()
    apply(world, invoice)
    world.quickbooks.fault("fault:6000", realm=world.company.realm, kind="create", entity="Payment")

    world.cycle()
    assert world.titles() == [FAILING]
    world.cycle()
    assert linking(world) == []

    world.pay((invoice, "10.00"))
    world.cycle()

    assert world.titles() == []
    assert balance(world, invoice) == Decimal(60)


def test_a_linking_payment_that_quickbooks_lost_is_drift(world) -> None:
    invoice = world.exported(10_000)
    note(world)
    apply(world, invoice)
    world.cycle()
    [made] = linking(world)

    world.quickbooks.delete(world.company.realm, "Payment", made["Id"])
    world.cycle()

    assert world.titles() == [DRIFT]
    assert linking(world) == []
    assert world.state(invoice).credit_applied == 3_000

    settle(world, DRIFT, Action.RE_EXPORT)
    world.cycle()
    world.cycle()

    assert world.titles() == []
    assert balance(world, invoice) == Decimal(70)
    settled(world)


def settle(world, title: str, action: Action) -> None:
    choice = Choice(world.exception(title).number, "staff", "as the bank shows it")
    resolve(world.engine, Resolution(action, choice))


def test_the_loss_of_a_linking_payment_can_be_accepted(world) -> None:
    invoice = world.exported(10_000)
    note(world)
    apply(world, invoice)
    world.cycle()
    [made] = linking(world)
    world.quickbooks.delete(world.company.realm, "Payment", made["Id"])
    world.cycle()

    settle(world, DRIFT, Action.ACCEPT)
    world.cycle()

    assert world.titles() == []
    assert linking(world) == []
    settled(world)


def test_notes_used_differently_can_be_accepted_as_they_are(world) -> None:
    first, second = world.exported(10_000), world.exported(10_000)
    note(world)
    world.cycle()
    [memo] = world.quickbooks.list(world.company.realm, "CreditMemo")
    customer = world.company.customers[world.clients[0]]
    world.quickbooks.apply_credit(
        world.company.realm, customer, world.quickbooks_id(first), memo["Id"], Decimal(30)
    )
    apply(world, second)
    world.cycle()

    settle(world, DIFFERENT, Action.ACCEPT)
    world.cycle()

    assert world.titles() == []
    assert (balance(world, first), balance(world, second)) == (70, 100)
    assert (world.rows(first), world.rows(second)) == ([], [])
    settled(world)
    kept = world.in_ledger("SELECT amount_minor FROM decisions WHERE kind = 'accepted'")
    assert kept == [(3_000,), (3_000,)]


def test_a_restored_ledger_recognises_its_own_applications(world) -> None:
    invoice = world.exported(10_000)
    note(world)
    world.cycle()
    applied = apply(world, invoice)
    world.cycle()
    [made] = linking(world)
    world.in_ledger("DELETE FROM links WHERE kind = 'credit_application'")
    world.in_ledger("DELETE FROM postings")
    world.in_ledger("DELETE FROM operations")
    world.in_ledger("DELETE FROM inbound_changes WHERE entity = 'Payment'")

    world.cycle()

    assert linking(world) == [made]
    assert world.links("credit_application") == {key(applied): made["Id"]}
    [(origin,)] = world.in_ledger("SELECT origin FROM links WHERE kind = 'credit_application'")
    assert origin == "adopted"
    settled(world)
