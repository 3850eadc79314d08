"""Links and homes: what the database refuses, so that no document counts twice."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from qbo_sync_dagster.ledger import link_doubles, links
from qbo_sync_dagster.ledger.errors import DoubleLinkError

from .conftest import OTHER, Ledger

SNAPSHOT = {"number": "INV-1", "lines": []}


def _link(ledger: Ledger, kind: str, algapsa_id: str, quickbooks_id: str, **options: object) -> int:
    realm = str(options.pop("realm", ledger.realm))
    described: dict[str, object] = {"origin": "exported", "snapshot": SNAPSHOT}
    new = links.NewLink(kind, algapsa_id, quickbooks_id, **(described | options))  # type: ignore[arg-type]
    with ledger.begin() as connection:
        links.add(connection, realm, [new])
        return links.by_algapsa_id(connection, realm, kind, [algapsa_id])[algapsa_id].link_id


def _close(ledger: Ledger, link_id: int) -> None:
    with ledger.begin() as connection:
        links.update(connection, link_id, state="closed")


@pytest.mark.parametrize("kind", ["client", "invoice", "payment", "service", "payment_term"])
def test_a_record_has_at_most_one_live_link(ledger: Ledger, kind: str) -> None:
    _link(ledger, kind, "a", "1")

    with pytest.raises(DoubleLinkError):
        _link(ledger, kind, "a", "2")


@pytest.mark.parametrize("kind", ["client", "invoice", "payment"])
def test_an_object_that_counts_money_has_at_most_one_live_link(ledger: Ledger, kind: str) -> None:
    _link(ledger, kind, "a", "1")

    with pytest.raises(DoubleLinkError):
        _link(ledger, kind, "b", "1")


@pytest.mark.parametrize("kind", ["service", "tax_region", "payment_term"])
def test_several_records_may_share_a_list_entry(ledger: Ledger, kind: str) -> None:
    _link(ledger, kind, "a", "1")
    _link(ledger, kind, "b", "1")

    with ledger.begin() as connection:
        assert links.ids(connection, ledger.realm, kind) == {"a": "1", "b": "1"}


def test_a_closed_link_makes_room_for_another(ledger: Ledger) -> None:
    _close(ledger, _link(ledger, "invoice", "a", "1"))

    _link(ledger, "invoice", "a", "2")

    with ledger.begin() as connection:
        assert links.ids(connection, ledger.realm, "invoice") == {"a": "2"}


def test_the_same_ids_in_two_companies_are_two_links(ledger: Ledger) -> None:
    ledger.connect(OTHER)
    _link(ledger, "client", "a", "1")
    _link(ledger, "client", "a", "1", realm=OTHER)

    with ledger.begin() as connection:
        assert links.ids(connection, OTHER, "client") == {"a": "1"}


def test_an_invoice_whose_loss_was_accepted_counts_as_ever_linked(ledger: Ledger) -> None:
    _close(ledger, _link(ledger, "invoice", "a", "1"))
    _link(ledger, "invoice", "b", "2")
    _link(ledger, "client", "c", "9")

    with ledger.begin() as connection:
        assert links.ever_linked(connection, [ledger.realm], ["a", "b", "c"]) == {"a", "b"}
        assert links.ever_linked(connection, [ledger.realm], ["b", "none"]) == {"b"}


def test_a_new_link_shows_what_was_agreed_unless_told_otherwise(ledger: Ledger) -> None:
    _link(ledger, "invoice", "a", "1")
    _link(ledger, "invoice", "b", "2", shown={"number": "INV-9", "lines": []})

    with ledger.begin() as connection:
        moved = links.moved(connection, ledger.realm)
    assert [link.algapsa_id for link in moved] == ["b"]


def test_a_document_whose_drift_was_noted_is_judged_again_even_if_it_went_back(
    ledger: Ledger,
) -> None:
    link_id = _link(ledger, "invoice", "a", "1")
    with ledger.begin() as connection:
        links.update(connection, link_id, drift={"fields": []})
        assert [link.link_id for link in links.moved(connection, ledger.realm)] == [link_id]

        links.update(connection, link_id, drift=None)
        assert links.moved(connection, ledger.realm) == []


def test_a_link_nobody_has_read_is_incomplete(ledger: Ledger) -> None:
    _link(ledger, "invoice", "read", "1")
    _link(ledger, "invoice", "unread", "2", origin="imported", snapshot=None)
    _link(ledger, "client", "client", "3", origin="imported", snapshot=None)

    with ledger.begin() as connection:
        unread = links.incomplete(connection, ledger.realm)
    assert [link.algapsa_id for link in unread] == ["unread"]


def test_links_are_mirrored_once(ledger: Ledger) -> None:
    link_id = _link(ledger, "invoice", "a", "1")
    with ledger.begin() as connection:
        [unknown] = links.unmirrored(connection, ledger.realm)
        links.mark_mirrored(connection, [unknown.link_id])

        assert unknown.link_id == link_id
        assert links.unmirrored(connection, ledger.realm) == []


def test_what_quickbooks_shows_is_remembered_on_the_link(ledger: Ledger) -> None:
    link_id = _link(ledger, "invoice", "a", "1")
    with ledger.begin() as connection:
        links.show(connection, [links.Shown(link_id, {"number": "X"}, 3, ("5", "6"))])
        link = links.by_quickbooks_id(connection, ledger.realm, "invoice", ["1"])["1"]

    assert (link.shown, link.sync_token, link.payment_ids) == ({"number": "X"}, 3, ["5", "6"])
    assert link.snapshot == SNAPSHOT


def test_a_document_has_one_home_and_the_first_company_keeps_it(ledger: Ledger) -> None:
    ledger.connect(OTHER)
    with ledger.begin() as connection:
        assert links.set_home(connection, ledger.tenant, ledger.realm, ["a"]) == {"a"}
        assert links.set_home(connection, ledger.tenant, OTHER, ["a", "b"]) == {"b"}
        assert links.homes(connection, ledger.tenant) == {"a": ledger.realm, "b": OTHER}


def test_setting_a_home_again_changes_nothing(ledger: Ledger) -> None:
    with ledger.begin() as connection:
        links.set_home(connection, ledger.tenant, ledger.realm, ["a"])

        assert links.set_home(connection, ledger.tenant, ledger.realm, ["a"]) == {"a"}


def test_homes_are_asked_in_bulk_by_id(ledger: Ledger) -> None:
    with ledger.begin() as connection:
        links.set_home(connection, ledger.tenant, ledger.realm, [str(n) for n in range(2500)])

        assert links.homes(connection, ledger.tenant, ["7", "none"]) == {"7": ledger.realm}
        assert len(links.homes(connection, ledger.tenant)) == 2500


def test_an_invoice_linked_in_two_companies_is_found_as_a_double(ledger: Ledger) -> None:
    ledger.connect(OTHER)
    _link(ledger, "invoice", "a", "1")
    _link(ledger, "invoice", "a", "7", realm=OTHER)
    _link(ledger, "client", "c", "2")
    _link(ledger, "client", "c", "8", realm=OTHER)

    with ledger.begin() as connection:
        assert link_doubles.doubles(connection, ledger.realm) == ["invoice a"]


def test_links_one_to_one_are_no_doubles(ledger: Ledger) -> None:
    _link(ledger, "invoice", "a", "1")
    _link(ledger, "service", "s", "1")
    _link(ledger, "service", "t", "1")

    with ledger.begin() as connection:
        assert link_doubles.doubles(connection, ledger.realm) == []


def test_forgetting_a_company_takes_its_links_along(ledger: Ledger) -> None:
    _link(ledger, "invoice", "a", "1")
    with ledger.begin() as connection:
        connection.execute(sa.text("DELETE FROM connections"))

        assert connection.execute(sa.text("SELECT count(*) FROM links")).scalar_one() == 0
