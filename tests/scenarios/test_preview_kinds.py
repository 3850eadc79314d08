"""What a preview shows is what the cycle then does, for every kind of thing that a cycle does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from qbo_sync_dagster.actions.cases import Choice
from qbo_sync_dagster.actions.re_exporting import re_export
from qbo_sync_dagster.quickbooks.rehearsal import NEW
from qbo_sync_dagster.quickbooks.wire import decode_json
from qbo_sync_dagster.sandbox.algapsa import credit, invoices, payments, tenants
from qbo_sync_dagster.sandbox.algapsa.charges import Charge
from qbo_sync_dagster.sync.preview import Effect, preview_cycle


def note(world, cents: int = 3_000) -> Any:
    charge = Charge("Refund", -cents, service_id=world.service)
    return world.finalize(world.draft(charges=(charge,)))


def invoice_out(world) -> None:
    world.invoice(12_300)


def credit_memo_out(world) -> None:
    note(world)


def customer_out(world) -> None:
    world.configure(create_customers=True)
    client = world.do(tenants.create_client, tenants.Client("Harbour Works", email="a@example.com"))
    world.clients.append(client)
    world.invoice(client=len(world.clients) - 1)


def void_out(world) -> None:
    world.do(invoices.void_invoice, world.exported().invoice_id)


def voided_note_out(world) -> None:
    given = note(world)
    world.cycle()
    world.do(invoices.void_invoice, given.invoice_id)


def re_export_in_place(world) -> None:
    found = world.quickbooks_id(world.exported())
    world.quickbooks.edit(world.company.realm, "Invoice", found, DocNumber="X-1")
    world.cycle()
    chosen = world.exception("Exported invoice was changed in QuickBooks").number
    re_export(world.engine.ledger, Choice(chosen, "Ada Fern"))


def re_export_of_the_deleted(world) -> None:
    found = world.quickbooks_id(world.exported())
    world.quickbooks.delete(world.company.realm, "Invoice", found)
    world.cycle()
    chosen = world.exception("Exported invoice was voided or deleted in QuickBooks").number
    re_export(world.engine.ledger, Choice(chosen, "Ada Fern"))
    world.later(timedelta(minutes=3))


def payment_out(world) -> None:
    world.record_in_algapsa(world.exported(), 4_000)


def reversal_out(world) -> None:
    row = world.record_in_algapsa(world.exported(), 4_000)
    world.cycle()
    world.do(payments.reverse_payment, row)


def credit_application_out(world) -> None:
    note(world)
    invoice = world.exported()
    world.do(credit.apply_credit, invoice.invoice_id, None)


def credit_application_taken_back(world) -> None:
    note(world)
    invoice = world.exported()
    world.do(credit.apply_credit, invoice.invoice_id, None)
    world.cycle()
    world.do(credit.reverse_credit, invoice.invoice_id)


def payment_in(world) -> None:
    world.pay((world.exported(), "40.00"))


def payment_in_edited(world) -> None:
    invoice = world.exported()
    payment = world.pay((invoice, "40.00"))
    world.cycle()
    world.repay(payment, (invoice, "25.00"))


def payment_in_deleted(world) -> None:
    payment = world.pay((world.exported(), "40.00"))
    world.cycle()
    world.quickbooks.delete(world.company.realm, "Payment", payment)


def credit_in(world) -> None:
    invoice = world.exported()
    realm, customer = world.company.realm, world.company.customers[world.clients[0]]
    memo = world.quickbooks.credit_memo(realm, customer, [(world.company.item, "25.00")])
    found = world.quickbooks_id(invoice)
    world.quickbooks.apply_credit(realm, customer, found, str(memo["Id"]), "25.00")


Arrange = Callable[[Any], None]
KINDS: dict[Arrange, tuple[str, ...]] = {
    invoice_out: ("QuickBooks: create Invoice",),
    credit_memo_out: ("QuickBooks: create CreditMemo",),
    customer_out: ("QuickBooks: create Customer", "QuickBooks: create Invoice"),
    void_out: ("QuickBooks: void Invoice",),
    voided_note_out: ("QuickBooks: delete CreditMemo",),
    re_export_in_place: ("QuickBooks: update Invoice",),
    re_export_of_the_deleted: ("QuickBooks: create Invoice",),
    payment_out: ("QuickBooks: create Payment",),
    reversal_out: ("QuickBooks: delete Payment",),
    credit_application_out: ("QuickBooks: create Payment",),
    credit_application_taken_back: ("QuickBooks: delete Payment",),
    payment_in: ("AlgaPSA: record payment",),
    payment_in_edited: ("AlgaPSA: reverse payment", "AlgaPSA: record payment"),
    payment_in_deleted: ("AlgaPSA: reverse payment",),
    credit_in: ("AlgaPSA: record credit",),
}


@dataclass(frozen=True)
class Standing:
    """All that a cycle can change, as it stands."""

    postings: int
    rows: set[str]
    links: dict[tuple[str, str], str]
    open: set[str]

    @classmethod
    def of(cls, world) -> Standing:
        [[last]] = world.in_ledger("SELECT coalesce(max(posting_id), 0) FROM postings")
        with world.owner.connect() as connection:
            rows = connection.execute(sa.text("SELECT payment_id FROM invoice_payments")).scalars()
            standing = {str(row) for row in rows}
        linked = world.in_ledger(
            "SELECT kind, algapsa_id, quickbooks_id FROM links WHERE state <> 'closed'"
        )
        return cls(
            last,
            standing,
            {(kind, ours): theirs for kind, ours, theirs in linked},
            {f"{each.title}: {each.record}" for each in world.open()},
        )


@pytest.mark.parametrize("arrange", KINDS, ids=lambda arrange: arrange.__name__)
def test_the_cycle_does_what_was_previewed_and_nothing_else(world, arrange: Arrange) -> None:
    arrange(world)
    plan = preview_cycle(world.engine, world.company.realm)
    before = Standing.of(world)

    assert world.cycle().outcome == "succeeded"

    after = Standing.of(world)
    effects = plan.effects
    moving = [each for each in effects if each.action not in ("set status",)]
    moved = [f"{each.side}: {each.action}" for each in moving if each.side in _SIDES]
    assert [each for each in moved if "protect" not in each] == list(KINDS[arrange])
    planned = _planned(effects)
    assert _sent(world, before.postings, planned) == planned
    assert _of(effects, "AlgaPSA", "payment id") == after.rows - before.rows
    for each in effects:
        if each.action == "set status":
            assert dict(each.fields)["status"] in _statuses(world, each.record)
    linked = {each.record for each in effects if each.side == "links"}
    assert linked == {ours for _, ours in after.links.keys() - before.links.keys()}
    raised = {each.record for each in effects if each.action == "raise"}
    settled = {each.record for each in effects if each.action == "resolve"}
    assert (raised, settled) == (after.open - before.open, before.open - after.open)


_SIDES = ("AlgaPSA", "QuickBooks")


def _planned(effects: tuple[Effect, ...]) -> list[tuple[str, dict[str, str]]]:
    return [(each.action, dict(each.fields)) for each in effects if each.side == "QuickBooks"]


def _sent(
    world,
    after: int,
    planned: list[tuple[str, dict[str, str]]],
) -> list[tuple[str, dict[str, str]]]:
    """What was sent; the id of an object made in this cycle reads as it did in the plan."""
    rows = world.in_ledger(
        "SELECT verb, entity, body FROM postings WHERE posting_id > :after ORDER BY posting_id",
        after=after,
    )
    sent = [
        (f"{verb} {entity}", dict(_flat(decode_json(bytes(body))))) for verb, entity, body in rows
    ]
    for (_, fields), (_, wanted) in zip(sent, planned, strict=False):
        fields.update({name: value for name, value in wanted.items() if value.startswith(NEW)})
    return sent


def _flat(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list):
        for position, inner in enumerate(value, start=1):
            yield from _flat(inner, f"{path}[{position}]")
    else:
        yield path, str(value)


def _of(effects: tuple[Effect, ...], side: str, field: str) -> set[str]:
    fields = [dict(each.fields) for each in effects if each.side == side]
    return {each[field] for each in fields if field in each}


def _statuses(world, record: str) -> set[str]:
    number = record.removeprefix("Invoice ")
    with world.owner.connect() as connection:
        query = sa.text("SELECT status FROM invoices WHERE invoice_number = :number")
        return set(connection.execute(query, {"number": number}).scalars())
