"""Either side's database is set back to a backup: nothing is doubled, nothing stays lost.

Backups are real copies of the database, put back in its place while the other side went on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa

from qbo_sync_dagster.algapsa.errors import AlgaPsaNotReadyError
from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.ledger import connections
from qbo_sync_dagster.sandbox.postgres import EmbeddedServer
from qbo_sync_dagster.sync.sweep import plan_lost_payments

from .conftest import Books, World
from .deciding import decide

DRIFT = "Applied payment was changed outside the sync"

Restore = Callable[[], None]


class Backups:
    """Copies of a world's databases, which end with the test."""

    def __init__(self, server: EmbeddedServer, world: World) -> None:
        self._server = server
        self._world = world
        self._copies: list[str] = []

    def algapsa(self) -> Restore:
        return self._copy(str(self._world.owner.url.database))

    def ledger(self) -> Restore:
        return self._copy(str(self._world.engine.ledger.url.database))

    def _copy(self, name: str) -> Restore:
        copy = f"test_{os.getpid()}_backup_{len(self._copies)}_{name[-12:]}"
        self._leave()
        self._server.create_database(copy, template=name)
        self._copies.append(copy)

        def restore() -> None:
            self._leave()
            self._server.drop_database(name)
            self._server.create_database(name, template=copy)

        return restore

    def _leave(self) -> None:
        """A database is copied only while nobody is connected to it; sessions end a while late."""
        self._world.owner.dispose()
        self._world.reopen(self._world.engine.config)
        names = [str(self._world.owner.url.database), str(self._world.engine.ledger.url.database)]
        everywhere = sa.create_engine(self._world.owner.url.set(database="postgres"))
        with everywhere.connect() as connection:
            end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ANY(:n)"
            connection.execute(sa.text(end), {"n": names})
        everywhere.dispose()

    def close(self) -> None:
        for copy in self._copies:
            self._server.drop_database(copy)


@pytest.fixture
def backups(world: World, postgres_server: EmbeddedServer) -> Iterator[Backups]:
    made = Backups(postgres_server, world)
    yield made
    made.close()


def sweep(world: World) -> int:
    with world.engine.ledger.connect() as connection:
        company = connections.get(connection, world.company.realm)
    return plan_lost_payments(world.engine, company)


def objects(world: World) -> dict[str, int]:
    """How many objects of each kind QuickBooks holds."""
    kinds = ("Customer", "Invoice", "Payment", "CreditMemo")
    return {kind: len(world.quickbooks.list(world.company.realm, kind)) for kind in kinds}


def in_algapsa(world: World, statement: str) -> None:
    """A statement on AlgaPSA's database behind everybody's back."""
    with world.owner.begin() as connection:
        connection.exec_driver_sql(statement)


def busy(world: World) -> tuple[Books, Books]:
    """An hour's work in both directions."""
    first, second = world.exported(10_000), world.exported(20_000)
    world.pay((first, "40.00"))
    moved = world.pay((first, "10.00"), (second, "15.00"))
    world.record_in_algapsa(second, 3_000)
    assert world.cycle().outcome == "succeeded"
    world.repay(moved, (second, "25.00"))
    assert world.cycle().outcome == "succeeded"
    return first, second


@pytest.mark.parametrize("ago", [timedelta(hours=1), timedelta(days=1)])
def test_a_ledger_set_back_adopts_what_was_posted_since_and_doubles_nothing(
    world: World, backups: Backups, ago: timedelta
) -> None:
    world.exported(5_000)
    restore = backups.ledger()
    first, second = busy(world)
    made, rows = objects(world), (world.rows(first), world.rows(second))
    links = world.links()
    world.later(ago)

    restore()
    for _ in range(2):
        assert world.cycle().outcome == "succeeded"

    assert objects(world) == made
    assert (world.rows(first), world.rows(second)) == rows
    assert world.links() == links
    assert (world.titles(), world.operations()) == ([], {})
    assert sweep(world) == 0


