"""Batches: up to thirty independent operations in one call.

Belongs here: the items of a batch and their answers. Does not: what one operation does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from qbo_sync_dagster.sandbox.quickbooks import dispatch, injection, query, replay
from qbo_sync_dagster.sandbox.quickbooks.books import Books
from qbo_sync_dagster.sandbox.quickbooks.closing import WriteOptions
from qbo_sync_dagster.sandbox.quickbooks.entities import ENTITIES
from qbo_sync_dagster.sandbox.quickbooks.faults import ApiFault, fault, missing, unsupported
from qbo_sync_dagster.sandbox.quickbooks.injection import Effect, Rule
from qbo_sync_dagster.sandbox.quickbooks.replay import Remembered
from qbo_sync_dagster.sandbox.quickbooks.wire import Json, encode

LARGEST_BATCH = 30


@dataclass(frozen=True, slots=True)
class Item:
    """One item; `kind` is query, create, update, void or delete."""

    id: str
    kind: str
    entity: str
    body: Json
    statement: str
    options: WriteOptions


def parse(envelope: object) -> list[Item]:
    """The items; a fault for a batch that cannot be read as a whole."""
    sent = envelope.get("BatchItemRequest") if isinstance(envelope, dict) else None
    if not isinstance(sent, list) or not sent:
        raise missing("BatchItemRequest")
    if len(sent) > LARGEST_BATCH:
        raise fault("1040", f"A batch holds at most {LARGEST_BATCH} items, not {len(sent)}")
    items = [_item(each) for each in sent]
    if len({item.id for item in items}) < len(items):
        raise fault("2020", "Each bId may be used once", "bId")
    return items


def run(
    books: Books,
    items: Sequence[Item],
    request_id: str,
    rules: Sequence[Rule],
    *,
    quota_left: bool,
) -> str:
    """The fragment `"BatchItemResponse":[...]`; one item's refusal does not touch the others."""
    known = _recalled(books, items, request_id)
    fresh: dict[str, Remembered] = {}
    parts = []
    for item in items:
        key = _key(request_id, item)
        effect = _item_effect(books, rules, item)
        if key in known:
            answer = known[key]
        elif effect and effect.is_before:
            answer = _refused(injection.injected_fault(effect))
        else:
            answer = fresh[key] = _answer(books, item, quota_left=quota_left)
        if effect is None or effect.name != "omit_item":
            parts.append(f"{{{answer.body},{_id_text(item)}}}")
    if request_id:
        replay.remember(books, fresh)
    return f'"BatchItemResponse":[{",".join(parts)}]'


def _recalled(books: Books, items: Sequence[Item], request_id: str) -> dict[str, Remembered]:
    if not request_id:
        return {}
    replay.check_length(request_id, replay.LONGEST_OF_BATCH)
    for item in items:
        replay.check_length(item.id, replay.LONGEST_ITEM)
    return replay.recall(books, [_key(request_id, item) for item in items])


def _key(request_id: str, item: Item) -> str:
    """Each item is remembered by itself: the batch's id and the item's."""
    return f"{request_id}/{item.id}"


def _id_text(item: Item) -> str:
    return encode({"bId": item.id})[1:-1]


def _item(sent: object) -> Item:
    if not isinstance(sent, dict) or not isinstance(sent.get("bId"), str):
        raise missing("bId")
    if "Query" in sent:
        return Item(sent["bId"], "query", "", {}, str(sent["Query"]), WriteOptions())
    entity = next((name for name in sent if name in ENTITIES), "")
    body = sent.get(entity) if entity else {}
    options = str(sent.get("optionsData") or "").split(",")
    operation = "void" if "void" in options else str(sent.get("operation"))
    body = body if isinstance(body, dict) else {}
    write = dispatch.write_options(body, options)
    return Item(sent["bId"], operation, entity, body, "", write)


def _item_effect(books: Books, rules: Sequence[Rule], item: Item) -> Effect | None:
    """Rules about a kind of write or query meet items too; those about batches do not."""
    if not rules:
        return None
    about = [rule for rule in rules if rule.kind == item.kind and _is_item_effect(rule)]
    entity = item.entity or dispatch.queried_entity(item.statement)
    text = item.statement or encode(item.body)
    return injection.effect_on(books.cursor, about, item.kind, entity, text)


def _is_item_effect(rule: Rule) -> bool:
    return rule.effect.partition(":")[0] in {"fault", "500", "omit_item"}


def _answer(books: Books, item: Item, *, quota_left: bool) -> Remembered:
    before = books.savepoint()
    try:
        return Remembered(200, _operation(item, quota_left=quota_left)(books))
    except ApiFault as refusal:
        books.back_to(before)
        return _refused(refusal)


def _operation(item: Item, *, quota_left: bool) -> Callable[[Books], str]:
    if item.kind == "query":
        if not quota_left:
            raise fault("3001", "message=ThrottleExceeded; errorCode=003001; statusCode=429")
        return lambda books: _query(books, item.statement)
    if not item.entity:
        raise unsupported("batch item without a known entity")
    return lambda books: dispatch.write(books, item.kind, item.entity, item.body, item.options)


def _query(books: Books, statement: str) -> str:
    books.flush()
    return query.run(books, statement)


def _refused(refusal: ApiFault) -> Remembered:
    return Remembered(400, f'"Fault":{encode(refusal.as_json(in_batch=True))}')
