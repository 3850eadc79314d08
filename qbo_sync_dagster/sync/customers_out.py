"""Stage 5, level customers: create the customers that documents wait for (opt-in)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

import sqlalchemy as sa

from qbo_sync_dagster.domain.algapsa_records import Client
from qbo_sync_dagster.domain.errors import DomainError
from qbo_sync_dagster.domain.export_problems import customer_refused
from qbo_sync_dagster.ledger import exceptions, links, operations, postings
from qbo_sync_dagster.quickbooks.bodies import customer_body
from qbo_sync_dagster.quickbooks.errors import FaultError
from qbo_sync_dagster.quickbooks.objects import Customer, parse_customer
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.customer_links import link_customer
from qbo_sync_dagster.sync.levels import Terms
from qbo_sync_dagster.sync.sending import Outgoing, Written

NAME_TAKEN = "name taken"


class CustomerLevel:
    """The customers of one cycle; one with the exact name is linked instead of created."""

    def __init__(self, ctx: CycleContext, terms: Terms) -> None:
        self._ctx = ctx
        self._multi_currency = terms.rules.multi_currency
        self._clients: Mapping[str, Client] = {
            client.client_id: client for client in ctx.algapsa.clients()
        }

    def prepare(self, due: Sequence[operations.Operation]) -> list[Outgoing]:
        """Those that must be created, after looking their names up in QuickBooks."""
        found = self._look_up([self._clients[item.record_id].name for item in self._known(due)])
        outgoing = []
        with self._ctx.ledger() as connection:
            linked = links.by_algapsa_id(connection, self._ctx.realm, "client")
            taken = {link.quickbooks_id for link in linked.values()}
            for operation in due:
                client = self._clients.get(operation.record_id)
                if client is None or operation.record_id in linked:
                    operations.change(connection, [operation.operation_id], "cancelled")
                elif (customer := found.get(client.name.casefold())) is None:
                    outgoing.append(self._outgoing(operation, client))
                else:
                    self._use(connection, operation, customer, taken)
        return outgoing

    def _known(self, due: Sequence[operations.Operation]) -> list[operations.Operation]:
        return [operation for operation in due if operation.record_id in self._clients]

    def _look_up(self, names: Sequence[str]) -> dict[str, Customer]:
        if not names:
            return {}
        hits = self._ctx.quickbooks.query_in("Customer", "DisplayName", sorted(set(names)))
        found = {}
        for hit in hits:
            # One that cannot be read is refused as a double by QuickBooks itself, alone.
            with suppress(DomainError):
                customer = parse_customer(hit.payload)
                found[customer.display_name.casefold()] = customer
        return found

    def _outgoing(self, operation: operations.Operation, client: Client) -> Outgoing:
        currency = client.currency if self._multi_currency else None
        return Outgoing(
            operation=operation,
            entity="Customer",
            body=customer_body(client.name, client.billing_email, currency),
            identity={"name": client.name},
        )

    def _use(
        self,
        connection: sa.Connection,
        operation: operations.Operation,
        customer: Customer,
        taken: set[str],
    ) -> None:
        if customer.active and customer.id not in taken:
            link_customer(
                connection,
                self._ctx,
                operation.record_id,
                customer.id,
                customer.display_name,
                origin="adopted",
            )
            operations.change(connection, [operation.operation_id], "done", reason="found by name")
            taken.add(customer.id)
            return
        why = "is inactive" if not customer.active else "belongs to another client already"
        self._set_aside(connection, operation, f"a customer of that name {why}.")

    def _set_aside(
        self, connection: sa.Connection, operation: operations.Operation, sentence: str
    ) -> None:
        name = self._clients[operation.record_id].name
        record = customer_refused(operation.record_id, name, sentence)
        operations.change(
            connection,
            [operation.operation_id],
            "errored",
            reason=record.what_happened,
            reason_code=NAME_TAKEN,
        )
        exceptions.raise_all(connection, self._ctx.realm, [record])

    def still_current(self, outgoing: Sequence[Outgoing]) -> list[Outgoing]:
        """All of them: a client renamed since is a rename like any other."""
        return list(outgoing)

    def unchanged(self, sent: Sequence[postings.Posting]) -> bool:
        """Whether the clients still bear the names that were sent, and nobody has taken them."""
        names = [str(posting.identity["name"]) for posting in sent]
        now = [self._clients.get(posting.record_id) for posting in sent]
        same = all(
            client is not None and client.name == name
            for client, name in zip(now, names, strict=True)
        )
        return same and not self._look_up(names)

    def done(self, connection: sa.Connection, written: Sequence[Written]) -> None:
        """Link the created customers."""
        for each in written:
            link_customer(
                connection,
                self._ctx,
                each.record_id,
                each.answer.object.id,
                self._clients[each.record_id].name,
                origin="exported",
                request_id=each.request_id,
                intuit_tid=each.answer.intuit_tid,
            )

    def refused(
        self,
        connection: sa.Connection,
        operation: operations.Operation,
        error: FaultError,
        *,
        is_final: bool,
    ) -> bool:
        """Tell staff; a refused name is not tried again until something changes."""
        if is_final:
            name = self._clients[operation.record_id].name
            record = customer_refused(operation.record_id, name, str(error))
            exceptions.raise_all(connection, self._ctx.realm, [record])
        return False
