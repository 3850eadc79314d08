"""Outages of the ledger's own database, told in a sentence with their cure.

Belongs here: what is an outage, and how it is said. Does not: what a cycle makes of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import OperationalError

from qbo_sync_dagster.ledger.errors import LedgerUnreachableError


def outage(error: OperationalError) -> LedgerUnreachableError:
    """What kept the ledger from answering, for people."""
    reason = str(error.orig or error).strip().split("\n")[0][:200]
    return LedgerUnreachableError(
        f"The ledger's database gave no answer ({reason}). Check that it runs, that its disk has "
        "room and that QBO_SYNC_DATABASE_URL names it. Nothing is lost: the next cycle goes on "
        "from what is recorded, and what was sent without a record is looked up first."
    )


@contextmanager
def translated_outages() -> Iterator[None]:
    """Raise LedgerUnreachableError for what the database's driver says."""
    try:
        yield
    except OperationalError as error:
        raise outage(error) from error
