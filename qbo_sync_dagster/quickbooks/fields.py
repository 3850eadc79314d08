"""Reading one object's fields strictly: what is missing or absurd is named, never guessed.

What belongs here: types, limits and the sentence for a field that breaks them. What does not:
which fields an entity has.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from qbo_sync_dagster.domain.errors import MalformedObjectError
from qbo_sync_dagster.quickbooks.wire import parse_instant

# Intuit documents 15 digits for an amount; ten times its largest whole part is damage.
_LARGEST: Final = Decimal(10) ** 13
_CENT: Final = Decimal("0.01")
_LONGEST_ID = 50
_LONGEST_CODE = 100
_LONGEST_TEXT = 4000


class Fields:
    """The fields of one object, or of a part of it; errors name the entity, its Id and the path."""

    def __init__(self, entity: str, payload: Mapping[str, Any]) -> None:
        self._entity = entity
        self._payload: Mapping[str, Any] = payload
        self._object_id = str(payload.get("Id", "without Id"))[:_LONGEST_ID]
        self._path = ""

    def bad(self, name: str, problem: str) -> MalformedObjectError:
        """The error for a field of this part."""
        return MalformedObjectError(
            f"QuickBooks {self._entity} {self._object_id} cannot be read: {self._path}{name} "
            f"{problem}. Open it in QuickBooks, correct it and save it; the next cycle reads it "
            "again."
        )

    def identifier(self, name: str) -> str:
        """A required id."""
        value = self.optional_identifier(name)
        if value is None:
            raise self.bad(name, "is missing")
        return value

    def optional_identifier(self, name: str) -> str | None:
        value = self._payload.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if value is None or value == "":
            return None
        if not isinstance(value, str) or len(value) > _LONGEST_ID:
            raise self.bad(name, "is not an id")
        return value

    def amount(self, name: str) -> Decimal:
        """A required amount in whole cents."""
        if self._payload.get(name) is None:
            raise self.bad(name, "is missing")
        return self.optional_amount(name) or Decimal(0)

    def optional_amount(self, name: str) -> Decimal | None:
        value = self.optional_number(name)
        if value is not None and value != value.quantize(_CENT):
            raise self.bad(name, "has fractions of a cent")
        return value

    def optional_number(self, name: str) -> Decimal | None:
        """A quantity, price or rate: any number of decimals."""
        value = self._payload.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise self.bad(name, "is not a number")
        number = Decimal(value)
        if not number.is_finite() or abs(number) >= _LARGEST:
            raise self.bad(name, "is larger than any book holds")
        return number

    def day(self, name: str) -> date:
        """A required date of the books."""
        value = self.optional_day(name)
        if value is None:
            raise self.bad(name, "is missing")
        return value

    def optional_day(self, name: str) -> date | None:
        value = self._payload.get(name)
        if value is None:
            return None
        try:
            return date.fromisoformat(value)
        except (TypeError, ValueError) as error:
            raise self.bad(name, "is not a date") from error

    def instant(self, name: str) -> datetime | None:
        return parse_instant(self._payload.get(name))

    def text(self, name: str, longest: int = _LONGEST_TEXT) -> str:
        """Free text, cut to what QuickBooks itself documents; empty if missing."""
        value = self._payload.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.bad(name, "is not a text")
        return value[:longest]

    def code(self, name: str) -> str | None:
        """A number, name or code that is compared, so it is refused rather than cut."""
        value = self.text(name, _LONGEST_CODE + 1)
        if len(value) > _LONGEST_CODE:
            raise self.bad(name, f"is longer than {_LONGEST_CODE} characters")
        return value or None

    def flag(self, name: str) -> bool | None:
        """True or False; None = QuickBooks did not say, which is not False."""
        value = self._payload.get(name)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        raise self.bad(name, "is neither true nor false")

    def reference(self, name: str) -> str:
        """The id a required reference points to."""
        value = self.optional_reference(name)
        if value is None:
            raise self.bad(name, "is missing")
        return value

    def optional_reference(self, name: str) -> str | None:
        return self.part(name).optional_identifier("value")

    def part(self, name: str) -> Fields:
        """The fields of a nested object; an absent one has no fields."""
        value = self._payload.get(name)
        if value is None:
            return self._nested(name, {})
        if not isinstance(value, Mapping):
            raise self.bad(name, "is not an object")
        return self._nested(name, value)

    def parts(self, name: str) -> list[Fields]:
        """The fields of each object of a list; an absent list is empty."""
        value = self._payload.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(row, Mapping) for row in value):
            raise self.bad(name, "is not a list of objects")
        return [self._nested(f"{name}[{index}]", row) for index, row in enumerate(value, start=1)]

    def has(self, name: str) -> bool:
        return self._payload.get(name) is not None

    def _nested(self, name: str, payload: Mapping[str, Any]) -> Fields:
        nested = Fields(self._entity, payload)
        nested._object_id = self._object_id
        nested._path = f"{self._path}{name}."
        return nested
