"""What holds after every cycle, whatever happened before it.

Belongs here: nothing twice, nothing backwards, nothing unnamed. Does not: the comparison of books.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from benchmarks.year.names import judged
from benchmarks.year.provider import Company, Provider

_DOCUMENTS_TWICE = sa.text("""
    SELECT doc_number FROM object
    WHERE entity IN ('Invoice', 'CreditMemo') AND NOT deleted AND doc_number IS NOT NULL
    GROUP BY doc_number HAVING count(*) > 1
""")
_PUSHED_TWICE = sa.text("""
    SELECT marker FROM (
        SELECT substring(body from '\\[sync\\:[0-9a-f]{16}\\]') AS marker FROM object
        WHERE entity = 'Payment' AND NOT deleted
    ) found WHERE marker IS NOT NULL GROUP BY marker HAVING count(*) > 1
""")
_APPLIED_TWICE = """
    SELECT metadata->'qbo_sync'->>'payment', invoice_id::text FROM invoice_payments
    WHERE metadata->'qbo_sync' IS NOT NULL
    GROUP BY metadata->'qbo_sync'->>'realm', metadata->'qbo_sync'->>'payment', invoice_id
    HAVING sum(sign(amount)) NOT IN (0, 1) OR sum(amount) < 0
"""


class BrokenPromiseError(Exception):
    """Something that must hold does not; the message says what, and on which records."""


def check_nothing_twice(provider: Provider) -> None:
    """One object per AlgaPSA record, one row per payment and invoice."""
    with provider.sandbox.connect() as connection:
        documents = connection.execute(_DOCUMENTS_TWICE).scalars().all()
        pushed = connection.execute(_PUSHED_TWICE).scalars().all()
    applied = [tuple(row) for row in provider.algapsa_rows(_APPLIED_TWICE)]
    for what, found in (("documents", documents), ("pushes", pushed), ("payments", applied)):
        if found:
            raise BrokenPromiseError(f"Twice in the books, {what}: {found}")


def check_cursor(provider: Provider, company: Company, before: datetime) -> None:
    """The cursor never goes back."""
    if provider.cursor(company) < before:
        raise BrokenPromiseError(f"The cursor of {company.realm} went back.")


def check_nothing_silent(provider: Provider, company: Company) -> None:
    """Every difference between the two books is explained, step by step, to the cent."""
    silent = [each for each in judged(provider, company) if not each.is_explained]
    if silent:
        raise BrokenPromiseError("Nothing names this: " + "; ".join(map(str, silent)))
