"""Records whose answers get lost: one of each kind of operation per client, and its object.

Belongs here: bringing the records to the brink, and finding what became of each in QuickBooks.
Does not: what people do to the objects meanwhile, and what must hold afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from chaos.world import World
from qbo_sync_dagster.actions.cases import Choice
from qbo_sync_dagster.actions.resolving import Resolution, resolve
from qbo_sync_dagster.domain.catalogue import Action, ExceptionKind
from qbo_sync_dagster.domain.operation_kinds import (
    APPLY_CREDIT,
    CHANGE_PAYMENT,
    CREATE_CUSTOMER,
    EXPORT_CREDIT_MEMO,
    EXPORT_INVOICE,
    PUSH_PAYMENT,
    REMOVE_CREDIT,
    UPDATE_DOCUMENT,
    VOID_DOCUMENT,
)
from qbo_sync_dagster.sandbox.algapsa import credit, edits, invoices, payments, tenants
from qbo_sync_dagster.sandbox.algapsa.charges import Charge

CREATES = (CREATE_CUSTOMER, EXPORT_INVOICE, EXPORT_CREDIT_MEMO, PUSH_PAYMENT, APPLY_CREDIT)
CHANGES = (UPDATE_DOCUMENT, VOID_DOCUMENT, CHANGE_PAYMENT, REMOVE_CREDIT)
_NUMBER = "SELECT invoice_number FROM invoices WHERE invoice_id = :id"
_CREDIT_OF_NOTE = """
    SELECT c.credit_id::text FROM credit_tracking c
    JOIN transactions t ON t.transaction_id = c.transaction_id WHERE t.invoice_id = :id
"""


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A record that waits to be sent. `record` is AlgaPSA's id of it, `shows` what its object
    shows when it arrives (a number, a name, or cents), `object_id` what a change is about.
    """

    kind: str
    entity: str
    client: int
    record: str
    shows: str
    object_id: str = ""
    invoice: str = ""

    @property
    def is_create(self) -> bool:
        """Whether its object is to be made."""
        return self.kind in CREATES

    def __str__(self) -> str:
        return f"{self.kind} {self.entity} {self.shows}"


@dataclass(frozen=True, slots=True)
class _Standing:
    """What stands on both sides for one client before anything is lost; AlgaPSA's ids."""

    client: int
    paid: str
    credited: str
    note: str
    changed: str
    voided: str
    withdrawn: str
    bounced: str
    uncredited: str
    used: str

    def cents(self, base: int) -> int:
        """An amount that no other client has."""
        return base + self.client


def add_clients(world: World, count: int) -> None:
    """Have the world's company know `count` clients."""
    for number in range(len(world.clients), count):
        name = f"Client {number}"
        client = world.do(tenants.create_client, tenants.Client(name, email="ap@example.com"))
        world.clients.append(client)
        world.customers[client] = str(world.quickbooks.customer(world.realm, name)["Id"])
        world.link(("client", client, world.customers[client]))


def bring_to_the_brink(world: World, clients: Sequence[int]) -> list[Doubtful]:
    """One record of each kind per client, to be sent by the next cycle."""
    standing = [_standing(world, client) for client in clients]
    world.cycle()
    received = {}
    for each in standing:
        received[each.client] = world.receive(each.bounced, each.cents(1_500))
        _apply(world, each.uncredited, each.used, each.cents(6_000))
        charge = Charge("On-site visit", 2_500, service_id=world.service)
        world.do(edits.add_charge, each.changed, charge)
        world.do(edits.retotal, each.changed)
    world.cycle()
    world.configure(create_customers=True)
    _re_export(world)
    return [
        doubtful
        for each in standing
        for doubtful in (*_creates(world, each), *_changes(world, each, received[each.client]))
    ]


def _standing(world: World, client: int) -> _Standing:
    amounts = (10_000, 20_000, -3_000, 30_000, 40_000, -5_000, 50_000, 60_000, -7_000)
    return _Standing(
        client,
        *(
            world.bill(amount + client if amount > 0 else amount - client, client)
            for amount in amounts
        ),
    )


