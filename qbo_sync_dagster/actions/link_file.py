"""The file of links: three columns, one link per line. Reading and writing it; pure.

Whether the records exist, or are linked already, is judged in `linking`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from qbo_sync_dagster.actions.errors import ActionRefusedError, LinkFileError
from qbo_sync_dagster.actions.values import read_algapsa_id, read_label, read_quickbooks_id
from qbo_sync_dagster.domain.foreign_text import cell, typed

HEADER = ("kind", "algapsa_id", "quickbooks_id")
KINDS = ("client", "service", "tax_region", "payment_term", "invoice", "credit_memo")
# Two clients on one customer, or two invoices on one invoice, would count one sale twice.
ONE_TO_ONE = frozenset({"client", "invoice", "credit_memo"})

_WITH_UUIDS = frozenset({"client", "service", "invoice", "credit_memo"})
_LONGEST_CODE = 100


@dataclass(frozen=True, slots=True)
class LinkRow:
    """One line of the file; `line` is its number there, the header being line 1."""

    line: int
    kind: str
    algapsa_id: str
    quickbooks_id: str

    @property
    def record(self) -> tuple[str, str]:
        """Which AlgaPSA record it names."""
        return self.kind, self.algapsa_id

    @property
    def quickbooks_object(self) -> tuple[str, str]:
        """Which QuickBooks object it names."""
        return self.kind, self.quickbooks_id


def read_link_file(text: str) -> tuple[LinkRow, ...]:
    """The links of a file, header optional, comma or semicolon as Excel writes it.

    Raises LinkFileError with every fault of the file.
    """
    rows: list[LinkRow] = []
    problems: list[str] = []
    for line, cells in _lines(text):
        try:
            rows.append(_row(line, cells))
        except ActionRefusedError as error:
            problems.append(f"Line {line}: {error}")
    problems.extend(_doubles(rows))
    if not rows and not problems:
        problems.append("The file holds no links. Its columns are " + ", ".join(HEADER) + ".")
    if problems:
        raise LinkFileError(tuple(problems))
    return tuple(rows)


def write_link_file(links: Iterable[tuple[str, str, str]]) -> str:
    """The file that `read_link_file` reads back, sorted by kind and AlgaPSA id."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows((kind, cell(ours), theirs) for kind, ours, theirs in sorted(links))
    return out.getvalue()


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    text = text.removeprefix("\ufeff")
    first = text.lstrip().partition("\n")[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped) and not _is_header(stripped):
                yield reader.line_num, stripped
    except csv.Error as error:
        raise LinkFileError((f"Line {reader.line_num}: this is not CSV ({error}).",)) from error


def _is_header(cells: list[str]) -> bool:
    return cells[0].lower() == HEADER[0]


def _row(line: int, cells: list[str]) -> LinkRow:
    while len(cells) > len(HEADER) and not cells[-1]:
        cells = cells[:-1]
    if len(cells) != len(HEADER):
        raise ActionRefusedError(
            f"its number of columns is {len(cells)} instead of {len(HEADER)}: {', '.join(HEADER)}."
        )
    kind = cells[0].lower().replace(" ", "_").replace("-", "_")
    if kind not in KINDS:
        raise ActionRefusedError(f"{cells[0][:40]!r} is no kind of link: {', '.join(KINDS)}.")
    name = f"the {kind.replace('_', ' ')}"
    if kind in _WITH_UUIDS:
        algapsa_id = read_algapsa_id(cells[1], name)
    else:
        algapsa_id = read_label(typed(cells[1]), name, _LONGEST_CODE)
    return LinkRow(line, kind, algapsa_id, read_quickbooks_id(cells[2], "the object"))


def _doubles(rows: list[LinkRow]) -> Iterator[str]:
    records: dict[tuple[str, str], int] = {}
    objects: dict[tuple[str, str], int] = {}
    for row in rows:
        if (earlier := records.setdefault(row.record, row.line)) != row.line:
            yield f"Line {row.line}: {row.kind} {row.algapsa_id} is in line {earlier} already."
        elif row.kind in ONE_TO_ONE:
            taken = objects.setdefault(row.quickbooks_object, row.line)
            if taken != row.line:
                yield (
                    f"Line {row.line}: the QuickBooks object {row.quickbooks_id} is linked to "
                    f"another {row.kind} in line {taken}."
                )
