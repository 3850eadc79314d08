"""The exceptions page: cause, cure, records with links, and an end."""

from __future__ import annotations

from collections.abc import Callable

from qbo_sync_dagster.ledger.exceptions import StoredException
from qbo_sync_dagster.panels.exceptions import exceptions_page, exceptions_table

ExceptionOf = Callable[..., StoredException]
APP = "https://app.qbo.intuit.com/app"


def test_an_exception_reads_cause_cure_records_amounts(exception_of: ExceptionOf) -> None:
    page = exceptions_page([exception_of()], APP)

    assert page.splitlines() == [
        "### 7. QuickBooks payment targets an already\\-settled invoice",
        "",
        "- What happened: Payment 145 of 120.00 USD goes to invoice INV\\-0042, which is paid.",
        "- What to do: Review the payment in QuickBooks.",
        "- Record: Payment 145 in QuickBooks, "
        "[View in QuickBooks](https://app.qbo.intuit.com/app/recvpayment?txnId=145)",
        "- Record: Invoice INV\\-0042 in AlgaPSA",
        "- Amounts: payment 120.00; open 0.00",
        "- Seen 3 times, first on 2026-11-20 14:16 UTC, last on 2026-11-22 14:16 UTC, "
        "assigned to accounting administrator",
    ]


def test_without_a_web_app_there_is_no_link(exception_of: ExceptionOf) -> None:
    assert "View in QuickBooks" not in exceptions_page([exception_of()], None)


def test_a_record_id_can_not_break_out_of_its_link(exception_of: ExceptionOf) -> None:
    record = {"side": "quickbooks", "kind": "Invoice", "id": "1) [x](//e", "label": "Invoice 1"}

    page = exceptions_page([exception_of(records=[record])], APP)

    assert "txnId=1%29%20%5Bx%5D%28%2F%2Fe)" in page


def test_a_name_from_outside_has_no_effect_on_the_page(exception_of: ExceptionOf) -> None:
    page = exceptions_page([exception_of(what_happened="<b>x</b>\n# big\n")], APP)

    assert "<b>" not in page
    assert "\n# big" not in page


def test_no_exception_is_good_news() -> None:
    assert exceptions_page([], APP) == "No open exceptions. Nothing needs your attention."


def test_a_long_list_ends_with_where_to_see_all(exception_of: ExceptionOf) -> None:
    many = [exception_of(number=number) for number in range(120)]

    page = exceptions_page(many, APP)

    assert page.count("### ") == 50
    assert page.endswith("70 more exceptions: `qbo-sync exceptions` lists all of them.")
    assert len(exceptions_table(many).rows) == 100


def test_table_cells_are_plain_text(exception_of: ExceptionOf) -> None:
    row = exceptions_table([exception_of()]).rows[0]

    assert row == (
        7,
        "QuickBooks payment targets an already-settled invoice",
        "Payment 145, Invoice INV-0042",
        "payment 120.00; open 0.00",
        "2026-11-20 14:16 UTC",
        3,
    )


def test_a_record_that_is_on_both_sides_is_named_once(exception_of: ExceptionOf) -> None:
    records = [
        {"side": side, "kind": "invoice", "id": "1", "label": "Invoice 1"}
        for side in ("algapsa", "quickbooks")
    ]

    assert exceptions_table([exception_of(records=records)]).rows[0][2] == "Invoice 1"
