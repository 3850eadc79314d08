"""Scenes in which the process dies inside what people asked for, and they ask again.

Belongs here: actions on exceptions, one document synced, a batch filed, links imported. Does not:
the cycles that carry out what was decided.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from chaos.scene import Act, Scene
from chaos.world import World
from qbo_sync_dagster.actions.batching import run_batch
from qbo_sync_dagster.actions.linking import import_links
from qbo_sync_dagster.domain.batch_selection import BatchSelection
from qbo_sync_dagster.domain.catalogue import Action, ExceptionKind
from qbo_sync_dagster.sandbox.algapsa import edits, invoices, payments, tenants
from qbo_sync_dagster.sync.one_document import sync_document

# What a cause names as the record that the action needs, or nothing.
Cause = Callable[[World], str | None]


def _same_payment(world: World) -> str:
    invoice = world.exported()
    world.receive(invoice, 4_000)
    payment = world.pay({invoice: "40.00"})
    world.cycle()
    return payment


def _orphan(world: World) -> str | None:
    """Sent and never arrived, as far as anybody knows half a day later."""
    world.bill()
    world.quickbooks.fault("drop_before", realm=world.realm, kind="create")
    world.cycle()
    world.later(timedelta(hours=13))
    world.cycle()
    return None


def _orphan_standing(world: World) -> str | None:
    """Sent, given up, and entered by hand under another number."""
    _orphan(world)
    lines = [(world.item, Decimal(100))]
    made = world.quickbooks.invoice(world.realm, world.customer(), lines, DocNumber="BY-HAND")
    world.cycle()
    return str(made["Id"])


def _changed(world: World) -> None:
    invoice = world.exported()
    [charge, *_] = world.do(edits.charge_ids, invoice)
    world.do(edits.reprice_charge, invoice, charge, 12_000)
    world.cycle()


def _drift(world: World) -> None:
    invoice = world.shown(world.exported())
    world.quickbooks.edit(world.realm, "Invoice", invoice, DueDate="2031-01-31")
    world.cycle()


def _drift_gone(world: World) -> None:
    world.quickbooks.delete(world.realm, "Invoice", world.shown(world.exported()))
    world.cycle()


def _payment_drift(world: World) -> None:
    invoice = world.exported()
    world.receive(invoice, 4_000)
    world.cycle()
    [payment] = world.objects("Payment")
    world.repay(payment["Id"], {invoice: "30.00"})
    world.cycle()


def _matched_drift(world: World) -> None:
    payment = _same_payment(world)
    with world.engine() as engine:
        world.settle(engine, ExceptionKind.SAME_PAYMENT, Action.MATCH)
    world.cycle()
    world.quickbooks.delete(world.realm, "Payment", payment)
    world.cycle()


def _refund(world: World) -> str:
    row = world.receive(world.exported(), 10_000)
    world.cycle()
    world.do(payments.refund_payment, row, 2_500)
    world.cycle()
    return "RefundReceipt 12"


def _closed(world: World) -> None:
    world.quickbooks.set(world.realm, book_close_date=world.today.isoformat())
    world.bill()
    world.cycle()


def _early(world: World) -> None:
    world.bill(day=world.today - timedelta(days=11))
    world.cycle()


def _unmapped(world: World) -> str:
    client = tenants.Client("Fir Street", email="ap@example.com")
    world.clients.append(world.do(tenants.create_client, client))
    world.bill(client=len(world.clients) - 1)
    made = world.quickbooks.customer(world.realm, "Fir Street")
    world.cycle()
    return str(made["Id"])


def _standing_number(world: World) -> str:
    """The number is taken by an invoice that somebody entered for another customer."""
    invoice = world.draft()
    number = world.number(invoice)
    lines = [(world.item, Decimal(100))]
    made = world.quickbooks.invoice(world.realm, world.customer(1), lines, DocNumber=number)
    world.do(invoices.finalize_invoice, invoice, today=world.today)
    world.cycle()
    return str(made["Id"])


def _unknown(world: World) -> None:
    _, shown = world.history()
    world.quickbooks.record_payment(world.realm, world.customer(), [(shown, Decimal(100))])
    world.cycle()


def _failing(world: World) -> None:
    world.configure(deposit_account="999")
    world.receive(world.exported(), 4_000)
    world.cycle()
    world.configure(deposit_account=None)


def _leftovers(world: World) -> None:
    """From before the sync: a payment on each side that the other one does not have."""
    invoice, shown = world.history()
    line = {"Amount": 15, "LinkedTxn": [{"TxnId": shown, "TxnType": "Invoice"}]}
    then = (world.stores.now() - timedelta(days=39)).isoformat()
    body = {"CustomerRef": {"value": world.customer()}, "TotalAmt": 15, "Line": [line]}
    old = {"entity": "Payment", "body": body, "created": then, "updated": then}
    world.quickbooks.seed(world.realm, [old])
    world.receive(invoice, 4_000)
    world.link(("invoice", invoice, shown))
    world.cycle()


def _deciding(kind: ExceptionKind, action: Action, cause: Cause | Callable[[World], None]) -> Scene:
    def prepare(world: World) -> Act:
        target = cause(world) or ""
        if not world.open(kind):
            titles = [each.title for each in world.open()]
            message = f"No {kind} stands, but {titles}."
            raise AssertionError(message)
        return lambda engine: world.settle(engine, kind, action, target)

    return Scene(f"{action}: {kind}", (action,), prepare, tried_again=True)


def _one_document(world: World) -> Act:
    world.cycle()
    number = world.number(world.bill())
    world.bill(client=1)
    return lambda engine: sync_document(engine, world.realm, number)


def _batch(world: World) -> Act:
    world.bill(day=world.today - timedelta(days=3))
    world.bill(client=1)
    wanted = BatchSelection(first=world.today - timedelta(days=5))
    return lambda engine: run_batch(engine, world.realm, wanted, "staff")


def _links(world: World) -> Act:
    found = [world.history(), world.history(client=1)]
    rows = "".join(f"invoice,{invoice},{shown}\n" for invoice, shown in found)
    return lambda engine: import_links(engine, world.realm, rows)


STAFF = (
    _deciding(ExceptionKind.SAME_PAYMENT, Action.MATCH, _same_payment),
    _deciding(ExceptionKind.SAME_PAYMENT, Action.BOTH_REAL, _same_payment),
    _deciding(ExceptionKind.SAME_PAYMENT, Action.DISMISS, _same_payment),
    _deciding(ExceptionKind.ORPHAN, Action.SEND_AGAIN, _orphan),
    _deciding(ExceptionKind.ORPHAN, Action.ADOPT, _orphan_standing),
    _deciding(ExceptionKind.CHANGED_IN_ALGAPSA, Action.RE_EXPORT, _changed),
    _deciding(ExceptionKind.CHANGED_IN_ALGAPSA, Action.ACCEPT, _changed),
    _deciding(ExceptionKind.CHANGED_IN_ALGAPSA, Action.VOID, _changed),
    _deciding(ExceptionKind.DRIFT_CHANGED, Action.ACCEPT, _drift),
    _deciding(ExceptionKind.DRIFT_CHANGED, Action.RE_EXPORT, _drift),
    _deciding(ExceptionKind.DRIFT_GONE, Action.ACCEPT, _drift_gone),
    _deciding(ExceptionKind.DRIFT_GONE, Action.RE_EXPORT, _drift_gone),
    _deciding(ExceptionKind.PAYMENT_DRIFT, Action.RE_EXPORT, _payment_drift),
    _deciding(ExceptionKind.PAYMENT_DRIFT, Action.ACCEPT, _payment_drift),
    _deciding(ExceptionKind.PAYMENT_DRIFT, Action.APPLY, _matched_drift),
    _deciding(ExceptionKind.REFUND_TO_RECORD, Action.RECORD_REFUND, _refund),
    _deciding(ExceptionKind.CLOSED_PERIOD, Action.RE_DATE, _closed),
    _deciding(ExceptionKind.BEFORE_GO_LIVE, Action.EXPORT, _early),
    _deciding(ExceptionKind.EXPORT_NOT_READY, Action.LINK_CLIENT, _unmapped),
    _deciding(ExceptionKind.ALREADY_IN_QUICKBOOKS, Action.LINK_INVOICE, _standing_number),
    _deciding(ExceptionKind.UNKNOWN_INVOICE, Action.NOT_FROM_ALGAPSA, _unknown),
    _deciding(ExceptionKind.PUSH_FAILING, Action.RETRY, _failing),
    _deciding(ExceptionKind.HISTORY_PAYMENTS, Action.PUSH, _leftovers),
    _deciding(ExceptionKind.HISTORY_PAYMENTS, Action.APPLY, _leftovers),
    Scene("one document synced", (), _one_document, tried_again=True),
    Scene("a batch filed", (), _batch, tried_again=True),
    Scene("links imported", (), _links, tried_again=True),
)
