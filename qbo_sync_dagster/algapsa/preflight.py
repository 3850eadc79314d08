"""Whether a cycle may touch this AlgaPSA at all: each obstacle in one sentence with its cure.

Two engines that keep the same books would post everything twice, so the most important question is
whether AlgaPSA's own QuickBooks sync is off.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from qbo_sync_dagster.algapsa.schema_needs import (
    NEEDED_COLUMNS,
    NEEDED_GRANTS,
    READ_TABLES,
)
from qbo_sync_dagster.algapsa.sql import Snapshot, Source

_LARGEST_SKEW = timedelta(minutes=5)

# The catalogue, and not information_schema, which hides what our role may not read.
_COLUMNS = """
    SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
        AND c.relname = ANY(CAST(:tables AS text[]))
"""
_READABLE = """
    SELECT name FROM unnest(CAST(:tables AS text[])) name
    WHERE to_regclass('public.' || name) IS NOT NULL
        AND NOT has_table_privilege('public.' || name, 'SELECT')
"""
_GRANTED = """
    SELECT CASE WHEN at_column = '' THEN has_table_privilege(at_table, privilege)
        ELSE has_column_privilege(at_table, at_column, privilege) END
    FROM unnest(CAST(:tables AS text[]), CAST(:columns AS text[]), CAST(:privileges AS text[]))
        WITH ORDINALITY needed(at_table, at_column, privilege, place)
    ORDER BY place
"""
_TENANT = """
    SELECT suspended_at IS NOT NULL AS is_suspended, now() AS now,
        COALESCE((
            SELECT s.settings->'accountingSync'->>'autoSyncEnabled' = 'true'
            FROM tenant_settings s WHERE s.tenant = t.tenant
        ), false) AS syncs_itself,
        (
            SELECT max(c.started_at) FROM accounting_sync_cycles c
            WHERE c.tenant = t.tenant AND c.adapter_type LIKE 'quickbooks%'
                AND c.started_at > now() - interval '24 hours'
        ) AS own_cycle_at,
        (
            SELECT count(*) FROM accounting_sync_operations o
            WHERE o.tenant = t.tenant AND o.adapter_type LIKE 'quickbooks%'
                AND o.status IN ('pending', 'in_progress')
        ) AS own_operations
    FROM tenants t WHERE t.tenant = :tenant
"""


class PreflightCode(StrEnum):
    """What is wrong, for machines."""

    MISSING_COLUMNS = "missing_columns"
    MISSING_GRANTS = "missing_grants"
    UNKNOWN_TENANT = "unknown_tenant"
    SUSPENDED_TENANT = "suspended_tenant"
    OWN_SYNC_ENABLED = "own_sync_enabled"
    OWN_SYNC_RAN = "own_sync_ran"
    OWN_OPERATIONS_PENDING = "own_operations_pending"
    CLOCK_SKEW = "clock_skew"


@dataclass(frozen=True, slots=True)
class PreflightProblem:
    """One obstacle, in a sentence with its cure. A fatal one stops the realm's cycles."""

    code: PreflightCode
    message: str
    is_fatal: bool = True


def preflight(source: Source, now: datetime) -> tuple[PreflightProblem, ...]:
    """Every problem at the instant `now` of the ledger's clock; empty when all is well.

    Missing columns or grants hide the rest, whose questions could not be asked.
    """
    with source.snapshot() as snapshot:
        if problems := (*_missing_columns(snapshot), *_missing_grants(snapshot)):
            return problems
        return tuple(_tenant_problems(snapshot, now))


def _missing_columns(snapshot: Snapshot) -> Iterator[PreflightProblem]:
    rows = snapshot.fetch(_COLUMNS, tables=list(NEEDED_COLUMNS))
    present = {(row.relname, row.attname) for row in rows}
    missing = [
        f"{table}.{column}"
        for table, columns in NEEDED_COLUMNS.items()
        for column in columns.split()
        if (table, column) not in present
    ]
    if missing:
        yield PreflightProblem(
            PreflightCode.MISSING_COLUMNS,
            f"AlgaPSA's database lacks {_listed(missing)}: point ALGAPSA_DATABASE_URL at "
            "an AlgaPSA of August 2026 or later, with the role from the installation guide.",
        )


def _missing_grants(snapshot: Snapshot) -> Iterator[PreflightProblem]:
    refused = [f"SELECT on {row[0]}" for row in snapshot.fetch(_READABLE, tables=list(READ_TABLES))]
    granted = snapshot.fetch(
        _GRANTED,
        tables=[table for table, _, _ in NEEDED_GRANTS],
        columns=[column or "" for _, _, column in NEEDED_GRANTS],
        privileges=[privilege for _, privilege, _ in NEEDED_GRANTS],
    )
    for (table, privilege, column), [is_granted] in zip(NEEDED_GRANTS, granted, strict=True):
        if not is_granted:
            refused.append(f"{privilege} on {table}{f' ({column})' if column else ''}")
    if refused:
        yield PreflightProblem(
            PreflightCode.MISSING_GRANTS,
            f"The database role lacks {_listed(refused)} in AlgaPSA: run the grants from the "
            "installation guide as the owner of AlgaPSA's database.",
        )


def _tenant_problems(snapshot: Snapshot, now: datetime) -> Iterator[PreflightProblem]:
    tenant = snapshot.source.tenant
    found = snapshot.fetch(_TENANT) if _is_uuid(tenant) else []
    if not found:
        yield PreflightProblem(
            PreflightCode.UNKNOWN_TENANT,
            f"AlgaPSA has no tenant {tenant[:60]}: correct the tenant id of this connection.",
        )
        return
    [row] = found
    if row.is_suspended:
        yield PreflightProblem(
            PreflightCode.SUSPENDED_TENANT,
            "The tenant is suspended in AlgaPSA: reactivate it there or disconnect this company.",
        )
    yield from _own_sync_problems(row)
    skew = abs(row.now - now)
    if skew > _LARGEST_SKEW:
        yield PreflightProblem(
            PreflightCode.CLOCK_SKEW,
            f"The clocks of AlgaPSA's database and of the ledger differ by "
            f"{int(skew.total_seconds()) // 60} minutes: set both by a time server.",
        )


def _own_sync_problems(row: sa.Row[Any]) -> Iterator[PreflightProblem]:
    if row.syncs_itself:
        yield PreflightProblem(
            PreflightCode.OWN_SYNC_ENABLED,
            "AlgaPSA's own QuickBooks sync is on, and two syncs would post everything twice: turn "
            "off Auto-sync and disconnect QuickBooks in AlgaPSA under Settings > Integrations > "
            "Accounting.",
        )
    if row.own_cycle_at:
        yield PreflightProblem(
            PreflightCode.OWN_SYNC_RAN,
            f"AlgaPSA's own QuickBooks sync ran at {row.own_cycle_at:%Y-%m-%d %H:%M} UTC, and two "
            "syncs would post everything twice: disconnect QuickBooks in AlgaPSA; this sync starts "
            "24 hours after the last such run.",
        )
    if row.own_operations:
        yield PreflightProblem(
            PreflightCode.OWN_OPERATIONS_PENDING,
            f"AlgaPSA's own QuickBooks sync still has {row.own_operations} operations queued: "
            "disconnect QuickBooks in AlgaPSA so that they are never sent.",
            is_fatal=False,
        )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