def _creates(world: World, each: _Standing) -> Iterator[Doubtful]:
    client, name = each.client, f"New client {each.client}"
    new = world.do(tenants.create_client, tenants.Client(name, email="ap@example.com"))
    world.clients.append(new)
    world.bill(each.cents(70_000), len(world.clients) - 1)
    yield Doubtful(CREATE_CUSTOMER, "Customer", client, new, name)
    invoice, memo = world.bill(each.cents(11_000), client), world.bill(-each.cents(2_000), client)
    yield Doubtful(EXPORT_INVOICE, "Invoice", client, invoice, number_of(world, invoice))
    yield Doubtful(EXPORT_CREDIT_MEMO, "CreditMemo", client, memo, number_of(world, memo))
    cents = each.cents(4_000)
    payment = world.receive(each.paid, cents)
    yield Doubtful(PUSH_PAYMENT, "Payment", client, payment, str(cents), invoice=each.paid)
    cents = each.cents(1_000)
    applied = _apply(world, each.credited, each.note, cents)
    yield Doubtful(APPLY_CREDIT, "Payment", client, applied, str(cents), invoice=each.credited)


def _changes(world: World, each: _Standing, payment: str) -> Iterator[Doubtful]:
    client = each.client
    for kind, entity, record in (
        (UPDATE_DOCUMENT, "Invoice", each.changed),
        (VOID_DOCUMENT, "Invoice", each.voided),
        (VOID_DOCUMENT, "CreditMemo", each.withdrawn),
    ):
        link = world.shown(record, "invoice" if entity == "Invoice" else "credit_memo")
        yield Doubtful(kind, entity, client, record, number_of(world, record), link)
        if kind == VOID_DOCUMENT:
            world.do(invoices.void_invoice, record)
    link = world.shown(payment, "payment")
    yield Doubtful(CHANGE_PAYMENT, "Payment", client, payment, str(each.cents(1_500)), link)
    world.do(payments.reverse_payment, payment)
    key = _key_of(world, each.used)
    link = world.shown(key, "credit_application")
    yield Doubtful(REMOVE_CREDIT, "Payment", client, key, str(each.cents(6_000)), link)
    world.do(credit.reverse_credit, each.uncredited)


def _apply(world: World, invoice: str, note: str, cents: int) -> str:
    """Apply this note's credit; what the application is known by."""
    credit_id = _one(world, _CREDIT_OF_NOTE, note)
    applied = world.do(credit.apply_credit, invoice, cents, credit_id=credit_id)
    if applied is None:
        raise AssertionError("the credit was spent")
    return f"{applied.transaction_id}:{credit_id}"


def _key_of(world: World, note: str) -> str:
    credit_id = _one(world, _CREDIT_OF_NOTE, note)
    query = sa.text(
        "SELECT algapsa_id FROM links WHERE realm = :realm AND kind = 'credit_application'"
        " AND algapsa_id LIKE :like"
    )
    values = {"realm": world.realm, "like": f"%:{credit_id}"}
    with world.stores.ledger.connect() as connection:
        return str(connection.execute(query, values).scalar_one())


def _re_export(world: World) -> None:
    with world.engine() as engine:
        for told in world.open(ExceptionKind.CHANGED_IN_ALGAPSA):
            resolve(engine, Resolution(Action.RE_EXPORT, Choice(told.number, "staff")))


def number_of(world: World, invoice: str) -> str:
    """AlgaPSA's number of a document."""
    return _one(world, _NUMBER, invoice)


def _one(world: World, query: str, identity: str) -> str:
    with world.stores.algapsa.connect() as connection:
        return str(connection.execute(sa.text(query), {"id": identity}).scalar_one())


def is_object_of(doubtful: Doubtful, shown: Mapping[str, Any]) -> bool:
    """Whether this object, as it was made, is the record's."""
    if doubtful.kind == CREATE_CUSTOMER:
        return bool(shown["DisplayName"] == doubtful.shows)
    if doubtful.kind == PUSH_PAYMENT:
        return _cents(shown["TotalAmt"]) == int(doubtful.shows)
    if doubtful.kind == APPLY_CREDIT:
        cents = {_cents(line["Amount"]) for line in shown["Line"]}
        return not _cents(shown["TotalAmt"]) and cents == {int(doubtful.shows)}
    return bool(shown.get("DocNumber") == doubtful.shows)


def _cents(amount: Decimal | int) -> int:
    return int(Decimal(amount).scaleb(2))
