"""What raises each kind of exception: an act of people on either side, and how it is undone.

A cause acts, lets cycles run until the exception stands, and returns the act that takes the cause
away (None where nothing but a decision ends it). Kinds that need a world of their own, such as a
failed connection or payments from before the sync, are acted out beside their own subject.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import sqlalchemy as sa

from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.ledger import links
from qbo_sync_dagster.sandbox.algapsa import credit, edits, invoices, payments, tenants
from qbo_sync_dagster.sandbox.algapsa.charges import Charge, manual_charge
from tests.scenarios import credit_steps

if TYPE_CHECKING:
    from tests.scenarios.conftest import Books, World

Undo = Callable[[], object]
Cause = Callable[["World"], Undo | None]


def customer(world: World, client: int = 0) -> str:
    """QuickBooks' customer of a client."""
    return world.company.customers[world.clients[client]]


def _realm(world: World) -> str:
    return world.company.realm


def _delete_payment(world: World, payment: str) -> Undo:
    return lambda: world.quickbooks.delete(_realm(world), "Payment", payment)


def _connection_expires(world: World) -> Undo:
    world.cycle()
    lapse = "UPDATE connection_tokens SET refresh_expires_at = ledger_now() + make_interval(0,0,0,"
    world.in_ledger(f"{lapse} 5)")
    world.cycle()
    return lambda: world.in_ledger(f"{lapse} 90)")


def _export_not_ready(world: World) -> Undo:
    world.in_ledger("DELETE FROM links WHERE kind = 'service'")
    world.invoice()
    world.cycle()
    return lambda: world.link(("service", world.service, world.company.item))


def _refuse(world: World, **matching: str) -> None:
    world.quickbooks.fault("fault:6000", realm=_realm(world), kind="create", times=99, **matching)


def _export_failing(world: World) -> Undo:
    invoice = world.invoice()
    _refuse(world, match=invoice.number)
    world.cycle()
    return lambda: world.quickbooks.clear_faults(_realm(world))


def _already_in_quickbooks(world: World) -> Undo:
    invoice = world.draft()
    lines = [(world.company.item, Decimal(7))]
    made = world.quickbooks.invoice(
        _realm(world), customer(world, 1), lines, DocNumber=invoice.number
    )
    world.finalize(invoice)
    world.cycle()
    return lambda: world.quickbooks.delete(_realm(world), "Invoice", made["Id"])


def _before_go_live(world: World) -> Undo:
    invoice = world.invoice(day=world.today - timedelta(days=11))
    world.cycle()
    return lambda: world.do(edits.redate_invoice, invoice.invoice_id, world.today)


def _prepayment(world: World) -> Undo:
    charges = (manual_charge("Retainer", 50_000),)
    invoice = world.invoice(charges=charges, is_prepayment=True)
    world.cycle()
    return lambda: world.do(invoices.bulk_cancel, [invoice.invoice_id])


def _closed_period(world: World) -> Undo:
    world.quickbooks.set(_realm(world), book_close_date=world.today.isoformat())
    world.invoice()
    world.cycle()
    return lambda: world.quickbooks.set(_realm(world), book_close_date="")


def _total_difference(world: World) -> Undo:
    realm, address = _realm(world), {"Line1": "1 Main Street", "City": "Spokane"}
    world.quickbooks.edit(realm, "Customer", customer(world), BillAddr=address)
    world.quickbooks.set(realm, automated_sales_tax=True)
    charge = Charge(
        "Managed endpoint",
        10_000,
        service_id=world.service,
        tax_region="US-WA",
        tax_rate=Decimal(8),
    )
    invoice = world.invoice(charges=(charge,))
    world.cycle()
    return lambda: _override_tax(world, invoice)


def _override_tax(world: World, invoice: Books) -> None:
    realm = _realm(world)
    world.quickbooks.set(realm, automated_sales_tax=False)
    tax = {"TotalTax": Decimal(8)}
    world.quickbooks.edit(realm, "Invoice", world.quickbooks_id(invoice), TxnTaxDetail=tax)


def _orphan(world: World) -> None:
    world.invoice()
    world.quickbooks.fault("drop_before", realm=_realm(world), kind="create")
    world.cycle()
    world.later(timedelta(hours=13))
    world.cycle()


def _unknown_invoice(world: World) -> Undo:
    invoice = world.history()
    world.pay((invoice, "100.00"))
    world.cycle()
    row = ("invoice", invoice.invoice_id, world.quickbooks_id(invoice))
    return lambda: world.link(row)


