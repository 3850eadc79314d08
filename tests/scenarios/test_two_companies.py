"""Two QuickBooks companies of one provider: what belongs to one never touches the other, although
their objects bear the same ids."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa

from qbo_sync_dagster.actions import configuring, disconnecting
from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.actions.moving import move_document
from qbo_sync_dagster.domain.operation_kinds import EXPORT_INVOICE
from qbo_sync_dagster.ledger import connections, cycles, links, operations
from qbo_sync_dagster.ledger.errors import LedgerError
from qbo_sync_dagster.onboarding.clients import ClientChoices, decide_clients, propose_clients
from qbo_sync_dagster.onboarding.history import propose_history
from qbo_sync_dagster.sandbox.algapsa import tenants
from qbo_sync_dagster.sync.invoice_status import invoice_statuses
from tests.scenarios.conftest import NAMES, Company, World, build_company

CHANGED = "Exported invoice was changed in QuickBooks"
NOT_READY = "Scheduled accounting export failed validation"


@pytest.fixture
def second(world: World) -> Company:
    """A second company of the tenant, furnished and linked alike: its ids are the same."""
    company = build_company(world.quickbooks, world.clients, NAMES)
    world.connect(company, company_name="Cedar Ridge Labs")
    first, world.company = world.company, company
    world.link_everything()
    world.company = first
    world.settings(revoke_url=world.quickbooks.revoke_url)
    return company


def at(world: World, company: Company) -> World:
    """The world, looked at from one company."""
    world.company = company
    return world


def move(world, invoice, company) -> None:
    move_document(world.engine, invoice.number, company.realm, "Avery")


def all_titles(world, *companies: Company) -> list[str]:
    return [title for company in companies for title in at(world, company).titles()]


def test_new_documents_go_to_the_default_company_and_follow_when_another_is_made_it(
    world, second
) -> None:
    first = world.company
    here = world.invoice()
    at(world, second).cycle()
    at(world, first).cycle()
    configuring.make_default(world.engine.ledger, second.realm)
    there = world.invoice()

    at(world, first).cycle()
    at(world, second).cycle()

    assert len(at(world, first).in_quickbooks(here)) == 1
    assert world.in_quickbooks(there) == []
    assert len(at(world, second).in_quickbooks(there)) == 1
    assert world.in_quickbooks(here) == []


def test_equal_ids_in_two_companies_never_mix_in_any_flow(world, second) -> None:
    first = world.company
    here, there = world.invoice(10_000), world.invoice(20_000, client=1)
    move(world, there, second)
    for company in (first, second):
        assert at(world, company).cycle().outcome == "succeeded"
    assert at(world, first).quickbooks_id(here) == at(world, second).quickbooks_id(there)

    paid_here = at(world, first).pay((here, "40.00"))
    paid_there = at(world, second).pay((there, "50.00"), client=1)
    assert paid_here == paid_there
    for company in (second, first):
        at(world, company).cycle()
    assert (world.rows(here), world.rows(there)) == ([4_000], [5_000])

    identity = at(world, second).quickbooks_id(there)
    world.quickbooks.edit(second.realm, "Invoice", identity, DocNumber="X-1")
    for company in (first, second):
        at(world, company).cycle()
    assert at(world, first).titles() == []
    assert at(world, second).titles() == [CHANGED]

    world.quickbooks.delete(first.realm, "Payment", paid_here)
    for company in (first, second):
        at(world, company).cycle()
    assert (world.rows(here), world.rows(there)) == ([4_000, -4_000], [5_000])
    assert at(world, first).links() == {here.invoice_id: identity}
    assert at(world, second).links() == {there.invoice_id: identity}


def test_a_queued_document_that_is_moved_is_sent_to_the_other_company_only(world, second) -> None:
    first = world.company
    world.in_ledger("DELETE FROM links WHERE kind = 'client' AND realm = :realm", realm=first.realm)
    invoice = world.invoice()
    world.cycle()
    assert world.titles() == [NOT_READY]

    move(world, invoice, second)

    assert world.titles() == []
    assert world.operations() == {}
    world.link_everything()
    for company in (first, second, first):
        at(world, company).cycle()
    assert at(world, first).in_quickbooks(invoice) == []
    assert len(at(world, second).in_quickbooks(invoice)) == 1


def test_moving_asks_for_a_cycle_of_the_new_company_and_is_audited_in_both(world, second) -> None:
    first = world.company
    invoice = world.invoice()

    move(world, invoice, second)
    move(world, invoice, second)

    with world.engine.ledger.connect() as connection:
        assert list(cycles.open_requests(connection)) == [second.realm]
    told = world.in_ledger(
        "SELECT realm, record FROM audit_log WHERE effect = 'document moved' ORDER BY realm"
    )
    record = f"invoice {invoice.number}"
    assert told == sorted([(first.realm, record), (second.realm, record)])


def test_what_was_sent_stays_where_it_was_sent(world, second) -> None:
    invoice = world.exported()

    with pytest.raises(ActionRefusedError, match="stays there"):
        move(world, invoice, second)


def test_what_was_sent_without_an_answer_stays_there(world, second) -> None:
    invoice = world.invoice()
    world.quickbooks.fault("drop_after_commit", realm=world.company.realm, kind="create")
    world.cycle()

    with pytest.raises(ActionRefusedError, match="counted twice"):
        move(world, invoice, second)


def test_a_document_whose_loss_was_accepted_stays_where_it_was(world, second) -> None:
    invoice = world.exported()
    world.in_ledger("UPDATE links SET state = 'accepted' WHERE kind = 'invoice'")
    world.in_ledger("DELETE FROM postings")

    with pytest.raises(ActionRefusedError, match="stays there"):
        move(world, invoice, second)


@pytest.mark.parametrize("document", ["INV-NONE", "3f2b8c1e-0d4a-4c57-9a68-1b2c3d4e5f60"])
def test_a_document_that_is_not_there_is_not_moved(world, second, document) -> None:
    with pytest.raises(ActionRefusedError, match="no finalized document"):
        move_document(world.engine, document, second.realm, "Avery")


def test_a_draft_is_not_moved(world, second) -> None:
    with pytest.raises(ActionRefusedError, match="no finalized document"):
        move(world, world.draft(), second)


def test_a_document_that_is_being_queued_is_moved_only_afterwards(world, second) -> None:
    """Otherwise it would be in the queues of both companies."""
    first, invoice = world.company, world.invoice()
    waiting = threading.Thread(target=move, args=(world, invoice, second))
    with world.engine.ledger.begin() as connection:
        links.set_home(connection, world.tenant, first.realm, [invoice.invoice_id])
    with world.engine.ledger.begin() as connection:
        links.set_home(connection, world.tenant, first.realm, [invoice.invoice_id])
        waiting.start()
        while waiting.is_alive() and not _waits_for_a_lock(world):
            pass
        new = operations.NewOperation(EXPORT_INVOICE, invoice.invoice_id, "Invoice")
        operations.queue(connection, first.realm, [new])
    waiting.join(180)

    assert at(world, first).operations() == {}
    for company in (first, second):
        at(world, company).cycle()
    assert at(world, first).in_quickbooks(invoice) == []
    assert len(at(world, second).in_quickbooks(invoice)) == 1


def _waits_for_a_lock(world) -> bool:
    query = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
        "AND datname = current_database()"
    )
    with world.engine.ledger.connect() as connection:
        return bool(connection.execute(query).scalar_one())


def test_a_disconnected_company_stops_and_the_other_goes_on(world, second) -> None:
    first = world.company
    here = world.exported()
    ended = disconnecting.disconnect_company(world.engine, second.realm)
    assert ended.not_revoked is None
    at(world, first).pay((here, "100.00"))

    assert at(world, second).cycle().outcome == "aborted"
    assert at(world, first).cycle().outcome == "succeeded"

    assert world.rows(here) == [10_000]
    assert all_titles(world, first, second) == []
    with pytest.raises(ActionRefusedError, match="is disconnected"):
        move(world, world.invoice(), second)


def test_a_disconnected_company_that_is_connected_again_catches_up(world, second) -> None:
    there = world.invoice()
    move(world, there, second)
    at(world, second).cycle()
    disconnecting.disconnect_company(world.engine, second.realm)
    world.pay((there, "100.00"))

    second.refresh_token = world.quickbooks.refresh_token(second.realm)
    world.connect(second)
    assert world.cycle().outcome == "succeeded"

    assert world.rows(there) == [10_000]


def test_a_forgotten_company_keeps_only_what_was_sent_to_it(world, second) -> None:
    sent, unsent = world.invoice(), world.draft()
    move(world, sent, second)
    at(world, second).cycle()
    with world.engine.ledger.begin() as connection:
        links.set_home(connection, world.tenant, second.realm, [unsent.invoice_id])
    disconnecting.disconnect_company(world.engine, second.realm)

    disconnecting.forget_company(world.engine.ledger, second.realm)

    homes = dict(world.in_ledger("SELECT invoice_id, realm FROM document_homes"))
    assert homes == {sent.invoice_id: second.realm}


def test_a_forgotten_companys_documents_are_not_exported_by_the_other(world, second) -> None:
    first, invoice = world.company, world.invoice()
    move(world, invoice, second)
    at(world, second).cycle()
    disconnecting.disconnect_company(world.engine, second.realm)
    disconnecting.forget_company(world.engine.ledger, second.realm)

    assert at(world, first).cycle().outcome == "succeeded"

    assert world.in_quickbooks(invoice) == []
    with pytest.raises(ActionRefusedError, match="forgotten since"):
        move(world, invoice, first)


def test_one_company_is_never_connected_to_a_second_tenant(world, second) -> None:
    other = "3f2b8c1e-0d4a-4c57-9a68-1b2c3d4e5f60"
    token = world.quickbooks.refresh_token(second.realm)

    with pytest.raises(LedgerError, match="one tenant only"):
        world.connect(second, tenant=other, refresh_token=token)

    with world.engine.ledger.connect() as connection:
        assert connections.get(connection, second.realm).tenant == world.tenant


def test_a_client_of_the_other_company_asks_nobody_for_a_customer_here(world, second) -> None:
    made = world.do(tenants.create_client, tenants.Client("Juniper Works"))
    there = world.quickbooks.customer(second.realm, "Juniper Works Ltd")["Id"]
    choices = ClientChoices("Avery", link={made: there})
    decide_clients(world.engine, second.realm, choices)

    found = propose_clients(world.engine, world.company.realm)

    [match] = [each for each in found if each.client_id == made]
    assert (match.elsewhere, match.is_open) == ("Cedar Ridge Labs", False)


def test_booked_invoices_of_the_other_company_are_not_proposed_here(world, second) -> None:
    ours, theirs = world.history(), world.history()
    move(world, theirs, second)

    found = propose_history(world.engine, world.company.realm)

    assert [each.number for each in found] == [ours.number]


def test_the_list_of_invoices_leaves_out_those_of_the_other_company(world, second) -> None:
    ours, theirs = world.invoice(), world.invoice()
    move(world, theirs, second)

    here = invoice_statuses(world.engine, world.company.realm)
    there = invoice_statuses(world.engine, second.realm)

    assert [each.number for each in here] == [ours.number]
    assert [each.number for each in there] == [theirs.number]
