"""The closing date: who may no longer write into a closed period.

Belongs here: the check. Does not: what is written.
"""

from __future__ import annotations

from dataclasses import dataclass

from qbo_sync_dagster.sandbox.quickbooks.books import Books
from qbo_sync_dagster.sandbox.quickbooks.faults import fault


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How a write was asked for. A person in the UI may confirm past the closing date."""

    sparse: bool = False
    allow_duplicate_number: bool = False
    as_bookkeeper: bool = False


def check_period(books: Books, options: WriteOptions, *days: str) -> None:
    """Raises 6200 or 6210 if any of the dates, old or new, lies in the closed period."""
    closed_until = books.switches.book_close_date
    if not closed_until or options.as_bookkeeper or min(days) > closed_until:
        return
    detail = f"The account period has closed and the books are locked up to {closed_until}"
    if books.switches.book_close_needs_password:
        raise fault("6210", f"{detail}; a password is needed", "TxnDate")
    raise fault("6200", detail, "TxnDate")
