"""What can be linked, with ids and names of both sides; and the doctor when all is well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from qbo_sync_dagster.actions.examining import Verdict, examine
from qbo_sync_dagster.actions.naming import named_records, write_names
from qbo_sync_dagster.ledger import connections
from qbo_sync_dagster.quickbooks.settings import QuickBooksSettings
from qbo_sync_dagster.sandbox.quickbooks.control import CLIENT_ID, CLIENT_SECRET, SandboxControl
from qbo_sync_dagster.sync.engine import SyncEngine

from .conftest import Office


@pytest.fixture
def connected(office: Office, sandbox: SandboxControl) -> Iterator[tuple[Office, str]]:
    """An office with one company, which the sandbox serves, and its realm id."""
    quickbooks = QuickBooksSettings(sandbox.api_base, sandbox.token_url, CLIENT_ID, CLIENT_SECRET)
    with SyncEngine(replace(office.engine.config, quickbooks=quickbooks)) as engine:
        made = sandbox.create_realm("Slate Bay")
        online = Office(engine, office.msp)
        online.connect(made.realm, refresh_token=made.refresh_token)
        yield online, made.realm


def test_both_sides_are_listed_with_what_can_link_them(
    connected: tuple[Office, str], sandbox: SandboxControl
) -> None:
    office, realm = connected
    customer = sandbox.customer(realm, "Quarry Lane Dental")["Id"]
    sandbox.edit(realm, "Customer", sandbox.customer(realm, "Gone Ltd")["Id"], Active=False)
    item = sandbox.item(realm, "Endpoint")["Id"]

    records = named_records(office.engine, realm)

    told = {(each.kind, each.side, each.id, each.name) for each in records}
    assert ("client", "AlgaPSA", office.msp.clients[0], "Quarry Lane Dental") in told
    assert ("client", "QuickBooks", customer, "Quarry Lane Dental") in told
    assert ("service", "QuickBooks", item, "Endpoint") in told
    assert ("tax_region", "AlgaPSA", "US-WA", "Washington") in told
    assert ("payment_term", "AlgaPSA", "net_30", "net_30") in told
    assert {each.kind for each in records} >= {"deposit-account", "payment_term"}
    assert not any(each.name.startswith("Gone") for each in records)
    assert write_names(records).startswith("kind,side,id,name\nclient,")


def test_the_doctor_is_content_when_everything_is_in_place(
    connected: tuple[Office, str], sandbox: SandboxControl
) -> None:
    office, realm = connected

    findings = list(examine(office.engine))

    assert [each.verdict for each in findings] == [Verdict.GOOD] * 3
    assert findings[2].sentence.startswith("QuickBooks answers for Slate Bay; its authorization")
    assert sandbox.metered_calls(realm) == 1


def test_the_doctor_names_a_dead_connection_with_its_cure(
    connected: tuple[Office, str], sandbox: SandboxControl
) -> None:
    office, realm = connected
    sandbox.revoke_tokens(realm)

    quickbooks = list(examine(office.engine))[-1]

    assert quickbooks.verdict is Verdict.PROBLEM
    assert "onnect" in quickbooks.sentence


def test_a_company_that_no_cycle_serves_is_a_problem_although_quickbooks_answers(
    connected: tuple[Office, str],
) -> None:
    office, realm = connected
    with office.engine.ledger.begin() as connection:
        connections.update(connection, realm, state="reconnect")

    quickbooks = list(examine(office.engine))[-1]

    assert quickbooks.verdict is Verdict.PROBLEM
    assert "`qbo-sync connections reconnect " in quickbooks.sentence
