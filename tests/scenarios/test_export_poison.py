"""Invoices out: a record that QuickBooks itself fails on never holds back the others."""

from __future__ import annotations

from datetime import timedelta

from qbo_sync_dagster.sandbox.algapsa import tenants

FAILING = "Scheduled accounting export keeps failing"
QUARTER = timedelta(minutes=15)


def _fails_on(world, number, entity="Invoice"):
    """QuickBooks reports an error of its own whenever it meets this record."""
    world.quickbooks.fault(
        "500", realm=world.company.realm, kind="create", entity=entity, match=number, times=999
    )


def test_new_invoices_go_out_while_one_gets_no_answer_again_and_again(world) -> None:
    world.settings(batches=False)
    poison = world.invoice()
    _fails_on(world, poison.number)
    world.cycle()

    for client in (0, 1, 2):
        world.later(QUARTER)
        fresh = world.invoice(client=client)
        world.cycle()
        assert len(world.in_quickbooks(fresh)) == 1

    assert world.in_quickbooks(poison) == []


def test_the_rest_of_a_batch_goes_out_while_one_gets_no_answer_again_and_again(world) -> None:
    made = [world.invoice(1_000 + n) for n in range(3)]
    _fails_on(world, made[1].number)
    world.cycle()
    assert [len(world.in_quickbooks(each)) for each in made] == [1, 0, 1]

    world.later(QUARTER)
    fresh = [world.invoice(client=1), world.invoice(client=2)]
    world.cycle()

    assert [len(world.in_quickbooks(each)) for each in fresh] == [1, 1]


def test_invoices_of_known_customers_go_out_while_a_customer_gets_no_answer(world) -> None:
    world.configure(create_customers=True)
    world.clients.append(world.do(tenants.create_client, tenants.Client("Fir Street Clinic")))
    waiting = world.invoice(client=3)
    _fails_on(world, "Fir Street", "Customer")

    for client in (0, 1):
        fresh = world.invoice(client=client)
        world.cycle()
        assert len(world.in_quickbooks(fresh)) == 1
        world.later(QUARTER)

    assert world.in_quickbooks(waiting) == []


def test_an_invoice_that_never_gets_an_answer_is_told_and_goes_out_once_it_does(world) -> None:
    poison = world.invoice()
    _fails_on(world, poison.number)
    for _ in range(5):
        world.invoice(client=1)
        world.cycle()
        assert world.titles() == []
        world.later(QUARTER)

    world.invoice(client=1)
    end = world.cycle()

    assert world.titles() == [FAILING]
    assert "sent 5 times" in world.exception(FAILING).what_happened
    assert (end.health.pending, end.health.errored) == (1, 0)

    world.quickbooks.clear_faults(world.company.realm)
    world.later(QUARTER)
    world.cycle()

    assert len(world.in_quickbooks(poison)) == 1
    assert world.titles() == []
