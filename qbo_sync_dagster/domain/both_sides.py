"""A linked document as each side has it now, held against what was agreed on, for people to read.

What belongs here: AlgaPSA's version in the fields of a view, and the two sets of differences side
by side. What does not: what counts as a difference (document_view) and who decides (drift).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from qbo_sync_dagster.domain.document_view import (
    LIVE,
    DocumentView,
    FieldDifference,
    LineView,
    iso,
)
from qbo_sync_dagster.domain.export import ExportDocument, ExportLine
from qbo_sync_dagster.domain.money import to_minor

UNCHANGED = "unchanged"
_IN_ORDER = ("state", "number", "customer", "currency", "date", "due date", "total", "tax")


@dataclass(frozen=True, slots=True)
class SideBySide:
    """One field that one of the sides has changed since it was agreed on, as text."""

    field: str
    agreed: str
    in_algapsa: str
    in_quickbooks: str


def algapsa_view(wanted: ExportDocument, agreed: DocumentView) -> DocumentView:
    """How the document would look in QuickBooks if AlgaPSA's version were sent today."""
    return DocumentView(
        state=LIVE,
        number=wanted.number,
        customer_id=wanted.customer_id,
        # A company with one currency only does not name it.
        currency=wanted.currency if agreed.currency else "",
        date=iso(wanted.invoice_date),
        due_date=iso(wanted.due_date),
        total_minor=wanted.total_minor,
        tax_minor=wanted.tax_minor,
        lines=tuple(_line(line) for line in wanted.lines),
    )


def side_by_side(
    in_algapsa: Sequence[FieldDifference], in_quickbooks: Sequence[FieldDifference]
) -> list[SideBySide]:
    """What either side changed, each field once, in the order in which a document is read."""
    here = {(each.field, each.agreed): each.shown for each in in_algapsa}
    there = {(each.field, each.agreed): each.shown for each in in_quickbooks}
    return [
        SideBySide(
            field,
            agreed,
            here.get((field, agreed), UNCHANGED),
            there.get((field, agreed), UNCHANGED),
        )
        for field, agreed in sorted(dict.fromkeys([*here, *there]), key=_place)
    ]


def in_words(found: Iterable[FieldDifference], most: int) -> str:
    """`date: 2026-03-02 -> 2026-03-05; total: 100.00 -> 108.25`, without a full stop."""
    told = [f"{each.field}: {each.agreed} -> {each.shown}" for each in found]
    rest = len(told) - most
    return "; ".join(told[:most]) + (f"; and {rest} more" if rest > 0 else "")


def _place(key: tuple[str, str]) -> tuple[int, int]:
    field, _ = key
    if field in _IN_ORDER:
        return _IN_ORDER.index(field), 0
    number = field.rpartition(" ")[2]
    return len(_IN_ORDER), int(number) if number.isdecimal() else 0


def _line(line: ExportLine) -> LineView:
    return LineView(
        item_id=line.item_id,
        quantity=_plain(line.quantity),
        amount_minor=to_minor(line.amount),
        class_id=line.class_id or "",
        tax_code=line.tax_code or "",
    )


def _plain(number: Decimal | None) -> str:
    return "" if number is None else f"{number.normalize():f}"
