"""A company's settings: what each is called, what it may hold, and changing several at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from qbo_sync_dagster.actions.choices import (
    ACCOUNT,
    CLASS,
    DEPARTMENT,
    ITEM,
    TAX_CODE,
    TERM,
    CompanyLists,
    pick,
)
from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.actions.values import (
    read_date,
    read_label,
    read_switch,
    read_time_zone,
)
from qbo_sync_dagster.ledger import audit, connections
from qbo_sync_dagster.ledger.connections import Connection

# A larger tolerance would hide what is no rounding any more.
_MOST_ACCEPTED_CENTS = 100
_LONGEST_ASSIGNEE = 100
_NOTHING = "none"
_Lists = CompanyLists | None

Value = str | int | bool | date | None


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting: its name for people, the ledger column, how it is read, what it does.

    With a `subject` it is picked by name from the company's own list of those.
    """

    name: str
    column: str
    read: Callable[[str], Value]
    effect: str
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A setting that now holds something else; `*_shown` as people read it, names beside ids."""

    name: str
    before: Value
    after: Value
    before_shown: Value
    after_shown: Value


def _switch(name: str) -> Callable[[str], bool]:
    return lambda text: read_switch(text, name)


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
            str.strip,
            "The item for charges without a service.",
            ITEM,
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
            str.strip,
            "The account for payments sent to QuickBooks; none: Undeposited Funds.",
            ACCOUNT,
        ),
        Setting(
            "class",
            "default_class",
            str.strip,
            "The class on exported documents.",
            CLASS,
        ),
        Setting(
            "department",
            "default_department",
            str.strip,
            "The department (location) on exported documents.",
            DEPARTMENT,
        ),
        Setting(
            "default-tax-code",
            "default_tax_code",
            str.strip,
            "The tax code for tax regions without a link.",
            TAX_CODE,
        ),
        Setting(
            "default-term",
            "default_term",
            str.strip,
            "The payment term for AlgaPSA's terms without a link.",
            TERM,
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
    ledger: sa.Engine,
    company: str,
    wanted: Mapping[str, str],
    lists: Callable[[str], CompanyLists] | None = None,
) -> tuple[SettingChange, ...]:
    """Change settings of a company (its key or realm id), all or none; returns what changed.

    `lists` gives the company's own lists by realm; they are asked only for what is picked from
    them. Raises UnknownRealmError, QuickBooksError if they can't be asked, and ActionRefusedError
    for a setting or value that does not hold.
    """
    pairs = _settings(wanted)
    with ledger.connect() as connection:
        realm = connections.get(connection, company).realm
    needed = any(setting.subject and not _is_nothing(text) for setting, text in pairs)
    offered = lists(realm) if lists is not None and needed else None
    values = {setting: _read(setting, text, offered) for setting, text in pairs}
    with ledger.begin() as connection:
        standing = connections.locked(connection, realm)
        changes = _changes(standing, values, offered)
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


def _is_nothing(text: str) -> bool:
    return text.strip().lower() == _NOTHING


def _read(setting: Setting, text: str, lists: _Lists) -> Value:
    if setting.subject is None:
        return setting.read(text)
    if not text.strip():
        raise ActionRefusedError(
            f"{setting.name} is empty. Give a name or an id; `none` removes what is set."
        )
    if _is_nothing(text):
        return None
    if lists is None:
        raise ActionRefusedError(f"{setting.name} is chosen in QuickBooks, which was not asked.")
    return pick(lists.choices(setting.subject), text, setting.subject).id


def _changes(
    standing: Connection, values: Mapping[Setting, Value], lists: _Lists
) -> tuple[SettingChange, ...]:
    pairs = ((setting, getattr(standing, setting.column), new) for setting, new in values.items())
    return tuple(
        SettingChange(s.name, before, new, shown(s, before, lists), shown(s, new, lists))
        for s, before, new in pairs
        if before != new
    )


def shown(setting: Setting, value: Value, lists: _Lists) -> Value:
    """The value as people read it: `Checking (id 35)` where the list has it."""
    if setting.subject is None or value is None or lists is None:
        return value
    names = [each.name for each in lists.choices(setting.subject) if each.id == value]
    return f"{names[0]} (id {value})" if names else f"id {value}, which is not there any more"


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
    effects = [_effect(each.name, each.before_shown, each.after_shown) for each in changes]
    audit.append(connection, realm, effects)


def _effect(name: str, before: Value, after: Value) -> audit.Effect:
    return audit.Effect("ledger", "setting changed", name, _plain(before), _plain(after))


def _plain(value: Value) -> Value:
    return value.isoformat() if isinstance(value, date) else value