def test_payments_that_a_restored_algapsa_lost_are_wanted_again(
    world: World, backups: Backups
) -> None:
    first, second = world.exported(10_000), world.exported(20_000)
    restore = backups.algapsa()
    world.pay((first, "40.00"))
    moved = world.pay((first, "10.00"), (second, "15.00"))
    world.cycle()
    world.repay(moved, (second, "25.00"))
    world.cycle()
    stood = world.state(first).paid, world.state(second).paid
    restore()
    assert world.rows(first) == world.rows(second) == []

    assert sweep(world) == 2
    assert world.cycle().outcome == "succeeded"

    assert (world.state(first).paid, world.state(second).paid) == stood == (4_000, 2_500)
    assert world.titles() == []
    assert sweep(world) == 0


def test_without_the_sweep_no_cycle_would_miss_them(world: World, backups: Backups) -> None:
    invoice = world.exported(10_000)
    restore = backups.algapsa()
    world.pay((invoice, "40.00"))
    world.cycle()
    restore()

    world.cycle()

    assert world.rows(invoice) == []


def test_a_sweep_of_books_that_agree_plans_nothing(world: World) -> None:
    invoice = world.exported(10_000)
    payment = world.pay((invoice, "40.00"))
    world.cycle()
    world.quickbooks.void(world.company.realm, "Payment", payment)
    world.cycle()
    world.pay((invoice, "30.00"))
    world.cycle()

    assert sweep(world) == 0
    assert world.rows(invoice) == [4_000, -4_000, 3_000]


def test_a_reversal_that_a_restored_algapsa_lost_is_wanted_again(
    world: World, backups: Backups
) -> None:
    invoice = world.exported(10_000)
    payment = world.pay((invoice, "40.00"))
    world.cycle()
    restore = backups.algapsa()
    world.quickbooks.void(world.company.realm, "Payment", payment)
    world.cycle()
    restore()
    assert world.rows(invoice) == [4_000]

    assert sweep(world) == 1
    world.cycle()

    assert sum(world.rows(invoice)) == 0


def test_documents_that_a_restored_algapsa_lost_raise_their_exception(
    world: World, backups: Backups
) -> None:
    kept = world.exported(5_000)
    restore = backups.algapsa()
    lost = world.exported(10_000)
    restore()

    world.cycle()

    told = world.exception("Exported invoice was deleted in AlgaPSA")
    assert lost.number in told.what_happened
    assert kept.number not in told.what_happened
    assert len(world.in_quickbooks(lost)) == 1


def test_a_number_that_a_restored_algapsa_gives_again_is_not_taken_for_the_lost_invoice(
    world: World, backups: Backups
) -> None:
    restore = backups.algapsa()
    lost = world.exported(10_000)
    restore()

    again = world.invoice(10_000)
    for _ in range(2):
        assert world.cycle().outcome == "succeeded"

    assert again.number == lost.number
    assert again.invoice_id != lost.invoice_id
    assert len(world.in_quickbooks(lost)) == 1
    assert list(world.links()) == [lost.invoice_id]
    assert world.titles() == ["Already in QuickBooks", "Exported invoice was deleted in AlgaPSA"]


def test_a_payment_that_a_restored_algapsa_lost_on_a_lost_invoice_waits_and_is_told(
    world: World, backups: Backups
) -> None:
    restore = backups.algapsa()
    lost = world.exported(10_000)
    world.pay((lost, "40.00"))
    world.cycle()
    restore()

    sweep(world)
    for _ in range(2):
        assert world.cycle().outcome == "succeeded"

    assert "Exported invoice was deleted in AlgaPSA" in world.titles()
    assert list(world.changes().values()) == ["parked"]


def test_a_payment_of_algapsa_that_it_lost_and_staff_enter_again_is_not_sent_twice(
    world: World, backups: Backups
) -> None:
    invoice = world.exported(10_000)
    restore = backups.algapsa()
    world.record_in_algapsa(invoice, 4_000)
    world.cycle()
    restore()

    world.record_in_algapsa(invoice, 4_000)
    for _ in range(3):
        assert world.cycle().outcome == "succeeded"

    assert objects(world)["Payment"] == 1
    assert world.rows(invoice) == [4_000]
    assert world.titles() == ["Same payment on both sides?"]

    [row] = [each.payment_id for each in world.payment_rows(invoice)]
    decide(world, "Same payment on both sides?", Action.MATCH, row)
    for _ in range(2):
        assert world.cycle().outcome == "succeeded"
    assert objects(world)["Payment"] == 1
    assert world.rows(invoice) == [4_000]
    assert (world.titles(), world.operations()) == ([], {})
    assert sweep(world) == 0


