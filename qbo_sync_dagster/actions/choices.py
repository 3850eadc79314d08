"""What a company offers to choose from: its accounts, items, classes, departments, terms and tax
codes, active ones only, and picking one by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.actions.naming import quickbooks_client
from qbo_sync_dagster.domain.errors import DomainError
from qbo_sync_dagster.domain.export import NOT_TAXABLE, TAXABLE
from qbo_sync_dagster.domain.names import suggestions
from qbo_sync_dagster.quickbooks.client import QuickBooksClient
from qbo_sync_dagster.quickbooks.company import parse_account, parse_item, parse_list_entry
from qbo_sync_dagster.sync.engine import SyncEngine

ITEM, ACCOUNT, TERM, TAX_CODE = "item", "deposit account", "payment term", "tax code"
CLASS, DEPARTMENT = "class", "department"
SUBJECTS = (ACCOUNT, ITEM, CLASS, DEPARTMENT, TAX_CODE, TERM)

# Where customers' money may be put; QuickBooks refuses other accounts for a payment.
_DEPOSIT_KINDS = frozenset({"Bank", "Other Current Asset"})
_SOLD_KINDS = frozenset({"Service", "NonInventory", "Inventory"})
_UNITED_STATES = frozenset({"US", "USA"})
_MOST_NAMED = 10


@dataclass(frozen=True, slots=True)
class Choice:
    """Something of the company that can be chosen."""

    id: str
    name: str


class CompanyLists(Protocol):
    """The lists of one company."""

    def choices(self, subject: str) -> Sequence[Choice]:
        """What can be chosen as `subject`, by name."""


class QuickBooksLists:
    """The lists as QuickBooks has them now; each is read at most once, for a metered call each.

    Raises QuickBooksError when QuickBooks can't be asked.
    """

    def __init__(self, client: QuickBooksClient) -> None:
        self._client = client
        self._read: dict[str, tuple[Choice, ...]] = {}

    def choices(self, subject: str) -> tuple[Choice, ...]:
        """What can be chosen as `subject`, by name."""
        if subject not in self._read:
            found = self._tax_codes() if subject == TAX_CODE else self._listed(subject)
            by_name = sorted(found, key=lambda each: (each.name.casefold(), each.id))
            self._read[subject] = tuple(by_name)
        return self._read[subject]

    def _tax_codes(self) -> Iterator[Choice]:
        """In the United States a line is taxable or not; which tax that is, QuickBooks decides."""
        if self._client.company_info().country in _UNITED_STATES:
            return iter([Choice(TAXABLE, "Taxable"), Choice(NOT_TAXABLE, "Not taxable")])
        return self._listed(TAX_CODE)

    def _listed(self, subject: str) -> Iterator[Choice]:
        entity, read = _ENTITIES[subject]
        for raw in self._client.query_all(entity):
            try:
                choice = read(raw.payload)
            except DomainError:
                # One damaged row must not hide the others.
                continue
            if choice is not None:
                yield choice


def company_lists(engine: SyncEngine, realm: str) -> QuickBooksLists:
    """The lists of a connected company."""
    return QuickBooksLists(quickbooks_client(engine, realm))


def pick(choices: Sequence[Choice], text: str, subject: str) -> Choice:
    """The choice with this name or id. Raises ActionRefusedError saying what there is."""
    sought = text.strip()
    found = [each for each in choices if each.id == sought]
    found += [each for each in choices if each.name.casefold() == sought.casefold()]
    if len({each.id for each in found}) == 1:
        return found[0]
    if found:
        named = ", ".join(f"{each.name} (id {each.id})" for each in found)
        raise ActionRefusedError(f"{sought!r} is not one {subject} but several: {named}.")
    raise ActionRefusedError(
        f"QuickBooks has no active {subject} {sought!r}. {_offer(choices, sought)}"
    )


def _offer(choices: Sequence[Choice], sought: str) -> str:
    if not choices:
        return "It has none to choose from; make one there first."
    like = suggestions(sought, {each.id: each.name for each in choices})
    names = [each.name for each in like] or [each.name for each in choices[:_MOST_NAMED]]
    more = " and others" if not like and len(choices) > _MOST_NAMED else ""
    return f"There is {', '.join(names)}{more}."


def _account(payload: Mapping[str, Any]) -> Choice | None:
    account = parse_account(payload)
    may_be = account.entry.active and account.kind in _DEPOSIT_KINDS
    return Choice(account.entry.id, account.entry.full_name) if may_be else None


def _item(payload: Mapping[str, Any]) -> Choice | None:
    item = parse_item(payload)
    may_be = item.entry.active and (item.kind is None or item.kind in _SOLD_KINDS)
    return Choice(item.entry.id, item.entry.full_name) if may_be else None


def _plain(entity: str) -> Callable[[Mapping[str, Any]], Choice | None]:
    def read(payload: Mapping[str, Any]) -> Choice | None:
        entry = parse_list_entry(entity, payload)
        return Choice(entry.id, entry.full_name) if entry.active else None

    return read


_ENTITIES: Mapping[str, tuple[str, Callable[[Mapping[str, Any]], Choice | None]]] = {
    ITEM: ("Item", _item),
    ACCOUNT: ("Account", _account),
    CLASS: ("Class", _plain("Class")),
    DEPARTMENT: ("Department", _plain("Department")),
    TERM: ("Term", _plain("Term")),
    TAX_CODE: ("TaxCode", _plain("TaxCode")),
}
