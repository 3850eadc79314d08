"""Invoices linked with their history: the payments of both sides pair, or wait for staff."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from qbo_sync_dagster.actions import history
from qbo_sync_dagster.actions.cases import Choice
from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.ledger import decisions
from qbo_sync_dagster.sandbox.algapsa import edits
from tests.scenarios.deciding import closed, decide

LEFT = "Payments from before the sync don't pair"


@pytest.fixture
def old(bare_world):  # noqa: ANN201
    """A world with an invoice from before the sync, `before`; nothing is connected yet."""
    bare_world.before = bare_world.history()
    return bare_world


def connected(world):  # noqa: ANN201
    """The company is connected a week after its history, and the invoice linked by staff."""
    world.later(timedelta(days=7))
    quickbooks_id = world.quickbooks_id(world.before)
    world.connect(world.company)
    world.link_everything()
    world.link(("invoice", world.before.invoice_id, quickbooks_id))
    return world


def linked_payments(world) -> dict[str, str]:
    return world.links("payment")


def left_over(world) -> list[tuple[str, str]]:
    with world.engine.ledger.connect() as connection:
        found = decisions.of_kind(connection, world.company.realm, "history")
    return [(each.counterpart, each.detail["choice"]) for each in found]


def test_the_same_payment_on_both_sides_pairs_and_nothing_is_written(old) -> None:
    row = old.record_in_algapsa(old.before, 4_000)
    payment = old.pay((old.before, "40.00"))
    world = connected(old)
    before = world.stands()

    end = world.cycle()

    assert end.outcome == "succeeded"
    assert linked_payments(world) == {row: payment}
    assert world.rows(world.before) == [4_000]
    assert world.stands() == before
    assert world.titles() == []


def test_a_second_cycle_changes_nothing_and_asks_nothing_more(old) -> None:
    old.record_in_algapsa(old.before, 4_000)
    old.pay((old.before, "40.00"))
    world = connected(old)
    world.cycle()
    world.forget()

    world.cycle()

    assert world.metered() == 1
    assert len(linked_payments(world)) == 1
    assert world.rows(world.before) == [4_000]


def test_a_payment_only_in_quickbooks_is_listed_and_not_applied(old) -> None:
    payment = old.pay((old.before, "40.00"))
    world = connected(old)

    world.cycle()
    world.cycle()

    assert world.rows(world.before) == []
    assert world.titles() == [LEFT]
    assert left_over(world) == [(f"payment:{payment}", "wait")]
    told = world.exception(LEFT)
    assert told.amounts == {f"QuickBooks payment {payment}": 4_000}
    assert "AlgaPSA has no payment of this amount" in told.what_happened


def test_a_payment_only_in_algapsa_is_listed_and_not_pushed(old) -> None:
    row = old.record_in_algapsa(old.before, 4_000)
    world = connected(old)

    world.cycle()
    world.cycle()

    assert world.titles() == [LEFT]
    assert left_over(world) == [(f"payment_row:{row}", "wait")]
    assert world.quickbooks.list(world.company.realm, "Payment") == []


def test_two_equal_payments_are_listed_and_never_guessed(old) -> None:
    row = old.record_in_algapsa(old.before, 2_500)
    payments = [old.pay((old.before, "25.00")) for _ in range(2)]
    world = connected(old)

    world.cycle()

    assert linked_payments(world) == {}
    assert {each for each, _ in left_over(world)} == {
        f"payment_row:{row}",
        *(f"payment:{each}" for each in payments),
    }
    assert "not guessed" in world.exception(LEFT).what_happened


def test_one_cheque_over_two_invoices_pairs_with_a_payment_on_each(old) -> None:
    second = old.history()
    rows = [old.record_in_algapsa(each, 3_000) for each in (old.before, second)]
    payment = old.pay((old.before, "30.00"), (second, "30.00"))
    ids = [old.quickbooks_id(each) for each in (old.before, second)]
    world = connected(old)
    world.link(("invoice", second.invoice_id, ids[1]))

    world.cycle()

    assert linked_payments(world) == dict.fromkeys(rows, payment)
    assert world.titles() == []


def test_a_payment_recorded_after_connecting_applies_itself_once_linked(old) -> None:
    world = old
    world.later(timedelta(days=7))
    quickbooks_id = world.quickbooks_id(world.before)
    world.connect(world.company)
    world.link_everything()
    world.pay((world.before, "40.00"))
    world.cycle()
    assert world.rows(world.before) == []

    world.link(("invoice", world.before.invoice_id, quickbooks_id))
    world.cycle()

    assert world.rows(world.before) == [4_000]


def test_a_payment_of_both_sides_from_after_connecting_pairs_at_linking_too(old) -> None:
    world = old
    world.later(timedelta(days=7))
    quickbooks_id = world.quickbooks_id(world.before)
    world.connect(world.company)
    world.link_everything()
    payment = world.pay((world.before, "40.00"))
    row = world.record_in_algapsa(world.before, 4_000)
    world.cycle()

    world.link(("invoice", world.before.invoice_id, quickbooks_id))
    world.cycle()

    assert linked_payments(world) == {row: payment}
    assert world.rows(world.before) == [4_000]


def test_a_listed_payment_that_quickbooks_deletes_is_listed_no_more(old) -> None:
    payment = old.pay((old.before, "40.00"))
    world = connected(old)
    world.cycle()
    assert world.titles() == [LEFT]

    world.quickbooks.delete(world.company.realm, "Payment", payment)
    world.cycle()

    assert world.titles() == []
    assert left_over(world) == []
    assert world.rows(world.before) == []


def test_payments_wait_for_pairing_while_quickbooks_cannot_be_polled(world) -> None:
    company, client = world.company, world.clients[0]
    lines = [(company.item, Decimal("100.00"))]
    made = world.quickbooks.invoice(company.realm, company.customers[client], lines)
    paid = [(str(made["Id"]), Decimal("40.00"))]
    payment = world.quickbooks.record_payment(company.realm, company.customers[client], paid)
    world.cycle()
    invoice = world.invoice()
    row = world.record_in_algapsa(invoice, 4_000)
    world.do(edits.map_entity, "invoice", invoice.invoice_id, made["Id"], realm=company.realm)
    world.cycle()
    assert world.links() == {invoice.invoice_id: str(made["Id"])}

    world.quickbooks.fault("503", realm=company.realm, kind="cdc", times=50)
    assert world.cycle().outcome == "failed"
    assert "Same payment on both sides?" not in world.titles()
    world.quickbooks.clear_faults(company.realm)
    world.cycle()

    assert linked_payments(world) == {row: str(payment["Id"])}
    assert world.rows(invoice) == [4_000]
    assert world.titles() == []


def test_a_credit_that_quickbooks_applied_before_is_listed(old) -> None:
    customer = old.company.customers[old.clients[0]]
    memo = old.quickbooks.credit_memo(
        old.company.realm, customer, [(old.company.item, Decimal("25.00"))]
    )
    made = old.quickbooks.apply_credit(
        old.company.realm,
        customer,
        old.quickbooks_id(old.before),
        str(memo["Id"]),
        Decimal("25.00"),
    )
    world = connected(old)

    world.cycle()

    assert (f"payment:{made['Id']}", "wait") in left_over(world)
    assert world.rows(world.before) == []


def number(world) -> int:
    return world.exception(LEFT).number


def test_applying_a_listed_payment_writes_it_once_and_settles_the_exception(old) -> None:
    payment = old.pay((old.before, "40.00"))
    world = connected(old)
    world.cycle()

    history.apply_history(world.engine.ledger, Choice(number(world), "Ada Fern"))
    world.cycle()
    world.cycle()

    assert world.rows(world.before) == [4_000]
    assert world.titles() == []
    assert left_over(world) == []
    assert world.changes()[payment, 0] in ("applied", "known")


def test_matching_two_listed_payments_links_them_and_moves_nothing(old) -> None:
    row = old.record_in_algapsa(old.before, 2_500)
    first, second = (old.pay((old.before, "25.00")) for _ in range(2))
    world = connected(old)
    world.cycle()

    choice = Choice(number(world), "Ada Fern")
    history.match_history(world.engine.ledger, choice, f"{row}={second}")
    world.cycle()

    assert linked_payments(world) == {row: second}
    assert world.rows(world.before) == [2_500]
    assert left_over(world) == [(f"payment:{first}", "wait")]
    assert world.titles() == [LEFT]


def test_payments_of_different_amounts_are_never_matched(old) -> None:
    old.record_in_algapsa(old.before, 2_500)
    old.pay((old.before, "40.00"))
    world = connected(old)
    world.cycle()

    with pytest.raises(ActionRefusedError, match="not the same money"):
        history.match_history(world.engine.ledger, Choice(number(world), "Ada Fern"))

    assert linked_payments(world) == {}


def test_of_several_listed_payments_the_one_meant_must_be_named(old) -> None:
    for _ in range(2):
        old.pay((old.before, "25.00"))
    world = connected(old)
    world.cycle()

    with pytest.raises(ActionRefusedError, match="Say which"):
        history.apply_history(world.engine.ledger, Choice(number(world), "Ada Fern"))


def test_dismissed_payments_stay_as_they_are_on_both_sides(old) -> None:
    payment = old.pay((old.before, "40.00"))
    world = connected(old)
    world.cycle()
    before = world.stands()

    decide(world, LEFT, Action.DISMISS)
    for _ in range(2):
        world.cycle()

    assert world.titles() == []
    assert world.rows(world.before) == []
    assert world.stands() == before
    assert left_over(world) == [(f"payment:{payment}", "wait")]
    assert closed(world, LEFT) == ("dismissed", "Avery")
