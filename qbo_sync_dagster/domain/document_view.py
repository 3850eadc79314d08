"""How a document looks in QuickBooks, in the fields that we export, and how two looks differ.

Drift is a difference in these fields. Sync tokens, balances and applied payments move in ordinary
life and are not part of a view.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any

from qbo_sync_dagster.domain.money import format_minor

LIVE, VOIDED, DELETED = "live", "voided", "deleted"
NO_LINE = "no line"


@dataclass(frozen=True, slots=True)
class Names:
    """What people call the objects that a view refers to, by QuickBooks id, as far as known."""

    customers: Mapping[str, str] = field(default_factory=dict)
    items: Mapping[str, str] = field(default_factory=dict)
    classes: Mapping[str, str] = field(default_factory=dict)
    invoices: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LineView:
    """One line: the item sold, how many, for how much (minor units), under which class."""

    item_id: str
    quantity: str
    amount_minor: int
    class_id: str
    tax_code: str

    def as_text(self, names: Names) -> str:
        """`quantity 3, item Backup, amount 150.00`, for people."""
        item = names.items.get(self.item_id, self.item_id)
        parts = [f"item {item or 'none'}", f"amount {format_minor(self.amount_minor)}"]
        if self.quantity:
            parts.insert(0, f"quantity {self.quantity}")
        if self.class_id:
            parts.append(f"class {names.classes.get(self.class_id, self.class_id)}")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class DocumentView:
    """A document as QuickBooks shows it. Amounts in minor units, dates as ISO text."""

    state: str
    number: str
    customer_id: str
    currency: str
    date: str
    due_date: str
    total_minor: int
    tax_minor: int
    lines: tuple[LineView, ...]

    def as_json(self) -> dict[str, Any]:
        """The view as a link stores it."""
        return _fields(self) | {"lines": [_fields(line) for line in self.lines]}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> DocumentView:
        """The view that a link stores."""
        lines = tuple(LineView(**line) for line in stored["lines"])
        return cls(**{**stored, "lines": lines})

    def gone(self, state: str) -> DocumentView:
        """The same document, voided or deleted."""
        return DocumentView(
            state=state,
            number=self.number,
            customer_id=self.customer_id,
            currency=self.currency,
            date=self.date,
            due_date=self.due_date,
            total_minor=0,
            tax_minor=0,
            lines=(),
        )


@dataclass(frozen=True, slots=True)
class FieldDifference:
    """One field that differs, both values as text an accountant reads."""

    field: str
    agreed: str
    shown: str


NO_NAMES = Names()


def differences(
    agreed: DocumentView, shown: DocumentView, names: Names = NO_NAMES
) -> list[FieldDifference]:
    """What changed from the agreed view to the one shown, field by field and line by line.

    What differs is judged by ids; `names` only say it in words.
    """
    if agreed.state == VOIDED and shown.state == LIVE and not shown.total_minor:
        # QuickBooks marks a void by a word in the note, which people write over; nothing is owed.
        return []
    if agreed.state != shown.state:
        return [FieldDifference("state", agreed.state, shown.state)]
    found = [
        FieldDifference(name, before or "none", after or "none")
        for name, before, after in (
            ("number", agreed.number, shown.number),
            ("customer", *called(names, agreed.customer_id, shown.customer_id)),
            ("currency", agreed.currency, shown.currency),
            ("date", agreed.date, shown.date),
            ("due date", agreed.due_date, shown.due_date),
            ("total", format_minor(agreed.total_minor), format_minor(shown.total_minor)),
            ("tax", format_minor(agreed.tax_minor), format_minor(shown.tax_minor)),
        )
        if before != after
    ]
    return found + _line_differences(agreed.lines, shown.lines, names)


def called(names: Names, before: str, after: str) -> tuple[str, str]:
    """Both customers by name; with their ids where two bear the same name."""
    told = names.customers.get(before, before), names.customers.get(after, after)
    if before != after and told[0] == told[1]:
        return f"{told[0]} (id {before})", f"{told[1]} (id {after})"
    return told


def _line_differences(
    agreed: tuple[LineView, ...], shown: tuple[LineView, ...], names: Names
) -> list[FieldDifference]:
    """Lines that moved because one was put in or taken out above them are not told one by one."""
    before, after = [_compared(line) for line in agreed], [_compared(line) for line in shown]
    if before == after:
        return []
    found = []
    moves = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    for tag, start, end, start_there, end_there in moves:
        if tag == "equal":
            continue
        pairs = zip_longest(range(start, end), range(start_there, end_there))
        for here, there in pairs:
            label = f"added line {(there or 0) + 1}" if here is None else f"line {here + 1}"
            texts = (
                NO_LINE if place is None else lines[place].as_text(names)
                for lines, place in ((agreed, here), (shown, there))
            )
            found.append(FieldDifference(label, *texts))
    return found


def _compared(line: LineView) -> tuple[str, str, int, str]:
    # QuickBooks rewrites tax codes by itself; the tax is compared as an amount.
    return line.item_id, line.quantity, line.amount_minor, line.class_id


def _fields(view: DocumentView | LineView) -> dict[str, Any]:
    # `asdict` copies each value deeply, which for thousands of documents takes seconds.
    return {name: getattr(view, name) for name in view.__slots__}


def iso(day: date | None) -> str:
    """A date as ISO text; empty for none."""
    return day.isoformat() if day else ""


def on_day(view: DocumentView) -> date | None:
    """The date of the books that it shows; None where it shows none."""
    return date.fromisoformat(view.date) if view.date else None
