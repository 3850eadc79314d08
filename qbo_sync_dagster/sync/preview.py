"""A cycle's plan for what both sides show now, found by running the cycle without its effects.

The cycle's own code runs, on a ledger that is rolled back, an AlgaPSA that is only read and a
QuickBooks to which nothing is sent. So a preview can't say anything but what a cycle would do.
It holds the company's lease, as a cycle does: nothing moves while it looks.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from qbo_sync_dagster.algapsa.rehearsal import NotedRow, Notes, RehearsalAlgaPsa
from qbo_sync_dagster.domain.money import format_minor
from qbo_sync_dagster.ledger import connections, exceptions, leases
from qbo_sync_dagster.ledger.connections import Connection
from qbo_sync_dagster.ledger.engine import LedgerClock
from qbo_sync_dagster.ledger.exceptions import StoredException
from qbo_sync_dagster.ledger.rehearsal import rehearsed
from qbo_sync_dagster.ledger.tables import links, operations, postings
from qbo_sync_dagster.quickbooks.rehearsal import NotedWrite, RehearsalClient
from qbo_sync_dagster.quickbooks.wire import decode_json, encode_body
from qbo_sync_dagster.sync.cycle import last_end, run_cycle
from qbo_sync_dagster.sync.engine import SyncEngine
from qbo_sync_dagster.sync.outcome import Outcome

# Well under the lease's five minutes, which nobody prolongs meanwhile.
_SECONDS = 200.0


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing that a cycle would do: on which side, what, to which record, field by field."""

    side: str
    action: str
    record: str
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Preview:
    """What a cycle would do now. Equal plans have equal digests; `outcome` is how it would end."""

    company: str
    company_name: str
    outcome: Outcome
    sentence: str
    effects: tuple[Effect, ...]
    digest: str


def preview_cycle(engine: SyncEngine, realm: str) -> Preview:
    """Plan a cycle of a company (realm id or key) and do nothing.

    Skipped, with no effects, while a cycle of the company runs. Raises UnknownRealmError.
    """
    with engine.ledger.connect() as connection:
        company = connections.get(connection, realm)
    holder = f"preview-{uuid.uuid4()}"
    lease = leases.take(engine.ledger, company.realm, holder)
    if lease is None:
        sentence = f"A cycle of {company.company_name} is running; ask again once it has ended."
        return _preview(company, Outcome.SKIPPED, sentence, ())
    try:
        with rehearsed(engine.config.ledger_url) as ledger:
            return _rehearse(_RehearsalEngine(engine, ledger), company, holder)
    finally:
        leases.release(engine.ledger, lease)


class _RehearsalEngine(SyncEngine):
    """The engine of one preview: the real one's settings, tokens and pace, and no effects."""

    def __init__(self, real: SyncEngine, ledger: sa.Engine) -> None:
        self.__dict__.update(real.__dict__)
        budget = min(real.config.posting_budget_seconds, _SECONDS)
        self.config = replace(real.config, posting_budget_seconds=budget)
        self.ledger = self.ledger_reads = ledger
        self.clock = LedgerClock(ledger)
        self.notes = Notes()
        self.writes: list[NotedWrite] = []

    def open_quickbooks(self, realm: str, **hooks: Any) -> RehearsalClient:  # noqa: ANN401
        """The company at QuickBooks, to which nothing is sent."""
        client = RehearsalClient(
            self.config.quickbooks,
            self.tokens,
            realm,
            http=self.http,
            pace=self.pacer(realm),
            clock=self.monotonic,
            sleep=self.sleep,
            **hooks,
        )
        self.writes = client.noted
        return client

    def open_algapsa(self, company: Connection) -> RehearsalAlgaPsa:
        """The company's tenant in AlgaPSA, which is only read."""
        gateway = RehearsalAlgaPsa(self.algapsa, company.tenant, company.time_zone)
        gateway.notes = self.notes
        return gateway


def _rehearse(engine: _RehearsalEngine, company: Connection, holder: str) -> Preview:
    before = _Standing.of(engine.ledger, company.realm)
    events = run_cycle(
        engine, company.realm, trigger="preview", run_id=f"{holder}-run", parent_run_id=holder
    )
    end = last_end(events)
    after = _Standing.of(engine.ledger, company.realm)
    labels = _labels(engine.ledger, company.realm)
    effects = (
        *_algapsa_effects(engine.notes),
        *(_quickbooks_effect(each, labels) for each in engine.writes),
        *_ledger_effects(before, after),
    )
    return _preview(company, end.outcome, end.sentence, effects)


