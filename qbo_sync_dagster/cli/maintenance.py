"""`qbo-sync migrate` and `qbo-sync doctor`: is everything in place?"""

from __future__ import annotations

import typer

from qbo_sync_dagster.actions import examining
from qbo_sync_dagster.actions.examining import Verdict
from qbo_sync_dagster.cli.opening import opened_engine, opened_ledger
from qbo_sync_dagster.cli.output import (
    JsonFlag,
    add_row,
    answer,
    answer_json,
    answer_table,
    working,
)
from qbo_sync_dagster.cli.output import new_table as table_of
from qbo_sync_dagster.ledger import migrate as migrations


def migrate() -> None:
    """Bring the ledger's tables up to date. Safe to run again."""
    with opened_ledger(migrated=False) as ledger, working("Migrating the ledger ..."):
        migrations.upgrade(ledger)
    answer("The ledger is up to date.")


def doctor(as_json: JsonFlag = False) -> None:
    """Check the ledger, AlgaPSA and QuickBooks, and say what to mend. Changes nothing.

    Asks each QuickBooks company for its name, which is one metered call.
    """
    with opened_engine(migrated=False) as engine, working("Looking at both sides ..."):
        findings = list(examining.examine(engine))
    problems = sum(finding.verdict is Verdict.PROBLEM for finding in findings)
    if as_json:
        answer_json({"healthy": problems == 0, "findings": findings})
    else:
        table = table_of("subject", "", "finding")
        for finding in findings:
            add_row(table, finding.subject, finding.verdict, finding.sentence)
        answer_table(table)
        answer("Everything is in place." if not problems else f"To mend: {problems}.")
    if problems:
        raise typer.Exit(1)
