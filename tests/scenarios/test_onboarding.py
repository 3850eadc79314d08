"""Bringing a company with years of books into the sync: clients, history, and a second run."""

from __future__ import annotations

from datetime import timedelta

import pytest

from qbo_sync_dagster.actions.errors import ActionRefusedError, LinkFileError
from qbo_sync_dagster.domain.history_matching import HistoryState
from qbo_sync_dagster.domain.matching import MatchState
from qbo_sync_dagster.onboarding.clients import ClientChoices, decide_clients, propose_clients
from qbo_sync_dagster.onboarding.history import link_history, propose_history
from qbo_sync_dagster.sandbox.algapsa import invoices, tenants

BY = "Ada Fern"


@pytest.fixture
def fresh(bare_world):  # noqa: ANN201
    """A connected company in which nothing is linked yet."""
    bare_world.connect(bare_world.company)
    return bare_world


def client(world, name: str) -> str:
    return world.do(tenants.create_client, tenants.Client(name, email="ap@example.com"))


def decide(world, **choices):  # noqa: ANN003, ANN201
    return decide_clients(world.engine, world.company.realm, ClientChoices(BY, **choices))


def states(world) -> dict[str, str]:
    found = propose_clients(world.engine, world.company.realm)
    return {each.name: str(each.state) for each in found}


def test_clients_with_equal_names_are_linked_at_once_and_a_second_run_changes_nothing(
    fresh,
) -> None:
    assert set(states(fresh).values()) == {"exact"}

    first, second = decide(fresh, exact=True), decide(fresh, exact=True)

    assert (first.linked, second.linked) == (3, 0)
    assert fresh.links("client") == fresh.company.customers
    assert set(states(fresh).values()) == {"linked"}


def test_a_suggested_customer_is_linked_only_by_choice(fresh) -> None:
    made = client(fresh, "Quarry Lane Dentistry")

    [suggested] = [
        each
        for each in propose_clients(fresh.engine, fresh.company.realm)
        if each.client_id == made
    ]
    decide(fresh, exact=True)

    assert suggested.state is MatchState.SUGGESTED
    assert suggested.suggestions[0].name == "Quarry Lane Dental"
    assert made not in fresh.links("client")


def test_two_clients_are_never_linked_to_one_customer(fresh) -> None:
    decide(fresh, exact=True)
    made = client(fresh, "Harbour Works")
    taken = fresh.company.customers[fresh.clients[0]]

    with pytest.raises(LinkFileError):
        decide(fresh, link={"Harbour Works": taken})

    assert made not in fresh.links("client")


def test_a_wrong_link_can_be_made_anew(fresh) -> None:
    decide(fresh, exact=True)
    other = str(fresh.quickbooks.customer(fresh.company.realm, "Quarry Lane West")["Id"])

    done = decide(fresh, link={"Quarry Lane Dental": "Quarry Lane West"})

    assert done.linked == 1
    assert fresh.links("client")[fresh.clients[0]] == other


def test_a_skipped_client_is_asked_about_no_more_until_it_is_linked(fresh) -> None:
    decide(fresh, skip=["Quarry Lane Dental"], exact=False)
    assert states(fresh)["Quarry Lane Dental"] == "skipped"

    decide(fresh, link={"Quarry Lane Dental": "Quarry Lane Dental"})

    assert states(fresh)["Quarry Lane Dental"] == "linked"


def test_a_skipped_client_is_not_linked_with_the_exact_ones_then_or_later(fresh) -> None:
    first = decide(fresh, skip=["Quarry Lane Dental"], exact=True)
    second = decide(fresh, exact=True)

    assert (first.linked, second.linked) == (2, 0)
    assert states(fresh)["Quarry Lane Dental"] == "skipped"


def test_a_customer_is_created_once(fresh) -> None:
    made = client(fresh, "Harbour Works")

    first, second = decide(fresh, create=[made]), decide(fresh, create=[made])

    assert (first.created, second.created) == (1, 0)
    named = [each["DisplayName"] for each in fresh.quickbooks.list(fresh.company.realm, "Customer")]
    assert named.count("Harbour Works") == 1
    assert made in fresh.links("client")


