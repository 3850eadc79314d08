"""One call to a company, from the raw request to the answer, in one transaction.

Belongs here: the order of checks, request ids, faults on demand, the log. Does not: HTTP itself.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from qbo_sync_dagster.sandbox.quickbooks import (
    batch,
    calls,
    changes,
    dispatch,
    injection,
    query,
    replay,
    tokens,
)
from qbo_sync_dagster.sandbox.quickbooks.books import Books
from qbo_sync_dagster.sandbox.quickbooks.faults import (
    ApiFault,
    GatewayFault,
    fault,
    throttled,
    unauthenticated,
    unauthorised,
)
from qbo_sync_dagster.sandbox.quickbooks.injection import Effect, Rule
from qbo_sync_dagster.sandbox.quickbooks.limits import Limiter
from qbo_sync_dagster.sandbox.quickbooks.realms import Realm, UnknownRealmError, load_realm
from qbo_sync_dagster.sandbox.quickbooks.storage import Cursor, Storage, clock_now
from qbo_sync_dagster.sandbox.quickbooks.wire import Json, millisecond_text

HTML = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
_JSON = "application/json"
_METERED = ("cdc", "query", "read")


@dataclass(frozen=True, slots=True)
class Request:
    """One call as it came in; `kind` is what the URL and the body make of it."""

    realm: str
    authorization: str
    kind: str
    entity: str
    identity: str = ""
    body: Json = field(default_factory=dict)
    envelope: object = None
    statement: str = ""
    changed_since: str = ""
    includes: tuple[str, ...] = ()
    request_id: str = ""
    raw: str = ""
    # What was wrong with the request before anything was looked up.
    refusal: ApiFault | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back. `effect` may still delay, spoil or lose it."""

    status: int
    body: str
    content_type: str = _JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    effect: Effect | None = None
    latency_ms: int = 0