def _preview(
    company: Connection, outcome: Outcome, sentence: str, effects: tuple[Effect, ...]
) -> Preview:
    plain = [[each.side, each.action, each.record, *each.fields] for each in effects]
    digest = hashlib.sha256(json.dumps(plain).encode()).hexdigest()
    return Preview(company.company, company.company_name, outcome, sentence, effects, digest)


@dataclass(frozen=True, slots=True)
class _Standing:
    """What of the ledger people look at: open exceptions, and which records are linked."""

    open: Mapping[tuple[str, str], StoredException]
    linked: Mapping[tuple[str, str], str]

    @classmethod
    def of(cls, ledger: sa.Engine, realm: str) -> _Standing:
        query = sa.select(links.c.kind, links.c.algapsa_id, links.c.quickbooks_id).where(
            links.c.realm == realm, links.c.state != "closed"
        )
        with ledger.connect() as connection:
            stored = exceptions.listed(connection, realm)
            linked = {(kind, ours): theirs for kind, ours, theirs in connection.execute(query)}
        return cls({(each.kind, each.record): each for each in stored}, linked)


def _ledger_effects(before: _Standing, after: _Standing) -> Iterator[Effect]:
    for key in sorted(after.linked.keys() - before.linked.keys()):
        named = (("QuickBooks id", after.linked[key]),)
        yield Effect("links", f"link {key[0].replace('_', ' ')}", key[1], named)
    for key in sorted(after.open.keys() - before.open.keys()):
        raised = after.open[key]
        fields = (("what happened", raised.what_happened), ("what to do", raised.how_to_resolve))
        yield Effect("exceptions", "raise", f"{raised.title}: {raised.record}", fields)
    for key in sorted(before.open.keys() - after.open.keys()):
        settled = before.open[key]
        yield Effect("exceptions", "resolve", f"{settled.title}: {settled.record}")


def _labels(ledger: sa.Engine, realm: str) -> dict[str, str]:
    """What people call the record of each request id."""
    query = (
        sa.select(postings.c.request_id, operations.c.label)
        .join(operations, operations.c.operation_id == postings.c.operation_id)
        .where(postings.c.realm == realm)
    )
    with ledger.connect() as connection:
        return dict(connection.execute(query).tuples().all())


def _quickbooks_effect(noted: NotedWrite, labels: Mapping[str, str]) -> Effect:
    write = noted.write
    label = labels.get(write.request_id, noted.object_id)
    return Effect(
        "QuickBooks",
        f"{write.operation} {write.entity}",
        f"{label} ({noted.object_id})",
        tuple(_flat(decode_json(encode_body(write.body)))),
    )


def _flat(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Every field of a body with its path, as it would be sent."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flat(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list):
        for position, inner in enumerate(value, start=1):
            yield from _flat(inner, f"{path}[{position}]")
    else:
        yield path, str(value)


def _algapsa_effects(notes: Notes) -> Iterator[Effect]:
    for each in notes.rows:
        yield Effect("AlgaPSA", _row_action(each), f"Invoice {each.number}", _row_fields(each))
    for invoice_id, status in notes.statuses.items():
        number = notes.numbers[invoice_id]
        yield Effect("AlgaPSA", "set status", f"Invoice {number}", (("status", status),))
    for invoice_id, quickbooks_id in sorted(notes.protected.items()):
        fields = (("QuickBooks id", quickbooks_id),)
        yield Effect("AlgaPSA", "protect from being reopened", f"Invoice {invoice_id}", fields)


def _row_action(noted: NotedRow) -> str:
    what = "credit" if noted.wanted.is_credit else "payment"
    return f"reverse {what}" if noted.row.reverses else f"record {what}"


def _row_fields(noted: NotedRow) -> tuple[tuple[str, str], ...]:
    row = noted.row
    fields: Iterable[tuple[str, str]] = (
        ("amount", f"{format_minor(row.minor)} {noted.currency}"),
        ("date", row.date.isoformat()),
        ("QuickBooks payment", noted.wanted.payment_id),
        ("reference", noted.wanted.reference),
        ("payment id", row.row_id),
        ("reverses payment id", row.reverses or ""),
    )
    return tuple((name, value) for name, value in fields if value)
