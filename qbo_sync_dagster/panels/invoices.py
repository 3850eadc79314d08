"""Invoice sync status as a table, and as a page with links into QuickBooks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from qbo_sync_dagster.domain.foreign_text import shorten
from qbo_sync_dagster.domain.invoice_sync import SyncState
from qbo_sync_dagster.domain.money import format_minor
from qbo_sync_dagster.panels import words
from qbo_sync_dagster.panels.deep_links import view_in_quickbooks
from qbo_sync_dagster.panels.markdown import escape, link, table
from qbo_sync_dagster.panels.values import Markdown, Panel, Table
from qbo_sync_dagster.sync.invoice_status import InvoiceStatus

# Metadata is stored with every event, so a page has an end; the command line lists all.
MOST_ROWS = 200
MOST_ON_PAGE = 50
COLUMNS = (
    *("invoice", "client", "date", "total", "state"),
    *("in QuickBooks", "last sync", "note"),
)
# What needs a person stands first.
_ORDER = (SyncState.ERROR, SyncState.DRIFT, SyncState.QUEUED, SyncState.NOT_SYNCED)


def invoices_panel(company: str, rows: Sequence[InvoiceStatus], app: str | None) -> Panel:
    """All documents by state, those that need a person first; links on the page to open."""
    counts = Counter(row.state for row in rows)
    return {
        "company": company,
        "open_this": Markdown(invoices_page(rows, app)),
        **{state.value.replace(" ", "_"): counts[state] for state in SyncState},
        "invoices": Table(COLUMNS, tuple(_cells(row) for row in _ordered(rows)[:MOST_ROWS])),
    }


def invoices_page(rows: Sequence[InvoiceStatus], app: str | None) -> str:
    """The documents that need a person, then the newest, each with its link. Markdown."""
    if not rows:
        return "AlgaPSA has no finalized invoices for this company yet."
    shown = _ordered(rows)[:MOST_ON_PAGE]
    lines = [
        (
            escape(row.number),
            escape(row.client),
            escape(f"{format_minor(row.total_minor)} {row.currency}"),
            row.state.value,
            _view(row, app),
            escape(row.note, longest=120),
        )
        for row in shown
    ]
    told = table(("invoice", "client", "total", "state", "in QuickBooks", "note"), lines)
    left = len(rows) - len(shown)
    more = f"\n\n{words.counted(left, 'more invoice')}: `qbo-sync invoices` lists all."
    return told + (more if left else "")


def _view(row: InvoiceStatus, app: str | None) -> str:
    if not row.quickbooks_id:
        return "-"
    url = view_in_quickbooks(app, row.link_kind, row.quickbooks_id)
    number = row.quickbooks_number or row.quickbooks_id
    return link("View in QuickBooks", url) if url else escape(number)


def _ordered(rows: Sequence[InvoiceStatus]) -> list[InvoiceStatus]:
    place = {state: position for position, state in enumerate(_ORDER)}
    return sorted(rows, key=lambda row: place.get(row.state, len(_ORDER)))


def _cells(row: InvoiceStatus) -> tuple[str | int, ...]:
    return (
        row.number,
        shorten(row.client, 60),
        row.date.isoformat(),
        f"{format_minor(row.total_minor)} {row.currency}",
        row.state.value,
        row.quickbooks_number or (f"id {row.quickbooks_id}" if row.quickbooks_id else ""),
        words.instant(row.last_sync),
        shorten(row.note, 120),
    )
