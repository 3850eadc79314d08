"""Dagster's own tables, where its interface does not reach: pruning, and one flaw of checks.

The only module that knows these tables; the versions it was tried with are pinned. What belongs
here: deletes. What does not: how old is old enough, which is the config of `prune_history`.
"""

from __future__ import annotations

from datetime import datetime
from typing import cast

import dagster as dg
import sqlalchemy as sa
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    SqlEventLogStorageTable,
)
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

_checks = AssetCheckExecutionsTable.c
_events = SqlEventLogStorageTable.c
_NO_RUN = ""
_ROWS_A_STATEMENT = 5_000

# What an old run can do without. Materializations, check results, and the run's own start and end
# stay: without them a partition would count as never materialized.
OPERATIONAL_EVENTS = (
    "ENGINE_EVENT",
    "HANDLED_OUTPUT",
    "LOADED_INPUT",
    "STEP_OUTPUT",
    "STEP_INPUT",
    "STEP_START",
    "STEP_SUCCESS",
    "STEP_WORKER_STARTING",
    "STEP_WORKER_STARTED",
    "RESOURCE_INIT_STARTED",
    "RESOURCE_INIT_SUCCESS",
    "LOGS_CAPTURED",
    "PIPELINE_ENQUEUED",
    "PIPELINE_STARTING",
    "PIPELINE_CANCELING",
    "ASSET_MATERIALIZATION_PLANNED",
    "ASSET_CHECK_EVALUATION_PLANNED",
)


def prune_operational_events(instance: dg.DagsterInstance, before: datetime) -> int:
    """Delete operational event rows and log lines of runs older than `before`; returns how many."""
    cutoff = _newest_id_before(instance, before)
    old = sa.and_(_events.id <= cutoff, _events.run_id != _NO_RUN)
    chatter = sa.or_(
        _events.dagster_event_type.is_(None), _events.dagster_event_type.in_(OPERATIONAL_EVENTS)
    )
    return _delete(instance, SqlEventLogStorageTable, sa.and_(old, chatter))


def prune_runless_events(instance: dg.DagsterInstance, keep: int) -> int:
    """Keep the newest `keep` events without a run of each asset and kind of event.

    The newest one of each company always stays: without it the partition counts as never
    materialized.
    """
    runless = _events.run_id == _NO_RUN
    asset = (_events.asset_key, _events.dagster_event_type)
    beyond = _beyond_newest(SqlEventLogStorageTable, asset, runless, keep)
    replaced = _beyond_newest(SqlEventLogStorageTable, (*asset, _events.partition), runless, 1)
    doomed = sa.and_(_events.id.in_(beyond), _events.id.in_(replaced))
    return _delete(instance, SqlEventLogStorageTable, doomed)


def prune_check_results(instance: dg.DagsterInstance, before: datetime, keep: int) -> int:
    """Delete old check results, and runless ones beyond the newest `keep` of each check.

    The newest result of each check and company always stays; deleting a run leaves them behind.
    """
    old = _checks.create_timestamp < before.replace(tzinfo=None)
    group = (_checks.asset_key, _checks.check_name, _checks.partition)
    replaced = _beyond_newest(AssetCheckExecutionsTable, group, sa.true(), 1)
    crowded = _beyond_newest(AssetCheckExecutionsTable, group, _checks.run_id == _NO_RUN, keep)
    doomed = sa.or_(sa.and_(old, _checks.id.in_(replaced)), _checks.id.in_(crowded))
    return _delete(instance, AssetCheckExecutionsTable, doomed)


def forget_runless_check(instance: dg.DagsterInstance, evaluation: dg.AssetCheckEvaluation) -> None:
    """Make room for a check result without a run on a partition.

    Dagster 1.13 has a unique index over (asset, check, run, partition) and gives every event
    without a run the same empty run id: the second result for a partition fails to be stored.
    """
    same = sa.and_(
        _checks.asset_key == evaluation.asset_key.to_string(),
        _checks.check_name == evaluation.check_name,
        _checks.partition == evaluation.partition,
        _checks.run_id == _NO_RUN,
    )
    _delete(instance, AssetCheckExecutionsTable, same)


def _newest_id_before(instance: dg.DagsterInstance, before: datetime) -> int:
    with _storage(instance).index_connection() as connection:
        newest: int | None = connection.execute(
            sa.select(sa.func.max(_events.id)).where(
                _events.timestamp < before.replace(tzinfo=None)
            )
        ).scalar()
    return newest or 0


def _beyond_newest(
    table: sa.Table,
    group: tuple[sa.Column[str], ...],
    where: sa.ColumnElement[bool],
    keep: int,
) -> sa.Select[tuple[int]]:
    place = sa.func.row_number().over(partition_by=group, order_by=table.c.id.desc())
    ranked = sa.select(table.c.id, place.label("place")).where(where).subquery()
    return sa.select(ranked.c.id).where(ranked.c.place > keep)


def _delete(instance: dg.DagsterInstance, table: sa.Table, where: sa.ColumnElement[bool]) -> int:
    """Delete in small transactions: one large one would hold up every running cycle's events."""
    some = sa.select(table.c.id).where(where).limit(_ROWS_A_STATEMENT)
    deleted = 0
    while True:
        with _storage(instance).index_connection() as connection:
            count = connection.execute(sa.delete(table).where(table.c.id.in_(some))).rowcount
        deleted += count
        if count < _ROWS_A_STATEMENT:
            return deleted


def _storage(instance: dg.DagsterInstance) -> SqlEventLogStorage:
    return cast("SqlEventLogStorage", instance.event_log_storage)