def test_a_payment_of_algapsa_that_it_lost_comes_back_from_quickbooks(
    world: World, backups: Backups
) -> None:
    invoice = world.exported(10_000)
    restore = backups.algapsa()
    world.record_in_algapsa(invoice, 4_000)
    world.cycle()
    restore()
    assert world.rows(invoice) == []

    assert sweep(world) == 1
    for _ in range(2):
        assert world.cycle().outcome == "succeeded"

    assert world.rows(invoice) == [4_000]
    assert objects(world)["Payment"] == 1
    assert (world.titles(), world.operations()) == ([], {})
    assert sweep(world) == 0


def test_another_payment_on_the_invoice_waits_until_the_lost_one_is_back(
    world: World, backups: Backups
) -> None:
    invoice = world.exported(10_000)
    restore = backups.algapsa()
    world.record_in_algapsa(invoice, 4_000)
    world.cycle()
    restore()

    world.record_in_algapsa(invoice, 2_500)
    world.cycle()
    assert objects(world)["Payment"] == 1
    for _ in range(2):
        assert world.cycle().outcome == "succeeded"

    assert sorted(world.rows(invoice)) == [2_500, 4_000]
    assert objects(world)["Payment"] == 2
    assert world.titles() == []


@pytest.mark.parametrize("change", ["", "noted", "raised"])
def test_a_payment_of_quickbooks_that_algapsa_lost_and_staff_enter_again_is_not_sent(
    world: World, backups: Backups, change: str
) -> None:
    invoice = world.exported(10_000)
    restore = backups.algapsa()
    payment = world.pay((invoice, "40.00"))
    world.cycle()
    entered, amount = 4_000, 4_000
    if change == "noted":
        world.repay(payment, (invoice, "40.00"), PrivateNote="by cheque")
    elif change == "raised":
        restore, entered, amount = backups.algapsa(), 3_000, 7_000
        world.repay(payment, (invoice, "70.00"))
    world.cycle()
    assert sum(world.rows(invoice)) == amount
    restore()

    row = world.record_in_algapsa(invoice, entered)
    for _ in range(3):
        assert world.cycle().outcome == "succeeded"

    assert objects(world)["Payment"] == 1
    assert sum(world.rows(invoice)) == amount
    assert world.titles() == ["Same payment on both sides?"]
    if change != "raised":
        decide(world, "Same payment on both sides?", Action.MATCH, row)
        for _ in range(2):
            assert world.cycle().outcome == "succeeded"
        assert objects(world)["Payment"] == 1
        assert world.rows(invoice) == [4_000]
        assert (world.titles(), world.operations()) == ([], {})


def test_a_payment_of_quickbooks_that_is_lost_is_found_again_when_it_is_lost_once_more(
    world: World,
) -> None:
    invoice = world.exported(10_000)
    world.pay((invoice, "40.00"))
    world.cycle()
    for _ in range(2):
        in_algapsa(
            world, "UPDATE invoice_payments SET metadata = jsonb_build_object('x', metadata)"
        )
        world.record_in_algapsa(invoice, 4_000)
        world.cycle()
        assert objects(world)["Payment"] == 1

        # The right backup, before anything came of it.
        in_algapsa(world, "DELETE FROM invoice_payments WHERE payment_method <> 'quickbooks'")
        in_algapsa(world, "UPDATE invoice_payments SET metadata = metadata->'x'")
        world.cycle()
        assert world.titles() == []


