"""QuickBooks as it would answer: reads are real, writes are noted and never sent.

A noted write is answered as if it had been carried out, and later reads show it, so that what
depends on it can be planned too. What QuickBooks computes by itself (automated sales tax, numbers,
its own rounding) is not pretended: totals are those that were sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from qbo_sync_dagster.quickbooks.answers import RawObject, WriteAnswer
from qbo_sync_dagster.quickbooks.calls import Write
from qbo_sync_dagster.quickbooks.client import QuickBooksClient
from qbo_sync_dagster.quickbooks.errors import ObjectNotFoundError, QuickBooksError
from qbo_sync_dagster.quickbooks.query import Condition

NEW = "new-"
_DOCUMENTS = ("Invoice", "CreditMemo")


@dataclass(frozen=True, slots=True)
class NotedWrite:
    """A write that would be sent; `object_id` is the object's id, or a stand-in for a new one."""

    write: Write
    object_id: str


class RehearsalClient(QuickBooksClient):
    """A client that sends no writes; `noted` are those it was given, in order."""

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - handed through
        super().__init__(*args, **options)
        self.noted: list[NotedWrite] = []
        self._shown: dict[tuple[str, str], dict[str, Any]] = {}
        self._gone: set[tuple[str, str]] = set()
        self._moved: dict[tuple[str, str], Decimal] = {}

    def write(self, write: Write) -> WriteAnswer:
        """Note the write and answer as QuickBooks would."""
        return self._carried_out(write)

    def write_batch(
        self, items: Sequence[tuple[str, Write]], request_id: str
    ) -> dict[str, WriteAnswer | QuickBooksError]:
        """Note the writes and answer each as QuickBooks would."""
        return {item_id: self._carried_out(write) for item_id, write in items}

    def read(self, entity: str, object_id: str) -> RawObject:
        """One object as it would stand after the noted writes. Raises ObjectNotFoundError."""
        if (entity, object_id) in self._gone:
            raise ObjectNotFoundError(f"{entity} {object_id} would be deleted by then.")
        if shown := self._shown.get((entity, object_id)):
            return self._raw(entity, object_id, shown)
        return self._as_moved(super().read(entity, object_id))

    def query_in(
        self,
        entity: str,
        field: str,
        values: Sequence[str],
        *,
        where: tuple[Condition, ...] = (),
    ) -> list[RawObject]:
        """Objects by a field's values, as they would stand after the noted writes."""
        asked = [value for value in values if not value.startswith(NEW)]
        found = super().query_in(entity, field, asked, where=where) if asked else []
        real = [
            self._as_moved(item)
            for item in found
            if (entity, item.id) not in self._shown and (entity, item.id) not in self._gone
        ]
        return [*real, *self._noted_with(entity, field, set(values))]

    def _noted_with(self, entity: str, field: str, values: set[str]) -> Iterator[RawObject]:
        for (kind, object_id), shown in self._shown.items():
            if kind == entity and str(shown.get(field)) in values:
                yield self._raw(entity, object_id, shown)

    def _carried_out(self, write: Write) -> WriteAnswer:
        is_new = write.operation == "create"
        object_id = f"{NEW}{len(self.noted) + 1}" if is_new else str(write.body["Id"])
        self.noted.append(NotedWrite(write, object_id))
        key = (write.entity, object_id)
        if write.operation == "delete":
            self._forget(key)
            gone = RawObject(
                write.entity, object_id, None, deleted=True, updated_at=None, payload={}
            )
            return WriteAnswer(gone, datetime.now(UTC), None)
        before = {} if is_new else self.read(write.entity, object_id).payload
        self._shown[key] = _after(write, before, object_id)
        self._settle(write.entity, before, -1)
        self._settle(write.entity, self._shown[key], 1)
        return WriteAnswer(self._raw(*key, self._shown[key]), datetime.now(UTC), None)

    def _forget(self, key: tuple[str, str]) -> None:
        self._settle(key[0], self.read(*key).payload, -1)
        self._shown.pop(key, None)
        self._gone.add(key)

    def _settle(self, entity: str, payload: Mapping[str, Any], sign: int) -> None:
        """A payment's lines lower what its documents leave open."""
        for line in payload.get("Line", ()) if entity == "Payment" else ():
            for linked in line.get("LinkedTxn", ()):
                key = (str(linked.get("TxnType")), str(linked.get("TxnId")))
                self._moved[key] = self._moved.get(key, Decimal(0)) - sign * Decimal(
                    str(line.get("Amount", 0))
                )

    def _as_moved(self, raw: RawObject) -> RawObject:
        moved = self._moved.get((raw.entity, raw.id))
        return self._raw(raw.entity, raw.id, raw.payload, raw.updated_at) if moved else raw

    def _raw(
        self,
        entity: str,
        object_id: str,
        payload: Mapping[str, Any],
        updated_at: datetime | None = None,
    ) -> RawObject:
        shown = dict(payload)
        moved = self._moved.get((entity, object_id), Decimal(0))
        for name in ("Balance", "RemainingCredit"):
            if name in shown and entity in _DOCUMENTS:
                shown[name] = Decimal(str(shown[name])) + moved
        return RawObject(
            entity=entity,
            id=object_id,
            sync_token=str(shown.get("SyncToken", "0")),
            deleted=False,
            updated_at=updated_at or datetime.now(UTC),
            payload=shown,
        )


def _after(write: Write, before: Mapping[str, Any], object_id: str) -> dict[str, Any]:
    """How the object would look: what was sent, over what it was, with QuickBooks' own fields."""
    token = int(before["SyncToken"]) + 1 if before else 0
    after = {**before, **write.body, "Id": object_id, "SyncToken": str(token)}
    after.pop("sparse", None)
    if write.operation == "void":
        zero = {"TotalAmt": Decimal(0), "Balance": Decimal(0), "PrivateNote": "Voided"}
        return after | zero | {"Line": []}
    if write.entity in _DOCUMENTS:
        total = _total(after)
        after |= {"TotalAmt": total, "Balance": total + _paid(before)}
        if write.entity == "CreditMemo":
            after["RemainingCredit"] = after["Balance"]
    if write.entity == "Payment":
        applied = sum((_amount(line) for line in after.get("Line", ())), Decimal(0))
        after["UnappliedAmt"] = max(_amount(after, "TotalAmt") - applied, Decimal(0))
    return after


def _total(document: Mapping[str, Any]) -> Decimal:
    lines = [
        line for line in document.get("Line", ()) if line.get("DetailType") != "SubTotalLineDetail"
    ]
    tax = _amount(document.get("TxnTaxDetail") or {}, "TotalTax")
    return sum((_amount(line) for line in lines), tax)


def _paid(before: Mapping[str, Any]) -> Decimal:
    return _amount(before, "Balance") - _amount(before, "TotalAmt")


def _amount(holder: Mapping[str, Any], name: str = "Amount") -> Decimal:
    return Decimal(str(holder.get(name) or 0))
