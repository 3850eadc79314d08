"""What onboarding proposes, as tables: clients, products, booked invoices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from qbo_sync_dagster.domain.history_matching import HistoryMatch, HistoryState
from qbo_sync_dagster.domain.matching import ClientMatch, MatchState
from qbo_sync_dagster.domain.money import format_minor
from qbo_sync_dagster.domain.names import Suggestion
from qbo_sync_dagster.domain.suggestions import MappedRecord
from qbo_sync_dagster.panels.markdown import shorten
from qbo_sync_dagster.panels.values import Panel, Table

# Metadata is stored with every event; the command line lists all.
MOST_ROWS = 300


def clients_panel(company: str, found: Sequence[ClientMatch]) -> Panel:
    """Every client with its customer, or with those it may be; what is open stands first."""
    counts = Counter(each.state for each in found)
    rows = [
        (each.name, each.state.value, each.customer_name, each.customer_id, _told(each.suggestions))
        for each in sorted(found, key=lambda each: each.state is MatchState.LINKED)
    ]
    return {
        "company": company,
        **{state.value.replace(" ", "_"): counts[state] for state in MatchState},
        "clients": _table(("client", "state", "customer", "customer id", "may be"), rows),
    }


def products_panel(company: str, found: Sequence[MappedRecord]) -> Panel:
    """Services, tax regions and terms with what they are mapped to, or may be."""
    missing = [each for each in found if not each.quickbooks_id]
    rows = [
        (
            each.kind.value.replace("_", " "),
            each.algapsa_name,
            each.state.value,
            each.quickbooks_name or each.quickbooks_id or "",
            _told(each.suggestions),
        )
        for each in (*missing, *(each for each in found if each.quickbooks_id))
    ]
    return {
        "company": company,
        "mapped": len(found) - len(missing),
        "not_mapped": len(missing),
        "mappings": _table(("kind", "in AlgaPSA", "state", "in QuickBooks", "may be"), rows),
    }


def history_panel(company: str, found: Sequence[HistoryMatch]) -> Panel:
    """Documents that QuickBooks has already, and those that a person must look at."""
    counts = Counter(each.state for each in found)
    order = (HistoryState.REVIEW, HistoryState.MATCHED, HistoryState.NONE)
    rows = [
        (
            each.number,
            f"{format_minor(each.total_minor)} {each.currency}",
            each.state.value,
            each.quickbooks_id,
            each.reason,
        )
        for each in sorted(found, key=lambda each: order.index(each.state))
    ]
    return {
        "company": company,
        "matched": counts[HistoryState.MATCHED],
        "review": counts[HistoryState.REVIEW],
        "not_in_quickbooks": counts[HistoryState.NONE],
        "documents": _table(("invoice", "total", "state", "QuickBooks id", "reason"), rows),
    }


def _told(suggestions: Sequence[Suggestion]) -> str:
    return ", ".join(f"{it.name} ({it.record_id}) {it.score} %" for it in suggestions)


def _table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Table:
    return Table(columns, tuple(tuple(shorten(cell) for cell in row) for row in rows[:MOST_ROWS]))
