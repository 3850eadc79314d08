"""Which QuickBooks payments concern us."""

from __future__ import annotations

from datetime import date
from typing import Any

from qbo_sync_dagster.domain.payment_intake import InboundPayment, KnownRecords, recognise
from qbo_sync_dagster.domain.payment_wanted import PaymentEnd, WantedLine, WantedPayment

KNOWN = KnownRecords({"130": "inv-a"}, {"58"}, {"977"})


def inbound(*lines: tuple[str, int], **fields: Any) -> InboundPayment:
    described: dict[str, Any] = {
        "payment_id": "181",
        "version": 0,
        "date": date(2026, 3, 2),
        "currency": "USD",
        "reference": "CHQ 17",
        "customer_id": "99",
    }
    return InboundPayment(invoice_lines=lines, **(described | fields))


def recognised(payment: InboundPayment, *, stands: bool = False) -> WantedPayment | None:
    return recognise("realm-1", payment, KNOWN, stands=stands)


def test_payment_on_a_linked_invoice_wants_its_line() -> None:
    wanted = recognised(inbound(("130", 500)))
    assert wanted
    assert (wanted.lines, wanted.unknown_lines) == ((WantedLine("inv-a", 500),), ())


def test_strangers_payment_on_a_strangers_invoice_is_foreign() -> None:
    assert recognised(inbound(("555", 500))) is None


def test_linked_customers_payment_on_an_unlinked_invoice_is_held() -> None:
    wanted = recognised(inbound(("555", 500), customer_id="58"))
    assert wanted
    assert wanted.unknown_lines == (WantedLine("555", 500),)


def test_strangers_payment_on_an_invoice_with_our_number_is_held() -> None:
    wanted = recognised(inbound(("977", 500), ("977", 1)))
    assert wanted
    assert wanted.unknown_lines == (WantedLine("977", 501),)


def test_payment_over_a_linked_and_a_strangers_invoice_is_held_whole() -> None:
    wanted = recognised(inbound(("130", 500), ("555", 100)))
    assert wanted
    assert (wanted.per_invoice(), wanted.unknown_lines) == (
        {"inv-a": 500},
        (WantedLine("555", 100),),
    )


def test_deletion_of_what_stands_in_algapsa_is_ours_and_of_anything_else_foreign() -> None:
    deletion = inbound(customer_id=None, gone=PaymentEnd.DELETED)
    wanted = recognised(deletion, stands=True)
    assert wanted
    assert wanted.is_deleted
    assert recognised(deletion) is None
