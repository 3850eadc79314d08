"""QuickBooks for one realm: polls, queries, reads and writes.

What belongs here: which request each intent becomes, and which value its answer. What does not:
sending (transport), the fields of an object (objects, company), deciding what to write.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote

import httpx

from qbo_sync_dagster.quickbooks.answers import (
    ChangeSet,
    ChangeSweep,
    EnvelopeError,
    Page,
    RawObject,
    WriteAnswer,
    answer_time,
    read_batch,
    read_changes,
    read_page,
    read_single,
)
from qbo_sync_dagster.quickbooks.calls import Call, CallKind, CallRecord, Write
from qbo_sync_dagster.quickbooks.company import (
    CompanyInfo,
    Preferences,
    parse_company_info,
    parse_preferences,
)
from qbo_sync_dagster.quickbooks.errors import NoAnswerError, QuickBooksError
from qbo_sync_dagster.quickbooks.faults import error_for, parse_fault
from qbo_sync_dagster.quickbooks.oauth import TokenSource
from qbo_sync_dagster.quickbooks.pace import Pacer
from qbo_sync_dagster.quickbooks.query import (
    LARGEST_PAGE,
    Condition,
    Query,
    in_lists,
    statement,
)
from qbo_sync_dagster.quickbooks.settings import QuickBooksSettings
from qbo_sync_dagster.quickbooks.transport import Answer, Transport, short_waits_only
from qbo_sync_dagster.quickbooks.walk import sweep, walk
from qbo_sync_dagster.quickbooks.wire import encode_body, format_instant

_LONGEST_BATCH_REQUEST_ID = 36
_LONGEST_ITEM_ID = 10
_LARGEST_BATCH = 30
# Invoices are voided by an operation of their own, these by an update that says so.
_VOIDED_BY_UPDATE = frozenset({"Payment", "SalesReceipt", "BillPayment"})

T = TypeVar("T")


def _nothing(_: object) -> None:
    """The default of a hook nobody listens to."""


class QuickBooksClient:
    """One company at QuickBooks.

    Every method raises the errors of `errors.py`: ConnectionDeadError, ThrottledError (when
    `wait_budget` refuses the wait, in seconds) and NoAnswerError anywhere, the others where named.
    `before_call` runs before every call and every wait and may raise to stop the work; `meter` is
    told of each HTTP call. `clock` is monotonic seconds.
    """

    def __init__(
        self,
        settings: QuickBooksSettings,
        tokens: TokenSource,
        realm: str,
        *,
        http: httpx.Client,
        pace: Pacer,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        before_call: Callable[[CallKind], None] = _nothing,
        meter: Callable[[CallRecord], None] = _nothing,
        wait_budget: Callable[[float], bool] = short_waits_only,
    ) -> None:
        self.settings = settings
        self.realm = realm
        self._transport = Transport(
            settings,
            tokens,
            realm,
            http=http,
            pace=pace,
            clock=clock,
            sleep=sleep,
            before_call=before_call,
            meter=meter,
            wait_budget=wait_budget,
        )

    def cdc(self, entities: Sequence[str], since: datetime) -> ChangeSet:
        """Everything of these entities that changed after `since`, deletions included.

        Not `complete` when QuickBooks may have left some out (it caps at 1,000 objects in all).
        """
        call = Call(
            kind=CallKind.CDC,
            entity=",".join(entities),
            action="list its changes",
            path="cdc",
            params={"entities": ",".join(entities), "changedSince": format_instant(since)},
        )
        return _unwrap(call, self._transport.run(call), read_changes)

    def query(self, query: Query) -> Page:
        """One page. The statement goes as a body: a URL would cut long IN lists."""
        call = Call(
            kind=CallKind.QUERY,
            entity=query.entity,
            action=f"list {query.entity} records",
            path="query",
            params={},
            content=statement(query).encode(),
            content_type="application/text",
        )
        return _unwrap(call, self._transport.run(call), read_page)

    def query_all(
        self,
        entity: str,
        *,
        where: tuple[Condition, ...] = (),
        order_by: str = "Id",
        page_size: int = LARGEST_PAGE,
    ) -> Iterator[RawObject]:
        """Every matching object once, page by page as it is consumed; lists with inactive rows."""
        return walk(self.query, Query(entity, where, (order_by,), limit=page_size))

    def query_in(
        self,
        entity: str,
        field: str,
        values: Sequence[str],
        *,
        where: tuple[Condition, ...] = (),
    ) -> list[RawObject]:
        """Every object whose `field` is one of `values`, in as few calls as statements allow."""
        found: list[RawObject] = []
        for condition in in_lists(entity, field, values, where):
            found.extend(self.query_all(entity, where=(*where, condition)))
        return found

    def changed_since(self, entity: str, since: datetime) -> ChangeSweep:
        """All live objects changed at or after `since`, however many; no deletions."""
        return sweep(self.query, entity, since)

    def read(self, entity: str, object_id: str) -> RawObject:
        """One object as it stands now. Raises ObjectNotFoundError if it was deleted."""
        return self._read(entity, f"{entity.lower()}/{quote(object_id, safe='')}", object_id)

    def preferences(self) -> Preferences:
        """The company's settings. Raises MalformedObjectError."""
        return parse_preferences(self._read("Preferences", "preferences").payload)

    def company_info(self) -> CompanyInfo:
        """The company's name and country. Raises MalformedObjectError."""
        path = f"companyinfo/{quote(self.realm, safe='')}"
        return parse_company_info(self._read("CompanyInfo", path).payload)

    def write(self, write: Write) -> WriteAnswer:
        """Carry out one write. Raises FaultError (nothing was done) or NoAnswerError (in doubt
        unless never `sent`)."""
        call = Call(
            kind=CallKind(write.operation),
            entity=write.entity,
            action=_action(write),
            path=write.entity.lower(),
            params={"requestid": write.request_id, **_operation_params(write)},
            content=encode_body(write.body),
        )
        answer = self._transport.run(call)
        return _unwrap(call, answer, lambda body: _write_answer(write, body, body, answer))

    def write_batch(
        self, items: Sequence[tuple[str, Write]], request_id: str
    ) -> dict[str, WriteAnswer | QuickBooksError]:
        """Carry out up to 30 independent writes in one call; each gets its own answer or error.

        An item that is missing in the answer is in doubt: NoAnswerError as its value. The call as a
        whole raises NoAnswerError when every item is in doubt, and ThrottledError or
        ConnectionDeadError when none was carried out.
        """
        _check_batch(items, request_id)
        call = Call(
            kind=CallKind.BATCH,
            entity=",".join(sorted({write.entity for _, write in items})),
            action=f"carry out a batch of {len(items)}",
            path="batch",
            params={"requestid": request_id},
            content=encode_body({"BatchItemRequest": [_batch_item(*item) for item in items]}),
            items=len(items),
        )
        answer = self._transport.run(call)
        answered = _unwrap(call, answer, read_batch)
        return {
            item_id: _item_answer(write, answered.get(item_id), answer) for item_id, write in items
        }

    def _read(self, entity: str, path: str, object_id: str = "") -> RawObject:
        call = Call(CallKind.READ, entity, f"read {entity} {object_id}".rstrip(), path, params={})
        answer = self._transport.run(call)
        return _unwrap(call, answer, lambda body: read_single(body, entity))


