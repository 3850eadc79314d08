"""`qbo-sync migrate`, `doctor` and `re-encrypt`: is everything in place?"""

from __future__ import annotations

import typer

from qbo_sync_dagster.actions import examining
from qbo_sync_dagster.actions.examining import Verdict
from qbo_sync_dagster.cli.opening import opened_engine, opened_ledger, read_settings
from qbo_sync_dagster.cli.output import JsonFlag, answer, answer_json, working
from qbo_sync_dagster.ledger import migrate as migrations
from qbo_sync_dagster.ledger import tokens
from qbo_sync_dagster.panels import words


def migrate() -> None:
    """Bring the ledger's tables up to date. Safe to run again."""
    with opened_ledger(migrated=False) as ledger, working("Migrating the ledger ..."):
        migrations.upgrade(ledger)
    answer("The ledger is up to date.")


def re_encrypt() -> None:
    """Encrypt all stored tokens and notification targets with the first key.

    After this the other keys of QBO_SYNC_SECRET_KEY are needed no more. Safe to run again.
    """
    cipher = tokens.TokenCipher(read_settings().token_key())
    with opened_ledger() as ledger:
        changed = tokens.re_encrypt(ledger, cipher)
    answer(
        f"The secrets of {words.counted(changed, 'company', 'companies')} are encrypted with the "
        "first key of QBO_SYNC_SECRET_KEY now. Restart the services without the other keys."
    )


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
        for finding in findings:
            answer(f"{finding.verdict:<8} {finding.subject}: {finding.sentence}")
        answer(
            "Everything is in place."
            if not problems
            else f"{words.counted(problems, 'problem')} to mend."
        )
    if problems:
        raise typer.Exit(1)
