"""How commands speak: answers on standard output, everything else on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from qbo_sync_dagster.panels import words

JsonFlag = Annotated[
    bool, typer.Option("--json", help="Print JSON alone, for programs.", show_default=False)
]

_answers = Console(highlight=False)
_remarks = Console(stderr=True, highlight=False)


def answer(sentence: str) -> None:
    """One line of the command's answer."""
    _answers.print(Text(plain(sentence)), soft_wrap=True)


def answer_table(table: Table) -> None:
    """A table as the command's answer."""
    _answers.print(table)


def answer_json(value: object) -> None:
    """The whole answer as JSON; dates and instants as ISO 8601."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=_as_json)
    sys.stdout.write("".join(map(_escaped, text)) + "\n")


def answer_file(text: str) -> None:
    """A file's text as it is; on a terminal without what could steer that."""
    lines = map(plain, text.splitlines()) if sys.stdout.isatty() else None
    sys.stdout.write("\n".join(lines) + "\n" if lines else text)
    sys.stdout.flush()


def remark(sentence: str, style: str = "") -> None:
    """One line about what goes on, on standard error."""
    _remarks.print(Text(plain(sentence), style=style), soft_wrap=True)


def complain(sentence: str) -> None:
    """What went wrong and what to do, on standard error."""
    remark(sentence, style="bold red")


@contextmanager
def working(sentence: str) -> Iterator[None]:
    """Show that something goes on while it does; on a terminal only."""
    if not _remarks.is_terminal:
        yield
        return
    with _remarks.status(Text(plain(sentence))):
        yield


def answer_block(title: str, rows: Mapping[str, object]) -> None:
    """A record as a heading and one named value a line; values that are None are left out."""
    width = max((len(name) for name in rows), default=0)
    _answers.print(Text(plain(title), style="bold"), soft_wrap=True)
    for name, value in rows.items():
        if value is not None:
            answer(f"   {name:<{width}}   {readable(value)}")
    answer("")


def new_table(*columns: str, title: str | None = None) -> Table:
    """A table with these columns."""
    table = Table(title=title, title_justify="left", header_style="bold", box=SIMPLE_HEAD)
    for column in columns:
        # A heading broken over three lines is no heading.
        table.add_column(column, overflow="fold", min_width=len(column))
    return table


def add_row(table: Table, *cells: object) -> None:
    """A row of a table, with each value as people read it."""
    table.add_row(*[Text(plain(readable(cell))) for cell in cells])


def readable(value: object) -> str:
    """A value as people read it; instants in UTC to the minute."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, datetime):
        return words.instant(value)
    return str(value)


def plain(text: str) -> str:
    """The text without what could steer a terminal or feign a line: names come from outside."""
    return "".join(c if c.isprintable() else " " for c in text)


def _escaped(character: str) -> str:
    """JSON's own escapes leave what steers some terminals, or turns a line's direction."""
    if character == "\n" or character.isprintable():
        return character
    return json.dumps(character)[1:-1]


def _as_json(value: object) -> object:
    if isinstance(value, date):
        return value.isoformat()
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
