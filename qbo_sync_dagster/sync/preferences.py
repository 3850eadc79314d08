"""The company's preferences: read once in a cycle that has something to post."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from qbo_sync_dagster.domain.errors import MalformedObjectError
from qbo_sync_dagster.ledger import connections
from qbo_sync_dagster.quickbooks.errors import ConnectionDeadError, QuickBooksError
from qbo_sync_dagster.sync.context import CycleContext

_SERVES_FOR = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class PostingRules:
    """What the company's preferences mean for posting; unknown (None) counts as the safe side."""

    closing_date: date | None
    refuses_duplicate_numbers: bool
    multi_currency: bool


def posting_rules(ctx: CycleContext, *, may_read: bool) -> PostingRules | None:
    """The rules now, or those stored within 24 h where they cannot be read; else None.

    Without them nothing may be posted: a closed period could be written into.
    Raises ConnectionDeadError.
    """
    if may_read:
        try:
            return _read(ctx)
        except ConnectionDeadError:
            raise
        except (QuickBooksError, MalformedObjectError):
            pass
    return _stored(ctx)


def _read(ctx: CycleContext) -> PostingRules:
    preferences = ctx.quickbooks.preferences()
    rules = PostingRules(
        closing_date=preferences.book_close_date,
        refuses_duplicate_numbers=preferences.custom_numbers is True,
        multi_currency=preferences.multi_currency is True,
    )
    kept = {
        "auto_apply_credit": preferences.auto_apply_credit is True,
        "closing_date": rules.closing_date.isoformat() if rules.closing_date else None,
        "refuses_duplicate_numbers": rules.refuses_duplicate_numbers,
        "multi_currency": rules.multi_currency,
    }
    with ctx.ledger() as connection:
        connections.update(
            connection, ctx.realm, preferences=kept, preferences_read_at=ctx.engine.now()
        )
    return rules


def _stored(ctx: CycleContext) -> PostingRules | None:
    with ctx.reading() as connection:
        company = connections.get(connection, ctx.realm)
    kept, read_at = company.preferences, company.preferences_read_at
    if kept is None or read_at is None or ctx.engine.now() - read_at > _SERVES_FOR:
        return None
    closing = kept["closing_date"]
    return PostingRules(
        closing_date=date.fromisoformat(closing) if closing else None,
        refuses_duplicate_numbers=bool(kept["refuses_duplicate_numbers"]),
        multi_currency=bool(kept["multi_currency"]),
    )


def auto_apply_warnings(company: connections.Connection) -> list[str]:
    """What staff should know of QuickBooks' own habit of applying credits, as it was last read."""
    if not (company.preferences or {}).get("auto_apply_credit"):
        return []
    return [
        "QuickBooks applies credits by itself, to whichever invoice is oldest, and AlgaPSA may "
        "apply them elsewhere. Switch it off in QuickBooks: Account and settings > Advanced > "
        "Automation > Automatically apply credits."
    ]
