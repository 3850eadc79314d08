"""AlgaPSA is set back to before payments that were paired as history, which no poll ever brought.

Backups are real copies of the database, put back in its place while QuickBooks went on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

import pytest

from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.quickbooks.objects import Payment, parse_payment
from qbo_sync_dagster.sandbox.postgres import EmbeddedServer
from qbo_sync_dagster.sync import pushed_payments
from qbo_sync_dagster.sync.outcome import Stage, StageOutcome

from .conftest import Books, World
from .deciding import decide
from .test_restored_backups import Backups, sweep

SAME = "Same payment on both sides?"


@pytest.fixture
def backups(bare_world: World, postgres_server: EmbeddedServer) -> Iterator[Backups]:
    # Engines of later tests share what the first one learns when it connects.
    for pool in (
        bare_world.engine.ledger,
        bare_world.engine.ledger_reads,
        bare_world.engine.algapsa,
    ):
        pool.connect().close()
    made = Backups(postgres_server, bare_world)
    yield made
    made.close()


def lost(world: World, backups: Backups) -> tuple[Books, str]:
    """An invoice of 100.00 and a cheque of 50.00 on both sides, paired; AlgaPSA lost it since."""
    invoice = world.history()
    restore = backups.algapsa()
    row = world.record_in_algapsa(invoice, 5_000)
    payment = world.pay((invoice, "50.00"))
    world.later(timedelta(days=7))
    world.connect(world.company)
    world.link_everything()
    world.link(("invoice", invoice.invoice_id, world.quickbooks_id(invoice)))
    assert world.cycle().outcome == "succeeded"
    assert world.links("payment") == {row: payment}
    assert world.changes() == {}
    restore()
    assert world.rows(invoice) == []
    return invoice, payment


def in_quickbooks(world: World) -> list[str]:
    return [str(item["Id"]) for item in world.quickbooks.list(world.company.realm, "Payment")]


def test_a_paired_payment_that_a_restored_algapsa_lost_is_read_once_and_comes_back(
    bare_world: World, backups: Backups
) -> None:
    invoice, payment = lost(bare_world, backups)

    assert sweep(bare_world) == 1
    for _ in range(2):
        assert bare_world.cycle().outcome == "succeeded"

    assert bare_world.rows(invoice) == [5_000]
    assert in_quickbooks(bare_world) == [payment]
    assert (bare_world.titles(), bare_world.operations()) == ([], {})
    assert sweep(bare_world) == 0
    bare_world.forget()
    bare_world.cycle()
    assert bare_world.metered() == 1


@pytest.mark.parametrize("is_swept", [True, False])
def test_entered_again_it_is_the_same_money_and_not_sent(
    bare_world: World, backups: Backups, is_swept: bool
) -> None:
    invoice, payment = lost(bare_world, backups)
    if is_swept:
        sweep(bare_world)
    row = bare_world.record_in_algapsa(invoice, 5_000)

    for _ in range(3):
        assert bare_world.cycle().outcome == "succeeded"

    assert in_quickbooks(bare_world) == [payment]
    assert bare_world.rows(invoice) == [5_000]
    assert bare_world.titles() == [SAME]

    decide(bare_world, SAME, Action.MATCH, row)
    for _ in range(2):
        assert bare_world.cycle().outcome == "succeeded"
    assert in_quickbooks(bare_world) == [payment]
    assert bare_world.rows(invoice) == [5_000]
    assert (bare_world.titles(), bare_world.operations()) == ([], {})


def test_let_go_while_a_cycle_runs_it_is_waited_for_and_nothing_is_sent_beside_it(
    bare_world: World, backups: Backups
) -> None:
    invoice, payment = lost(bare_world, backups)
    bare_world.record_in_algapsa(invoice, 2_000)

    for event in bare_world.events():
        if isinstance(event, StageOutcome) and event.stage is Stage.APPLIED_CHANGES:
            assert sweep(bare_world) == 1

    assert in_quickbooks(bare_world) == [payment]
    for _ in range(2):
        assert bare_world.cycle().outcome == "succeeded"
    assert sorted(bare_world.rows(invoice)) == [2_000, 5_000]
    assert len(in_quickbooks(bare_world)) == 2
    assert (bare_world.titles(), bare_world.operations()) == ([], {})


def test_a_payment_let_go_while_a_cycle_recognises_its_change_is_not_lost(
    world: World, backups: Backups, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoice = world.exported(10_000)
    restore = backups.algapsa()
    world.record_in_algapsa(invoice, 4_000)
    for _ in range(2):
        world.cycle()
    restore()
    [payment] = in_quickbooks(world)
    world.quickbooks.edit(world.company.realm, "Payment", payment, PaymentRefNum="1187")
    swept: list[int] = []

    def parsed(payload: Mapping[str, object]) -> Payment:
        if not swept:
            swept.append(sweep(world))
        return parse_payment(payload)

    monkeypatch.setattr(pushed_payments, "parse_payment", parsed)
    for _ in range(2):
        assert world.cycle().outcome == "succeeded"

    assert len(swept) == 1
    assert world.rows(invoice) == [4_000]
    assert in_quickbooks(world) == [payment]
    assert (world.titles(), world.operations()) == ([], {})
