"""What Intuit accepts as the value of a property: the checks that entities are described with.

Belongs here: format and length. Does not: any rule that needs the company's books.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal

from qbo_sync_dagster.sandbox.quickbooks.faults import ApiFault, FaultDetail, fault
from qbo_sync_dagster.sandbox.quickbooks.wire import Json

Check = Callable[[object, str], object]
# None marks a property that is read-only: accepted and ignored, as Intuit does.
Schema = Mapping[str, Check | None]

_NOT_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
_LARGEST = Decimal(10) ** 10


def clean(schema: Schema, body: object, where: str) -> Json:
    """The accepted part of `body`; raises one fault that lists every refused property."""
    if not isinstance(body, dict):
        raise _not_parsed(where)
    accepted: Json = {}
    refused: list[FaultDetail] = []
    for name, value in body.items():
        if name not in schema:
            refused.append(_unknown(name, schema))
            continue
        check = schema[name]
        if check is None or value is None:
            continue
        try:
            accepted[name] = check(value, name)
        except ApiFault as problem:
            refused.extend(problem.details)
    if refused:
        raise ApiFault(*refused)
    return accepted


def text(longest: int) -> Check:
    """Text of at most `longest` characters."""

    def check(value: object, name: str) -> str:
        if not isinstance(value, str):
            raise _not_parsed(name)
        if _NOT_TEXT.search(value):
            raise fault("2040", f"{name} has characters that are not allowed", name)
        if len(value) > longest:
            detail = f"Min:0 Max:{longest} supported. Supplied length:{len(value)}"
            raise fault("2050", detail, name)
        return value

    return check


def flag(value: object, name: str) -> bool:
    """true or false."""
    if isinstance(value, bool):
        return value
    raise _not_parsed(name)


def number(value: object, name: str) -> Decimal:
    """A quantity, price or percentage; text with a number in it is accepted, as Intuit does."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise _not_parsed(name)
    try:
        parsed = Decimal(value)
    except ArithmeticError as error:
        raise fault("2080", f"{name} is not a number", name) from error
    if not parsed.is_finite() or abs(parsed) >= _LARGEST:
        raise fault("2080", f"{name} is out of range", name)
    return parsed


def amount(value: object, name: str) -> Decimal:
    """Money in whole cents. Fractions of a cent are refused here: their rounding is not known."""
    parsed = number(value, name)
    if parsed != parsed.quantize(Decimal("0.01")):
        raise fault("2080", f"{name} has more than two decimals", name)
    return parsed


def day(value: object, name: str) -> str:
    """A date of the books, `2026-05-05`."""
    try:
        return date.fromisoformat(str(value)[:10]).isoformat()
    except ValueError as error:
        raise fault("2060", f"{name} is not a date", name) from error


def email(value: object, name: str) -> str:
    """An address of at most 100 characters with an @ and a dot."""
    checked = str(text(100)(value, name))
    if checked and ("@" not in checked or "." not in checked):
        raise fault("2210", f"{name}: Email Address does not conform to the syntax", name)
    return checked


def one_of(*allowed: str) -> Check:
    """One of an enumeration's values, in Intuit's spelling."""

    def check(value: object, name: str) -> str:
        if value in allowed:
            return str(value)
        raise _not_parsed(name)

    return check


def nested(schema: Schema) -> Check:
    """An object with its own properties."""

    def check(value: object, name: str) -> Json:
        return clean(schema, value, name)

    return check


def listed(check_item: Check) -> Check:
    """A list whose items pass one check."""

    def check(value: object, name: str) -> list[object]:
        if not isinstance(value, list):
            raise _not_parsed(name)
        return [check_item(item, name) for item in value]

    return check


def reference(value: object, name: str) -> Json:
    """`{"value": id}`; the name that may come with it is Intuit's to fill in."""
    if not isinstance(value, dict) or not isinstance(value.get("value"), str):
        raise _not_parsed(name)
    return {"value": str(text(50)(value["value"], name))}


def _unknown(name: str, schema: Schema) -> FaultDetail:
    known = ", ".join(f'"{each}"' for each in schema)
    detail = f'Property Name:Unrecognized field "{name}" is unsupported or invalid'
    return FaultDetail("2010", f"{detail} ({len(schema)} known properties: {known})", name)


def _not_parsed(name: str) -> ApiFault:
    detail = "Property Name:failed to parse json object: a property specified is unsupported"
    return fault("2010", f"{detail} or invalid ({name})", name)


_address_lines: dict[str, Check | None] = {f"Line{n}": text(500) for n in range(1, 6)}

address = nested(
    {
        **_address_lines,
        "Id": None,
        "Lat": None,
        "Long": None,
        "City": text(255),
        "Country": text(255),
        "CountryCode": text(255),
        "CountrySubDivisionCode": text(255),
        "PostalCode": text(31),
        "Note": text(1000),
    }
)
phone = nested({"FreeFormNumber": text(30)})
memo = nested({"value": text(1000)})
email_address = nested({"Address": email})
custom_fields = listed(
    nested(
        {
            "DefinitionId": text(10),
            "Name": text(30),
            "Type": text(30),
            "StringValue": text(31),
        }
    )
)

# Sent with any object: identity, envelope and computed properties.
COMMON: Schema = {
    "Id": None,
    "SyncToken": None,
    "sparse": None,
    "domain": None,
    "MetaData": None,
}
