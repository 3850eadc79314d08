"""`qbo-sync mappings`: services to items, tax regions to tax codes, terms to terms."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qbo_sync_dagster.actions import mapping
from qbo_sync_dagster.actions.linking import ImportedLinks
from qbo_sync_dagster.actions.mapping_file import read_mappings, write_mappings
from qbo_sync_dagster.cli.errors import CommandError
from qbo_sync_dagster.cli.failures import command_group
from qbo_sync_dagster.cli.links import read_file
from qbo_sync_dagster.cli.opening import opened_engine
from qbo_sync_dagster.cli.output import (
    JsonFlag,
    add_row,
    answer,
    answer_file,
    answer_json,
    answer_table,
    new_table,
    working,
)
from qbo_sync_dagster.cli.parameters import Company
from qbo_sync_dagster.domain.suggestions import MappedRecord, MappingKind, MappingState
from qbo_sync_dagster.panels import words

app = command_group("mappings", "Services to items, tax regions to tax codes, terms to terms.")

_ASKING = "Asking both sides ..."


@app.command("list")
def list_(
    company: Company,
    missing: Annotated[
        bool, typer.Option("--missing", help="Only what is not linked, or to nothing any more.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show every mapping with its state, and by name what could be linked."""
    with opened_engine() as engine, working(_ASKING):
        found = mapping.list_mappings(engine, company)
    if missing:
        found = [each for each in found if each.state in (MappingState.MISSING, MappingState.GONE)]
    if as_json:
        answer_json({"mappings": found})
    elif not found:
        answer("Nothing is missing." if missing else "AlgaPSA has nothing to map yet.")
    else:
        _show(found)


@app.command("set")
def set_(
    company: Company,
    kind: Annotated[MappingKind, typer.Argument(help="What is mapped.")],
    algapsa: Annotated[str, typer.Argument(help="AlgaPSA's record, by name or id.")],
    quickbooks: Annotated[str, typer.Argument(help="QuickBooks' object, by name or id.")],
) -> None:
    """Link one record, or correct its link."""
    wanted = mapping.WantedMapping(kind, algapsa, quickbooks)
    with opened_engine() as engine, working(_ASKING):
        made = mapping.set_mappings(engine, company, [wanted])
    _tell(made)


@app.command("accept")
def accept(company: Company, as_json: JsonFlag = False) -> None:
    """Link whatever is missing and bears the same name on both sides."""
    with opened_engine() as engine, working(_ASKING):
        linked = mapping.accept_certain(engine, company)
    if as_json:
        answer_json({"linked": linked})
        return
    for each in linked:
        name = each.certain.name if each.certain else ""
        answer(f"{each.kind.replace('_', ' ')} {each.algapsa_name}: {name}")
    if not linked:
        answer("Nothing to link: no missing record bears the name of exactly one object.")


@app.command("export")
def export(
    company: Company,
    file: Annotated[Path | None, typer.Argument(help="CSV file to write.")] = None,
) -> None:
    """Write all mappings as CSV with names beside ids, to edit and import again."""
    with opened_engine() as engine, working(_ASKING):
        text = write_mappings(mapping.list_mappings(engine, company))
    if file is None:
        answer_file(text)
    else:
        file.write_text(text, encoding="utf-8")
        answer(f"{words.counted(text.count(chr(10)) - 1, 'mapping')} written to {file}.")


@app.command("import")
def import_(
    company: Company,
    file: Annotated[Path, typer.Argument(help="CSV file, - for standard input.")],
    as_json: JsonFlag = False,
) -> None:
    """Link what a CSV file names in quickbooks_id, or in quickbooks_name where that is empty.

    All or none. Lines that name nothing stay as they are. Importing it again is safe.
    """
    wanted = read_mappings(read_file(file))
    if not wanted:
        raise CommandError(
            "No line of the file names an object in quickbooks_id or quickbooks_name, so there is "
            "nothing to map. `qbo-sync mappings export` writes a file to fill in."
        )
    with opened_engine() as engine, working(_ASKING):
        made = mapping.set_mappings(engine, company, wanted)
    if as_json:
        answer_json(made)
    else:
        _tell(made)


def _tell(made: ImportedLinks) -> None:
    answer(
        f"{words.counted(made.added, 'mapping')} made, {made.replaced} corrected, "
        f"{made.unchanged} stood already."
    )


def _show(found: list[MappedRecord]) -> None:
    table = new_table("kind", "AlgaPSA", "state", "QuickBooks", "suggested")
    for each in found:
        suggested = ", ".join(f"{like.name} ({like.score})" for like in each.suggestions)
        linked = each.quickbooks_name or each.quickbooks_id
        kind = each.kind.replace("_", " ")
        add_row(table, kind, each.algapsa_name, each.state, linked, suggested or None)
    answer_table(table)
