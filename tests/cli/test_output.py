"""What commands print of names from outside: all of it readable, none of it steering a terminal."""

from __future__ import annotations

import io
import json
import sys

import pytest

from qbo_sync_dagster.cli import output

HOSTILE = "Evil\x1b[2J\x9b31m\u202eLtd\nNo open exceptions. [red]x[/red]"


class Terminal(io.StringIO):
    """Standard output that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_line_of_the_answer_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    output.answer(HOSTILE)

    told = capsys.readouterr().out
    assert told.count("\n") == 1
    assert told.rstrip("\n").isprintable()
    assert "[red]x[/red]" in told


def test_json_gives_the_name_back_without_a_character_that_acts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output.answer_json({"name": f"Søn & Co {HOSTILE}"})

    told = capsys.readouterr().out
    assert all(each == "\n" or each.isprintable() for each in told)
    assert "Søn & Co" in told
    assert json.loads(told) == {"name": f"Søn & Co {HOSTILE}"}


def test_a_file_is_printed_as_it_is_but_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "kind,name\r\nclient,\x1b[2JEvil\r\n"
    monkeypatch.setattr(sys, "stdout", piped := io.StringIO())
    output.answer_file(text)
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    output.answer_file(text)

    assert piped.getvalue() == text
    assert terminal.getvalue() == "kind,name\nclient, [2JEvil\n"