def test_other_money_waits_until_a_lost_payment_of_quickbooks_is_back_and_then_goes(
    world: World, backups: Backups
) -> None:
    invoice = world.exported(10_000)
    restore = backups.algapsa()
    world.pay((invoice, "40.00"))
    world.cycle()
    restore()

    world.record_in_algapsa(invoice, 2_500)
    world.cycle()
    assert objects(world)["Payment"] == 1
    for _ in range(2):
        assert world.cycle().outcome == "succeeded"

    assert sorted(world.rows(invoice)) == [2_500, 4_000]
    assert objects(world)["Payment"] == 2
    assert (world.titles(), world.operations()) == ([], {})


def test_a_second_restore_that_brings_a_payment_back_finds_its_payment_in_quickbooks(
    world: World, backups: Backups
) -> None:
    invoice = world.exported(10_000)
    without = backups.algapsa()
    row = world.record_in_algapsa(invoice, 4_000)
    world.cycle()
    with_it = backups.algapsa()
    without()
    sweep(world)
    world.cycle()
    assert world.rows(invoice) == [4_000]

    with_it()
    for _ in range(2):
        assert world.cycle().outcome == "succeeded"

    assert objects(world)["Payment"] == 1
    assert world.rows(invoice) == [4_000]
    assert world.links("payment").keys() == {row}
    assert (world.titles(), world.operations()) == ([], {})


def test_a_re_export_of_a_payment_that_a_restored_algapsa_lost_ends(
    world: World, backups: Backups
) -> None:
    invoice = world.exported(10_000)
    restore = backups.algapsa()
    world.record_in_algapsa(invoice, 4_000)
    world.cycle()
    [payment] = world.links("payment").values()
    world.repay(payment, (invoice, "30.00"))
    world.cycle()
    decide(world, DRIFT, Action.RE_EXPORT)
    restore()

    sweep(world)
    for _ in range(2):
        assert world.cycle().outcome == "succeeded"

    assert (world.titles(), world.operations()) == ([], {})
    assert world.rows(invoice) == [3_000]
    assert objects(world)["Payment"] == 1


def test_dismissed_drift_links_no_payment_to_a_row_that_a_restored_algapsa_lost(
    world: World, backups: Backups
) -> None:
    invoice = world.exported(10_000)
    restore = backups.algapsa()
    world.record_in_algapsa(invoice, 4_000)
    world.cycle()
    [payment] = world.links("payment").values()
    world.repay(payment, (invoice, "30.00"))
    world.cycle()
    restore()

    sweep(world)
    decide(world, DRIFT, Action.DISMISS)

    assert world.links("payment") == {}


def test_a_sweep_that_meets_a_restore_before_the_payments_are_there_lets_none_go(
    world: World,
) -> None:
    invoices = [world.exported(10_000) for _ in range(6)]
    for invoice in invoices:
        world.record_in_algapsa(invoice, 4_000)
    world.cycle()
    linked = world.links("payment")
    assert len(linked) == 6
    in_algapsa(world, "CREATE TABLE kept AS SELECT * FROM invoice_payments")
    in_algapsa(world, "DELETE FROM invoice_payments")

    with pytest.raises(AlgaPsaNotReadyError, match="a restore of its database may still run"):
        sweep(world)
    assert world.links("payment") == linked

    in_algapsa(world, "INSERT INTO invoice_payments SELECT * FROM kept")
    assert sweep(world) == 0


def test_a_sweep_of_an_algapsa_that_is_not_ready_looks_for_nothing(world: World) -> None:
    in_algapsa(world, "UPDATE tenants SET suspended_at = now()")

    with pytest.raises(AlgaPsaNotReadyError, match="suspended"):
        sweep(world)


def test_both_sides_set_back_at_once_come_to_agree(world: World, backups: Backups) -> None:
    first, second = world.exported(10_000), world.exported(20_000)
    ledger, algapsa = backups.ledger(), backups.algapsa()
    world.pay((first, "40.00"), (second, "15.00"))
    world.cycle()
    made = objects(world)
    world.later(timedelta(hours=1))
    ledger()
    algapsa()

    for _ in range(2):
        assert world.cycle().outcome == "succeeded"

    assert objects(world) == made
    assert (world.rows(first), world.rows(second)) == ([4_000], [1_500])
    assert world.titles() == []