class Service:
    """The company endpoints over one database."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self._limiter = Limiter()

    def answer(self, request: Request) -> Answer:
        """The answer to a call; whatever it changed is committed before this returns."""
        with self.storage.transaction() as cursor:
            began = clock_now(cursor)
            try:
                answer = self._admitted(cursor, request, began)
            except GatewayFault as refusal:
                answer = _gateway_answer(refusal, began)
            except ApiFault as refusal:
                answer = Answer(refusal.status, refusal.body(began))
            _log(cursor, request, answer, began)
            return answer

    def _admitted(self, cursor: Cursor, request: Request, began: datetime) -> Answer:
        tokens.check_access(cursor, request.authorization, request.realm, began)
        try:
            realm = load_realm(cursor, request.realm, lock=request.kind not in _METERED)
        except UnknownRealmError as error:
            raise unauthorised() from error
        self._check_limits(realm, request)
        rules = injection.live_rules(cursor, request.realm)
        effect = injection.effect_on(cursor, rules, request.kind, request.entity, request.raw)
        if effect is not None and effect.is_before:
            answer = _instead(effect, began, retry_after=realm.switches.send_retry_after)
        else:
            books = Books(cursor, realm, began)
            answer = _executed(books, request, rules, began)
            if effect is not None:
                answer = replace(answer, body=injection.spoiled(effect, answer.body))
        return replace(answer, effect=effect, latency_ms=realm.switches.latency_ms)

    def _check_limits(self, realm: Realm, request: Request) -> None:
        switches = realm.switches
        is_batch = request.kind == "batch"
        # Windows are of real seconds: a test that moves the clock must not open them.
        now = datetime.now(UTC)
        if switches.enforce_limits and not self._limiter.admits(realm.id, now, is_batch=is_batch):
            raise throttled(retry_after=switches.send_retry_after)
        if switches.read_quota_exhausted and request.kind in _METERED:
            raise throttled(retry_after=switches.send_retry_after)


def _executed(books: Books, request: Request, rules: list[Rule], began: datetime) -> Answer:
    if books.switches.subscription_lapsed:
        raise fault("6190", "Subscription period has ended or canceled or there was a billing "
                    "problem : You can't add data to QuickBooks Online")  # fmt: skip
    if request.refusal is not None:
        raise request.refusal
    if request.kind == "batch":
        return _success(_batch(books, request, rules), began)
    if not request.request_id:
        return _single(books, request, began)
    return _single_once(books, request, began)


def _single_once(books: Books, request: Request, began: datetime) -> Answer:
    """A call with a request id: done the first time, remembered ever after."""
    replay.check_length(request.request_id)
    known = replay.recall(books, [request.request_id]).get(request.request_id)
    if known is not None:
        return Answer(known.status, known.body)
    try:
        answer = _single(books, request, began)
    except ApiFault as refusal:
        answer = Answer(refusal.status, refusal.body(began))
    remembered = replay.Remembered(answer.status, answer.body)
    replay.remember(books, {request.request_id: remembered})
    return answer


def _single(books: Books, request: Request, began: datetime) -> Answer:
    fragment = _fragment(books, request)
    books.flush()
    return _success(fragment, began)


def _fragment(books: Books, request: Request) -> str:
    if request.kind == "query":
        return query.run(books, request.statement)
    if request.kind == "cdc":
        return changes.run(books, request.entity, request.changed_since)
    if request.kind != "read":
        options = dispatch.write_options(request.body, request.includes)
        return dispatch.write(books, request.kind, request.entity, request.body, options)
    if request.identity:
        return dispatch.read(books, request.entity, request.identity)
    return dispatch.read_singleton(books, request.entity)


def _batch(books: Books, request: Request, rules: list[Rule]) -> str:
    items = batch.parse(request.envelope)
    quota_left = not books.switches.read_quota_exhausted
    fragment = batch.run(books, items, request.request_id, rules, quota_left=quota_left)
    books.flush()
    return fragment


def _success(fragment: str, began: datetime) -> Answer:
    body = f'{{{fragment},"time":"{millisecond_text(began)}"}}'
    return Answer(200, body, f"{_JSON};charset=utf-8")


def _gateway_answer(refusal: GatewayFault, began: datetime) -> Answer:
    return Answer(refusal.status, refusal.body(began), headers=refusal.headers)


def _instead(effect: Effect, began: datetime, *, retry_after: bool) -> Answer:
    """The answer of a call that an effect kept from being executed."""
    match effect.name:
        case "401":
            return _gateway_answer(unauthenticated("Token expired: injected"), began)
        case "403":
            return _gateway_answer(unauthorised(), began)
        case "429":
            return _gateway_answer(throttled(retry_after=retry_after), began)
        case "502_html":
            return Answer(502, HTML, "text/html")
        case "503":
            return Answer(503, "Service Unavailable", "text/plain")
        case "html_200":
            return Answer(200, HTML, "text/html")
        case "fault_in_200":
            return Answer(200, injection.injected_fault(effect).body(began))
    refusal = injection.injected_fault(effect)
    return Answer(refusal.status, refusal.body(began))


def _log(cursor: Cursor, request: Request, answer: Answer, began: datetime) -> None:
    items, metered = 1, int(request.kind in _METERED)
    if request.kind == "batch" and isinstance(request.envelope, dict):
        sent = request.envelope.get("BatchItemRequest")
        queries = [each for each in sent or [] if isinstance(each, dict) and "Query" in each]
        items, metered = len(sent or []), len(queries)
    lost = answer.effect is not None and answer.effect.hangs_up
    calls.log(
        cursor,
        calls.LoggedCall(
            realm=request.realm,
            kind=request.kind,
            entity=request.entity,
            request_id=request.request_id,
            items=items,
            metered=metered,
            bytes_in=len(request.raw),
            bytes_out=0 if lost else len(answer.body),
            status=0 if lost else answer.status,
            at=began,
        ),
    )


def transaction_id() -> str:
    """An `intuit_tid`, as support asks for it."""
    return f"1-{secrets.token_hex(4)}-{secrets.token_hex(12)}"