def _already_settled(world: World) -> Undo:
    invoice = world.exported()
    own = world.record_in_algapsa(invoice, 10_000)
    world.pay((invoice, "40.00"))
    world.cycle()
    return lambda: world.do(payments.reverse_payment, own)


def _non_payable(world: World) -> Undo:
    invoice = world.exported()
    world.do(invoices.reopen_invoice, invoice.invoice_id, today=world.today, by_sql=True)
    world.pay((invoice, "100.00"))
    world.cycle()
    return lambda: world.finalize(invoice)


def _payment_currency(world: World) -> Undo:
    realm = _realm(world)
    world.quickbooks.set(realm, multicurrency=True, exchange_rates={"EUR": "1.1"})
    abroad = world.quickbooks.customer(realm, "Birch EU", CurrencyRef={"value": "EUR"})
    euros = world.history(client=1, customer=str(abroad["Id"]))
    world.link(("invoice", euros.invoice_id, world.quickbooks_id(euros)))
    lines = [(world.quickbooks_id(euros), Decimal(100))]
    made = world.quickbooks.record_payment(realm, abroad["Id"], lines)
    world.cycle()
    return _delete_payment(world, made["Id"])


def _prepaid_replenishment(world: World) -> Undo:
    invoice = world.exported()
    world.do(edits.await_replenishment, world.clients[0], invoice.invoice_id)
    payment = world.pay((invoice, "100.00"))
    world.cycle()
    return _delete_payment(world, payment)


def _same_payment(world: World) -> Undo:
    invoice = world.exported()
    world.record_in_algapsa(invoice, 4_000)
    payment = world.pay((invoice, "40.00"))
    world.cycle()
    return _delete_payment(world, payment)


def _payable_online(world: World) -> Undo:
    invoice = world.exported()
    world.do(edits.offer_card_payment, invoice.invoice_id, 10_000)
    world.pay((invoice, "100.00"))
    world.cycle()
    retire = sa.text("UPDATE invoice_payment_links SET status = 'expired'")

    def undo() -> None:
        with world.owner.begin() as connection:
            connection.execute(retire)

    return undo


def _edit_due_date(world: World, invoice: Books, day: str) -> None:
    found = world.quickbooks_id(invoice)
    world.quickbooks.edit(_realm(world), "Invoice", found, DueDate=day)


def _drift_changed(world: World) -> Undo:
    invoice = world.exported()
    [shown] = world.in_quickbooks(invoice)
    _edit_due_date(world, invoice, (world.today + timedelta(days=99)).isoformat())
    world.cycle()
    return lambda: _edit_due_date(world, invoice, shown["DueDate"])


def _drift_gone(world: World) -> Undo:
    invoice = world.exported()
    world.quickbooks.void(_realm(world), "Invoice", world.quickbooks_id(invoice))
    world.cycle()
    return lambda: world.do(invoices.bulk_cancel, [invoice.invoice_id])


def _payment_drift(world: World) -> Undo:
    invoice = world.exported()
    world.record_in_algapsa(invoice, 4_000)
    world.cycle()
    [payment] = world.quickbooks.list(_realm(world), "Payment")
    world.repay(payment["Id"], (invoice, "30.00"), total="30.00")
    world.cycle()
    return lambda: world.repay(payment["Id"], (invoice, "40.00"), total="40.00")


def _changed_in_algapsa(world: World) -> Undo:
    invoice = world.exported()
    world.do(edits.renumber_invoice, invoice.invoice_id, "INV-NEW")
    world.cycle()
    return lambda: world.do(edits.renumber_invoice, invoice.invoice_id, invoice.number)


def _reopened_in_algapsa(world: World) -> Undo:
    invoice = world.exported()
    world.do(invoices.reopen_invoice, invoice.invoice_id, today=world.today, by_sql=True)
    world.cycle()
    return lambda: world.finalize(invoice)


def _deleted_in_algapsa(world: World) -> Undo:
    invoice = world.exported()
    found = world.quickbooks_id(invoice)
    world.do(invoices.delete_invoice, invoice.invoice_id, by_sql=True)
    world.cycle()
    return lambda: world.quickbooks.delete(_realm(world), "Invoice", found)


def _voided_in_algapsa(world: World) -> Undo:
    invoice = world.history()
    world.do(invoices.bulk_cancel, [invoice.invoice_id])
    found = world.quickbooks_id(invoice)
    world.link(("invoice", invoice.invoice_id, found))
    world.cycle()
    return lambda: world.quickbooks.void(_realm(world), "Invoice", found)


