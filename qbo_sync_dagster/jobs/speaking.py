"""What operator jobs share: faults in words, and who asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from qbo_sync_dagster.actions.errors import ActionRefusedError, LinkFileError
from qbo_sync_dagster.algapsa.errors import AlgaPsaError
from qbo_sync_dagster.ledger.errors import LedgerError

COMPANY = (
    "The company, as the partitions of sync_health name it (for example northwind-it-9341453), or "
    "its QuickBooks company id (realm)."
)


@contextmanager
def spoken() -> Iterator[None]:
    """Turn a refusal, or a side that does not answer, into a failed step with a sentence."""
    from qbo_sync_dagster.quickbooks.errors import QuickBooksError  # noqa: PLC0415 - heavy

    try:
        yield
    except LinkFileError as error:
        raise dg.Failure(" ".join([str(error), *error.problems]), allow_retries=False) from error
    except (ActionRefusedError, AlgaPsaError, LedgerError, QuickBooksError) as error:
        raise dg.Failure(str(error), allow_retries=False) from error


def asked_by(context: dg.OpExecutionContext) -> str:
    """Who launched the run: its `user` tag, where a proxy or a person set one."""
    tags = context.run.tags
    return tags.get("user") or tags.get("dagster/user") or "Dagster"
