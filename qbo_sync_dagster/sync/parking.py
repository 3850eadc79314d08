"""Parking changes that cannot be read: one exception each, while all others go on."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.exception_record import ExceptionRecord, RecordReference
from qbo_sync_dagster.ledger import exceptions, inbox
from qbo_sync_dagster.sync.context import CycleContext


class Parking:
    """Parks unreadable changes within one ledger transaction."""

    def __init__(self, connection: sa.Connection, ctx: CycleContext) -> None:
        self._connection = connection
        self._ctx = ctx
        self._records: dict[str, ExceptionRecord] = {}
        self._change_ids: list[int] = []

    @property
    def parked(self) -> int:
        """How many changes were parked."""
        return len(self._change_ids)

    def park(self, change: inbox.Change, problem: str) -> None:
        """Note a change that cannot be read, and why."""
        record = f"{change.entity}:{change.object_id}"
        label = f"{change.entity} {change.object_id}"
        self._change_ids.append(change.change_id)
        self._records[record] = ExceptionRecord(
            kind=ExceptionKind.UNREADABLE_CHANGE,
            record=record,
            what_happened=problem,
            references=(RecordReference("quickbooks", change.entity, change.object_id, label),),
            version=str(change.version),
        )

    def close(self, applied_records: Collection[str]) -> None:
        """Store what was parked; resolve what has become readable among `applied_records`."""
        realm = self._ctx.realm
        inbox.settle(self._connection, realm, self._change_ids, "parked")
        exceptions.raise_all(self._connection, realm, list(self._records.values()))
        exceptions.resolve(
            self._connection,
            realm,
            [ExceptionKind.UNREADABLE_CHANGE],
            [record for record in applied_records if record not in self._records],
            "A newer version can be read.",
        )
