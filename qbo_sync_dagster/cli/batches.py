"""`qbo-sync batches`: choose invoices, see what stands in their way, send them or write a file."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from qbo_sync_dagster.actions import batch_file, batching
from qbo_sync_dagster.actions.batch_lines import BatchLine, select
from qbo_sync_dagster.actions.values import read_date
from qbo_sync_dagster.cli.failures import command_group
from qbo_sync_dagster.cli.opening import opened_engine, opened_ledger
from qbo_sync_dagster.cli.output import (
    JsonFlag,
    add_row,
    answer,
    answer_file,
    answer_json,
    answer_table,
    new_table,
    remark,
    working,
)
from qbo_sync_dagster.cli.parameters import Company
from qbo_sync_dagster.domain.batch_selection import BatchSelection
from qbo_sync_dagster.domain.money import format_minor
from qbo_sync_dagster.ledger import batches, connections
from qbo_sync_dagster.panels import words
from qbo_sync_dagster.sync.engine import SyncEngine

app = command_group("batches", "Export chosen invoices to a company of your choice.")

First = Annotated[
    str, typer.Option("--from", metavar="DATE", help="Dated from this day: 2026-01-31.")
]
Last = Annotated[str, typer.Option("--to", metavar="DATE", help="Dated until this day.")]
Clients = Annotated[
    list[str] | None, typer.Option("--client", help="A client's name or id. May be repeated.")
]
Statuses = Annotated[
    list[str] | None, typer.Option("--status", help="AlgaPSA's status. May be repeated.")
]
Numbers = Annotated[
    list[str] | None, typer.Option("--number", help="An invoice number. May be repeated.")
]


@app.command("preview")
def preview(
    company: Company,
    first: First = "",
    last: Last = "",
    clients: Clients = None,
    statuses: Statuses = None,
    numbers: Numbers = None,
    as_json: JsonFlag = False,
) -> None:
    """Show the chosen invoices with every problem that keeps them from this company.

    For a company that is not connected: with every problem that keeps them out of its file.
    """
    with opened_engine() as engine, working("Looking at both sides ..."):
        chosen = _chosen(engine, company, (first, last), clients, statuses, numbers)
        lines = batching.preview_batch(engine, company, chosen)
    if as_json:
        answer_json({"invoices": lines})
        return
    _show(lines)
    ready = sum(not line.problems for line in lines)
    answer(f"{words.counted(ready, 'invoice')} can go, {len(lines) - ready} can't.")


@app.command("run")
def run(
    company: Company,
    first: First = "",
    last: Last = "",
    clients: Clients = None,
    statuses: Statuses = None,
    numbers: Numbers = None,
    as_json: JsonFlag = False,
) -> None:
    """Send the chosen invoices to this company; those with a problem are left out and listed."""
    with opened_engine() as engine, working("Looking at both sides ..."):
        chosen = _chosen(engine, company, (first, last), clients, statuses, numbers)
        done = batching.run_batch(engine, company, chosen, getpass.getuser())
    if as_json:
        answer_json({"batch": done.batch_id, "queued": done.taken, "left_out": done.left_out})
        return
    _show(done.left_out)
    answer(
        f"Batch {done.batch_id}: {words.counted(done.taken, 'invoice')} queued, "
        f"{len(done.left_out)} left out. A cycle is asked for."
    )


@app.command("csv")
def csv(
    company: Company,
    file: Annotated[Path, typer.Argument(help="CSV file to write, - for standard output.")],
    first: First = "",
    last: Last = "",
    clients: Clients = None,
    statuses: Statuses = None,
    numbers: Numbers = None,
) -> None:
    """Write the chosen invoices as the file that QuickBooks imports, all of them or none.

    For a company that is not connected; `qbo-sync connections prepare` enters one. The sync never
    creates these invoices afterwards; once the company is connected, `qbo-sync onboard --step
    history` links them by number.
    """
    user = getpass.getuser()
    with opened_engine() as engine:
        chosen = _chosen(engine, company, (first, last), clients, statuses, numbers)
        if str(file) == "-":
            done = batch_file.write_batch(engine, company, chosen, user, answer_file)
        else:
            done = batch_file.write_batch_file(engine, company, chosen, user, file)
    told = f"Batch {done.batch_id}: {words.counted(done.taken, 'invoice')} written."
    if str(file) == "-":
        remark(told)
    else:
        answer(f"{told} Import {file} in QuickBooks under Settings, Import data, Invoices.")


@app.command("withdraw")
def withdraw(
    company: Company,
    batch: Annotated[int, typer.Argument(help="The number of a batch that was written.")],
) -> None:
    """Forget a file that was never imported: the sync sends its invoices after all."""
    with opened_ledger() as ledger:
        count = batch_file.withdraw_batch(ledger, company, batch, getpass.getuser())
    answer(f"Batch {batch} is withdrawn. {words.counted(count, 'invoice')} can be sent again.")


@app.command("list")
def listed(company: Company, as_json: JsonFlag = False) -> None:
    """Show the batches of a company, newest first."""
    with opened_ledger() as ledger, ledger.connect() as connection:
        realm = connections.get(connection, company).realm
        found = batches.listed(connection, realm)
    if as_json:
        answer_json({"batches": found})
    elif not found:
        answer("No batches yet.")
    else:
        table = new_table("batch", "target", "invoices", "by", "at")
        for each in found:
            count = len(each.invoice_ids)
            add_row(table, each.batch_id, each.target, count, each.created_by, each.created_at)
        answer_table(table)


def _chosen(
    engine: SyncEngine,
    company: str,
    days: tuple[str, str],
    clients: Sequence[str] | None,
    statuses: Sequence[str] | None,
    numbers: Sequence[str] | None,
) -> BatchSelection:
    first, last = days
    selection = BatchSelection(
        first=read_date(first, "--from") if first else None,
        last=read_date(last, "--to") if last else None,
        statuses=statuses or (),
        numbers=numbers or (),
    )
    return select(engine, company, selection=selection, client_names=clients or ())


def _show(lines: Sequence[BatchLine]) -> None:
    if not lines:
        return
    table = new_table("invoice", "client", "date", "total", "problems")
    for line in lines:
        total = f"{format_minor(line.total_minor)} {line.currency}"
        problems = " ".join(line.problems) or "none"
        add_row(table, line.number, line.client, line.date, total, problems)
    answer_table(table)
