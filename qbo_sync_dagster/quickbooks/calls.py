"""What a call to QuickBooks is, and what is recorded of it. No sending here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

WriteOperation = Literal["create", "update", "void", "delete"]


class CallKind(StrEnum):
    """Intuit meters what takes data out (cdc, query, read); writes are free."""

    CDC = "cdc"
    QUERY = "query"
    READ = "read"
    CREATE = "create"
    UPDATE = "update"
    VOID = "void"
    DELETE = "delete"
    BATCH = "batch"

    @property
    def metered(self) -> bool:
        return self in (CallKind.CDC, CallKind.QUERY, CallKind.READ)


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One HTTP call as it went. `http_status` is None without an answer; `items` counts a batch."""

    kind: CallKind
    entity: str
    items: int
    metered: bool
    http_status: int | None
    seconds: float
    intuit_tid: str | None


@dataclass(frozen=True, slots=True)
class Call:
    """One request, ready to be sent. `action` completes "QuickBooks did not ..."."""

    kind: CallKind
    entity: str
    action: str
    path: str
    params: Mapping[str, str]
    content: bytes | None = None
    content_type: str = "application/json"
    items: int = 1


@dataclass(frozen=True, slots=True)
class Write:
    """One write. A sparse update says so in its body; `request_id` has at most 50 characters."""

    operation: WriteOperation
    entity: str
    body: dict[str, Any]
    request_id: str

    def __post_init__(self) -> None:
        if not 0 < len(self.request_id) <= 50:
            raise ValueError("A request id has 1 to 50 characters.")