def _unwrap(call: Call, answer: Answer, read: Callable[[Mapping[str, Any]], T]) -> T:
    """The envelope's content. JSON of another shape tells nothing about what was done."""
    try:
        return read(answer.body)
    except (EnvelopeError, RecursionError) as error:
        problem = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise NoAnswerError(
            f"QuickBooks' answer when asked to {call.action} cannot be used: {problem}.",
            http_status=answer.http_status,
            intuit_tid=answer.intuit_tid,
        ) from error


def _operation_params(write: Write) -> dict[str, str]:
    if write.operation == "create":
        return {}
    if write.operation == "void" and write.entity in _VOIDED_BY_UPDATE:
        return {"operation": "update", "include": "void"}
    return {"operation": write.operation}


def _batch_item(item_id: str, write: Write) -> dict[str, Any]:
    item: dict[str, Any] = {"bId": item_id, "operation": write.operation, write.entity: write.body}
    if write.operation == "void":
        item |= {"operation": "update", "optionsData": "void"}
    return item


def _item_answer(
    write: Write, item: Mapping[str, Any] | None, answer: Answer
) -> WriteAnswer | QuickBooksError:
    if item is not None:
        faults = parse_fault(200, item)
        if faults:
            return error_for(
                faults,
                action=_action(write),
                status=answer.http_status,
                intuit_tid=answer.intuit_tid,
            )
        try:
            return _write_answer(write, item, answer.body, answer)
        except EnvelopeError:
            pass
    return NoAnswerError(
        f"QuickBooks' batch answer does not say whether it did {_action(write)}. "
        "What became of it is read back first.",
        http_status=answer.http_status,
        intuit_tid=answer.intuit_tid,
    )


def _write_answer(
    write: Write, holder: Mapping[str, Any], envelope: Mapping[str, Any], answer: Answer
) -> WriteAnswer:
    written = read_single(holder, write.entity)
    if written.deleted != (write.operation == "delete"):
        raise EnvelopeError(f"{write.entity} {written.id} does not stand as the write leaves it")
    return WriteAnswer(written, answer_time(envelope), answer.intuit_tid)


def _check_batch(items: Sequence[tuple[str, Write]], request_id: str) -> None:
    ids = [item_id for item_id, _ in items]
    if not 1 <= len(ids) <= _LARGEST_BATCH or len(set(ids)) != len(ids):
        raise ValueError("A batch has 1 to 30 items, each with an id of its own.")
    if not all(0 < len(item_id) <= _LONGEST_ITEM_ID for item_id in ids):
        raise ValueError("A batch item's id has 1 to 10 characters.")
    if not 0 < len(request_id) <= _LONGEST_BATCH_REQUEST_ID:
        raise ValueError("A batch's request id has 1 to 36 characters.")


def _action(write: Write) -> str:
    known = write.body.get("Id")
    name = write.entity.lower() if write.entity != "CreditMemo" else "credit memo"
    return f"{write.operation} {name} {known}" if known else f"{write.operation} the {name}"
