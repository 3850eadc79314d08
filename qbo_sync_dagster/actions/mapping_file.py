"""The file of mappings: ids and names of both sides side by side, for a spreadsheet. Pure.

It is a file of links with more columns: what `qbo-sync links export` writes can be read, too.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping

from qbo_sync_dagster.actions.errors import ActionRefusedError, LinkFileError
from qbo_sync_dagster.actions.mapping import WantedMapping
from qbo_sync_dagster.domain.foreign_text import cell, typed
from qbo_sync_dagster.domain.suggestions import MappedRecord, MappingKind

COLUMNS = (
    *("kind", "algapsa_id", "algapsa_name", "quickbooks_id", "quickbooks_name"),
    *("state", "suggested_id", "suggested_name"),
)
_NEEDED = ("kind", "algapsa_id")


def write_mappings(records: Iterable[MappedRecord]) -> str:
    """The file; what to link stands in quickbooks_id or quickbooks_name, which may be edited."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for each in records:
        best = each.suggestions[0] if each.suggestions else None
        cells = (
            *(each.kind, each.algapsa_id, each.algapsa_name),
            *(each.quickbooks_id, each.quickbooks_name, each.state),
            *((best.record_id, best.name) if best else ("", "")),
        )
        writer.writerow([cell(str(each or "")) for each in cells])
    return out.getvalue()


def read_mappings(text: str) -> list[WantedMapping]:
    """The mappings that a file names; lines without an object are left as they are.

    Raises LinkFileError with every fault of the file.
    """
    wanted: list[WantedMapping] = []
    problems: list[str] = []
    for line, row in _rows(text):
        try:
            mapping = _wanted(line, row)
        except ActionRefusedError as error:
            problems.append(f"Line {line}: {error}")
            continue
        if mapping is not None:
            wanted.append(mapping)
    if problems:
        raise LinkFileError(tuple(problems))
    return wanted


def _rows(text: str) -> Iterator[tuple[int, Mapping[str, str]]]:
    text = text.removeprefix("\ufeff")
    first = text.lstrip().partition("\n")[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    names = [name.strip().lower() for name in reader.fieldnames or []]
    missing = [name for name in _NEEDED if name not in names]
    if missing or not {"quickbooks_id", "quickbooks_name"} & set(names):
        raise LinkFileError(
            (
                "Its first line must name the columns: kind, algapsa_id, and quickbooks_id or "
                "quickbooks_name.",
            )
        )
    reader.fieldnames = names
    try:
        for row in reader:
            cells = {name: (row.get(name) or "").strip() for name in names}
            if any(cells.values()):
                yield reader.line_num, cells
    except csv.Error as error:
        raise LinkFileError((f"Line {reader.line_num}: this is not CSV ({error}).",)) from error


def _wanted(line: int, row: Mapping[str, str]) -> WantedMapping | None:
    kind = row["kind"].lower().replace(" ", "_").replace("-", "_")
    if kind not in {str(each) for each in MappingKind}:
        if kind in ("client", "invoice"):
            return None
        named = ", ".join(MappingKind)
        raise ActionRefusedError(f"{row['kind'][:40]!r} is no kind of mapping: {named}.")
    name = typed(row.get("quickbooks_name", ""))
    chosen = row.get("quickbooks_id") or name
    if not chosen:
        return None
    algapsa = typed(row["algapsa_id"] or row.get("algapsa_name", ""))
    return WantedMapping(MappingKind(kind), algapsa, chosen, f"Line {line}: ", name)
