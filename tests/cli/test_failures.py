"""Errors are sentences with the cure on standard error, exit codes are not 0, secrets stay out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from qbo_sync_dagster.cli.failures import sentences

from .conftest import REALM, Shell

QBO_SYNC = Path(sys.executable).parent / "qbo-sync"


def command(*arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [QBO_SYNC, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_missing_setting_is_named_with_its_meaning(shell: Shell) -> None:
    del shell.settings["QBO_SYNC_DATABASE_URL"]

    told = shell.refused("health", QBO_SYNC_DATABASE_URL="")

    assert "QBO_SYNC_DATABASE_URL is not set" in told


def test_an_unreachable_database_is_named_without_its_password(shell: Shell) -> None:
    told = shell.refused(
        "exceptions", QBO_SYNC_DATABASE_URL="postgresql://us:hunter2@127.0.0.1:9/ledger"
    )

    assert "The ledger's database cannot be reached" in told
    assert "Connection refused" in told
    assert "hunter2" not in told


@pytest.mark.parametrize("url", ["mysql://host/db", "no address", "postgresql://host:port/db"])
def test_an_address_of_something_else_is_refused(shell: Shell, url: str) -> None:
    told = shell.refused("exceptions", QBO_SYNC_DATABASE_URL=url)

    assert told.startswith("QBO_SYNC_DATABASE_URL")
    assert "postgresql://user@host:5432/database" in told


def test_a_setting_with_an_impossible_value_is_named(shell: Shell) -> None:
    told = shell.refused("health", QBO_ENVIRONMENT="staging")

    assert "The setting QBO_ENVIRONMENT can't be used: Input should be 'production' or" in told


def test_a_damaged_key_says_how_to_make_one(shell: Shell) -> None:
    told = shell.refused("health", QBO_SYNC_SECRET_KEY="short")

    assert "QBO_SYNC_SECRET_KEY is not a Fernet key" in told


@pytest.mark.parametrize(
    "command", [["cycle", "x"], ["health", "x"], ["sync-now", "x"], ["links", "export", "x"]]
)
def test_an_unknown_company_points_to_the_list(shell: Shell, command: list[str]) -> None:
    assert "`qbo-sync connections list`" in shell.refused(*command)


def test_algapsa_out_of_reach_is_a_sentence(shell: Shell) -> None:
    shell.connect()
    text = f"client,{shell.msp.clients[0]},1\n"

    told = shell.refused(
        *("links", "import", REALM, "-"),
        text=text,
        ALGAPSA_DATABASE_URL="postgresql://u:hunter2@127.0.0.1:9/server",
    )

    assert "AlgaPSA's database cannot be reached" in told
    assert "hunter2" not in told


def test_a_fault_of_the_program_is_told_without_traceback_or_secret() -> None:
    [told] = sentences(KeyError("refresh_token=AB11aaaaaaaaaaaaaaaaaaaaaaaaaaaa"))

    assert told.startswith("Unexpected KeyError")
    assert "AB11" not in told


def test_the_installed_command_ends_with_exit_code_1_and_no_traceback() -> None:
    environment = {name: value for name, value in os.environ.items() if "QBO" not in name}

    done = command("health", "--json", environment=environment)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "QBO_SYNC_DATABASE_URL is not set: the PostgreSQL database of this program. Set it and "
        "run this again.\n"
    )


def test_a_mistyped_command_is_a_usage_error() -> None:
    done = command("helth", environment=dict(os.environ))

    assert done.returncode == 2
    assert "No such command 'helth'" in done.stderr
    assert done.stdout == ""
