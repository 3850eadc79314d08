"""Changes without an answer that a bookkeeper overtook: decided anew, they are sent anew."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from qbo_sync_dagster.actions.cases import Choice
from qbo_sync_dagster.actions.re_exporting import re_export
from qbo_sync_dagster.sandbox.algapsa import payments

CHANGED = "Exported invoice was changed in QuickBooks"
LONG_ENOUGH = timedelta(minutes=3)


def _lose(world, kind: str, entity: str) -> None:
    world.quickbooks.fault("timeout_before", realm=world.company.realm, kind=kind, entity=entity)
    world.cycle()
    assert list(world.operations().values()) == ["posting"]


def test_a_document_re_exported_again_after_another_change_is_sent(world) -> None:
    invoice = world.exported()
    found = world.quickbooks_id(invoice)
    world.quickbooks.edit(world.company.realm, "Invoice", found, DocNumber="X-1")
    world.cycle()
    re_export(world.engine.ledger, Choice(world.exception(CHANGED).number, "Staff"))
    _lose(world, "update", "Invoice")
    world.quickbooks.edit(world.company.realm, "Invoice", found, DocNumber="X-2")
    world.later(LONG_ENOUGH)
    world.cycle()
    re_export(world.engine.ledger, Choice(world.exception(CHANGED).number, "Staff"))

    end = world.cycle()

    assert end.outcome == "succeeded", end.sentence
    assert world.quickbooks_id(invoice) == found
    assert world.operations() == {}
    assert world.titles() == []


def test_a_payment_reduced_again_after_another_change_is_sent(world) -> None:
    invoice = world.exported(10_000)
    own = world.record_in_algapsa(invoice, 4_000)
    world.cycle()
    [payment] = world.quickbooks.list(world.company.realm, "Payment")
    world.do(payments.reverse_payment, own)
    _lose(world, "delete", "Payment")
    world.quickbooks.edit(world.company.realm, "Payment", payment["Id"], PrivateNote="cheque 7")
    world.later(LONG_ENOUGH)
    world.cycle()

    end = world.cycle()

    assert end.outcome == "succeeded", end.sentence
    assert world.quickbooks.list(world.company.realm, "Payment") == []
    assert Decimal(str(world.in_quickbooks(invoice)[0]["Balance"])) == 100
    assert world.operations() == {}
    assert world.titles() == []