def _void_failing(world: World) -> Undo:
    invoice = world.exported()
    world.do(invoices.bulk_cancel, [invoice.invoice_id])
    payment = world.pay((invoice, "40.00"))
    world.cycle()
    return _delete_payment(world, payment)


def _push_invoice_not_mapped(world: World) -> Undo:
    world.in_ledger("DELETE FROM links WHERE kind = 'client'")
    world.record_in_algapsa(world.invoice(), 4_000)
    world.cycle()
    return world.link_everything


def _push_customer_not_mapped(world: World) -> Undo:
    invoice = world.exported()
    world.in_ledger("DELETE FROM links WHERE kind = 'client'")
    world.record_in_algapsa(invoice, 4_000)
    world.cycle()
    rows = [("client", key, value) for key, value in world.company.customers.items()]
    return lambda: world.link(*rows)


def _push_failing(world: World) -> Undo:
    world.configure(deposit_account="999")
    world.record_in_algapsa(world.exported(), 4_000)
    world.cycle()
    return lambda: world.configure(deposit_account=None)


def _refund_to_record(world: World) -> Undo:
    invoice = world.exported()
    own = world.record_in_algapsa(invoice, 10_000)
    world.cycle()
    [payment] = world.quickbooks.list(_realm(world), "Payment")
    world.do(payments.refund_payment, own, 2_500)
    world.cycle()
    return lambda: world.repay(payment["Id"], (invoice, "75.00"), total="75.00")


def _reversal_to_record(world: World) -> Undo:
    own = world.record_in_algapsa(world.exported(), 4_000)
    world.cycle()
    [payment] = world.quickbooks.list(_realm(world), "Payment")
    world.quickbooks.deposit(_realm(world), payment["Id"])
    world.do(payments.reverse_payment, own)
    world.cycle()
    return lambda: world.quickbooks.undeposit(_realm(world), payment["Id"])


def _credit_failing(world: World) -> Undo:
    invoice = world.exported()
    credit_steps.note(world)
    world.cycle()
    credit_steps.apply(world, invoice)
    _refuse(world, entity="Payment")
    world.cycle()
    return lambda: world.quickbooks.clear_faults(_realm(world))


def _spend_memo(world: World, invoice: Books) -> str:
    [memo] = world.quickbooks.list(_realm(world), "CreditMemo")
    made = world.quickbooks.apply_credit(
        _realm(world), customer(world), world.quickbooks_id(invoice), memo["Id"], Decimal(30)
    )
    return str(made["Id"])


def _credit_still_open(world: World) -> Undo:
    invoice = world.exported()
    credit_steps.note(world)
    world.cycle()
    payment = _spend_memo(world, invoice)
    world.cycle()
    return _delete_payment(world, payment)


def _credit_used_elsewhere(world: World) -> Undo:
    first, second = world.exported(), world.exported()
    credit_steps.note(world)
    world.cycle()
    payment = _spend_memo(world, first)
    credit_steps.apply(world, second)
    world.cycle()
    return _delete_payment(world, payment)


def _credit_waiting(world: World) -> Undo:
    invoice = world.exported()
    other = world.do(tenants.create_service, tenants.Service("Unlinked", 1_000))
    charge = Charge("Refund", -3_000, service_id=other)
    world.finalize(world.draft(charges=(charge,)))
    credit_steps.apply(world, invoice)
    world.cycle()
    world.later(timedelta(days=8))
    world.cycle()
    return lambda: world.link(("service", other, world.company.item))


def _credit_prepayment(world: World) -> Undo:
    invoice = world.exported()
    world.finalize(world.draft(2_000, is_prepayment=True))
    credit_steps.apply(world, invoice)
    world.cycle()
    return lambda: credit_steps.take_back(world, invoice)


def _credit_deposit(world: World) -> Undo:
    invoice, deposit = world.exported(), world.exported(2_500)
    world.do(credit.issue_credit, world.clients[0], 2_500, invoice_id=deposit.invoice_id)
    credit_steps.apply(world, invoice)
    world.cycle()
    return lambda: credit_steps.take_back(world, invoice)


def _credit_not_expressible(world: World) -> Undo:
    invoice = world.exported()
    world.do(credit.issue_credit, world.clients[0], 500)
    credit_steps.apply(world, invoice)
    world.cycle()
    return lambda: credit_steps.take_back(world, invoice)


