"""Every effect on either side has its row in the audit log: counted on the sides themselves."""

from __future__ import annotations

from collections import Counter

import pytest

from qbo_sync_dagster.ledger import audit
from qbo_sync_dagster.sandbox.algapsa import invoices
from tests.scenarios.conftest import World
from tests.scenarios.credit_steps import apply, note, take_back

_WRITES = ("create", "update", "delete", "void")


def _busy_week(world: World) -> None:
    """Something of everything that is written to either side."""
    first, second, third = (world.invoice(cents) for cents in (10_000, 20_000, 5_000))
    memo = note(world)
    world.cycle()
    apply(world, first, 1_000)
    world.record_in_algapsa(second, 4_000)
    paid = world.pay((first, "40.00"), (second, "10.00"))
    gone = world.pay((second, "5.00"))
    world.cycle()
    world.repay(paid, (first, "45.00"))
    world.quickbooks.delete(world.company.realm, "Payment", gone)
    take_back(world, first)
    world.do(invoices.void_invoice, third.invoice_id)
    world.cycle()
    world.cycle()
    assert memo.number


@pytest.mark.parametrize("batches", [True, False])
def test_each_write_on_either_side_has_one_row(world: World, batches: bool) -> None:
    world.settings(batches=batches)
    world.forget()

    _busy_week(world)

    rows = world.in_ledger("SELECT side, effect, record, after, request_id FROM audit_log")
    calls = world.quickbooks.calls(world.company.realm)
    written = sum(
        call.items if call.kind == "batch" else 1
        for call in calls
        if call.kind in (*_WRITES, "batch") and call.status == 200
    )
    in_quickbooks = [row for row in rows if row[0] == "quickbooks"]
    assert written == len(in_quickbooks)
    assert Counter(row[4] for row in in_quickbooks).most_common(1)[0][1] == 1
    listed = Counter(
        row_id for row in rows if row[0] == "algapsa" and row[3] for row_id in row[3]["rows"]
    )
    with world.owner.connect() as connection:
        ours = connection.exec_driver_sql(
            "SELECT payment_id::text FROM invoice_payments WHERE payment_method = 'quickbooks'"
        ).scalars()
        assert listed == Counter(ours)
        mapped = connection.exec_driver_sql(
            "SELECT 'invoice:' || alga_entity_id FROM tenant_external_entity_mappings"
        ).scalars()
        assert Counter(row[2] for row in rows if row[1] == "protect invoice") == Counter(mapped)
    with world.engine.ledger.connect() as connection:
        assert audit.first_break(connection, world.company.realm) is None