def test_a_customer_whose_creation_has_no_answer_is_found_by_the_next_cycle(fresh) -> None:
    fresh.link_everything()
    made = client(fresh, "Harbour Works")
    fresh.quickbooks.fault("timeout_after_commit", realm=fresh.company.realm, kind="create")

    done = decide(fresh, create=[made])
    assert "Harbour Works" in done.not_created
    fresh.cycle()

    named = [each["DisplayName"] for each in fresh.quickbooks.list(fresh.company.realm, "Customer")]
    assert named.count("Harbour Works") == 1
    assert made in fresh.links("client")


def test_a_name_that_nobody_has_is_refused_with_what_was_meant(fresh) -> None:
    with pytest.raises(ActionRefusedError, match="Did you mean Quarry Lane Dental"):
        decide(fresh, link={"Quarry Lane Dental": "Quary Lane Dental"})


def test_an_inactive_customer_is_not_linked_by_its_name(fresh) -> None:
    made = client(fresh, "Juniper Works")
    realm = fresh.company.realm
    gone = fresh.quickbooks.customer(realm, "Juniper Works")["Id"]
    fresh.quickbooks.edit(realm, "Customer", gone, Active=False)

    with pytest.raises(ActionRefusedError, match="no QuickBooks customer 'Juniper Works'"):
        decide(fresh, link={made: "Juniper Works"})

    assert made not in fresh.links("client")


def test_a_client_of_two_customers_names_asks_for_the_id(fresh) -> None:
    made = client(fresh, "Juniper Works")
    names = ("Juniper Works", "Juniper Works, Inc.")
    ids = [str(fresh.quickbooks.customer(fresh.company.realm, name)["Id"]) for name in names]

    with pytest.raises(ActionRefusedError, match=f"Give the id: {', '.join(sorted(ids))}"):
        decide(fresh, link={made: "Juniper Works"})
    decide(fresh, link={made: ids[1]})

    assert fresh.links("client")[made] == ids[1]


def test_a_cancelled_invoice_is_not_proposed_for_linking(fresh) -> None:
    decide(fresh, exact=True)
    cancelled, standing = fresh.history(), fresh.history()
    fresh.do(invoices.bulk_cancel, [cancelled.invoice_id])

    found = propose_history(fresh.engine, fresh.company.realm)

    assert [each.number for each in found] == [standing.number]


def test_booked_invoices_are_linked_without_exporting(fresh) -> None:
    booked = fresh.history()
    fresh.later(timedelta(days=1))
    quickbooks_id = fresh.quickbooks_id(booked)
    decide(fresh, exact=True)

    first = link_history(fresh.engine, fresh.company.realm)
    second = link_history(fresh.engine, fresh.company.realm)
    fresh.cycle()

    assert (first.linked, second.linked) == (1, 0)
    assert fresh.links() == {booked.invoice_id: quickbooks_id}
    assert len(fresh.in_quickbooks(booked)) == 1
    assert fresh.titles() == []


def test_an_ambiguous_invoice_is_listed_with_the_reason_and_not_linked(fresh) -> None:
    other = fresh.company.customers[fresh.clients[1]]
    booked = fresh.history(customer=other)
    decide(fresh, exact=True)

    [found] = propose_history(fresh.engine, fresh.company.realm)
    done = link_history(fresh.engine, fresh.company.realm)

    assert found.state is HistoryState.REVIEW
    assert "another customer" in found.reason
    assert (done.linked, done.review) == (0, 1)
    assert fresh.links() == {}
    assert booked.invoice_id == found.invoice_id


def test_linked_history_is_never_exported_even_once_go_live_moves_back(fresh) -> None:
    booked = fresh.history()
    fresh.link_everything()
    link_history(fresh.engine, fresh.company.realm)
    fresh.configure(go_live_date=fresh.today - timedelta(days=365))

    fresh.cycle()
    fresh.cycle()

    assert len(fresh.in_quickbooks(booked)) == 1
    assert fresh.operations() == {}


def test_nothing_to_match_is_a_normal_outcome(fresh) -> None:
    assert propose_history(fresh.engine, fresh.company.realm) == []
    assert link_history(fresh.engine, fresh.company.realm).linked == 0
