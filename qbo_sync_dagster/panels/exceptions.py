"""The exceptions of a company as a table, and as a page with records, links and cures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from qbo_sync_dagster.domain.foreign_text import shorten
from qbo_sync_dagster.domain.money import format_minor
from qbo_sync_dagster.ledger.exceptions import StoredException
from qbo_sync_dagster.panels import cures, words
from qbo_sync_dagster.panels.deep_links import view_in_quickbooks
from qbo_sync_dagster.panels.markdown import bullets, escape, table
from qbo_sync_dagster.panels.values import Table

# Metadata is stored with every event of every cycle, so a page has an end.
MOST_ROWS = 100
MOST_ON_PAGE = 50
MOST_CLOSED = 10

COLUMNS = ("number", "exception", "record", "amounts", "age", "times", "assignee")


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a page's links open: QuickBooks' web app, and the page of the job that settles."""

    app: str | None = None
    job: str | None = None


def exceptions_table(exceptions: Sequence[StoredException], now: datetime) -> Table:
    """One line per exception, newest first."""
    return Table(COLUMNS, tuple(table_row(each, now) for each in exceptions[:MOST_ROWS]))


def table_row(exception: StoredException, now: datetime) -> tuple[str | int, ...]:
    """One exception in the order of `COLUMNS`."""
    return (
        exception.number,
        exception.title,
        shorten(", ".join(dict.fromkeys(record["label"] for record in exception.records)), 120),
        amounts(exception),
        words.duration(now - exception.first_seen),
        exception.count,
        exception.assignee,
    )


def exceptions_page(
    exceptions: Sequence[StoredException],
    closed: Sequence[StoredException],
    addresses: Addresses,
) -> str:
    """Every exception in words: what happened, what to do, which records. Markdown."""
    sections = [_section(exception, addresses) for exception in exceptions[:MOST_ON_PAGE]]
    if not exceptions:
        sections = ["No open exceptions. Nothing needs your attention."]
    if (left := len(exceptions) - MOST_ON_PAGE) > 0:
        rest = words.counted(left, "more exception")
        sections.append(f"{rest}: `qbo-sync exceptions` lists all of them.")
    if closed:
        sections.append(_closed(closed[:MOST_CLOSED]))
    return "\n\n".join(sections)


def amounts(exception: StoredException) -> str:
    """The amounts with their names: `AlgaPSA total 10.00; QuickBooks total 10.01`."""
    return "; ".join(f"{name} {format_minor(minor)}" for name, minor in exception.amounts.items())


def _section(exception: StoredException, addresses: Addresses) -> str:
    lines = [
        f"What happened: {escape(exception.what_happened, longest=1200)}",
        f"What to do: {escape(exception.how_to_resolve, longest=600)}",
        *[f"Record: {_record(record, addresses.app)}" for record in exception.records[:12]],
    ]
    if len(exception.records) > 12:
        lines.append(f"and {words.counted(len(exception.records) - 12, 'more record')}")
    if exception.amounts:
        lines.append(f"Amounts: {escape(amounts(exception))}")
    lines.append(f"{_history(exception)}, assigned to {escape(exception.assignee)}")
    heading = f"### {exception.number}. {escape(exception.title)}"
    return "\n\n".join([heading, bullets(lines), _cure(exception, addresses)])


def _cure(exception: StoredException, addresses: Addresses) -> str:
    actions = cures.offered(exception)
    command = f"On the command line: {cures.command(exception)}"
    if not actions:
        return command
    config = cures.config(exception.number, actions)
    page = cures.launchpad(addresses.job, config)
    form = f"[Open this form in the Launchpad]({page})" if page else f"The job `{cures.JOB}`, with"
    return f"{form}\n\n```yaml\n{config}\n```\n\n{command}"


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


def _closed(closed: Sequence[StoredException]) -> str:
    rows = [
        [
            str(each.number),
            escape(each.title),
            escape(", ".join(dict.fromkeys(record["label"] for record in each.records))),
            words.instant(each.closed_at),
            escape(each.closed_by or ""),
            escape(each.close_reason or each.state),
        ]
        for each in closed
    ]
    columns = ["Number", "Exception", "Record", "When", "By", "How"]
    return f"### Recently closed\n\n{table(columns, rows)}"
