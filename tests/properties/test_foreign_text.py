"""Whatever strangers type shows as they typed it and does nothing: in Markdown, in files."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it.token import Token

from qbo_sync_dagster.actions.link_file import read_link_file, write_link_file
from qbo_sync_dagster.actions.mapping_file import read_mappings, write_mappings
from qbo_sync_dagster.actions.naming import NamedRecord, write_names
from qbo_sync_dagster.domain.foreign_text import cell, is_formula, one_line, shorten, typed
from qbo_sync_dagster.domain.suggestions import MappedRecord, MappingKind, MappingState
from qbo_sync_dagster.panels.markdown import bullets, escape, harmless, table
from tests.shown_markdown import LINKED, blocks, inside, text_of

# What has an effect somewhere, in any order and beside anything.
_WEAPONS = (
    *("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "[x](javascript:alert(1))"),
    *("![](http://example.com/p.png)", "<http://example.com>", "https://example.com", "[x]: /y"),
    *("_www.example.com", "WWW.example.com/a", "pay@example.com", "mailto:a@example.com"),
    *("# h", "- item", "1. item", "1) x", "> quote", "| a | b |", "| --- |", "```", "`x`", "~~~"),
    *("**b**", "_i_", "~~s~~", "***", "===", "---", "\\", "&lt;b&gt;", "&#42;x&#42;", "$$x$$"),
    *("\n", "\r\n\r\n", "\t", "    ", "\x00", "\x1b[31m", "\x9b2J", "\u202e", "\u2028", "[red]"),
    *("=1+1", "+1", "-1", "@SUM(A1)", "'=1", "''@x", "\uff1d1", '"', ",", ";", "[^1]", "[ ] x"),
)
hostile = st.lists(st.sampled_from(_WEAPONS) | st.text(max_size=6), max_size=5).map("".join)


def shown(tokens: list[Token]) -> str:
    assert {each.type for each in tokens} <= {"text", "text_special"}
    text = text_of(tokens)
    assert not LINKED.search(text)
    return text.replace("\u200b", "")


@pytest.mark.parametrize("name", _WEAPONS)
def test_each_markup_alone_reads_as_typed(name: str) -> None:
    reads_as_typed(name)
    reads_as_typed(f"a {name} b")
    has_no_effect(name)


@given(hostile)
def test_a_name_reads_as_typed_wherever_markdown_shows_it(name: str) -> None:
    reads_as_typed(name)


@given(hostile)
def test_a_name_in_a_sentence_that_some_places_show_as_markdown_has_no_effect(name: str) -> None:
    has_no_effect(name)


def reads_as_typed(name: str) -> None:
    escaped, expected = escape(name), shorten(name)

    assert blocks(f"{escaped}\n\nEnd") in (_PARAGRAPHS, _PARAGRAPHS[3:])
    assert shown(inside(escaped)) == expected
    assert shown(inside(bullets([escaped]))) == expected
    assert shown(inside(f"### {escaped}")) == expected
    assert blocks(table(["A", "B"], [[escaped, "b"]])) == blocks(table(["A", "B"], [["a", "b"]]))
    assert shown(inside(table(["A", "B"], [[escaped, ""]]))) == f"AB{expected}"


_PARAGRAPHS = ["paragraph_open", "inline", "paragraph_close"] * 2


def has_no_effect(name: str) -> None:
    assert blocks(f"{harmless(name)}\n\nEnd") in (_PARAGRAPHS, _PARAGRAPHS[3:])
    shown(inside(harmless(name)))


@given(hostile)
def test_a_line_has_no_controls_and_no_turns(text: str) -> None:
    assert all(each.isprintable() for each in one_line(text))
    assert len(shorten(text, 20)) <= 20


@given(hostile)
def test_a_cell_is_never_run_and_gives_back_what_was_typed(text: str) -> None:
    assert not is_formula(cell(text))
    assert typed(cell(text)) == text


@given(hostile.map(one_line).filter(bool), hostile.map(one_line).filter(bool))
def test_files_for_spreadsheets_hold_no_formula_and_are_read_back_as_they_were(
    code: str, name: str
) -> None:
    record = MappedRecord(
        MappingKind.TAX_REGION, code, code, MappingState.LINKED, "7", name, suggestions=()
    )
    mappings = write_mappings([record])
    names = write_names([NamedRecord("tax_region", "AlgaPSA", code, name)])
    links = write_link_file([("tax_region", code, "7")])

    for text in (mappings, names, links):
        assert not any(is_formula(each) for row in csv.reader(io.StringIO(text)) for each in row)
    [wanted] = read_mappings(mappings)
    assert (wanted.algapsa, wanted.quickbooks, wanted.quickbooks_name) == (code, "7", name)
    if len(code) <= 100:
        assert read_link_file(links)[0].algapsa_id == code
