"""One company's objects within one request: read once, changed in memory, written together.

Belongs here: identity, SyncTokens, stamps, customer balances. Does not: rules of one entity.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal

from qbo_sync_dagster.sandbox.quickbooks import objects
from qbo_sync_dagster.sandbox.quickbooks.entities import ENTITIES
from qbo_sync_dagster.sandbox.quickbooks.objects import Key, Record
from qbo_sync_dagster.sandbox.quickbooks.realms import Realm
from qbo_sync_dagster.sandbox.quickbooks.storage import Cursor
from qbo_sync_dagster.sandbox.quickbooks.switches import Switches
from qbo_sync_dagster.sandbox.quickbooks.wire import PACIFIC, Json, whole_second

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Given:
    """What is chosen for a new object where history is seeded, and by QuickBooks otherwise."""

    id: str = ""
    created: datetime | None = None
    updated: datetime | None = None


NOTHING_GIVEN = Given()


@dataclass(frozen=True, slots=True)
class Savepoint:
    """What to go back to when one item of a batch is refused."""

    changed: dict[Key, Record]
    owed: dict[str, Decimal]
    counters: dict[str, int]


@dataclass(slots=True)
class Books:
    """The objects of one company, as one request sees and changes them."""

    cursor: Cursor
    realm: Realm
    now: datetime
    _loaded: dict[Key, Record | None] = field(default_factory=dict)
    _changed: dict[Key, Record] = field(default_factory=dict)
    _names: dict[tuple[str, str], Key] = field(default_factory=dict)
    _numbers: dict[tuple[str, str], set[Key]] = field(default_factory=lambda: defaultdict(set))
    _owed: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))

    @property
    def switches(self) -> Switches:
        """How this company behaves."""
        return self.realm.switches

    @property
    def stamp(self) -> datetime:
        """The time that goes into MetaData."""
        return whole_second(self.now)

    @property
    def today(self) -> date:
        """The server's date, which is Pacific."""
        return self.now.astimezone(PACIFIC).date()

    def get(self, entity: str, identity: str) -> Record | None:
        """The object unless it never existed or was deleted."""
        key = (entity, identity)
        if key in self._changed:
            record: Record | None = self._changed[key]
        else:
            if key not in self._loaded:
                self._load(entity, [identity])
            record = self._loaded[key]
        return None if record is None or record.deleted else record

    def prefetch(self, entity: str, identities: Iterable[str]) -> None:
        """Read many objects at once."""
        self._load(entity, [each for each in identities if (entity, each) not in self._loaded])

    def with_name(self, pool: str, name: str) -> Record | None:
        """The object of the pool that bears the name, in any case."""
        wanted = objects.name_key(name)
        stored = objects.key_by_name(self.cursor, self.realm.id, pool, name)
        for key in (self._names.get((pool, wanted)), stored):
            record = self.get(*key) if key else None
            if record is not None and record.name_key == wanted:
                return record
        return None

    def with_number(self, entity: str, number: str) -> list[Record]:
        """The documents of a kind that bear the number."""
        stored = objects.keys_by_number(self.cursor, self.realm.id, entity, number)
        keys = {*stored, *self._numbers.get((entity, number.lower()), ())}
        found = (self.get(*key) for key in sorted(keys))
        return [r for r in found if r and r.content.get("DocNumber", "").lower() == number.lower()]

    def add(self, entity: str, content: Json, given: Given = NOTHING_GIVEN) -> Record:
        """A new object."""
        pool = ENTITIES[entity].pool if entity in ENTITIES else "Name"
        identity = given.id or str(self.realm.next(f"id:{pool}"))
        if identity.isdecimal():
            self.realm.used(f"id:{pool}", int(identity))
        record = Record(
            entity=entity,
            id=identity,
            token=0,
            created=given.created or self.stamp,
            updated=given.updated or given.created or self.stamp,
            content=content,
        )
        self._put(None, record)
        return record

    def change(self, record: Record, content: Json, hidden: Json | None = None) -> Record:
        """A changed object: token and time move only if anything but hidden facts differs."""
        changed = replace(record, content=content, hidden=hidden or record.hidden)
        if content != record.content:
            changed = replace(changed, token=record.token + 1, updated=self._moved(record))
        self._put(record, changed)
        return changed

    def touch(self, record: Record, content: Json) -> Record:
        """A change that Intuit makes by itself: the time moves and the token does not."""
        changed = replace(record, content=content, updated=self._moved(record))
        self._put(record, changed)
        return changed

    def alter_unseen(self, record: Record, content: Json, hidden: Json) -> Record:
        """A change that leaves neither token nor time behind (a deposit is one)."""
        changed = replace(record, content=content, hidden=hidden)
        self._put(record, changed)
        return changed

    def delete(self, record: Record) -> None:
        """Delete for good; a stub stays for Change Data Capture."""
        self._put(record, replace(record, deleted=True, updated=self._moved(record)))

    def settle(self) -> None:
        """Bring the balances of the customers that were touched up to date."""
        owed, self._owed = self._owed, defaultdict(Decimal)
        for customer, change in owed.items():
            if change:
                self._move_balance(customer, change)

    def savepoint(self) -> Savepoint:
        """The state before an item."""
        return Savepoint(dict(self._changed), dict(self._owed), dict(self.realm.counters))

    def back_to(self, savepoint: Savepoint) -> None:
        """Undo what an item did."""
        self._changed = dict(savepoint.changed)
        self._owed = defaultdict(Decimal, savepoint.owed)
        self.realm.counters = dict(savepoint.counters)

    def flush(self) -> None:
        """Write everything that changed."""
        self.settle()
        objects.store(self.cursor, self.realm.id, list(self._changed.values()))
        self._loaded.update(self._changed)
        self._changed.clear()
        self.realm.store_counters(self.cursor)

    def _moved(self, record: Record) -> datetime:
        """The stamp of a change; seeded history is told in any order and no stamp goes back."""
        return max(record.updated, self.stamp)

    def _load(self, entity: str, identities: list[str]) -> None:
        for identity in identities:
            self._loaded[entity, identity] = None
        for record in objects.load(self.cursor, self.realm.id, entity, identities):
            self._loaded[entity, record.id] = record

    def _put(self, before: Record | None, after: Record) -> None:
        self._changed[after.key] = after
        if after.name_key:
            self._names[after.pool, after.name_key] = after.key
        if number := after.content.get("DocNumber"):
            self._numbers[after.entity, number.lower()].add(after.key)
        for record, sign in ((before, -1), (after, 1)):
            if record is not None and record.customer_id:
                self._owed[record.customer_id] += sign * open_amount(record)

    def _move_balance(self, customer: str, change: Decimal) -> None:
        record = self.get("Customer", customer)
        own = change
        while record is not None:
            content = dict(record.content)
            content["Balance"] = content["Balance"] + own
            content["BalanceWithJobs"] = content["BalanceWithJobs"] + change
            self.touch(record, content)
            own = ZERO
            parent = content.get("ParentRef")
            record = self.get("Customer", parent["value"]) if parent else None


def open_amount(record: Record) -> Decimal:
    """What a transaction adds to its customer's balance."""
    if record.deleted:
        return ZERO
    match record.entity:
        case "Invoice":
            return Decimal(record.content["Balance"])
        case "CreditMemo":
            return -Decimal(record.content["RemainingCredit"])
        case "Payment":
            return -Decimal(record.content["UnappliedAmt"])
    return ZERO
