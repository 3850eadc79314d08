"""Onboarding, clients: each client's customer, linked, created, or left out by decision."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import sqlalchemy as sa

from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.actions.link_file import write_link_file
from qbo_sync_dagster.actions.linking import import_links
from qbo_sync_dagster.domain.algapsa_records import Client
from qbo_sync_dagster.domain.errors import MalformedObjectError
from qbo_sync_dagster.domain.matching import ClientMatch, CustomerName, MatchState, match_clients
from qbo_sync_dagster.domain.names import NameIndex
from qbo_sync_dagster.domain.operation_kinds import CREATE_CUSTOMER
from qbo_sync_dagster.ledger import audit, connections, decisions, links, operations
from qbo_sync_dagster.ledger.connections import Connection
from qbo_sync_dagster.quickbooks.objects import parse_customer
from qbo_sync_dagster.sync.alone import alone_with
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.engine import SyncEngine
from qbo_sync_dagster.sync.posting import post_records

SKIP = "skip_client"


@dataclass(frozen=True, slots=True)
class ClientChoices:
    """What somebody confirmed, clients and customers by id or by name.

    `exact`: link every client whose one customer is sure. `link`: these, replacing a wrong link.
    """

    by: str
    exact: bool = False
    link: Mapping[str, str] = field(default_factory=dict)
    create: Collection[str] = ()
    skip: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class ClientsDone:
    """What came of it. `not_created` tells why, by client name."""

    linked: int = 0
    unchanged: int = 0
    created: int = 0
    skipped: int = 0
    not_created: Mapping[str, str] = field(default_factory=dict)


def propose_clients(engine: SyncEngine, company: str) -> list[ClientMatch]:
    """Every active client with its customer, or with those it may be.

    Asks QuickBooks for its customers. Raises UnknownRealmError, AlgaPsaError, QuickBooksError.
    """
    with engine.ledger.connect() as connection:
        found = connections.get(connection, company)
        linked = links.ids(connection, found.realm, "client")
        skipped = _skipped(connection, found.realm)
        elsewhere = _elsewhere(connection, found)
    clients = engine.open_algapsa(found).clients()
    matches = match_clients(clients, _customers(engine, found.realm), linked, skipped)
    return [replace(each, elsewhere=elsewhere.get(each.client_id, "")) for each in matches]


def decide_clients(engine: SyncEngine, company: str, choices: ClientChoices) -> ClientsDone:
    """Carry out what was confirmed; a second run changes nothing.

    Raises ActionRefusedError (LinkFileError names each link that can't be made, and then none
    was) and what `propose_clients` raises.
    """
    with engine.ledger.connect() as connection:
        found = connections.get(connection, company)
        linked = links.ids(connection, found.realm, "client")
        skipped = _skipped(connection, found.realm)
    clients = engine.open_algapsa(found).clients()
    customers = _customers(engine, found.realm) if choices.link or choices.exact else []
    skip = [_client(clients, name) for name in choices.skip]
    left_out = skipped | {client.client_id for client in skip}
    wanted = _wanted(clients, customers, linked, left_out, choices)
    create = [_client(clients, name) for name in choices.create]
    done = _linked(engine, found, wanted)
    _skip(engine, found.realm, skip, choices.by)
    not_linked = [each for each in create if each.client_id not in linked | wanted]
    problems = _created(engine, found, not_linked)
    return ClientsDone(
        linked=done[0],
        unchanged=done[1],
        created=len(not_linked) - len(problems),
        skipped=len(skip),
        not_created=problems,
    )


def _wanted(
    clients: Sequence[Client],
    customers: Sequence[CustomerName],
    linked: Mapping[str, str],
    left_out: Collection[str],
    choices: ClientChoices,
) -> dict[str, str]:
    """The customer of each client to link, by their ids."""
    named = {
        _client(clients, client).client_id: _customer(customers, customer)
        for client, customer in choices.link.items()
    }
    if choices.exact:
        for each in match_clients(clients, customers, linked, left_out):
            if each.state is MatchState.EXACT:
                named.setdefault(each.client_id, each.customer_id)
    return named


def _linked(engine: SyncEngine, company: Connection, wanted: Mapping[str, str]) -> tuple[int, int]:
    if not wanted:
        return 0, 0
    text = write_link_file(("client", client, customer) for client, customer in wanted.items())
    done = import_links(engine, company.realm, text, replace=True)
    with engine.ledger.begin() as connection:
        for client_id in wanted:
            decisions.withdraw(connection, company.realm, SKIP, f"client:{client_id}")
    return done.added + done.replaced, done.unchanged


def _skip(engine: SyncEngine, realm: str, clients: Sequence[Client], by: str) -> None:
    with engine.ledger.begin() as connection:
        known = _skipped(connection, realm)
        new = [client for client in clients if client.client_id not in known]
        for client in new:
            record = f"client:{client.client_id}"
            decisions.decide(connection, realm, decisions.NewDecision(SKIP, record, by))
        effects = [
            audit.Effect("ledger", "skip client", f"client:{client.client_id}", None, {"by": by})
            for client in new
        ]
        audit.append(connection, realm, effects)


def _skipped(connection: sa.Connection, realm: str) -> set[str]:
    return {
        each.record.removeprefix("client:") for each in decisions.of_kind(connection, realm, SKIP)
    }


def _created(engine: SyncEngine, company: Connection, clients: Sequence[Client]) -> dict[str, str]:
    """Create customers, or link those that bear exactly that name; why not, by client name."""
    if not clients:
        return {}
    with alone_with(engine, company, "onboarding") as ctx:
        if ctx is None:
            raise ActionRefusedError(
                f"A cycle of {company.company_name} is running. Run this again once it has ended."
            )
        return _create(ctx, clients)


def _create(ctx: CycleContext, clients: Sequence[Client]) -> dict[str, str]:
    ids = [client.client_id for client in clients]
    with ctx.ledger() as connection:
        new = [
            operations.NewOperation(CREATE_CUSTOMER, each.client_id, f"Customer {each.name}")
            for each in clients
        ]
        operations.queue(connection, ctx.realm, new)
    post_records(ctx, ids)
    with ctx.reading() as connection:
        linked = links.ids(connection, ctx.realm, "client")
        waiting = {
            each.record_id: each
            for each in operations.open_ones(connection, ctx.realm, (CREATE_CUSTOMER,))
        }
    return {
        each.name: _why(waiting.get(each.client_id))
        for each in clients
        if each.client_id not in linked
    }


def _why(operation: operations.Operation | None) -> str:
    if operation is None or operation.state == "posting" or not operation.reason:
        return "QuickBooks' answer never came; the next cycle finds out what became of it."
    return operation.reason


def _elsewhere(connection: sa.Connection, company: Connection) -> dict[str, str]:
    """The name of the tenant's other company that a client is linked in, by client."""
    return {
        client_id: other.company_name
        for other in connections.every(connection)
        if other.tenant == company.tenant and other.realm != company.realm
        for client_id in links.ids(connection, other.realm, "client")
    }


