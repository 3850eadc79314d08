"""`qbo-sync configure`."""

from __future__ import annotations

import pytest

from .conftest import REALM, Shell


def test_settings_are_changed_and_shown(shell: Shell) -> None:
    shell.connect()

    told = shell.ok("configure", REALM, "auto-sync=off", "default-item=19")

    assert told == "auto-sync: off (was on)\ndefault-item: 19 (was -)\n"
    settings = shell.json("configure", REALM)["settings"]
    assert (settings["auto-sync"], settings["default-item"]) == (False, "19")
    assert "customer-creation" in shell.ok("configure", REALM)


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
    ],
)
def test_what_cannot_be_meant_is_a_sentence(
    shell: Shell, changes: list[str], complaint: str
) -> None:
    shell.connect()

    assert complaint in shell.refused("configure", REALM, *changes)