def _customer_unavailable(world: World) -> Undo:
    realm, found = _realm(world), customer(world)
    world.quickbooks.edit(realm, "Customer", found, Active=False)
    world.cycle()
    return lambda: world.quickbooks.edit(realm, "Customer", found, Active=True)


def _stands_twice(world: World) -> Undo:
    world.configure(create_customers=True)
    client = world.do(tenants.create_client, tenants.Client("Fir Street", email="ap@example.com"))
    world.clients.append(client)
    world.invoice(client=len(world.clients) - 1)
    realm = _realm(world)
    world.quickbooks.fault("drop_after_commit", realm=realm, kind="create")
    world.cycle()
    known = set(world.company.customers.values())
    [made] = [c for c in world.quickbooks.list(realm, "Customer") if c["Id"] not in known]
    other = str(world.quickbooks.customer(realm, "Fir Street Clinic")["Id"])
    with world.engine.ledger.begin() as connection:
        links.add(connection, realm, [links.NewLink("client", client, other, "imported")])
    world.cycle()
    return lambda: world.quickbooks.edit(realm, "Customer", made["Id"], Active=False)


def unreadable(world: World, spoil: Callable[..., Undo]) -> Undo:
    """A payment that QuickBooks shows as its API would never make it."""
    payment = world.pay((world.exported(), "100.00"))
    mend = spoil("Payment", payment, TxnDate=None)
    world.cycle()
    return mend


CAUSES: dict[ExceptionKind, Cause] = {
    ExceptionKind.CONNECTION_EXPIRES: _connection_expires,
    ExceptionKind.EXPORT_NOT_READY: _export_not_ready,
    ExceptionKind.EXPORT_FAILING: _export_failing,
    ExceptionKind.ALREADY_IN_QUICKBOOKS: _already_in_quickbooks,
    ExceptionKind.BEFORE_GO_LIVE: _before_go_live,
    ExceptionKind.PREPAYMENT: _prepayment,
    ExceptionKind.CLOSED_PERIOD: _closed_period,
    ExceptionKind.TOTAL_DIFFERENCE: _total_difference,
    ExceptionKind.ORPHAN: _orphan,
    ExceptionKind.UNKNOWN_INVOICE: _unknown_invoice,
    ExceptionKind.ALREADY_SETTLED: _already_settled,
    ExceptionKind.NON_PAYABLE: _non_payable,
    ExceptionKind.PAYMENT_CURRENCY: _payment_currency,
    ExceptionKind.PREPAID_REPLENISHMENT: _prepaid_replenishment,
    ExceptionKind.SAME_PAYMENT: _same_payment,
    ExceptionKind.PAYABLE_ONLINE: _payable_online,
    ExceptionKind.DRIFT_CHANGED: _drift_changed,
    ExceptionKind.DRIFT_GONE: _drift_gone,
    ExceptionKind.PAYMENT_DRIFT: _payment_drift,
    ExceptionKind.CHANGED_IN_ALGAPSA: _changed_in_algapsa,
    ExceptionKind.REOPENED_IN_ALGAPSA: _reopened_in_algapsa,
    ExceptionKind.DELETED_IN_ALGAPSA: _deleted_in_algapsa,
    ExceptionKind.VOIDED_IN_ALGAPSA: _voided_in_algapsa,
    ExceptionKind.VOID_FAILING: _void_failing,
    ExceptionKind.PUSH_INVOICE_NOT_MAPPED: _push_invoice_not_mapped,
    ExceptionKind.PUSH_CUSTOMER_NOT_MAPPED: _push_customer_not_mapped,
    ExceptionKind.PUSH_FAILING: _push_failing,
    ExceptionKind.REFUND_TO_RECORD: _refund_to_record,
    ExceptionKind.REVERSAL_TO_RECORD: _reversal_to_record,
    ExceptionKind.CREDIT_FAILING: _credit_failing,
    ExceptionKind.CREDIT_STILL_OPEN: _credit_still_open,
    ExceptionKind.CREDIT_USED_ELSEWHERE: _credit_used_elsewhere,
    ExceptionKind.CREDIT_WAITING: _credit_waiting,
    ExceptionKind.CREDIT_PREPAYMENT: _credit_prepayment,
    ExceptionKind.CREDIT_DEPOSIT: _credit_deposit,
    ExceptionKind.CREDIT_NOT_EXPRESSIBLE: _credit_not_expressible,
    ExceptionKind.CUSTOMER_UNAVAILABLE: _customer_unavailable,
    ExceptionKind.STANDS_TWICE: _stands_twice,
}
