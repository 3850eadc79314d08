"""A company's settings: what each is called, what it may hold, and changing several at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.actions.values import (
    read_date,
    read_label,
    read_quickbooks_id,
    read_switch,
    read_time_zone,
)
from qbo_sync_dagster.ledger import audit, connections
from qbo_sync_dagster.ledger.connections import Connection

# A larger tolerance would hide what is no rounding any more.
_MOST_ACCEPTED_CENTS = 100
_LONGEST_ASSIGNEE = 100
_NOTHING = frozenset({"", "none"})

Value = str | int | bool | date | None


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting: its name for people, the ledger column, how it is read, what it does."""

    name: str
    column: str
    read: Callable[[str], Value]
    effect: str


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A setting that now holds something else."""

    name: str
    before: Value
    after: Value


def _switch(name: str) -> Callable[[str], bool]:
    return lambda text: read_switch(text, name)


def _optional_id(name: str) -> Callable[[str], str | None]:
    def read(text: str) -> str | None:
        return None if text.strip().lower() in _NOTHING else read_quickbooks_id(text, name)

    return read


def _cents(text: str) -> int:
    try:
        cents = int(text.strip())
    except ValueError:
        cents = -1
    if not 0 <= cents <= _MOST_ACCEPTED_CENTS:
        raise ActionRefusedError(
            f"accepted-cents is a whole number from 0 to {_MOST_ACCEPTED_CENTS}, not {text!r}."
        )
    return cents


def _default_company(text: str) -> bool:
    if not read_switch(text, "default-company"):
        raise ActionRefusedError(
            "A tenant always has one default company. Make another company the default instead: "
            "`qbo-sync connections make-default REALM` with that one's realm id."
        )
    return True


SETTINGS: Mapping[str, Setting] = {
    setting.name: setting
    for setting in (
        Setting(
            "auto-sync",
            "auto_sync",
            _switch("auto-sync"),
            "On: a cycle every 15 minutes. Off: only Sync Now runs one.",
        ),
        Setting(
            "default-item",
            "default_item",
            _optional_id("default-item"),
            "QuickBooks id of the item for charges without a service.",
        ),
        Setting(
            "customer-creation",
            "create_customers",
            _switch("customer-creation"),
            "On: a client without a link gets a new QuickBooks customer.",
        ),
        Setting(
            "deposit-account",
            "deposit_account",
            _optional_id("deposit-account"),
            "QuickBooks id of the account for payments sent there; none: Undeposited Funds.",
        ),
        Setting(
            "class",
            "default_class",
            _optional_id("class"),
            "QuickBooks id of the class on exported documents.",
        ),
        Setting(
            "department",
            "default_department",
            _optional_id("department"),
            "QuickBooks id of the department (location) on exported documents.",
        ),
        Setting(
            "go-live",
            "go_live_date",
            lambda text: read_date(text, "go-live"),
            "Documents dated before this day are never sent, only linked.",
        ),
        Setting(
            "time-zone",
            "time_zone",
            read_time_zone,
            "The books' time zone; decides which day an instant falls on.",
        ),
        Setting(
            "accepted-cents",
            "accepted_cents",
            _cents,
            "Difference of an invoice's total, in cents, that needs nobody's acceptance.",
        ),
        Setting(
            "default-company",
            "is_default",
            _default_company,
            "yes: new documents of the tenant go to this company. Moves no document.",
        ),
        Setting(
            "assignee",
            "assignee",
            lambda text: read_label(text, "assignee", _LONGEST_ASSIGNEE),
            "Who is named on new exceptions.",
        ),
    )
}


def configure(
    ledger: sa.Engine, company: str, wanted: Mapping[str, str]
) -> tuple[SettingChange, ...]:
    """Change settings of a company (its key or realm id), all or none; returns what changed.

    Raises UnknownRealmError, and ActionRefusedError for a setting or value that does not hold.
    """
    values = {setting: setting.read(text) for setting, text in _settings(wanted)}
    with ledger.begin() as connection:
        standing = connections.get(connection, company)
        changes = _changes(standing, values)
        if any(change.name == "default-company" for change in changes):
            _withdraw_default(connection, standing)
        _store(connection, standing.realm, changes)
    return changes


def make_default(ledger: sa.Engine, company: str) -> bool:
    """Let new documents of the tenant go to this company; False if they did. Moves no document.

    Raises UnknownRealmError.
    """
    return bool(configure(ledger, company, {"default-company": "yes"}))


def settings_of(standing: Connection) -> dict[str, Value]:
    """Every setting of a company by its name for people."""
    return {setting.name: getattr(standing, setting.column) for setting in SETTINGS.values()}


def _settings(wanted: Mapping[str, str]) -> list[tuple[Setting, str]]:
    unknown = sorted(set(wanted) - set(SETTINGS))
    if unknown:
        raise ActionRefusedError(
            f"There is no setting {', '.join(unknown)}. The settings are {', '.join(SETTINGS)}."
        )
    return [(SETTINGS[name], text) for name, text in wanted.items()]


def _changes(standing: Connection, values: Mapping[Setting, Value]) -> tuple[SettingChange, ...]:
    pairs = ((setting, getattr(standing, setting.column), new) for setting, new in values.items())
    return tuple(SettingChange(s.name, before, new) for s, before, new in pairs if before != new)


def _withdraw_default(connection: sa.Connection, new: Connection) -> None:
    """A unique index allows one default per tenant, so the old one goes first."""
    for other in connections.every(connection):
        if other.tenant == new.tenant and other.is_default:
            connections.update(connection, other.realm, is_default=False)
            audit.append(connection, other.realm, [_effect("default-company", True, False)])


def _store(connection: sa.Connection, realm: str, changes: tuple[SettingChange, ...]) -> None:
    if not changes:
        return
    columns: dict[str, Any] = {SETTINGS[change.name].column: change.after for change in changes}
    connections.update(connection, realm, **columns)
    effects = [_effect(change.name, change.before, change.after) for change in changes]
    audit.append(connection, realm, effects)


def _effect(name: str, before: Value, after: Value) -> audit.Effect:
    return audit.Effect("ledger", "setting changed", name, _plain(before), _plain(after))


def _plain(value: Value) -> Value:
    return value.isoformat() if isinstance(value, date) else value
