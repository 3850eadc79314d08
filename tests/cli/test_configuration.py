"""`qbo-sync configure`."""

from __future__ import annotations

import secrets

import pytest

from qbo_sync_dagster.sandbox.quickbooks.control import CLIENT_ID, CLIENT_SECRET, SandboxControl

from .conftest import REALM, Shell


def test_settings_are_changed_and_shown(shell: Shell) -> None:
    shell.connect()

    told = shell.ok("configure", REALM, "auto-sync=off", "assignee=Month-end desk")

    assert told == (
        "auto-sync: off (was on)\nassignee: Month-end desk (was accounting administrator)\n"
    )
    settings = shell.json("configure", REALM)["settings"]
    assert (settings["auto-sync"], settings["assignee"]) == (False, "Month-end desk")


def test_without_an_answer_of_quickbooks_settings_are_shown_without_names(shell: Shell) -> None:
    shell.connect()

    result = shell.run("configure", REALM)

    assert result.exit_code == 0
    assert "customer-creation" in result.stdout
    assert "Without names and choices" in result.stderr


def test_what_is_picked_in_quickbooks_is_not_set_without_its_answer(shell: Shell) -> None:
    shell.connect()

    assert "sign-in service" in shell.refused("configure", REALM, "class=West")
    assert shell.json("configure", REALM)["settings"]["class"] is None


@pytest.fixture
def online(shell: Shell, sandbox: SandboxControl) -> Shell:
    """A shell with a connected company that has lists."""
    made = sandbox.create_realm("Slate Bay IT", realm=f"9341{secrets.randbelow(10**12)}")
    sandbox.create(made.realm, "Class", {"Name": "West"})
    gone = sandbox.create(made.realm, "Class", {"Name": "Old"})
    sandbox.edit(made.realm, "Class", gone["Id"], Active=False)
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
    shell.settings["REALM"] = made.realm
    return shell


def test_lists_of_the_company_are_shown_and_picked_from_by_name(online: Shell) -> None:
    realm = online.settings["REALM"]
    choices = online.json("configure", realm)["choices"]
    assert [each["name"] for each in choices["class"]] == ["West"]
    accounts = [each["name"] for each in choices["deposit account"]]
    assert "Undeposited Funds" in accounts
    assert "Services" not in accounts
    assert [each["id"] for each in choices["tax code"]] == ["NON", "TAX"]

    told = online.ok("configure", realm, "deposit-account=undeposited funds", "class=West")

    assert "deposit-account: Undeposited Funds (id " in told
    assert "West (id " in online.ok("configure", realm)
    assert "no active class 'Old'" in online.refused("configure", realm, "class=Old")
    assert "no active deposit account 'Services'" in online.refused(
        "configure", realm, "deposit-account=Services"
    )


def test_setting_it_again_says_that_nothing_changed(shell: Shell) -> None:
    shell.connect()

    assert shell.ok("configure", REALM, "auto-sync=on") == (
        "Nothing changed: Slate Bay 1 is set like that already.\n"
    )


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        (["auto-sync"], "'auto-sync' is not KEY=VALUE. For example: auto-sync=off."),
        (["class=1", "class=2"], "class is given twice."),
        (["colour=blue"], "There is no setting colour."),
        (["default-item="], "default-item is empty. Give a name or an id; `none` removes"),
    ],
)
def test_what_cannot_be_meant_is_a_sentence(
    shell: Shell, changes: list[str], complaint: str
) -> None:
    shell.connect()

    assert complaint in shell.refused("configure", REALM, *changes)