def _customers(engine: SyncEngine, realm: str) -> list[CustomerName]:
    found = []
    for raw in engine.open_quickbooks(realm).query_all("Customer"):
        try:
            customer = parse_customer(raw.payload)
        except MalformedObjectError:
            continue
        found.append(CustomerName(customer.id, customer.display_name, customer.active))
    return found


def _client(clients: Sequence[Client], named: str) -> Client:
    """The client of this id or name. Raises ActionRefusedError."""
    for client in clients:
        if client.client_id == named.strip():
            return client
    index = NameIndex({client.client_id: client.name for client in clients})
    found = _only(index, named, "AlgaPSA client")
    return next(client for client in clients if client.client_id == found)


def _customer(customers: Sequence[CustomerName], named: str) -> str:
    """The id of the customer of this id or name. Raises ActionRefusedError."""
    if any(customer.customer_id == named.strip() for customer in customers):
        return named.strip()
    active = {each.customer_id: each.name for each in customers if each.is_active}
    return _only(NameIndex(active), named, "QuickBooks customer")


def _only(index: NameIndex, named: str, what: str) -> str:
    found = index.equal(named)
    if len(found) == 1:
        return found[0]
    if found:
        raise ActionRefusedError(
            f"{len(found)} {what}s are named {named!r}. Give the id: {', '.join(sorted(found))}."
        )
    like = ", ".join(each.name for each in index.suggestions(named))
    hint = f" Did you mean {like}?" if like else ""
    raise ActionRefusedError(f"There is no {what} {named!r}.{hint}")
