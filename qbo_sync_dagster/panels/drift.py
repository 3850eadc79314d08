"""Drift field by field: what was agreed, and what QuickBooks shows now."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from qbo_sync_dagster.domain.foreign_text import shorten
from qbo_sync_dagster.panels import words
from qbo_sync_dagster.panels.deep_links import view_in_quickbooks
from qbo_sync_dagster.panels.markdown import escape, table
from qbo_sync_dagster.panels.values import Table
from qbo_sync_dagster.sync.outcome import DriftLine

MOST_ROWS = 100

COLUMNS = ("document", "field", "agreed on", "AlgaPSA now", "QuickBooks now")


def drift_table(lines: Sequence[DriftLine]) -> Table:
    """One line per differing field."""
    return Table(
        COLUMNS,
        tuple(
            tuple(
                shorten(text, 200)
                for text in (line.document, line.field, line.agreed, line.in_algapsa, line.shown)
            )
            for line in lines[:MOST_ROWS]
        ),
    )


def drift_page(lines: Sequence[DriftLine], app: str | None) -> str:
    """Every drifted document with its differing fields and a link. Markdown."""
    if not lines:
        return "No drift. Every exported document still is as it was sent."
    by_document = groupby(
        lines[:MOST_ROWS], key=lambda line: (line.document, line.entity, line.quickbooks_id)
    )
    sections = [
        _section(document, view_in_quickbooks(app, entity, object_id), list(group))
        for (document, entity, object_id), group in by_document
    ]
    if (left := len(lines) - MOST_ROWS) > 0:
        sections.append(f"{words.counted(left, 'more difference')} not shown here.")
    return "\n\n".join([*sections, _WHAT_TO_DO])


_WHAT_TO_DO = (
    "Drift is a decision, not an error. Whoever did not mean a change undoes it where it was made: "
    "the drift clears itself at the next cycle. Otherwise decide in the document's exception, "
    "which `sync_exceptions` shows."
)


def _section(document: str, url: str | None, lines: Sequence[DriftLine]) -> str:
    opening = f"\n\n[View in QuickBooks]({url})" if url else ""
    rows = [
        [escape(text) for text in (line.field, line.agreed, line.in_algapsa, line.shown)]
        for line in lines
    ]
    columns = ["Field", "Agreed on", "AlgaPSA now", "QuickBooks now"]
    return f"### {escape(document)}{opening}\n\n{table(columns, rows)}"
