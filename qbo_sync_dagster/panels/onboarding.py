"""What onboarding proposes, as tables: clients, products, booked invoices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from qbo_sync_dagster.domain.foreign_text import shorten
from qbo_sync_dagster.domain.history_matching import HistoryMatch, HistoryState
from qbo_sync_dagster.domain.matching import ClientMatch, MatchState
from qbo_sync_dagster.domain.money import format_minor
from qbo_sync_dagster.domain.names import Suggestion
from qbo_sync_dagster.domain.suggestions import MappedRecord
from qbo_sync_dagster.panels import words
from qbo_sync_dagster.panels.values import Panel, Table

# Metadata is stored with every event; the command line lists all.
MOST_ROWS = 300


def clients_panel(company: str, found: Sequence[ClientMatch]) -> Panel:
    """Every client with its customer, or with those it may be; what is open stands first."""
    counts = Counter(each.state for each in found)
    rows = [
        (each.name, each.state.value, _customer(each), _may_be(each))
        for each in sorted(found, key=_place)
    ]
    return {
        "company": company,
        "next_step": _next_for_clients(found, counts[MatchState.EXACT]),
        **{state.value.replace(" ", "_"): counts[state] for state in MatchState},
        "clients": _table(("client", "state", "customer", "may be"), rows),
    }


def products_panel(company: str, found: Sequence[MappedRecord]) -> Panel:
    """Services, tax regions and terms with what they are mapped to, or may be."""
    missing = [each for each in found if each.is_open]
    rows = [
        (
            each.kind.value.replace("_", " "),
            each.algapsa_name,
            each.state.value,
            each.quickbooks_name or each.quickbooks_id or "",
            _told(each.suggestions),
        )
        for each in sorted(found, key=lambda each: not each.is_open)
    ]
    return {
        "company": company,
        "next_step": _next_for_products(missing),
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
        "next_step": _next_for_history(counts),
        "matched": counts[HistoryState.MATCHED],
        "review": counts[HistoryState.REVIEW],
        "not_in_quickbooks": counts[HistoryState.NONE],
        "documents": _table(("invoice", "total", "state", "QuickBooks id", "reason"), rows),
    }


def _next_for_clients(found: Sequence[ClientMatch], exact: int) -> str:
    if exact:
        return (
            f"Job `link_clients` links the {words.counted(exact, 'exact match', 'exact matches')}."
        )
    if left := sum(each.is_open for each in found):
        return (
            f"{words.counted(left, 'client')} left: name each in job `link_clients` under link, "
            "create or skip."
        )
    return "Done: every client is linked, left out or in another company. Next: product_mappings."


def _next_for_products(missing: Sequence[MappedRecord]) -> str:
    if not missing:
        return "Done: all is mapped. Next: booked_invoices."
    if sure := sum(not each.quickbooks_id and each.certain is not None for each in missing):
        return (
            f"Job `edit_mappings` with accept_equal_names maps {sure:,} of equal name; it takes "
            "the others one by one."
        )
    return (
        f"{len(missing):,} left: map each in job `edit_mappings`, or by a spreadsheet with "
        "`qbo-sync mappings`. A default item serves charges without a service."
    )


def _next_for_history(counts: Mapping[HistoryState, int]) -> str:
    if matched := counts[HistoryState.MATCHED]:
        return f"Job `link_booked_invoices` links {words.counted(matched, 'invoice')}."
    if review := counts[HistoryState.REVIEW]:
        return (
            f"{words.counted(review, 'invoice')} to look at: correct the side that is wrong, or "
            "link by `qbo-sync links import`."
        )
    return "Done: nothing is left to link. Job `configure_company` sets the go-live date."


def _place(match: ClientMatch) -> int:
    if match.state is MatchState.LINKED:
        return 2
    return 0 if match.is_open or match.state is MatchState.EXACT else 1


def _customer(match: ClientMatch) -> str:
    return f"{match.customer_name} ({match.customer_id})" if match.customer_id else ""


def _may_be(match: ClientMatch) -> str:
    there = f"linked in {match.elsewhere}" if match.elsewhere else ""
    return "; ".join(filter(None, [there, _told(match.suggestions)]))


def _told(suggestions: Sequence[Suggestion]) -> str:
    return ", ".join(f"{it.name} ({it.record_id}) {it.score} %" for it in suggestions)


def _table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Table:
    return Table(columns, tuple(tuple(shorten(cell) for cell in row) for row in rows[:MOST_ROWS]))
