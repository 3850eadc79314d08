"""Customers out (opt-in): created once, found by name, never taken from somebody else."""

from __future__ import annotations

from datetime import timedelta

import pytest

from qbo_sync_dagster.actions.cases import Choice
from qbo_sync_dagster.actions.resolving import Resolution, resolve
from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.sandbox.algapsa import tenants

NOT_READY = "Scheduled accounting export failed validation"
FAILING = "Scheduled accounting export keeps failing"


def _new_client(world, name="Fir Street Clinic", email="pay@example.com"):
    world.configure(create_customers=True)
    world.clients.append(world.do(tenants.create_client, tenants.Client(name, email=email)))
    return len(world.clients) - 1


def _customers(world, name):
    found = world.quickbooks.list(world.company.realm, "Customer")
    return [item for item in found if item["DisplayName"] == name]


def test_a_missing_customer_is_created_and_its_invoice_goes_out_in_the_same_cycle(world) -> None:
    client = _new_client(world)
    invoice = world.invoice(client=client)

    end = world.cycle()

    assert end.outcome == "succeeded"
    [customer] = _customers(world, "Fir Street Clinic")
    assert customer["CompanyName"] == "Fir Street Clinic"
    assert customer["PrimaryEmailAddr"] == {"Address": "pay@example.com"}
    [found] = world.in_quickbooks(invoice)
    assert found["CustomerRef"]["value"] == customer["Id"]
    assert world.links("client")[world.clients[client]] == customer["Id"]
    assert (world.titles(), end.health.pending) == ([], 0)


def test_without_the_setting_no_customer_is_created(world) -> None:
    client = _new_client(world)
    world.configure(create_customers=False)
    world.invoice(client=client)

    world.cycle()

    assert _customers(world, "Fir Street Clinic") == []
    assert world.titles() == [NOT_READY]


def test_two_invoices_of_one_new_client_make_one_customer(world) -> None:
    client = _new_client(world)
    both = [world.invoice(client=client), world.invoice(client=client)]

    world.cycle()

    assert len(_customers(world, "Fir Street Clinic")) == 1
    assert [len(world.in_quickbooks(each)) for each in both] == [1, 1]


@pytest.mark.parametrize("name", ["O'Malley & Söhne", 'Kiln "Fire" Pottery', "Back\\slash Ltd"])
def test_an_existing_customer_of_that_name_is_used_whatever_it_is_called(world, name) -> None:
    theirs = world.quickbooks.customer(world.company.realm, name)["Id"]
    client = _new_client(world, name)
    invoice = world.invoice(client=client)

    world.cycle()

    [customer] = _customers(world, name)
    assert customer["Id"] == theirs
    assert world.in_quickbooks(invoice)[0]["CustomerRef"]["value"] == theirs
    assert world.titles() == []


@pytest.mark.parametrize("name", ["O'Malley & Söhne", 'Kiln "Fire" Pottery'])
def test_a_name_with_quotes_is_created_as_it_is(world, name) -> None:
    invoice = world.invoice(client=_new_client(world, name))

    world.cycle()

    assert len(_customers(world, name)) == 1
    assert len(world.in_quickbooks(invoice)) == 1


def test_names_are_the_same_in_any_letter_case(world) -> None:
    theirs = world.quickbooks.customer(world.company.realm, "FIR STREET CLINIC")["Id"]
    client = _new_client(world)
    world.invoice(client=client)

    world.cycle()

    assert world.links("client")[world.clients[client]] == theirs


def test_a_customer_that_another_client_has_is_not_taken_from_it(world) -> None:
    theirs = world.quickbooks.customer(world.company.realm, "Fir Street Clinic")["Id"]
    older = world.do(tenants.create_client, tenants.Client("Fir Street Medical"))
    world.link(("client", older, theirs))
    client = _new_client(world)
    invoice = world.invoice(client=client)
    other = world.invoice()

    world.cycle()

    assert world.titles() == [FAILING]
    told = world.exception(FAILING)
    assert "belongs to another client already" in told.what_happened
    assert world.in_quickbooks(invoice) == []
    assert len(world.in_quickbooks(other)) == 1


def test_an_inactive_customer_of_that_name_is_not_used(world) -> None:
    realm = world.company.realm
    old = world.quickbooks.customer(realm, "Fir Street Clinic")["Id"]
    world.quickbooks.edit(realm, "Customer", old, Active=False)
    invoice = world.invoice(client=_new_client(world))

    world.cycle()

    [found] = world.in_quickbooks(invoice)
    assert found["CustomerRef"]["value"] != old
    assert len(_customers(world, "Fir Street Clinic")) == 1


