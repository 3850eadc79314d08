"""Scenes in which AlgaPSA's side moved and QuickBooks has to follow.

Belongs here: a scene per kind of operation, with its updates and its ends. Does not: what moved in
QuickBooks, and the crash inside what people decide.
"""

from __future__ import annotations

from datetime import timedelta

from chaos.scene import Scene
from chaos.world import World
from qbo_sync_dagster.domain import operation_kinds as kinds
from qbo_sync_dagster.domain.catalogue import Action, ExceptionKind
from qbo_sync_dagster.sandbox.algapsa import credit, edits, invoices, payments, tenants

_TOKEN_HOUR = timedelta(minutes=61)


def _invoices(world: World) -> None:
    for _ in range(3):
        world.bill()
    world.bill(client=1)


def _invoice_with_new_token(world: World) -> None:
    world.cycle()
    world.bill()
    world.later(_TOKEN_HOUR)


def _numbered_by_quickbooks(world: World) -> None:
    """Numbers that QuickBooks gives itself, so that its own have to be told apart."""
    world.quickbooks.set(world.realm, custom_txn_numbers=False)
    world.bill()
    world.bill(client=1)


def _credit_note(world: World) -> None:
    world.bill(-3_000)


def _new_customers(world: World) -> None:
    world.configure(create_customers=True)
    for name in ("Fir Street Clinic", "Alder Books"):
        client = tenants.Client(name, email="ap@example.com")
        world.clients.append(world.do(tenants.create_client, client))
        world.bill(client=len(world.clients) - 1)


def _updates(world: World) -> None:
    first, second = world.exported(), world.exported(client=1)
    for invoice in (first, second):
        [charge, *_] = world.do(edits.charge_ids, invoice)
        world.do(edits.reprice_charge, invoice, charge, 12_000)
    world.cycle()
    _settle(world, ExceptionKind.CHANGED_IN_ALGAPSA, Action.RE_EXPORT)


def _voids(world: World) -> None:
    voided = [world.exported(), world.exported(client=1)]
    world.do(invoices.bulk_cancel, voided)


def _created_anew(world: World) -> None:
    """One invoice was deleted in QuickBooks, one voided; staff want both back."""
    gone, voided = world.exported(), world.exported(client=1)
    world.quickbooks.delete(world.realm, "Invoice", world.shown(gone))
    world.quickbooks.void(world.realm, "Invoice", world.shown(voided))
    world.cycle()
    _settle(world, ExceptionKind.DRIFT_GONE, Action.RE_EXPORT)


def _payments_out(world: World) -> None:
    first, second = world.exported(), world.exported(client=1)
    world.receive(first, 4_000)
    world.receive(first, 2_500, method="stripe")
    world.receive(second, 10_000)


def _paid_before_export(world: World) -> None:
    world.receive(world.bill(), 10_000)


def _reversed(world: World) -> None:
    first, second = world.exported(), world.exported(client=1)
    rows = [world.receive(first, 4_000), world.receive(second, 10_000)]
    world.cycle()
    for row in rows:
        world.do(payments.reverse_payment, row)


def _payments_sent_again(world: World) -> None:
    """A bookkeeper lowered one pushed payment and deleted another; staff want both back."""
    lowered, gone = world.exported(), world.exported(client=1)
    world.receive(lowered, 4_000)
    world.receive(gone, 6_000)
    world.cycle()
    for payment in world.objects("Payment"):
        if payment["TotalAmt"] == 40:
            world.repay(payment["Id"], {lowered: "30.00"})
        else:
            world.quickbooks.delete(world.realm, "Payment", payment["Id"])
    world.cycle()
    _settle(world, ExceptionKind.PAYMENT_DRIFT, Action.RE_EXPORT)


def _refunded(world: World) -> None:
    row = world.receive(world.exported(), 10_000)
    world.cycle()
    world.do(payments.refund_payment, row, 2_500)


def _credit_applied(world: World) -> None:
    world.exported(-3_000)
    first, second = world.exported(), world.exported()
    world.apply_credit(first, 1_000)
    world.apply_credit(second, 1_500)


def _credit_taken_back(world: World) -> None:
    _credit_applied(world)
    world.cycle()
    for invoice in world.linked("invoice"):
        world.do(credit.reverse_credit, invoice)


def _a_month(world: World) -> None:
    """Everything at once, so that the levels follow one another in one cycle."""
    world.exported(-3_000)
    paid, credited, voided, bounced = (world.exported() for _ in range(4))
    row = world.receive(bounced, 5_000)
    world.cycle()
    world.do(payments.reverse_payment, row)
    world.do(invoices.bulk_cancel, [voided])
    world.apply_credit(credited, 2_000)
    world.receive(paid, 10_000)
    world.receive(world.bill(), 10_000)
    world.bill(-1_000, client=1)


def _closed_books(world: World) -> None:
    world.quickbooks.set(world.realm, book_close_date=world.today.isoformat())
    world.bill()


def _settle(world: World, kind: ExceptionKind, action: Action) -> None:
    with world.engine() as engine:
        world.settle(engine, kind, action)


_AT_ONCE = (
    *(kinds.CHANGE_PAYMENT, kinds.VOID_DOCUMENT, kinds.EXPORT_INVOICE, kinds.EXPORT_CREDIT_MEMO),
    *(kinds.APPLY_CREDIT, kinds.PUSH_PAYMENT),
)

OUT = (
    Scene("invoices exported", (kinds.EXPORT_INVOICE,), _invoices),
    Scene("invoice exported with a new token", (kinds.EXPORT_INVOICE,), _invoice_with_new_token),
    Scene("invoices numbered by QuickBooks", (kinds.EXPORT_INVOICE,), _numbered_by_quickbooks),
    Scene("credit note exported", (kinds.EXPORT_CREDIT_MEMO,), _credit_note),
    Scene("customers created", (kinds.CREATE_CUSTOMER, kinds.EXPORT_INVOICE), _new_customers),
    Scene("invoices updated", (kinds.UPDATE_DOCUMENT,), _updates),
    Scene("invoices voided", (kinds.VOID_DOCUMENT,), _voids),
    Scene("invoices created anew", (kinds.EXPORT_INVOICE, kinds.UPDATE_DOCUMENT), _created_anew),
    Scene("payments pushed", (kinds.PUSH_PAYMENT,), _payments_out),
    Scene(
        "invoice and its payment", (kinds.EXPORT_INVOICE, kinds.PUSH_PAYMENT), _paid_before_export
    ),
    Scene("payments reversed", (kinds.CHANGE_PAYMENT,), _reversed),
    Scene("payments sent again", (kinds.CHANGE_PAYMENT, kinds.PUSH_PAYMENT), _payments_sent_again),
    Scene("payment refunded", (), _refunded),
    Scene("credit applied", (kinds.APPLY_CREDIT,), _credit_applied),
    Scene("credit taken back", (kinds.REMOVE_CREDIT,), _credit_taken_back),
    Scene("everything at once", _AT_ONCE, _a_month),
    Scene("books closed", (), _closed_books),
)
