"""What counts as evidence about a write without an answer, and what an arriving object proves."""

from __future__ import annotations

from datetime import timedelta

import pytest

from qbo_sync_dagster.sandbox.algapsa import invoices
from qbo_sync_dagster.sync.cycle import last_end, run_cycle
from qbo_sync_dagster.sync.outcome import Stage
from tests.scenarios.conftest import NAMES, Company, World, build_company

ORPHAN = "Sent to QuickBooks, but its arrival can't be confirmed"
TAKEN = "Already in QuickBooks"
LONG_ENOUGH = timedelta(minutes=3)


def _lose(world, effect: str) -> None:
    """One cycle in which the answer to the create is lost."""
    world.quickbooks.fault(effect, realm=world.company.realm, kind="create")
    assert world.cycle().outcome == "succeeded"
    assert "posting" in world.operations().values()


def _enter(world, number: str, amount: str = "100.00", *, client: int = 0, company=None) -> str:
    """An invoice that a bookkeeper enters in QuickBooks today."""
    company = company or world.company
    made = world.quickbooks.invoice(
        company.realm,
        company.customers[world.clients[client]],
        [(company.item, amount)],
        DocNumber=number,
        TxnDate=world.today.isoformat(),
    )
    return str(made["Id"])


def _creates(world) -> int:
    return len(_request_ids(world))


def _request_ids(world) -> list[str]:
    calls = world.quickbooks.calls(world.company.realm)
    return [call.request_id for call in calls if call.kind in {"create", "batch"}]


def _numbers(world) -> list[str]:
    return sorted(
        str(item.get("DocNumber")) for item in world.quickbooks.list(world.company.realm, "Invoice")
    )


def test_an_arrived_object_that_cannot_be_read_leaves_it_to_a_person(world, spoil) -> None:
    invoice = world.invoice()
    _lose(world, "drop_after_commit")
    world.quickbooks.set(world.company.realm, requestid_retention_seconds=60)
    spoil("Invoice", world.quickbooks_id(invoice), TotalAmt="much", DocNumber=None)
    world.later(LONG_ENOUGH)
    world.forget()

    for _ in range(2):
        world.cycle()

    assert _creates(world) == 0
    assert ORPHAN in world.titles()
    assert len(_numbers(world)) == 1


def test_a_linked_invoice_of_that_customer_and_amount_says_nothing_about_the_lost_one(
    world,
) -> None:
    earlier = world.exported(5_000)
    linked = world.quickbooks_id(earlier)
    lost = world.invoice(5_000)
    _lose(world, "drop_before")
    world.quickbooks.edit(world.company.realm, "Invoice", linked, PrivateNote="saved again")
    world.later(LONG_ENOUGH)

    end = world.cycle()

    assert end.outcome == "succeeded", end.sentence
    assert world.links() == {
        earlier.invoice_id: linked,
        lost.invoice_id: world.quickbooks_id(lost),
    }
    assert world.titles() == []


def test_a_renumbered_object_is_found_by_reaching_back_to_the_send_and_not_made_again(
    world,
) -> None:
    invoice = world.invoice(12_345)
    _lose(world, "drop_after_commit")
    made = world.quickbooks_id(invoice)
    world.quickbooks.edit(world.company.realm, "Invoice", made, DocNumber="X-77")
    world.quickbooks.set(world.company.realm, requestid_retention_seconds=60)
    world.configure(cursor=world.engine.now() + timedelta(minutes=30))
    world.later(timedelta(hours=1))
    world.forget()

    world.cycle()

    assert _creates(world) == 0
    assert _numbers(world) == ["X-77"]
    assert world.links() == {invoice.invoice_id: made}


def test_two_objects_with_its_number_and_customer_are_not_adopted_by_the_inbox_either(
    world,
) -> None:
    world.quickbooks.set(world.company.realm, custom_txn_numbers=False)
    invoice = world.invoice()
    _lose(world, "drop_after_commit")
    _enter(world, invoice.number)
    world.later(LONG_ENOUGH)
    world.forget()

    for _ in range(2):
        world.cycle()

    assert _creates(world) == 0
    assert world.links() == {}
    assert world.titles() == [ORPHAN]