def test_a_refused_customer_is_told_once_and_its_invoices_wait_without_a_call(world) -> None:
    world.quickbooks.create(world.company.realm, "Vendor", {"DisplayName": "Fir Street Clinic"})
    client = _new_client(world)
    invoice = world.invoice(client=client)
    world.cycle()
    assert world.titles() == [FAILING]
    assert '"Fir Street Clinic"' in world.exception(FAILING).what_happened
    assert world.in_quickbooks(invoice) == []
    world.forget()

    world.cycle()

    counts = world.quickbooks.call_counts(world.company.realm)
    assert counts["create"] + counts["batch"] == 0
    assert world.titles() == [FAILING]


def test_a_refused_customer_is_tried_again_once_the_client_is_renamed(world) -> None:
    world.quickbooks.create(world.company.realm, "Vendor", {"DisplayName": "Fir Street Clinic"})
    client = _new_client(world)
    invoice = world.invoice(client=client)
    world.cycle()

    world.do(tenants.rename_client, world.clients[client], "Fir Street Clinic LLC")
    end = world.cycle()

    assert end.outcome == "succeeded"
    assert len(_customers(world, "Fir Street Clinic LLC")) == 1
    assert len(world.in_quickbooks(invoice)) == 1
    assert world.titles() == []


def test_a_customer_that_staff_dismissed_is_not_tried_again_until_the_client_is_renamed(
    world,
) -> None:
    world.quickbooks.create(world.company.realm, "Vendor", {"DisplayName": "Fir Street Clinic"})
    client = _new_client(world)
    invoice = world.invoice(client=client)
    world.cycle()
    refused = world.exception("Scheduled accounting export keeps failing")
    choice = Choice(refused.number, "Avery", "they leave us")
    resolve(world.engine, Resolution(Action.DISMISS, choice))

    world.cycle()
    world.cycle()
    assert [label for label in world.operations() if label.startswith("Customer")] == []
    # The invoice does not wait in silence.
    assert world.titles() == ["Scheduled accounting export failed validation"]

    world.do(tenants.rename_client, world.clients[client], "Fir Street Clinic LLC")
    world.cycle()
    world.cycle()
    assert len(world.in_quickbooks(invoice)) == 1
    assert world.titles() == []


def test_a_refused_customer_is_settled_once_staff_link_the_client(world) -> None:
    world.quickbooks.create(world.company.realm, "Vendor", {"DisplayName": "Fir Street Clinic"})
    client = _new_client(world)
    invoice = world.invoice(client=client)
    world.cycle()

    other = str(world.quickbooks.customer(world.company.realm, "Fir Street")["Id"])
    world.link(("client", world.clients[client], other))
    end = world.cycle()

    assert world.in_quickbooks(invoice)[0]["CustomerRef"]["value"] == other
    assert world.titles() == []
    assert (end.health.pending, end.health.errored) == (0, 0)


@pytest.mark.parametrize("effect", ["drop_after_commit", "drop_before"])
def test_a_lost_answer_never_makes_a_second_customer(world, effect) -> None:
    client = _new_client(world)
    invoice = world.invoice(client=client)
    world.quickbooks.fault(effect, realm=world.company.realm, kind="create")
    world.cycle()
    world.later(timedelta(minutes=3))

    world.cycle()

    assert len(_customers(world, "Fir Street Clinic")) == 1
    assert len(world.in_quickbooks(invoice)) == 1
    assert world.titles() == []


def test_of_three_customers_quickbooks_rejects_one(world) -> None:
    clients = [_new_client(world, name) for name in ("Alder Bank", "Bad Name", "Cedar Mill")]
    made = [world.invoice(client=client) for client in clients]
    world.quickbooks.fault(
        "fault:6000", realm=world.company.realm, kind="create", entity="Customer", match="Bad Name"
    )

    world.cycle()

    assert [len(world.in_quickbooks(each)) for each in made] == [1, 0, 1]
    assert world.titles() == [FAILING]


def test_a_renamed_customer_is_no_exception_and_stays_linked(world) -> None:
    customer = world.company.customers[world.clients[0]]
    world.quickbooks.edit(
        world.company.realm, "Customer", customer, DisplayName="Quarry Lane Dental Group"
    )
    invoice = world.invoice()

    world.cycle()

    assert world.titles() == []
    assert world.in_quickbooks(invoice)[0]["CustomerRef"]["value"] == customer
