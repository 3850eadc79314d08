"""Scenes in which QuickBooks' side moved and AlgaPSA has to follow, or has to be told.

Belongs here: a scene per way in which a payment or a document changes there. Does not: what
AlgaPSA's side sends.
"""

from __future__ import annotations

from decimal import Decimal

from chaos.scene import Scene
from chaos.world import World
from qbo_sync_dagster.domain.payment_standing import RowKind
from qbo_sync_dagster.domain.payment_wanted import PaymentEnd


def _payments_in(world: World) -> None:
    first, second, third = world.exported(), world.exported(), world.exported(client=1)
    world.pay({first: "100.00", second: "60.00"})
    world.pay({third: "25.00"}, client=1)


def _paid(world: World) -> tuple[str, str, str]:
    first, second = world.exported(), world.exported()
    payment = world.pay({first: "100.00"})
    world.cycle()
    return first, second, payment


def _edited(world: World) -> None:
    first, second, payment = _paid(world)
    world.repay(payment, {first: "30.00", second: "70.00"})


def _voided(world: World) -> None:
    _, _, payment = _paid(world)
    world.quickbooks.void(world.realm, "Payment", payment)


def _deleted(world: World) -> None:
    _, _, payment = _paid(world)
    world.quickbooks.delete(world.realm, "Payment", payment)


def _unapplied(world: World) -> None:
    _, _, payment = _paid(world)
    world.quickbooks.unapply(world.realm, payment)


def _replaced(world: World) -> None:
    """A cheque goes and another comes: what is taken back makes room for what is new."""
    first, _, payment = _paid(world)
    world.quickbooks.delete(world.realm, "Payment", payment)
    world.pay({first: "100.00"})


def _overpaid(world: World) -> None:
    invoice = world.exported()
    world.pay({invoice: "100.00"}, total="120.00")


def _invoice_lost_with_payment(world: World) -> None:
    first, _, _ = _paid(world)
    world.quickbooks.delete(world.realm, "Invoice", world.shown(first))


def _documents_changed(world: World) -> None:
    renamed, lost = world.exported(), world.exported(client=1)
    world.quickbooks.edit(world.realm, "Invoice", world.shown(renamed), DueDate="2031-01-31")
    world.quickbooks.void(world.realm, "Invoice", world.shown(lost))


def _pushed_changed(world: World) -> None:
    invoice = world.exported()
    world.receive(invoice, 4_000)
    world.cycle()
    [payment] = world.objects("Payment")
    world.repay(payment["Id"], {invoice: "30.00"})


def _same_money(world: World) -> None:
    invoice = world.exported()
    world.receive(invoice, 4_000)
    world.pay({invoice: "40.00"})


def _foreign_memo(world: World) -> None:
    invoice = world.exported()
    lines = [(world.item, Decimal(30))]
    memo = world.quickbooks.credit_memo(world.realm, world.customer(), lines, DocNumber="QBC-1")
    _spend(world, invoice, str(memo["Id"]))


def _our_memo(world: World) -> None:
    world.exported(-3_000)
    _spend(world, world.exported(), _memo(world))


def _our_memo_both(world: World) -> None:
    """Applied in QuickBooks first and, now that it was told, in AlgaPSA too."""
    world.exported(-3_000)
    invoice = world.exported()
    _spend(world, invoice, _memo(world))
    world.cycle()
    world.apply_credit(invoice)


def _history(world: World) -> None:
    invoice, shown = world.history()
    world.receive(invoice, 4_000)
    lines = [(shown, Decimal(40)), (shown, Decimal(15))]
    for line in lines:
        world.quickbooks.record_payment(world.realm, world.customer(), [line])
    world.link(("invoice", invoice, shown))


def _unknown_invoice(world: World) -> None:
    _, shown = world.history()
    world.quickbooks.record_payment(world.realm, world.customer(), [(shown, Decimal(100))])


def _customers_changed(world: World) -> None:
    world.bill()
    world.quickbooks.edit(world.realm, "Customer", world.customer(), Active=False)


def _memo(world: World) -> str:
    [memo] = world.objects("CreditMemo")
    return str(memo["Id"])


def _spend(world: World, invoice: str, memo: str) -> None:
    world.quickbooks.apply_credit(
        world.realm, world.customer(), world.shown(invoice), memo, Decimal(30)
    )


IN = (
    Scene("payments received", (RowKind.PAYMENT,), _payments_in),
    Scene("payment edited", (RowKind.PAYMENT, RowKind.REVERSAL), _edited),
    Scene("payment voided", (PaymentEnd.VOIDED,), _voided),
    Scene("payment deleted", (PaymentEnd.DELETED,), _deleted),
    Scene("payment unapplied", (PaymentEnd.UNAPPLIED,), _unapplied),
    Scene("payment replaced", (RowKind.PAYMENT, RowKind.REVERSAL), _replaced),
    Scene("invoice overpaid", (RowKind.PAYMENT,), _overpaid),
    Scene("paid invoice deleted in QuickBooks", (), _invoice_lost_with_payment),
    Scene("invoices changed in QuickBooks", (), _documents_changed),
    Scene("pushed payment changed in QuickBooks", (), _pushed_changed),
    Scene("same money on both sides", (), _same_money),
    Scene("credit of QuickBooks' own", (RowKind.PAYMENT,), _foreign_memo),
    Scene("our credit spent in QuickBooks", (), _our_memo),
    Scene("our credit spent on both sides", (), _our_memo_both),
    Scene("history linked", (RowKind.MATCHED,), _history),
    Scene("payment of an unknown invoice", (), _unknown_invoice),
    Scene("customer set inactive", (), _customers_changed),
)
