"""`qbo-sync health`, `exceptions`, `sync-now`, `cycle`, `doctor` and `migrate`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from qbo_sync_dagster.algapsa.gateway import AlgaPsa
from qbo_sync_dagster.cli.ending import EndAskedError
from qbo_sync_dagster.domain.catalogue import CATALOGUE, ExceptionKind
from qbo_sync_dagster.domain.exception_record import ExceptionRecord, RecordReference
from qbo_sync_dagster.ledger import connections, exceptions, leases
from qbo_sync_dagster.ledger.engine import create_ledger_engine
from tests.databases import OURS
from tests.waiting import eventually

from .conftest import REALM, Shell


def in_ledger(shell: Shell, act: Callable[..., Any], *values: Any, **named: Any) -> Any:
    engine = create_ledger_engine(shell.settings["QBO_SYNC_DATABASE_URL"])
    with engine.begin() as connection:
        told = act(connection, *values, **named)
    engine.dispose()
    return told


def test_health_shows_every_company_or_one(shell: Shell) -> None:
    assert "qbo-sync connect" in shell.ok("health")
    shell.connect()
    shell.connect("9341453000000002")

    both = shell.json("health")["companies"]
    assert {each["realm"] for each in both} == {REALM, "9341453000000002"}
    [one] = shell.json("health", "slate-bay-1-1453000000001")["companies"]
    assert (one["realm"], one["pending"], one["started_at"]) == (REALM, 0, None)
    assert "Slate Bay 2" in shell.ok("health")
    panel = shell.ok("health", REALM)
    assert "Last Sync Cycle   none yet" in panel
    assert "Pending ops       0" in panel


def test_an_exception_is_told_with_cause_cure_amounts_and_links(shell: Shell) -> None:
    shell.connect()
    raised = ExceptionRecord(
        ExceptionKind.TOTAL_DIFFERENCE,
        "invoice 1",
        "Invoice INV-7 is 10.00 in AlgaPSA and 10.01 in QuickBooks.",
        references=(
            RecordReference("algapsa", "invoice", "1", "Invoice INV-7"),
            RecordReference("quickbooks", "Invoice", "145", "Invoice INV-7"),
        ),
        amounts={"AlgaPSA total": 1000, "QuickBooks total": 1001},
    )
    in_ledger(shell, exceptions.raise_all, REALM, [raised])

    listed = shell.ok("exceptions")
    told = shell.ok(
        *("exceptions", "show", "1"),
        QBO_API_BASE_URL="https://quickbooks.api.intuit.com/v3/company",
    )

    assert "1 open exception. `qbo-sync exceptions show NUMBER` says what to do.\n" in listed
    assert "1  Invoice total differs in QuickBooks\n" in told
    assert "Invoice INV-7 is 10.00 in AlgaPSA and 10.01 in QuickBooks." in told
    assert CATALOGUE[ExceptionKind.TOTAL_DIFFERENCE].cure in told
    assert "AlgaPSA total 10.00; QuickBooks total 10.01" in told
    assert "https://app.qbo.intuit.com/app/invoice?txnId=145" in told
    assert 'qbo-sync exceptions accept 1 --reason "..."' in told
    [stored] = shell.json("exceptions", "list", REALM)["exceptions"]
    assert shell.json("exceptions", REALM)["exceptions"] == [stored]
    assert shell.json("exceptions")["exceptions"] == [stored]
    assert "No QuickBooks company 'nowhere'" in shell.refused("exceptions", "nowhere")
    assert (stored["number"], stored["kind"]) == (1, "total_difference")
    assert stored["what_happened"] == raised.what_happened


def test_an_exception_is_settled_and_keeps_who_and_why(shell: Shell) -> None:
    shell.connect()
    raised = ExceptionRecord(ExceptionKind.PREPAYMENT, "invoice:1", "A prepayment.")
    in_ledger(shell, exceptions.raise_all, REALM, [raised])

    assert "needs a reason" in shell.refused("exceptions", "dismiss", "1")
    assert "does not settle" in shell.refused("exceptions", "retry", "1")
    told = shell.ok("exceptions", "dismiss", "1", "--by", "Avery", "--reason", "Booked by hand.")

    assert "is dismissed" in told
    assert shell.ok("exceptions") == "No open exceptions.\n"
    [closed] = shell.json("exceptions", "list", "--closed")["exceptions"]
    assert (closed["state"], closed["closed_by"]) == ("dismissed", "Avery")
    assert "Booked by hand." in shell.ok("exceptions", "show", "1")
    assert "There is no exception 2." in shell.refused("exceptions", "show", "2")


def test_a_memo_cannot_steer_the_terminal(shell: Shell) -> None:
    shell.connect()
    memo = "\x1b[2J\x1b]0;owned\x07[bold]Paid[/bold]\r\u202eevil"
    raised = ExceptionRecord(ExceptionKind.PREPAYMENT, "invoice 1", memo)
    in_ledger(shell, exceptions.raise_all, REALM, [raised])

    told = shell.ok("exceptions", "show", "1")

    assert "\x1b" not in told
    assert "\r" not in told
    assert "\u202e" not in told
    assert "[bold]Paid[/bold]" in told


def test_without_exceptions_the_answer_says_so(shell: Shell) -> None:
    shell.connect()

    assert shell.ok("exceptions") == "No open exceptions.\n"
    assert shell.json("exceptions") == {"exceptions": []}


def test_sync_now_files_a_request(shell: Shell) -> None:
    shell.connect()

    assert shell.json("sync-now", REALM) == {"request": 1}
    assert shell.ok("sync-now", "slate-bay-1-1453000000001").startswith("Requested (number 2).")


def test_a_cycle_that_fails_ends_with_its_sentence_and_exit_code_1(shell: Shell) -> None:
    shell.connect()

    result = shell.run("cycle", REALM, "--json")

    row = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (row["realm"], row["outcome"]) == (REALM, "failed")
    assert row["sentence"]
    assert "Traceback" not in result.stderr


def test_a_company_that_must_be_reconnected_ends_aborted_with_the_cure(shell: Shell) -> None:
    shell.connect()
    in_ledger(shell, connections.update, REALM, state="reconnect")

    result = shell.run("cycle", REALM)

    assert result.exit_code == 1
    assert "aborted: " in result.stderr
    assert "connections reconnect" in result.stderr


def test_a_cycle_that_is_ended_gives_its_lease_back(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.connect()

    def ended(*_: object) -> None:
        raise EndAskedError

    monkeypatch.setattr(AlgaPsa, "preflight", ended)

    result = shell.run("cycle", REALM)

    assert result.exit_code == 130
    assert "The next one goes on where it stopped." in result.stderr
    assert in_ledger(shell, leases.holder_of, REALM) is None


def test_the_doctor_looks_at_every_side_and_names_each_problem(shell: Shell) -> None:
    shell.connect()

    result = shell.run("doctor", "--json")

    told = json.loads(result.stdout)
    assert result.exit_code == 1
    assert told["healthy"] is False
    verdicts = [(each["subject"].split(",")[0], each["verdict"]) for each in told["findings"]]
    assert verdicts == [("ledger", "good"), ("AlgaPSA", "good"), ("QuickBooks", "problem")]
    assert "1 problem to mend." in shell.run("doctor").stdout


def test_the_doctor_goes_on_when_the_ledger_is_not_migrated(
    shell: Shell, fresh_database: Callable[..., str]
) -> None:
    shell.settings["QBO_SYNC_DATABASE_URL"] = fresh_database()

    ledger, algapsa = json.loads(shell.run("doctor", "--json").stdout)["findings"]

    assert (ledger["verdict"], algapsa["verdict"]) == ("problem", "good")
    assert "qbo-sync migrate" in ledger["sentence"]


def test_the_doctor_goes_on_when_nothing_can_be_reached(shell: Shell) -> None:
    nowhere = "postgresql://us:hunter2@127.0.0.1:9/none"

    result = shell.run("doctor", QBO_SYNC_DATABASE_URL=nowhere, ALGAPSA_DATABASE_URL=nowhere)

    ledger, algapsa, total = result.stdout.splitlines()
    assert ledger.startswith("problem  ledger: The ledger's database cannot be reached")
    assert algapsa.startswith("problem  AlgaPSA: AlgaPSA's database cannot be reached")
    assert total == "2 problems to mend."
    assert "hunter2" not in result.output


def test_migrating_makes_an_empty_database_usable_and_can_be_repeated(
    shell: Shell, fresh_database: Callable[..., str]
) -> None:
    shell.settings["QBO_SYNC_DATABASE_URL"] = fresh_database()

    assert "qbo-sync migrate" in shell.refused("health")
    assert shell.ok("migrate") == shell.ok("migrate") == "The ledger is up to date.\n"
    assert shell.json("connections", "list") == {"companies": []}


def test_an_action_of_another_process_shows_at_once(shell: Shell) -> None:
    shell.connect()
    in_ledger(shell, connections.update, REALM, auto_sync=False)

    [company] = shell.json("connections", "list")["companies"]
    assert company["auto_sync"] is False
    engine = create_ledger_engine(shell.settings["QBO_SYNC_DATABASE_URL"])
    with engine.connect() as connection:
        # Who has hung up may take a moment to go; a connection left open stays for good.
        assert eventually("no connection is left open", lambda: _others(connection) == 0)
    engine.dispose()


def _others(connection: sa.Connection) -> int:
    connection.rollback()
    query = sa.text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND application_name <> :ours"
    )
    found: int = connection.execute(query, {"ours": OURS}).scalar_one()
    return found
