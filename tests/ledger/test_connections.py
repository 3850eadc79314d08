"""Connections: one company, one tenant, one default; the cursor never goes back."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from qbo_sync_dagster.ledger import connections
from qbo_sync_dagster.ledger.connections import company_key
from qbo_sync_dagster.ledger.errors import LedgerError, UnknownRealmError

from .conftest import OTHER, REALM, Ledger

STRANGER = "5a1c0a1e-7d7f-4d5c-8f0e-000000000002"


def test_a_new_company_starts_connected_with_its_cursor_at_the_connect_time(
    empty_ledger: Ledger,
) -> None:
    company = empty_ledger.connect(REALM)

    assert company.state == "connected"
    assert company.cursor == company.connected_at
    assert (company.accepted_cents, company.create_customers) == (0, False)


def test_the_first_company_of_a_tenant_is_its_default_and_later_ones_are_not(
    ledger: Ledger,
) -> None:
    second = ledger.connect(OTHER)
    other_tenant = ledger.connect("9341453000000003", STRANGER)

    with ledger.begin() as connection:
        assert connections.get(connection, REALM).is_default
    assert not second.is_default
    assert other_tenant.is_default


def test_the_database_refuses_a_second_default_company(ledger: Ledger) -> None:
    with pytest.raises(sa.exc.IntegrityError, match="uq_connections_default"):
        ledger.connect(OTHER, is_default=True)


def test_a_company_serves_one_tenant_only(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="connected already"):
        ledger.connect(REALM, STRANGER)


def test_a_company_is_found_by_realm_and_by_its_key(ledger: Ledger) -> None:
    with ledger.begin() as connection:
        company = connections.get(connection, REALM)

        assert connections.get(connection, company.company) == company


def test_an_unknown_company_is_told_with_where_to_look(ledger: Ledger) -> None:
    with ledger.begin() as connection, pytest.raises(UnknownRealmError, match="connections list"):
        connections.get(connection, "nobody")


def test_the_cursor_moves_forward(ledger: Ledger) -> None:
    with ledger.begin() as connection:
        before = connections.get(connection, REALM).cursor
        connections.advance_cursor(connection, REALM, before + timedelta(minutes=15))

        assert connections.get(connection, REALM).cursor == before + timedelta(minutes=15)


def test_a_late_answer_does_not_rewind_the_cursor(ledger: Ledger) -> None:
    with ledger.begin() as connection:
        before = connections.get(connection, REALM).cursor
        connections.advance_cursor(connection, REALM, before - timedelta(minutes=15))

        assert connections.get(connection, REALM).cursor == before


def test_the_cursor_of_another_company_stays(ledger: Ledger) -> None:
    before = ledger.connect(OTHER).cursor
    with ledger.begin() as connection:
        connections.advance_cursor(connection, REALM, before + timedelta(days=1))

        assert connections.get(connection, OTHER).cursor == before


@pytest.mark.parametrize(
    ("name", "realm", "key"),
    [
        ("Northwind IT", "9341453", "northwind-it-9341453"),
        ("Ärzte & Söhne GmbH", "9341453", "rzte-s-hne-gmbh-9341453"),
        ("株式会社", "9341453", "company-9341453"),
        ("a" * 90, "1", "a" * 40 + "-1"),
        ("Northwind", "12/34:5", "northwind-12345"),
    ],
)
def test_the_key_of_a_company_is_readable_and_safe_as_a_partition(
    name: str, realm: str, key: str
) -> None:
    assert company_key(name, realm) == key


def test_equal_names_have_different_keys() -> None:
    assert company_key("Northwind", "1") != company_key("Northwind", "2")
