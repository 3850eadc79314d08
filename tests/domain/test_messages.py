"""What is told of a company's exceptions, and what is not told again."""

from __future__ import annotations

from typing import Any

import pytest

from qbo_sync_dagster.domain.messages import OpenException, harmless, messages


def exception(number: int, kind: str = "export_failing", **values: Any) -> OpenException:
    told = {"title": f"Title {number}", "version": "", "labels": ()} | values
    return OpenException(number=number, kind=kind, **told)


def test_new_exceptions_are_one_message_newest_first() -> None:
    [message] = messages(
        "Alder IT", [exception(7, labels=("Invoice INV-1", "Payment 3")), exception(9)], set()
    )

    assert message.title == "Alder IT: 2 new exceptions"
    assert message.body.splitlines()[:2] == ["9: Title 9", "7: Title 7 (Invoice INV-1, Payment 3)"]


def test_what_was_told_is_not_told_again() -> None:
    [message] = messages("Alder", [exception(7), exception(9)], {"exception:9"})

    assert message.title == "Alder: 1 new exception"
    assert message.names == ("exception:7",)
    assert messages("Alder", [exception(9)], {"exception:9"}) == []


def test_a_hundred_exceptions_are_counted_and_twenty_named_but_all_are_told() -> None:
    [message] = messages("Alder", [exception(n) for n in range(1, 101)], set())

    assert "... and 80 more." in message.body
    assert "100: Title 100" in message.body
    assert len(message.names) == 100


def test_a_failed_connection_and_its_coming_end_are_messages_of_their_own_and_first() -> None:
    standing = [
        exception(1),
        exception(2, "connection_expires", version="2026-12-01:7"),
        exception(3, "connection_failed", title="Accounting connection failed authentication"),
    ]

    told = messages("Alder", standing, set())

    assert [message.names for message in told] == [
        ("exception:3",),
        ("expires:7",),
        ("exception:1",),
    ]
    assert told[0].title == "Alder: Accounting connection failed authentication"
    assert "connections reconnect" in told[0].body


def test_each_band_before_the_end_is_told_once() -> None:
    week = exception(2, "connection_expires", version="2026-12-01:7")
    two_days = exception(2, "connection_expires", version="2026-12-01:2")

    assert messages("Alder", [week], {"expires:14"}) != []
    assert messages("Alder", [week], {"expires:14", "expires:7"}) == []
    assert messages("Alder", [two_days], {"expires:7"}) != []


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("<!channel> @everyone", "‹!channel› ＠everyone"),
        ("*bold* _it_ `code` [x](y)", "∗bold∗ ˍitˍ 'code' (x)(y)"),
        ("a\nb\x00c\u202ed", "a b c d"),
        ("x" * 200, "x" * 79 + "…"),
        ("O'Dowd Freight 2.0", "O'Dowd Freight 2.0"),
        ("pay at https://example.com", "pay at https:\u200b//example.\u200bcom"),
        ("or www.example.com", "or www\u200b.example.\u200bcom"),
    ],
)
def test_names_from_outside_are_neither_markup_nor_mentions_nor_links(name: str, told: str) -> None:
    assert harmless(name) == told
