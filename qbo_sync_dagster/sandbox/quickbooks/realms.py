"""The sandbox's companies as rows: settings, counters, and the lock that serialises writers.

Belongs here: loading, creating and changing a company's row. Does not: its objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qbo_sync_dagster.sandbox.quickbooks.storage import Cursor
from qbo_sync_dagster.sandbox.quickbooks.switches import Switches
from qbo_sync_dagster.sandbox.quickbooks.wire import Json, encode

_LOAD = "SELECT client_id, client_secret, company, switches, counters FROM realm WHERE realm = %s"
_INSERT = """
INSERT INTO realm (realm, client_id, client_secret, company, switches, counters)
VALUES (%s, %s, %s, %s, %s, '{}')
"""


class UnknownRealmError(Exception):
    """No company of this id was created."""


@dataclass(slots=True)
class Realm:
    """One company's row. `counters` holds the last id or number given out, per sequence."""

    id: str
    client_id: str
    client_secret: str
    company: Json
    switches: Switches
    counters: dict[str, int]
    _stored: dict[str, int] = field(default_factory=dict)

    def next(self, sequence: str, first: int = 1) -> int:
        """The next number of a sequence."""
        self.counters[sequence] = max(self.counters.get(sequence, 0) + 1, first)
        return self.counters[sequence]

    def used(self, sequence: str, number: int) -> None:
        """Keep the sequence from giving out a number that was chosen."""
        self.counters[sequence] = max(self.counters.get(sequence, 0), number)

    def store_counters(self, cursor: Cursor) -> None:
        """Write the counters if they moved."""
        if self.counters != self._stored:
            statement = "UPDATE realm SET counters = %s WHERE realm = %s"
            cursor.execute(statement, (encode(self.counters), self.id))
            self._stored = dict(self.counters)


def load_realm(cursor: Cursor, realm: str, *, lock: bool = False) -> Realm:
    """The company; `lock` makes other writers of it wait. Raises UnknownRealmError."""
    cursor.execute(_LOAD + (" FOR UPDATE" if lock else ""), (realm,))
    row = cursor.fetchone()
    if row is None:
        raise UnknownRealmError(realm)
    client_id, client_secret, company, switches, counters = row
    known = Switches().changed(switches)
    return Realm(realm, client_id, client_secret, company, known, counters, dict(counters))


def insert_realm(
    cursor: Cursor, realm: str, client: tuple[str, str], company: Json, switches: Switches
) -> None:
    """Create the company's row."""
    values = (realm, *client, encode(company), encode(switches.as_json()))
    cursor.execute(_INSERT, values)


def change_switches(cursor: Cursor, realm: Realm, values: Mapping[str, Any]) -> Switches:
    """Set some switches of a locked company. Raises SwitchError for what does not fit."""
    changed = realm.switches.changed(values)
    statement = "UPDATE realm SET switches = %s WHERE realm = %s"
    cursor.execute(statement, (encode(changed.as_json()), realm.id))
    return changed


def realm_ids(cursor: Cursor) -> list[str]:
    """All companies."""
    cursor.execute("SELECT realm FROM realm ORDER BY realm")
    return [realm for (realm,) in cursor.fetchall()]
