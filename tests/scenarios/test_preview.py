"""A cycle's plan, without doing it: nothing moves, and the cycle that follows does exactly that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from qbo_sync_dagster.ledger import leases
from qbo_sync_dagster.ledger.tables import metadata
from qbo_sync_dagster.quickbooks.wire import decode_json
from qbo_sync_dagster.sandbox.algapsa import tenants
from qbo_sync_dagster.sync.preview import Preview, preview_cycle


def preview(world) -> Preview:
    return preview_cycle(world.engine, world.company.realm)


def everything(world) -> dict[str, Any]:
    """Every row of the ledger but the lease, every payment row, every object in QuickBooks."""
    with world.engine.ledger.connect() as connection:
        tables = {
            table.name: sorted(map(str, connection.execute(sa.select(table)).all()))
            for table in metadata.sorted_tables
            if table.name not in ("leases", "connection_tokens")
        }
    with world.owner.connect() as connection:
        for name in ("invoices", "invoice_payments", "transactions"):
            rows = connection.execute(sa.text(f"SELECT * FROM {name}")).all()
            tables[name] = sorted(map(str, rows))
    return tables | {"quickbooks": world.stands()}


def actions(plan: Preview) -> list[str]:
    return [f"{each.side}: {each.action}" for each in plan.effects]


def busy(world):  # noqa: ANN201
    """Something to do on both sides: a payment in, two that meet on one invoice, exports."""
    paid, full = world.exported(10_000), world.exported(5_000)
    world.pay((paid, "40.00"))
    world.record_in_algapsa(full, 1_000)
    world.pay((full, "30.00"))
    world.pay((full, "20.00"))
    world.invoice(12_300)
    world.invoice(45_600, client=1)
    return paid, full


def test_a_preview_does_nothing_on_either_side_nor_in_the_ledger(world) -> None:
    busy(world)
    before = everything(world)

    plan = preview(world)

    assert plan.effects
    assert everything(world) == before


def test_the_cycle_that_follows_does_exactly_what_was_previewed(world) -> None:
    paid, full = busy(world)
    plan = preview(world)
    with world.engine.ledger.connect() as connection:
        [[last]] = connection.execute(sa.text("SELECT max(posting_id) FROM postings"))
    standing = {each.payment_id for each in world.payment_rows(paid) + world.payment_rows(full)}
    open_before = {(each.title, each.record) for each in world.open()}

    assert world.cycle().outcome == "succeeded"

    sent = world.in_ledger(
        "SELECT verb, entity, body FROM postings WHERE posting_id > :last ORDER BY posting_id",
        last=last,
    )
    planned = [each for each in plan.effects if each.side == "QuickBooks"]
    assert [each.action for each in planned] == [f"{verb} {entity}" for verb, entity, _ in sent]
    for effect, (_, _, body) in zip(planned, sent, strict=True):
        decoded = decode_json(bytes(body))
        assert dict(effect.fields)["DocNumber"] == decoded["DocNumber"]
        assert sorted(value for _, value in effect.fields) == sorted(map(str, _leaves(decoded)))
    recorded = [
        dict(each.fields)["payment id"]
        for each in plan.effects
        if each.side == "AlgaPSA" and "payment id" in dict(each.fields)
    ]
    now = {each.payment_id for each in world.payment_rows(paid) + world.payment_rows(full)}
    assert set(recorded) == now - standing
    raised = {each.record for each in plan.effects if each.action == "raise"}
    opened = {(each.title, each.record) for each in world.open()} - open_before
    assert raised == {f"{title}: {record}" for title, record in opened}


def _leaves(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    else:
        yield value


def test_two_previews_of_a_frozen_world_are_equal_and_one_after_the_cycle_is_empty(world) -> None:
    busy(world)

    first, second = preview(world), preview(world)
    world.cycle()
    after = preview(world)

    assert first.digest == second.digest
    assert after.digest != first.digest
    assert [each for each in after.effects if each.side in ("AlgaPSA", "QuickBooks")] == []


def test_a_payment_that_no_longer_fits_after_another_is_previewed_as_waiting(world) -> None:
    busy(world)

    plan = preview(world)

    assert actions(plan).count("AlgaPSA: record payment") == 2
    [raised] = [each for each in plan.effects if each.action == "raise"]
    assert raised.record.startswith("QuickBooks payment targets an already-settled invoice")


def test_while_a_cycle_runs_there_is_no_preview(world) -> None:
    lease = leases.take(world.engine.ledger, world.company.realm, "a cycle")
    assert lease is not None

    plan = preview(world)

    assert plan.outcome == "skipped"
    assert plan.effects == ()
    assert leases.take(world.engine.ledger, world.company.realm, "another") is None


def test_a_preview_gives_the_lease_back(world) -> None:
    preview(world)

    assert world.cycle().outcome == "succeeded"


def test_a_preview_while_quickbooks_is_down_says_so_and_plans_only_what_a_cycle_would(
    world,
) -> None:
    world.quickbooks.fault("503", realm=world.company.realm, times=50)
    before = everything(world)

    plan = preview(world)

    assert plan.outcome == "failed"
    assert "HTTP 503" in plan.sentence
    assert everything(world) == before


def test_what_depends_on_a_customer_yet_to_be_created_is_planned_too(world) -> None:
    world.configure(create_customers=True)
    with world.engine.ledger.begin() as connection:
        connection.execute(sa.text("DELETE FROM links WHERE kind = 'client'"))
    client = tenants.Client("Slate Bay Marina", email="ap@example.com")
    world.clients[0] = world.do(tenants.create_client, client)
    world.invoice()

    plan = preview(world)

    made = [each for each in plan.effects if each.side == "QuickBooks"]
    assert [each.action for each in made] == ["create Customer", "create Invoice"]
    assert made[0].record.endswith("(new-1)")
    assert dict(made[1].fields)["CustomerRef.value"] == "new-1"
    assert world.quickbooks.list(world.company.realm, "Invoice") == []


def test_a_payment_of_algapsa_on_an_invoice_yet_to_be_created_is_planned_too(world) -> None:
    invoice = world.invoice(10_000)
    world.record_in_algapsa(invoice, 4_000)

    plan = preview(world)
    world.cycle()

    made = [each for each in plan.effects if each.side == "QuickBooks"]
    assert [each.action for each in made] == ["create Invoice", "create Payment"]
    fields = dict(made[1].fields)
    assert fields["Line[1].LinkedTxn[1].TxnId"] == "new-1"
    [payment] = world.quickbooks.list(world.company.realm, "Payment")
    assert fields["TotalAmt"] == str(payment["TotalAmt"])
    assert [each for each in preview(world).effects if each.side == "QuickBooks"] == []
