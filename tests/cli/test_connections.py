"""`qbo-sync connections`."""

from __future__ import annotations

from pathlib import Path

from qbo_sync_dagster.ledger.engine import create_ledger_engine
from qbo_sync_dagster.ledger.tokens import TokenCipher, TokenVault

from .conftest import REALM, SECRET_KEY, Shell

ADD = ("--realm", REALM, "--name", "Slate Bay", "--time-zone", "America/Los_Angeles")


def stored_token(shell: Shell) -> str:
    engine = create_ledger_engine(shell.settings["QBO_SYNC_DATABASE_URL"])
    try:
        return TokenVault(engine, TokenCipher(SECRET_KEY)).peek(REALM).refresh_token
    finally:
        engine.dispose()


def test_a_company_is_connected_and_listed(shell: Shell) -> None:
    told = shell.connect(REALM, "--go-live", "2026-02-01")

    assert "Slate Bay 1 is connected as slate-bay-1-1453000000001" in told
    assert "2026-02-01 or later are sent" in told
    [company] = shell.json("connections", "list")["companies"]
    assert company == {
        "company": "slate-bay-1-1453000000001",
        "realm": REALM,
        "name": "Slate Bay 1",
        "tenant": shell.msp.tenant,
        "state": "connected",
        "default": True,
        "auto_sync": True,
        "time_zone": "America/Los_Angeles",
        "go_live": "2026-02-01",
    }
    listed = shell.ok("connections", "list")
    assert "slate-bay-1-1453000000001" in listed
    assert "connected, auto-sync on" in listed


def test_without_companies_the_list_says_so(shell: Shell) -> None:
    assert shell.ok("connections", "list") == "No QuickBooks company is connected yet.\n"
    assert shell.json("connections", "list") == {"companies": []}


def test_the_token_comes_from_a_file(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("AB11-from-file\n")

    shell.ok("connections", "add", "--tenant", shell.msp.tenant, *ADD, "--token-file", str(file))

    assert stored_token(shell) == "AB11-from-file"


def test_the_token_comes_from_standard_input(shell: Shell) -> None:
    shell.ok(
        *("connections", "add", "--tenant", shell.msp.tenant, *ADD, "--token-file", "-"),
        text="AB11-piped\n",
    )

    assert stored_token(shell) == "AB11-piped"


def test_a_token_is_never_an_argument(shell: Shell) -> None:
    result = shell.run("connections", "add", "--help")

    assert "--token-file" in result.stdout
    assert "--refresh-token" not in result.stdout
    assert "--token " not in result.stdout


def test_without_a_token_the_three_ways_are_named(shell: Shell) -> None:
    told = shell.refused("connections", "add", "--tenant", shell.msp.tenant, *ADD)

    assert "The refresh token is missing" in told
    assert "--token-file" in told
    assert "QBO_REFRESH_TOKEN" in told


def test_reconnecting_says_so_and_names_what_it_kept(shell: Shell) -> None:
    shell.connect()
    shell.ok("configure", REALM, "time-zone=Europe/London")

    result = shell.run(
        *("connections", "add", "--tenant", shell.msp.tenant, *ADD),
        QBO_REFRESH_TOKEN="AB11-second",
    )

    assert result.stdout == "Slate Bay 1 is connected again. The next cycle catches up.\n"
    assert "Kept as it was: time zone Europe/London." in result.stderr
    assert stored_token(shell) == "AB11-second"


def test_the_token_is_shown_nowhere(shell: Shell) -> None:
    told = shell.run(
        *("connections", "add", "--tenant", shell.msp.tenant, *ADD, "--json"),
        QBO_REFRESH_TOKEN="AB11-first",
    ).output

    assert "AB11" not in told + shell.ok("connections", "list")


def test_a_go_live_date_is_a_date(shell: Shell) -> None:
    told = shell.refused(
        *("connections", "add", "--tenant", shell.msp.tenant, *ADD, "--go-live", "1/2/26"),
        QBO_REFRESH_TOKEN="AB11-first",
    )

    assert told == "--go-live '1/2/26' is not a date. Write it as year-month-day: 2026-01-31.\n"


def test_a_company_is_prepared_and_connecting_another_one_says_for_whom_documents_wait(
    shell: Shell,
) -> None:
    entered = shell.ok(
        *("connections", "prepare", "--tenant", shell.msp.tenant, "--realm", "9341453000000077"),
        *("--name", "Juniper Row", "--time-zone", "UTC", "--go-live", "2026-02-01"),
    )

    told = shell.run(
        "connections", "add", "--tenant", shell.msp.tenant, *ADD, QBO_REFRESH_TOKEN="R1"
    )

    assert "batches csv juniper-row-1453000000077 FILE" in entered
    assert "New documents wait for Juniper Row" in told.stderr
    assert "make-default slate-bay-1453000000001" in told.stderr