def test_an_invoice_entered_with_its_number_for_another_customer_is_not_taken_as_it(
    world,
) -> None:
    invoice = world.invoice(8_000)
    _enter(world, invoice.number, "80.00", client=1)

    end = world.cycle()

    assert end.outcome == "succeeded", end.sentence
    assert world.links() == {}
    assert world.titles() == [TAKEN]
    assert _numbers(world) == [invoice.number]


def test_an_invoice_entered_twice_there_is_taken_once_and_the_copy_stays_theirs(world) -> None:
    world.quickbooks.set(world.company.realm, custom_txn_numbers=False)
    invoice = world.invoice(8_000)
    theirs = {_enter(world, invoice.number, "80.00") for _ in range(2)}
    other = world.invoice(client=1)

    end = world.cycle()

    assert end.outcome == "succeeded", end.sentence
    assert world.links().keys() == {invoice.invoice_id, other.invoice_id}
    assert world.links()[invoice.invoice_id] in theirs
    assert len(world.in_quickbooks(invoice)) == 2


def test_an_item_of_a_batch_that_was_answered_in_part_is_never_sent_as_that_batch_again(
    world,
) -> None:
    books = [world.invoice(1_000 * n) for n in range(1, 4)]
    world.quickbooks.fault("500", realm=world.company.realm, kind="create", match=books[1].number)
    world.cycle()
    sent = _request_ids(world)
    assert len(world.links()) == 2
    world.later(LONG_ENOUGH)
    world.forget()

    world.cycle()

    [again] = _request_ids(world)
    assert again not in sent
    assert _numbers(world) == sorted(each.number for each in books)


def test_reopened_and_finalized_while_its_create_may_still_arrive_it_is_not_sent_anew(
    world,
) -> None:
    invoice = world.invoice()
    _lose(world, "drop_before")
    world.do(invoices.reopen_invoice, invoice.invoice_id, today=world.today)
    world.forget()
    world.cycle()
    world.finalize(invoice)

    world.cycle()

    assert _creates(world) == 0
    assert world.operations() == {f"Invoice {invoice.number}": "posting"}
    world.later(LONG_ENOUGH)
    world.cycle()
    assert _numbers(world) == [invoice.number]
    assert world.operations() == {}


def test_one_that_arrives_after_the_poll_is_not_sent_once_more(world) -> None:
    world.quickbooks.set(world.company.realm, custom_txn_numbers=False)
    invoice = world.invoice()
    _lose(world, "drop_before")
    world.later(LONG_ENOUGH)
    world.forget()
    events = world.events()
    for event in events:
        if getattr(event, "stage", None) is Stage.OUTBOUND_OPERATIONS:
            break
    arrived = _enter(world, invoice.number)

    *_, end = events

    assert end.outcome == "succeeded", end.sentence
    assert _creates(world) == 0
    assert world.links() == {invoice.invoice_id: arrived}


@pytest.fixture
def second(world: World) -> Company:
    """A second company of the tenant, with the same clients linked."""
    company = build_company(world.quickbooks, world.clients, NAMES)
    world.connect(company, company_name="Cedar Ridge Labs")
    first, world.company = world.company, company
    world.link_everything()
    world.company = first
    return company


def test_a_company_takes_no_invoice_for_a_document_that_is_at_home_in_another(
    world, second
) -> None:
    invoice = world.invoice(8_000)
    world.quickbooks.fault("503", realm=world.company.realm, times=30)
    world.cycle()
    world.quickbooks.clear_faults()
    _enter(world, invoice.number, "80.00", company=second)

    last_end(run_cycle(world.engine, second.realm, trigger="test"))
    world.cycle()

    assert world.links() == {invoice.invoice_id: world.quickbooks_id(invoice)}
