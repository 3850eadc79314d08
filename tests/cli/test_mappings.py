"""`qbo-sync mappings` against a company with lists: listed, suggested, edited as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from qbo_sync_dagster.sandbox.quickbooks.control import CLIENT_ID, CLIENT_SECRET, SandboxControl

from .conftest import Shell


@dataclass
class Desk:
    """A shell and its connected company; the tenant has the services Endpoint and Backup."""

    shell: Shell
    realm: str
    items: dict[str, str]

    def rows(self) -> dict[str, dict[str, str]]:
        """What `export` writes, by AlgaPSA's name."""
        text = self.shell.ok("mappings", "export", self.realm)
        return {row["algapsa_name"]: row for row in csv.DictReader(io.StringIO(text))}

    def import_(self, *lines: str) -> str:
        text = "\n".join(["kind,algapsa_id,quickbooks_id,quickbooks_name", *lines])
        return self.shell.ok("mappings", "import", self.realm, "-", text=text)

    def refused(self, *lines: str) -> str:
        text = "\n".join(["kind,algapsa_id,quickbooks_id,quickbooks_name", *lines])
        return self.shell.refused("mappings", "import", self.realm, "-", text=text)


@pytest.fixture
def open_desk(shell: Shell, sandbox: SandboxControl) -> Callable[..., Desk]:
    def build(**switches: object) -> Desk:
        made = sandbox.create_realm("Slate Bay IT", **switches)
        items = {
            name: str(sandbox.item(made.realm, name)["Id"])
            for name in ("Endpoint", "Backup and recovery")
        }
        shell.settings |= {
            "QBO_CLIENT_ID": CLIENT_ID,
            "QBO_CLIENT_SECRET": CLIENT_SECRET,
            "QBO_API_BASE_URL": sandbox.api_base,
            "QBO_OAUTH_TOKEN_URL": sandbox.token_url,
        }
        shell.ok(
            *("connections", "add", "--tenant", shell.msp.tenant, "--realm", made.realm),
            *("--name", "Slate Bay IT", "--time-zone", "UTC"),
            QBO_REFRESH_TOKEN=made.refresh_token,
        )
        return Desk(shell, made.realm, items)

    return build


@pytest.fixture
def desk(open_desk: Callable[..., Desk]) -> Desk:
    return open_desk()


def test_what_is_missing_is_listed_with_what_its_name_suggests(desk: Desk) -> None:
    found = desk.shell.json("mappings", "list", desk.realm, "--missing")["mappings"]

    told = {each["algapsa_name"]: [s["name"] for s in each["suggestions"]] for each in found}
    assert told["Endpoint"][0] == "Endpoint"
    assert told["Backup"] == ["Backup and recovery"]
    assert told["Washington"] == ["Taxable"]
    assert told["net_30"][0] == "Net 30"


def test_equal_names_are_linked_and_alike_ones_are_left_to_people(desk: Desk) -> None:
    told = desk.shell.ok("mappings", "accept", desk.realm)

    assert "service Endpoint: Endpoint" in told
    states = {name: row["state"] for name, row in desk.rows().items()}
    assert states == {
        "Endpoint": "linked",
        "Backup": "missing",
        "Washington": "linked",
        "net_30": "linked",
    }
    assert "Nothing to link" in desk.shell.ok("mappings", "accept", desk.realm)


def test_the_file_has_names_beside_ids_and_can_be_imported_as_it_is(desk: Desk) -> None:
    desk.shell.ok("mappings", "accept", desk.realm)
    text = desk.shell.ok("mappings", "export", desk.realm)
    row = desk.rows()["Endpoint"]
    assert (row["quickbooks_id"], row["quickbooks_name"]) == (desk.items["Endpoint"], "Endpoint")
    assert desk.rows()["Backup"]["suggested_name"] == "Backup and recovery"

    assert desk.shell.ok("mappings", "import", desk.realm, "-", text=text) == (
        "0 mappings made, 0 corrected, 3 stood already.\n"
    )


