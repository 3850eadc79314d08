"""`qbo-sync onboard`, `invoices`, `sync-invoice` and `cycle --preview` against a real company."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from qbo_sync_dagster.sandbox.quickbooks.control import CLIENT_ID, CLIENT_SECRET, SandboxControl

from .conftest import Shell


@dataclass
class Desk:
    """A shell and its connected company; two of the tenant's three clients are customers there."""

    shell: Shell
    sandbox: SandboxControl
    realm: str
    customers: dict[str, str]

    def clients(self) -> dict[str, dict[str, object]]:
        found = self.shell.json("onboard", self.realm, "--step", "clients")
        return {str(each["name"]): each for each in found["clients"]["clients"]}


@pytest.fixture
def desk(shell: Shell, sandbox: SandboxControl) -> Desk:
    made = sandbox.create_realm("Slate Bay IT")
    names = ("QUARRY LANE DENTAL, INC.", "Copper Kettle Bakers")
    customers = {name: str(sandbox.customer(made.realm, name)["Id"]) for name in names}
    shell.settings |= {
        "QBO_CLIENT_ID": CLIENT_ID,
        "QBO_CLIENT_SECRET": CLIENT_SECRET,
        "QBO_API_BASE_URL": sandbox.api_base,
        "QBO_OAUTH_TOKEN_URL": sandbox.token_url,
    }
    shell.ok(
        *("connections", "add", "--tenant", shell.msp.tenant, "--realm", made.realm),
        *("--name", "Slate Bay IT", "--time-zone", "America/Los_Angeles"),
        QBO_REFRESH_TOKEN=made.refresh_token,
    )
    return Desk(shell, sandbox, made.realm, customers)


def test_the_wizard_shows_every_step_and_does_nothing_unasked(desk: Desk) -> None:
    told = desk.shell.ok("onboard", desk.realm)

    assert "Quarry Lane Dental" in told
    assert "exact" in told
    assert "exported" in told
    assert desk.clients()["Quarry Lane Dental"]["state"] == "exact"


def test_yes_links_what_is_sure_and_nothing_else(desk: Desk) -> None:
    desk.shell.ok("onboard", desk.realm, "--step", "clients", "--yes")

    states = {name: each["state"] for name, each in desk.clients().items()}
    assert states == {
        "Quarry Lane Dental": "linked",
        "Copper Kettle Bakery": "suggested",
        "North Fork Law": "no match",
    }


def test_a_suggestion_is_taken_by_naming_it(desk: Desk) -> None:
    pair = "Copper Kettle Bakery=Copper Kettle Bakers"

    desk.shell.ok("onboard", desk.realm, "--step", "clients", "--link", pair)

    found = desk.clients()["Copper Kettle Bakery"]
    assert found["customer_id"] == desk.customers["Copper Kettle Bakers"]


def test_a_client_is_created_or_skipped_by_naming_it(desk: Desk) -> None:
    desk.shell.ok("onboard", desk.realm, "--step", "clients", "--create", "North Fork Law")
    desk.shell.ok("onboard", desk.realm, "--step", "clients", "--skip", "Copper Kettle Bakery")

    found = desk.clients()
    assert found["North Fork Law"]["state"] == "linked"
    assert found["Copper Kettle Bakery"]["state"] == "skipped"


def test_a_pair_without_an_equal_sign_is_refused(desk: Desk) -> None:
    told = desk.shell.refused("onboard", desk.realm, "--link", "North Fork Law")

    assert "CLIENT=CUSTOMER" in told


def test_the_go_live_date_is_set_and_shown(desk: Desk) -> None:
    arguments = ("onboard", desk.realm, "--step", "go-live", "--go-live", "2026-03-01")

    assert "2026-03-01" in desk.shell.ok(*arguments)


def test_a_preview_of_nothing_says_so_with_its_digest(desk: Desk) -> None:
    told = desk.shell.ok("cycle", desk.realm, "--preview")

    assert "would do nothing now" in told
    assert "Digest of this plan: " in told
    assert desk.shell.json("cycle", desk.realm, "--preview")["effects"] == []


def test_a_company_without_finalized_invoices_has_nothing_to_show(desk: Desk) -> None:
    assert "No such invoices." in desk.shell.ok("invoices", desk.realm)
    assert desk.shell.json("invoices", desk.realm) == {"invoices": []}


def test_an_unknown_invoice_is_refused_in_a_sentence(desk: Desk) -> None:
    told = desk.shell.refused("sync-invoice", desk.realm, "INV-404")

    assert "no finalized invoice INV-404" in told


def test_a_batch_needs_to_be_narrowed(desk: Desk) -> None:
    assert "Say which invoices" in desk.shell.refused("batches", "preview", desk.realm)


def test_a_batch_of_nothing_shows_nothing(desk: Desk) -> None:
    told = desk.shell.ok("batches", "preview", desk.realm, "--from", "2026-01-01")

    assert "0 invoices can go, 0 can't." in told
    assert "No batches yet." in desk.shell.ok("batches", "list", desk.realm)


def test_a_file_is_refused_for_a_connected_company(desk: Desk) -> None:
    told = desk.shell.refused("batches", "csv", desk.realm, "-", "--number", "INV-1")

    assert "is connected" in told


def test_an_unknown_client_is_refused_with_what_was_meant(desk: Desk) -> None:
    told = desk.shell.refused("batches", "preview", desk.realm, "--client", "North Fork")

    assert "Did you mean North Fork Law?" in told
