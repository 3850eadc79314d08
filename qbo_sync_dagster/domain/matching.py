"""Clients against customers by name: which are surely the same, and which may be.

Only equal names link by themselves, and only where nobody else has that name; everything else is
for a person to say. Names are compared in `names`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from qbo_sync_dagster.domain.algapsa_records import Client
from qbo_sync_dagster.domain.names import NameIndex, Suggestion


class MatchState(StrEnum):
    """How a client stands to the company's customers."""

    LINKED = "linked"
    EXACT = "exact"
    SUGGESTED = "suggested"
    NONE = "no match"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class CustomerName:
    """A customer of the company, as names are compared."""

    customer_id: str
    name: str
    is_active: bool


@dataclass(frozen=True, slots=True)
class ClientMatch:
    """One client with its customer (linked or exact), or with what it may be, best first.

    `elsewhere` names the tenant's other company that has its customer.
    """

    client_id: str
    name: str
    state: MatchState
    customer_id: str = ""
    customer_name: str = ""
    suggestions: tuple[Suggestion, ...] = ()
    elsewhere: str = ""

    @property
    def is_open(self) -> bool:
        """Whether somebody has to decide on it: no company has its customer, and none is sure."""
        return self.state in (MatchState.SUGGESTED, MatchState.NONE) and not self.elsewhere


def match_clients(
    clients: Iterable[Client],
    customers: Sequence[CustomerName],
    linked: Mapping[str, str],
    skipped: Collection[str] = (),
) -> list[ClientMatch]:
    """Every active client with its place; `linked` gives the customer of each linked client.

    Exact: the names are equal once normalised, the customer is active and free, and neither side
    has a second one of that name. A customer that another client is linked to is never proposed.
    """
    names = {customer.customer_id: customer.name for customer in customers}
    taken = set(linked.values())
    free = {each.customer_id: each for each in customers if each.customer_id not in taken}
    index = NameIndex({key: each.name for key, each in free.items()})
    active = NameIndex({key: each.name for key, each in free.items() if each.is_active})
    considered = [client for client in clients if not client.is_inactive]
    exact = _exact([each for each in considered if each.client_id not in linked], active)
    found = []
    for client in considered:
        own = linked.get(client.client_id)
        if own is not None:
            found.append(_match(client, MatchState.LINKED, own, names))
        elif client.client_id in skipped:
            found.append(_match(client, MatchState.SKIPPED))
        elif client.client_id in exact:
            found.append(_match(client, MatchState.EXACT, exact[client.client_id], names))
        else:
            suggested = index.suggestions(client.name)
            state = MatchState.SUGGESTED if suggested else MatchState.NONE
            found.append(ClientMatch(client.client_id, client.name, state, suggestions=suggested))
    return found


def _exact(clients: Sequence[Client], active: NameIndex) -> dict[str, str]:
    equal = {client.client_id: active.equal(client.name) for client in clients}
    wanted = Counter(customer for customers in equal.values() for customer in customers)
    return {
        client_id: customers[0]
        for client_id, customers in equal.items()
        if len(customers) == 1 and wanted[customers[0]] == 1
    }


def _match(
    client: Client, state: MatchState, customer_id: str = "", names: Mapping[str, str] | None = None
) -> ClientMatch:
    name = (names or {}).get(customer_id, "")
    return ClientMatch(client.client_id, client.name, state, customer_id, name)
