"""What strangers type into names and memos shows as they typed it, and does nothing."""

from __future__ import annotations

import pytest

from qbo_sync_dagster.panels.markdown import escape, harmless, link, table


@pytest.mark.parametrize(
    "typed",
    [
        "<img src=x onerror=alert(1)>",
        "<script>alert(1)</script>",
        "[pay here](https://example.com/pay)",
        "![](https://example.com/pixel)",
        "# Heading | cell",
        "`code` **bold** __bold__ ~~gone~~",
    ],
)
def test_markup_in_a_name_has_no_effect(typed: str) -> None:
    escaped = escape(typed)

    assert "<" not in escaped
    for special in "[](|#`*!":
        bare = escaped.count(special) - escaped.count(f"\\{special}")
        assert bare == 0


def test_an_address_in_a_memo_is_not_made_a_link() -> None:
    assert "://" not in escape("pay at https://example.com")
    assert "www." not in escape("pay at www.example.com")
    assert "@example" not in escape("write to pay@example.com")


def test_a_memo_stays_on_one_line_and_has_an_end() -> None:
    escaped = escape("first\nsecond\r\n\tthird" + "x" * 100_000, longest=40)

    assert "\n" not in escaped
    assert len(escaped) == 40
    assert escaped.startswith("first second third")
    assert escaped.endswith("…")


def test_an_ordinary_name_reads_as_it_is() -> None:
    assert escape("Müller & Söhne, Inc.") == "Müller &amp; Söhne, Inc."


def test_a_link_without_an_address_is_its_label() -> None:
    assert link("Invoice 12", None) == "Invoice 12"
    assert link("Invoice 12", "https://example.com/12") == "[Invoice 12](https://example.com/12)"


def test_a_table_has_a_line_per_row() -> None:
    assert table(["a", "b"], [["1", "2"]]).splitlines() == [
        "| a | b |",
        "| --- | --- |",
        "| 1 | 2 |",
    ]


def test_a_sentence_reads_the_same_as_text_and_as_markdown() -> None:
    assert harmless("Invoice INV-0042 failed; run `qbo-sync doctor`.") == (
        "Invoice INV-0042 failed; run 'qbo-sync doctor'."
    )
    assert harmless("[pay](https://example.com) <b>") == "(pay)(https:\u200b//example.com) ‹b›"
