"""Lost answers: QuickBooks may have carried a write out, and nobody heard of it.

Each case loses the answers to one record of each kind of operation for several clients at once;
people then do to each client's objects something else. Belongs here: the cases, acting one out, and
what must hold afterwards. Does not: the records and the people's acts.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import sqlalchemy as sa

from chaos.figures import Figures, Order
from chaos.lost_records import Doubtful, add_clients, bring_to_the_brink, is_object_of
from chaos.meanwhile import Fate, befall, enter_by_hand
from chaos.stores import Stores, open_stores
from chaos.world import World, build_world
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.operation_kinds import (
    LINKED_AS,
    PUSH_PAYMENT,
    UPDATE_DOCUMENT,
    VOID_DOCUMENT,
    exception_record,
)
from qbo_sync_dagster.sandbox.algapsa import reading
from qbo_sync_dagster.sandbox.quickbooks.control import SandboxControl
from qbo_sync_dagster.sandbox.quickbooks.process import SandboxProcess

AFTER_COMMIT = ("timeout_after_commit", "drop_after_commit", "502_after_commit", "malformed_json")
BEFORE = ("timeout_before", "drop_before", "502_html")
DELAYS = (timedelta(minutes=3), timedelta(hours=11), timedelta(hours=25))
MEMORIES = ("remembers", "forgets", "faults")
_ENTITIES = ("Customer", "Invoice", "CreditMemo", "Payment")
_WRITES = ("batch", "create", "update", "void", "delete")
_QUARTER = timedelta(minutes=15)
_MANY = 1_000
_SWITCHES: Mapping[str, Mapping[str, Any]] = {
    "remembers": {},
    "forgets": {"requestid_retention_seconds": 3600},
    "faults": {"replay_faults": True},
}


@dataclass(frozen=True, slots=True)
class Case:
    """How answers are lost, and what QuickBooks and its people are like.

    `refused` writes of each sort are refused inside their batch. `fates` go to one client each;
    a single one means that each write travels alone.
    """

    effect: str
    fates: tuple[Fate, ...]
    delay: timedelta
    own_numbers: bool
    memory: str
    refused: int = 0

    @property
    def arrives(self) -> bool:
        """Whether QuickBooks carries out what it was sent."""
        return self.effect in AFTER_COMMIT

    @property
    def may_be_sent_again(self) -> bool:
        """Whether a write proven absent is sent again without asking anybody."""
        return self.delay <= timedelta(hours=12)

    def __str__(self) -> str:
        hours = self.delay.total_seconds() / 3600
        numbers = "own numbers" if self.own_numbers else "QuickBooks' numbers"
        fates = "+".join(self.fates)
        return f"{self.effect}/{fates}/{hours:g} h/{numbers}/{self.memory}/refused {self.refused}"


def all_cases() -> list[Case]:
    """The whole product: batches in which each client has another fate, and each write alone."""
    fates = tuple(Fate)
    singles = [(fate,) for fate in fates]
    effects = AFTER_COMMIT + BEFORE
    product = itertools.product(effects, [fates, *singles], DELAYS, (True, False), MEMORIES)
    cases = [Case(*each) for each in product]
    return cases + [
        replace(case, refused=2) for case in cases if case.arrives and len(case.fates) > 1
    ]


@dataclass(frozen=True, slots=True)
class _Met:
    """A record with its object, if it arrived, and what people did about it."""

    doubtful: Doubtful
    object_id: str
    fate: Fate
    by_hand: bool = False


class LostAnswers:
    """One case in one world; `figures` count what was lost and which promises did not hold."""

    def __init__(self, world: World, case: Case) -> None:
        self._world = world
        self._case = case
        self._clients = range(len(case.fates))
        self.figures = Figures(points=1)

    def act_out(self) -> None:
        """Lose the answers, let people act and time pass, run cycles, and judge."""
        add_clients(self._world, len(self._case.fates))
        doubtful = bring_to_the_brink(self._world, self._clients)
        before = self._ever()
        self._lose()
        met = self._meanwhile(doubtful, self._ever() - before)
        known = self._ever()
        self._world.later(self._case.delay)
        self._world.cycle()
        for _ in range(2):
            self._world.later(_QUARTER)
            self._world.cycle()
        self._judge(met, known)
        self._judge_idle()

    def _lose(self) -> None:
        world, case = self._world, self._case
        world.quickbooks.set(world.realm, **_SWITCHES[case.memory])
        for kind in _WRITES:
            world.quickbooks.fault(
                case.effect, realm=world.realm, kind=kind, times=_MANY, hold_ms=1
            )
        if case.refused:
            for kind, entity in itertools.product(_WRITES[1:], _ENTITIES):
                world.quickbooks.fault(
                    "fault:6000",
                    realm=world.realm,
                    kind=kind,
                    entity=entity,
                    after_calls=1,
                    times=case.refused,
                )
        world.cycle()
        world.quickbooks.clear_faults(world.realm)

    def _meanwhile(self, doubtful: Iterable[Doubtful], made: set[tuple[str, str]]) -> list[_Met]:
        shown = [(entity, self._object(entity, identity)) for entity, identity in sorted(made)]
        return [self._met(each, shown) for each in doubtful]

    def _met(self, each: Doubtful, made: Iterable[tuple[str, dict[str, Any]]]) -> _Met:
        fate = self._case.fates[each.client]
        found = each.object_id or next(
            (
                str(shown["Id"])
                for entity, shown in made
                if entity == each.entity and is_object_of(each, shown)
            ),
            "",
        )
        if found and self._stands(each.entity, found):
            return _Met(each, found, befall(self._world, each, found, fate))
        by_hand = not found and fate is Fate.COPIED and enter_by_hand(self._world, each)
        return _Met(each, found, fate if by_hand else Fate.KEPT, by_hand)

    # What must hold

    def _judge(self, met: Sequence[_Met], known: set[tuple[str, str]]) -> None:
        later = [
            (entity, self._object(entity, identity))
            for entity, identity in sorted(self._ever() - known)
        ]
        self.figures.steps = len(met)
        for each in met:
            self._judge_twice(each, later)
            self._judge_silence(each)
            if each.doubtful.kind == PUSH_PAYMENT:
                self._judge_entered(each)

    def _judge_twice(self, met: _Met, later: Iterable[tuple[str, dict[str, Any]]]) -> None:
        each = met.doubtful
        if not each.is_create:
            return
        again = [
            shown["Id"]
            for entity, shown in later
            if entity == each.entity and is_object_of(each, shown)
        ]
        if len(again) > (0 if met.object_id or met.by_hand else 1):
            self.figures.duplicates += 1
            self._tell(met, f"made again as {', '.join(again)}")

    def _judge_silence(self, met: _Met) -> None:
        each = met.doubtful
        told = [
            exception.kind
            for exception in self._world.open()
            if exception.record == exception_record(each.kind, each.record)
        ]
        if told.count(ExceptionKind.ORPHAN) > 1 or len(told) != len(set(told)):
            self._tell(met, f"told more than once: {told}")
        state = self._operation(each)
        if state == "posting":
            self._tell(met, "left in doubt without a word")
        link = self._link(each) if each.is_create else each.object_id
        reached = self._is_done(met, link)
        if not told and not reached:
            self.figures.losses += 1
            self._tell(met, f"neither done nor told; its operation is {state or 'closed'}")
        if link and each.is_create and ExceptionKind.ORPHAN in told:
            self._tell(met, "linked and told as an orphan")
        if self._must_be_done(met) and (told or not reached):
            self._tell(met, f"not done although nothing spoke against it: {told}")

    def _must_be_done(self, met: _Met) -> bool:
        """Whether nobody but the engine had a hand in it, and it may act by itself."""
        if met.fate is not Fate.KEPT or met.by_hand:
            return False
        if met.doubtful.is_create:
            if met.object_id:
                return True
            # What people deleted meanwhile may have been any record that did not arrive.
            return self._case.may_be_sent_again and not self._case.refused
        return not self._case.refused

    def _is_done(self, met: _Met, link: str) -> bool:
        """Whether both sides agree on the record without anybody being told."""
        each = met.doubtful
        if each.is_create:
            is_its_own = not met.object_id or link == met.object_id or met.fate is Fate.COPIED
            return bool(link) and is_its_own and self._stands(each.entity, link)
        if not self._stands(each.entity, link):
            return each.kind != UPDATE_DOCUMENT
        shown = self._object(each.entity, link)
        if each.kind == UPDATE_DOCUMENT:
            return bool(shown["TotalAmt"] == Decimal(32_500 + each.client) / 100)
        # A void keeps its object; money that lies on no document any more stands for nothing.
        return not (shown["TotalAmt"] if each.kind == VOID_DOCUMENT else shown["Line"])

    def _judge_entered(self, met: _Met) -> None:
        """Our own payment must not come back into AlgaPSA as QuickBooks' payment."""
        if met.fate is Fate.COPIED:
            return
        rows = reading.payment_rows(self._world.stores.algapsa, met.doubtful.invoice)
        if sum(row.amount for row in rows) > int(met.doubtful.shows):
            self._tell(
                met, f"entered in AlgaPSA as another payment: {[row.amount for row in rows]}"
            )

    def _judge_idle(self) -> None:
        world = self._world
        before = self._ever()
        world.quickbooks.forget_calls(world.realm)
        world.later(_QUARTER)
        world.cycle()
        counts = world.quickbooks.call_counts(world.realm)
        if any(counts[kind] for kind in _WRITES) or self._ever() != before:
            self.figures.broken.append(
                f"{self._case}: a settled company is still written to: {counts}"
            )

    def _tell(self, met: _Met, what: str) -> None:
        object_id = met.object_id or ("by hand" if met.by_hand else "never arrived")
        self._break(f"{met.doubtful} ({met.fate}, {object_id}) {what}")

    def _break(self, what: str) -> None:
        self.figures.broken.append(f"{self._case}: {what}")

    # What stands

    def _ever(self) -> set[tuple[str, str]]:
        """All objects that were ever made, deleted ones too."""
        query = sa.text("SELECT entity, id FROM object WHERE realm = :realm AND entity = ANY(:all)")
        values = {"realm": self._world.realm, "all": list(_ENTITIES)}
        with self._world.stores.sandbox.connect() as connection:
            return {(entity, identity) for entity, identity in connection.execute(query, values)}

    def _object(self, entity: str, identity: str) -> dict[str, Any]:
        """An object as it stands, or as it was last."""
        query = sa.text(
            "SELECT body FROM object WHERE realm = :realm AND entity = :entity AND id = :id"
        )
        values = {"realm": self._world.realm, "entity": entity, "id": identity}
        with self._world.stores.sandbox.connect() as connection:
            body = connection.execute(query, values).scalar_one()
        return dict(json.loads(body, parse_float=Decimal))

    def _stands(self, entity: str, identity: str) -> bool:
        query = sa.text(
            "SELECT NOT deleted FROM object WHERE realm = :realm AND entity = :entity AND id = :id"
        )
        values = {"realm": self._world.realm, "entity": entity, "id": identity}
        with self._world.stores.sandbox.connect() as connection:
            return bool(connection.execute(query, values).scalar_one_or_none())

    def _link(self, each: Doubtful) -> str:
        query = sa.text(
            "SELECT quickbooks_id FROM links WHERE realm = :realm AND kind = :kind"
            " AND algapsa_id = :id AND state = 'live'"
        )
        values = {"realm": self._world.realm, "kind": LINKED_AS[each.kind], "id": each.record}
        with self._world.stores.ledger.connect() as connection:
            return str(connection.execute(query, values).scalar_one_or_none() or "")

    def _operation(self, each: Doubtful) -> str:
        query = sa.text(
            "SELECT state FROM operations WHERE realm = :realm AND kind = :kind"
            " AND record_id = :id AND state NOT IN ('done', 'cancelled')"
        )
        values = {"realm": self._world.realm, "kind": each.kind, "id": each.record}
        with self._world.stores.ledger.connect() as connection:
            return str(connection.execute(query, values).scalar_one_or_none() or "")


def lost_answers(order: Order) -> Figures:
    """Act out cases in an order that the seed chooses, until the deadline or all are done.

    `points` counts the cases, `steps` the records whose answers were lost.
    """
    cases = all_cases()
    Random(order.seed).shuffle(cases)  # noqa: S311  (a choice, no secret)
    figures = Figures()
    prefix = f"chaos_lost_{order.share}"
    sandbox_url = order.server.create_database(f"{prefix}_sandbox")
    with (
        SandboxProcess(sandbox_url) as process,
        open_stores(order.server, prefix, sandbox_url) as stores,
    ):
        stores.prepare()
        for case in cases[order.share :: order.shares]:
            if order.seconds_left() <= 0:
                break
            figures.add(act_out(stores, process.control, case))
    order.server.drop_database(f"{prefix}_sandbox")
    return figures


def act_out(stores: Stores, quickbooks: SandboxControl, case: Case) -> Figures:
    """One case with a tenant and a company of its own in these stores."""
    world = build_world(stores, quickbooks, custom_txn_numbers=case.own_numbers)
    told = LostAnswers(world, case)
    told.act_out()
    return told.figures
