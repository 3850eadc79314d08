"""The exceptions of a company as a table, and as a page with records, links and cures."""

from __future__ import annotations

from collections.abc import Sequence

from qbo_sync_dagster.domain.money import format_minor
from qbo_sync_dagster.ledger.exceptions import StoredException
from qbo_sync_dagster.panels import words
from qbo_sync_dagster.panels.deep_links import view_in_quickbooks
from qbo_sync_dagster.panels.markdown import bullets, escape, shorten
from qbo_sync_dagster.panels.values import Table

# Metadata is stored with every event of every cycle, so a page has an end.
MOST_ROWS = 100
MOST_ON_PAGE = 50

COLUMNS = ("number", "exception", "record", "amounts", "first seen", "times")


def exceptions_table(exceptions: Sequence[StoredException]) -> Table:
    """One line per exception, newest first."""
    return Table(COLUMNS, tuple(_line(exception) for exception in exceptions[:MOST_ROWS]))


def exceptions_page(exceptions: Sequence[StoredException], app: str | None) -> str:
    """Every exception in words: what happened, what to do, which records. Markdown."""
    if not exceptions:
        return "No open exceptions. Nothing needs your attention."
    sections = [_section(exception, app) for exception in exceptions[:MOST_ON_PAGE]]
    if left := len(exceptions) - MOST_ON_PAGE:
        rest = words.counted(left, "more exception")
        sections += [f"{rest}: `qbo-sync exceptions` lists all of them."] if left > 0 else []
    return "\n\n".join(sections)


def _line(exception: StoredException) -> tuple[str | int, ...]:
    return (
        exception.number,
        exception.title,
        shorten(", ".join(dict.fromkeys(record["label"] for record in exception.records)), 120),
        _amounts(exception.amounts),
        words.instant(exception.first_seen),
        exception.count,
    )


def _section(exception: StoredException, app: str | None) -> str:
    lines = [
        f"What happened: {escape(exception.what_happened, longest=600)}",
        f"What to do: {escape(exception.how_to_resolve, longest=600)}",
        *[f"Record: {_record(record, app)}" for record in exception.records[:12]],
    ]
    if len(exception.records) > 12:
        lines.append(f"and {words.counted(len(exception.records) - 12, 'more record')}")
    if exception.amounts:
        lines.append(f"Amounts: {escape(_amounts(exception.amounts))}")
    lines.append(f"{_history(exception)}, assigned to {escape(exception.assignee)}")
    return f"### {exception.number}. {escape(exception.title)}\n\n{bullets(lines)}"


def _record(record: dict[str, str], app: str | None) -> str:
    side = "QuickBooks" if record["side"] == "quickbooks" else "AlgaPSA"
    told = f"{escape(record['label'])} in {side}"
    url = None
    if record["side"] == "quickbooks":
        url = view_in_quickbooks(app, record["kind"], record["id"])
    return f"{told}, [View in QuickBooks]({url})" if url else told


def _history(exception: StoredException) -> str:
    if exception.count == 1:
        return f"Seen first on {words.instant(exception.first_seen)}"
    return (
        f"Seen {words.counted(exception.count, 'time')}, first on "
        f"{words.instant(exception.first_seen)}, last on {words.instant(exception.last_seen)}"
    )


def _amounts(amounts: dict[str, int]) -> str:
    return "; ".join(f"{name} {format_minor(minor)}" for name, minor in amounts.items())
