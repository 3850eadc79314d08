"""The exceptions page: cause, cure, records with links, and an end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from qbo_sync_dagster.ledger.exceptions import StoredException
from qbo_sync_dagster.panels.exceptions import Addresses, exceptions_page, exceptions_table

ExceptionOf = Callable[..., StoredException]
APP = "https://app.qbo.intuit.com/app"
THERE = Addresses(APP, "/locations/qbo/jobs/resolve_exception")
NOWHERE = Addresses()


def test_an_exception_reads_cause_cure_records_amounts(exception_of: ExceptionOf) -> None:
    page = exceptions_page([exception_of(kind="unreadable_change")], [], THERE)

    assert page.splitlines()[:11] == [
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
        "",
        "[Open this form in the Launchpad](/locations/qbo/jobs/resolve_exception/playground/setup"
        "?config=ops%3A%0A%20%20resolve%3A%0A%20%20%20%20config%3A%0A%20%20%20%20%20%20"
        "exception%3A%207%0A%20%20%20%20%20%20action%3A%20retry%20%20%23%20or%20dismiss%0A%20%20"
        "%20%20%20%20reason%3A%20%22%22%20%20%23%20why%3B%20kept%20with%20the%20exception)",
        "",
    ]


def test_the_config_to_paste_and_the_command_stand_with_each_exception(
    exception_of: ExceptionOf,
) -> None:
    page = exceptions_page([exception_of(kind="unreadable_change")], [], NOWHERE)

    assert page.splitlines()[9:] == [
        "The job `resolve_exception`, with",
        "",
        "```yaml",
        "ops:",
        "  resolve:",
        "    config:",
        "      exception: 7",
        "      action: retry  # or dismiss",
        '      reason: ""  # why; kept with the exception',
        "```",
        "",
        'On the command line: `qbo-sync exceptions retry 7 --reason "..."`; '
        "or dismiss in its place",
    ]


def test_what_needs_another_record_says_which(exception_of: ExceptionOf) -> None:
    page = exceptions_page([exception_of(kind="customer_unavailable")], [], NOWHERE)

    assert '      target: ""  # link_client: the QuickBooks customer\'s id' in page
    assert "qbo-sync exceptions link-client 7 TARGET" in page


def test_a_connection_that_lapses_may_be_dismissed_by_another_command(
    exception_of: ExceptionOf,
) -> None:
    page = exceptions_page([exception_of(kind="connection_expires")], [], NOWHERE)

    assert page.count("`qbo-sync ") == 2
    assert '`qbo-sync exceptions dismiss 7 --reason "..."`' in page


def test_a_connection_is_mended_on_the_command_line_only(exception_of: ExceptionOf) -> None:
    page = exceptions_page([exception_of(kind="connection_failed")], [], THERE)

    assert "On the command line: `qbo-sync connections reconnect 9341453000000001`" in page
    assert "Launchpad" not in page


def test_closed_ones_keep_who_when_and_how(exception_of: ExceptionOf, now: datetime) -> None:
    closed = exception_of(
        state="dismissed", closed_at=now, closed_by="Avery", close_reason="dismissed: a deposit"
    )

    page = exceptions_page([], [closed], NOWHERE)

    assert page.startswith("No open exceptions.")
    assert page.splitlines()[-1] == (
        "| 7 | QuickBooks payment targets an already\\-settled invoice | "
        "Payment 145, Invoice INV\\-0042 | 2026-11-22 14:16 UTC | Avery | dismissed: a deposit |"
    )


def test_without_a_web_app_there_is_no_link(exception_of: ExceptionOf) -> None:
    assert "View in QuickBooks" not in exceptions_page([exception_of()], [], NOWHERE)


def test_a_record_id_can_not_break_out_of_its_link(exception_of: ExceptionOf) -> None:
    record = {"side": "quickbooks", "kind": "Invoice", "id": "1) [x](//e", "label": "Invoice 1"}

    page = exceptions_page([exception_of(records=[record])], [], THERE)

    assert "txnId=1%29%20%5Bx%5D%28%2F%2Fe)" in page


def test_a_name_from_outside_has_no_effect_on_the_page(exception_of: ExceptionOf) -> None:
    page = exceptions_page([exception_of(what_happened="<b>x</b>\n# big\n")], [], THERE)

    assert "<b>" not in page
    assert "\n# big" not in page


def test_no_exception_is_good_news() -> None:
    assert exceptions_page([], [], THERE) == "No open exceptions. Nothing needs your attention."


def test_a_long_list_ends_with_where_to_see_all(exception_of: ExceptionOf, now: datetime) -> None:
    many = [exception_of(number=number) for number in range(120)]

    page = exceptions_page(many, [], THERE)

    assert page.count("### ") == 50
    assert page.endswith("70 more exceptions: `qbo-sync exceptions` lists all of them.")
    assert len(exceptions_table(many, now).rows) == 100


def test_table_cells_are_plain_text(exception_of: ExceptionOf, now: datetime) -> None:
    row = exceptions_table([exception_of()], now).rows[0]

    assert row == (
        7,
        "QuickBooks payment targets an already-settled invoice",
        "Payment 145, Invoice INV-0042",
        "payment 120.00; open 0.00",
        "2 days",
        3,
        "accounting administrator",
    )


def test_a_record_that_is_on_both_sides_is_named_once(
    exception_of: ExceptionOf, now: datetime
) -> None:
    records = [
        {"side": side, "kind": "invoice", "id": "1", "label": "Invoice 1"}
        for side in ("algapsa", "quickbooks")
    ]

    assert exceptions_table([exception_of(records=records)], now).rows[0][2] == "Invoice 1"