def test_an_edited_name_links_and_an_edited_id_corrects(desk: Desk) -> None:
    endpoint, backup = desk.shell.msp.services

    made = desk.import_(f"service,{endpoint},,backup and recovery", f"service,{backup},,")
    corrected = desk.import_(f"service,{endpoint},{desk.items['Endpoint']},")

    assert made == "1 mapping made, 0 corrected, 0 stood already.\n"
    assert corrected == "0 mappings made, 1 corrected, 0 stood already.\n"
    assert desk.rows()["Endpoint"]["quickbooks_id"] == desk.items["Endpoint"]


def test_every_line_that_cannot_be_used_is_named_and_nothing_is_linked(desk: Desk) -> None:
    endpoint, backup = desk.shell.msp.services

    told = desk.refused(
        f"service,{endpoint},{desk.items['Endpoint']},",
        f"service,{backup},99999,",
        f"service,{backup},{desk.items['Endpoint']},Backup and recovery",
        "service,nobody,12,",
        "payment_term,net_30,,Net 31",
    )

    assert "Line 3: QuickBooks has no active item '99999'" in told
    assert "Line 4: the id" in told
    assert "Line 5: AlgaPSA has no active service 'nobody'" in told
    assert (
        "Line 6: QuickBooks has no active payment term 'Net 31'. There is Net 15, Net 30, Net 60."
        in told
    )
    assert desk.rows()["Endpoint"]["state"] == "missing"


def test_a_kind_that_is_none_and_a_file_without_columns_are_refused(desk: Desk) -> None:
    assert "'colour' is no kind of mapping" in desk.refused("colour,x,1,")
    assert "must name the columns" in desk.shell.refused(
        "mappings", "import", desk.realm, "-", text="service,x,1\n"
    )


def test_one_record_is_mapped_by_names(desk: Desk) -> None:
    desk.shell.ok("mappings", "set", desk.realm, "service", "backup", "Backup and recovery")

    assert desk.rows()["Backup"]["quickbooks_name"] == "Backup and recovery"


def test_a_service_whose_item_was_made_inactive_is_gone(
    desk: Desk, sandbox: SandboxControl
) -> None:
    desk.shell.ok("mappings", "accept", desk.realm)
    sandbox.edit(desk.realm, "Item", desk.items["Endpoint"], Active=False)

    assert desk.rows()["Endpoint"]["state"] == "gone"


def test_a_default_term_covers_what_has_no_link(desk: Desk) -> None:
    desk.shell.ok("configure", desk.realm, "default-term=Net 15")

    assert desk.rows()["net_30"]["state"] == "by default"


def test_abroad_regions_are_mapped_to_the_companys_own_codes(
    open_desk: Callable[..., Desk], sandbox: SandboxControl
) -> None:
    desk = open_desk(country="CA", home_currency="CAD")
    code = sandbox.create(desk.realm, "TaxCode", {"Name": "GST", "Taxable": True})

    desk.shell.ok("mappings", "set", desk.realm, "tax_region", "US-WA", "gst")

    assert desk.rows()["Washington"]["quickbooks_id"] == str(code["Id"])


def test_a_typing_error_is_answered_with_what_was_meant(desk: Desk) -> None:
    assert "Did you mean Endpoint?" in desk.refused("service,Endpont,,Endpoint")
    assert "which tax region of AlgaPSA is meant?" in desk.refused("tax_region,,TAX,")


def test_a_file_that_names_no_object_is_no_success(desk: Desk) -> None:
    assert "nothing to map" in desk.refused("service,Endpoint,,")


def test_two_lines_that_contradict_each_other_are_refused(desk: Desk) -> None:
    told = desk.refused(
        "service,Endpoint,,Endpoint", "service,Endpoint,,Backup and recovery", "service,Backup,,"
    )

    assert "Line 3: Endpoint is mapped to two objects." in told
    assert desk.rows()["Endpoint"]["state"] == "missing"


def test_what_is_gone_is_not_mapped_anew_by_its_name_alone(
    desk: Desk, sandbox: SandboxControl
) -> None:
    desk.shell.ok("mappings", "accept", desk.realm)
    sandbox.edit(desk.realm, "Item", desk.items["Endpoint"], Active=False, Name="Endpoint (old)")
    sandbox.item(desk.realm, "Endpoint")

    assert "Nothing to link" in desk.shell.ok("mappings", "accept", desk.realm)

    assert desk.rows()["Endpoint"]["quickbooks_id"] == desk.items["Endpoint"]
