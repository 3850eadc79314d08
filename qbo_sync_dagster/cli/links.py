"""`qbo-sync links`: import and export which AlgaPSA records are which QuickBooks objects."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from qbo_sync_dagster.actions import linking, naming
from qbo_sync_dagster.cli.errors import CommandError
from qbo_sync_dagster.cli.failures import command_group
from qbo_sync_dagster.cli.opening import opened_engine, opened_ledger
from qbo_sync_dagster.cli.output import JsonFlag, answer, answer_file, answer_json, working
from qbo_sync_dagster.cli.parameters import Company
from qbo_sync_dagster.panels import words

app = command_group("links", "Links between AlgaPSA records and QuickBooks objects.")


@app.command("import")
def import_(
    company: Company,
    file: Annotated[Path, typer.Argument(help="CSV file, - for standard input.")],
    replace: Annotated[
        bool,
        typer.Option(
            "--replace", help="Correct links of clients, services, tax regions and terms."
        ),
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Make the links of a CSV file, all or none.

    Its columns are kind, algapsa_id, quickbooks_id. The kinds are client, service, tax_region
    (AlgaPSA's region code), payment_term (such as net_30) and invoice. Importing it again is safe.
    """
    text = read_file(file)
    with opened_engine() as engine, working("Checking the links ..."):
        imported = linking.import_links(engine, company, text, replace=replace)
    if as_json:
        answer_json(imported)
        return
    answer(
        f"{words.counted(imported.added, 'link')} made, {imported.replaced} corrected, "
        f"{imported.unchanged} stood already."
    )


@app.command("export")
def export(
    company: Company,
    file: Annotated[Path | None, typer.Argument(help="CSV file to write.")] = None,
) -> None:
    """Write every link of a company as CSV, to a file or to standard output."""
    with opened_ledger() as ledger:
        text = linking.export_links(ledger, company)
    _write(file, text, "link")


@app.command("names")
def names(
    company: Company,
    file: Annotated[Path | None, typer.Argument(help="CSV file to write.")] = None,
) -> None:
    """Write ids and names of both sides as CSV, to see what to link.

    Lists clients and customers, services and items, tax regions and codes, terms, and the accounts,
    classes and departments that settings name.
    """
    with opened_engine() as engine, working("Asking both sides ..."):
        text = naming.write_names(naming.named_records(engine, company))
    _write(file, text, "record")


def _write(file: Path | None, text: str, what: str) -> None:
    if file is None:
        answer_file(text)
        return
    file.write_text(text, encoding="utf-8")
    answer(f"{words.counted(text.count(chr(10)) - 1, what)} written to {file}.")


def read_file(file: Path) -> str:
    """The text of a file, - for standard input. Raises CommandError if it is not UTF-8."""
    data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CommandError(
            f"{file} is not UTF-8 text. In Excel save it as 'CSV UTF-8 (comma delimited)'."
        ) from error
