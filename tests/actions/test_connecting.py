"""Connecting a company, and reconnecting one."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
import sqlalchemy as sa

from qbo_sync_dagster.actions.connecting import (
    CompanyToConnect,
    CompanyToPrepare,
    Connected,
    connect_company,
    prepare_company,
)
from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.exception_record import ExceptionRecord
from qbo_sync_dagster.ledger import connections, exceptions, links, tokens
from qbo_sync_dagster.ledger.errors import LedgerError

from .conftest import REALM, Office


def stored_token(office: Office, realm: str = REALM) -> str:
    return tokens.TokenVault(office.engine.ledger, office.engine.cipher).peek(realm).refresh_token


def test_the_first_company_of_a_tenant_becomes_its_default(office: Office) -> None:
    first, second = office.connect(), office.connect("9341453000000002")

    assert (first.is_default, second.is_default) == (True, False)
    assert first.company == "slate-bay-1-1453000000001"
    assert first.state == "connected"


def test_the_refresh_token_is_stored_encrypted_and_audited_nowhere(office: Office) -> None:
    office.connect(refresh_token=" AB11-secret\n")

    with office.engine.ledger.connect() as connection:
        raw = connection.execute(sa.text("SELECT refresh_token FROM connection_tokens")).scalar()
    assert stored_token(office) == "AB11-secret"
    assert b"AB11" not in bytes(raw)
    assert "AB11" not in str(office.audited())


def test_going_live_defaults_to_today_in_the_companys_time_zone(office: Office) -> None:
    # On the International Date Line's two sides it is never the same day.
    east = office.connect(time_zone="Pacific/Kiritimati")
    west = office.connect("9341453000000002", time_zone="Pacific/Niue")

    assert east.go_live_date > west.go_live_date
    assert office.connect("9341453000000003", go_live_date=DATE).go_live_date == DATE


DATE = date(2026, 1, 1)


def test_reconnecting_keeps_links_cursor_and_settings_and_clears_the_connection_exception(
    office: Office,
) -> None:
    office.connect(go_live_date=DATE)
    cursor = datetime(2026, 10, 1, tzinfo=UTC)
    failed = ExceptionRecord(ExceptionKind.CONNECTION_FAILED, REALM, "Intuit refused the token.")
    other = ExceptionRecord(ExceptionKind.PREPAYMENT, "invoice 1", "It is a prepayment.")
    with office.engine.ledger.begin() as connection:
        connections.update(connection, REALM, state="reconnect", cursor=cursor, auto_sync=False)
        exceptions.raise_all(connection, REALM, [failed, other])
        links.add(connection, REALM, [links.NewLink("client", "a", "1", "imported")])

    again = office.connect(refresh_token="AB11-second", company_name="Slate Bay 1")

    assert (again.state, again.cursor, again.auto_sync) == ("connected", cursor, False)
    assert again.go_live_date == DATE
    assert stored_token(office) == "AB11-second"
    with office.engine.ledger.connect() as connection:
        assert links.ids(connection, REALM, "client") == {"a": "1"}
        assert [each.kind for each in exceptions.listed(connection)] == ["prepayment"]
    assert office.audited()[-1] == (
        "company reconnected",
        REALM,
        {"state": "reconnect"},
        {"state": "connected"},
    )


def test_reconnecting_says_what_it_keeps_although_other_values_were_given(office: Office) -> None:
    office.connect(go_live_date=DATE)
    wanted = CompanyToConnect(
        office.msp.tenant, REALM, "Another name", "Europe/Berlin", "AB11-second", date(2026, 2, 1)
    )

    connected = connect_company(office.engine.ledger, office.engine.cipher, wanted)

    assert connected == Connected(
        connected.connection,
        reconnected=True,
        kept=(
            "name Slate Bay 1",
            "time zone America/Los_Angeles",
            "go-live date 2026-01-01",
        ),
    )


def test_a_company_of_another_tenant_is_refused_and_keeps_its_token(office: Office) -> None:
    office.connect()

    with pytest.raises(LedgerError, match="One company can serve one tenant only"):
        office.connect(tenant="8f14e45f-ceea-467f-a8c1-0d5c3f1b2a90", refresh_token="AB11-thief")

    assert stored_token(office) == "AB11-first"


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"tenant": "Slate Bay"}, "The tenant 'Slate Bay' is not an AlgaPSA id"),
        ({"time_zone": "Pacific Time"}, "time zone"),
        ({"time_zone": "../etc/passwd"}, "time zone"),
        ({"realm": " "}, "realm id"),
        ({"realm": "93 41"}, "realm id"),
        ({"company_name": " \t"}, "name is empty"),
        ({"refresh_token": "two words"}, "refresh token is empty or damaged"),
        ({"refresh_token": "\n"}, "refresh token is empty or damaged"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_stores_nothing(
    office: Office, values: dict[str, str], complaint: str
) -> None:
    with pytest.raises(ActionRefusedError, match=complaint):
        office.connect(**values)

    with office.engine.ledger.connect() as connection:
        assert connections.every(connection) == []


def test_a_realm_id_is_any_word(office: Office) -> None:
    assert office.connect("Realm/ä-7").realm == "Realm/ä-7"


def test_a_token_never_shows_in_the_repr_of_what_is_asked(office: Office) -> None:
    wanted = CompanyToConnect(office.msp.tenant, REALM, "Name", "UTC", "AB11-secret")

    assert "AB11" not in repr(wanted)


def prepared(office: Office, **fields: object) -> CompanyToPrepare:
    described: dict[str, object] = {
        "tenant": office.connect("9341453000000009").tenant,
        "realm": REALM,
        "company_name": "Juniper Row",
        "time_zone": "UTC",
        "go_live_date": DATE,
    }
    return CompanyToPrepare(**(described | fields))  # type: ignore[arg-type]


def test_a_prepared_company_has_no_tokens_and_is_connected_later_with_what_was_entered(
    office: Office,
) -> None:
    wanted = prepared(office)

    company = prepare_company(office.engine.ledger, wanted)
    with pytest.raises(LedgerError):
        stored_token(office)
    connected = office.connect(REALM, tenant=wanted.tenant)

    assert (company.state, company.go_live_date) == ("disconnected", DATE)
    assert (connected.state, connected.go_live_date) == ("connected", DATE)
    assert (connected.company, connected.company_name) == (company.company, "Juniper Row")


def test_a_company_that_is_there_is_not_prepared_again(office: Office) -> None:
    with pytest.raises(LedgerError, match="is connected already"):
        prepare_company(office.engine.ledger, prepared(office, realm="9341453000000009"))


@pytest.mark.parametrize(
    ("field", "value"),
    [("realm", "not an id"), ("time_zone", "Mars/Base"), ("company_name", " "), ("tenant", "x")],
)
def test_what_does_not_hold_is_not_prepared(office: Office, field: str, value: str) -> None:
    with pytest.raises(ActionRefusedError):
        prepare_company(office.engine.ledger, prepared(office, **{field: value}))
