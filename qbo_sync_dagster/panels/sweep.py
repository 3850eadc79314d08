"""What the nightly sweep found, company by company."""

from __future__ import annotations

from collections.abc import Sequence

from qbo_sync_dagster.panels import words
from qbo_sync_dagster.panels.values import Panel, Table
from qbo_sync_dagster.sync.sweeping import Swept

COLUMNS = ("company", "audit log", "rows", "planned anew", "problem")


def sweep_panel(swept: Sequence[Swept]) -> Panel:
    """The figures, then a line per company, then the heads of the logs to compare later."""
    return {
        "company": "all companies",
        "audit_rows": sum(each.audited.rows for each in swept),
        "broken_logs": sum(each.audited.problem is not None for each in swept),
        "payments_planned_anew": sum(each.planned_again for each in swept),
        "companies": Table(COLUMNS, tuple(_line(each) for each in swept)),
        "heads": Table(("realm", "head"), tuple(_head(each) for each in swept)),
    }


def audit_sentence(swept: Sequence[Swept]) -> str:
    """Whether every audit log holds together, and which does not."""
    broken = [each.audited for each in swept if each.audited.problem]
    if not broken:
        rows = sum(each.audited.rows for each in swept)
        return f"{words.counted(rows, 'row')} in {words.counted(len(swept), 'log')}, unbroken."
    told = " ".join(f"{each.company_name} ({each.realm}): {each.problem}" for each in broken[:5])
    return f"{told} Run `qbo-sync audit verify` and compare the ledger with a backup."


def sweep_sentence(swept: Sequence[Swept]) -> str:
    """Whether AlgaPSA holds all payments as they were applied."""
    problems = [f"{each.audited.company_name}: {each.problem}" for each in swept if each.problem]
    if problems:
        return " ".join(problems[:5])
    planned = sum(each.planned_again for each in swept)
    if not planned:
        return "AlgaPSA holds every payment as it was applied."
    return (
        f"{words.counted(planned, 'payment')} did not stand in AlgaPSA as applied: was its "
        "database set back to a backup? The next cycle brings them in line."
    )


def _line(swept: Swept) -> tuple[str | int, ...]:
    log = "broken" if swept.audited.problem else "unbroken"
    problem = swept.audited.problem or swept.problem or "none"
    return (swept.audited.company_name, log, swept.audited.rows, swept.planned_again, problem)


def _head(swept: Swept) -> tuple[str, str]:
    return swept.audited.realm, f"{swept.audited.rows}:{swept.audited.digest}"
