"""`qbo-sync audit verify`, `re-encrypt`, and what forgetting a company leaves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from qbo_sync_dagster.ledger import audit
from qbo_sync_dagster.ledger.engine import create_ledger_engine

from .conftest import REALM, SECRET_KEY, Shell

NEW_KEY = Fernet.generate_key().decode()


@pytest.fixture
def ledger(shell: Shell) -> Iterator[sa.Engine]:
    engine = create_ledger_engine(shell.settings["QBO_SYNC_DATABASE_URL"])
    yield engine
    engine.dispose()


@pytest.fixture
def logged(shell: Shell, ledger: sa.Engine) -> Shell:
    """Two companies; the first one's log has three rows more than its connecting."""
    shell.connect()
    shell.connect("9341453000000009")
    effects = [audit.Effect("algapsa", "apply payment", f"payment:{n}") for n in range(3)]
    with ledger.begin() as connection:
        audit.append(connection, REALM, effects)
    return shell


def _execute(ledger: sa.Engine, statement: str) -> None:
    with ledger.begin() as connection:
        connection.execute(sa.text(statement))


def test_unbroken_logs_are_told_with_their_heads(logged: Shell) -> None:
    told = logged.ok("audit", "verify")

    assert f"Slate Bay 1 ({REALM}): 4 rows, unbroken. Head 4:" in told
    assert "Slate Bay 9 (9341453000000009): 1 row, unbroken." in told


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE audit_log SET record = 'x' WHERE sequence = 3", "Row 3 was changed"),
        ("DELETE FROM audit_log WHERE sequence = 2", "Row 2 is missing"),
        ("DELETE FROM audit_log WHERE sequence = 4", "The log ends before row 4"),
        (
            "UPDATE audit_log SET sequence = CASE sequence WHEN 2 THEN 93 ELSE 92 END "
            "WHERE sequence IN (2, 3); UPDATE audit_log SET sequence = sequence - 90 "
            "WHERE sequence > 90",
            "Row 2 stands as row 3 now",
        ),
    ],
)
def test_a_tampered_log_is_named_by_its_first_row_with_exit_code_1(
    logged: Shell, ledger: sa.Engine, statement: str, told: str
) -> None:
    _execute(ledger, statement.replace("WHERE", f"WHERE realm = '{REALM}' AND"))

    result = logged.run("audit", "verify")

    assert result.exit_code == 1
    assert f"Slate Bay 1 ({REALM}): BROKEN. {told}" in result.stdout
    assert "Slate Bay 9 (9341453000000009): 1 row, unbroken." in result.stdout
    assert logged.run("audit", "verify", "9341453000000009").exit_code == 0


def test_a_log_written_anew_shows_to_who_kept_its_head(logged: Shell, ledger: sa.Engine) -> None:
    head = logged.ok("audit", "verify", REALM).rpartition("Head ")[2].strip()
    _execute(ledger, "DELETE FROM audit_log; DELETE FROM audit_heads")
    with ledger.begin() as connection:
        audit.append(connection, REALM, [audit.Effect("ledger", "x", "y")] * 5)

    assert logged.run("audit", "verify", REALM).exit_code == 0
    result = logged.run("audit", "verify", REALM, "--seen", head)
    assert result.exit_code == 1
    assert "Row 4 was replaced by another one" in result.stdout


@pytest.mark.parametrize("wrong", ["4", "4:abc", "x" * 64])
def test_a_head_that_is_none_is_refused_with_what_it_looks_like(logged: Shell, wrong: str) -> None:
    assert "audit verify" in logged.refused("audit", "verify", REALM, "--seen", wrong)


def test_the_json_says_what_broke(logged: Shell, ledger: sa.Engine) -> None:
    _execute(ledger, f"DELETE FROM audit_log WHERE realm = '{REALM}' AND sequence = 4")

    result = logged.run("audit", "verify", REALM, "--json")

    assert result.exit_code == 1
    assert '"unbroken": false' in result.stdout
    assert '"first_broken_row": 4' in result.stdout


def test_a_company_nobody_knows_is_refused(logged: Shell) -> None:
    assert "No QuickBooks company '77'" in logged.refused("audit", "verify", "77")


def test_forgetting_a_company_keeps_its_audit_log_and_closes_it_with_a_row(
    logged: Shell, ledger: sa.Engine
) -> None:
    _execute(ledger, f"DELETE FROM connection_tokens WHERE realm = '{REALM}'")
    other = "9341453000000009"
    logged.ok("connections", "make-default", other)
    logged.run("connections", "disconnect", REALM)

    logged.ok("connections", "forget", REALM, "--yes")

    with ledger.connect() as connection:
        query = sa.text("SELECT effect FROM audit_log WHERE realm = :realm ORDER BY sequence")
        effects = list(connection.execute(query, {"realm": REALM}).scalars())
    assert effects[0] == "company connected"
    assert effects[-1] == "company forgotten"
    assert f"a forgotten company ({REALM}): {len(effects)} rows, unbroken." in logged.ok(
        "audit", "verify", REALM
    )


def test_a_company_connected_again_goes_on_with_the_log_it_had(
    logged: Shell, ledger: sa.Engine
) -> None:
    _execute(ledger, f"DELETE FROM connection_tokens WHERE realm = '{REALM}'")
    logged.ok("connections", "make-default", "9341453000000009")
    logged.run("connections", "disconnect", REALM)
    logged.ok("connections", "forget", REALM, "--yes")

    logged.connect()

    assert "Slate Bay 1" in logged.ok("audit", "verify", REALM)


def test_after_re_encrypting_the_old_key_is_needed_no_more(logged: Shell) -> None:
    logged.ok("notifications", "set", REALM, "-", text="json://example.com/hook\n")

    told = logged.ok("re-encrypt", QBO_SYNC_SECRET_KEY=f"{NEW_KEY},{SECRET_KEY}")

    assert "of 2 companies" in told
    shown = logged.ok("notifications", "show", REALM, QBO_SYNC_SECRET_KEY=NEW_KEY)
    assert shown.startswith("JSON")
    assert "former key" in logged.refused("notifications", "show", REALM)


def test_re_encrypting_without_the_old_key_changes_nothing(logged: Shell) -> None:
    refused = logged.refused("re-encrypt", QBO_SYNC_SECRET_KEY=NEW_KEY)

    assert "former key" in refused
    logged.ok("re-encrypt")


def test_health_says_that_no_cycle_has_come_for_an_hour_as_when_the_daemon_is_dead(
    logged: Shell, ledger: sa.Engine
) -> None:
    assert "daemon" not in logged.ok("health")
    late = f"UPDATE connections SET cursor = now() - interval '1 hour' WHERE realm = '{REALM}'"
    _execute(ledger, late)

    told = logged.ok("health")

    assert "Slate Bay 1: No cycle has succeeded for 60 minutes." in told
    assert "whether the schedule and the daemon are running" in told
    assert "Slate Bay 9: " not in told
    assert "No cycle has succeeded" in logged.ok("health", REALM)
    by_realm = {each["realm"]: each["is_late"] for each in logged.json("health")["companies"]}
    assert by_realm == {REALM: True, "9341453000000009": False}
