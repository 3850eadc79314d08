"""Intuit's query language: from text to a statement, or to the fault Intuit gives for it.

Belongs here: grammar. Does not: whether a property exists, or SQL.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from qbo_sync_dagster.sandbox.quickbooks.faults import ApiFault, fault

DEFAULT_PAGE = 100
LARGEST_PAGE = 1000

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<string>'(?:\\.|[^'\\])*')
      | (?P<number>-?\d+(?:\.\d+)?)
      | (?P<word>[A-Za-z_][A-Za-z0-9_.]*)
      | (?P<sign><=|>=|=|<|>|\(|\)|,|\*)
    )""",
    re.VERBOSE,
)
_OPERATORS = ("=", "<", ">", "<=", ">=", "IN", "LIKE")


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison; only IN has more than one value."""

    property: str
    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """One property to order by."""

    property: str
    descending: bool


@dataclass(frozen=True, slots=True)
class Statement:
    """A query as it was written. No properties means all of them (`*`)."""

    entity: str
    properties: tuple[str, ...]
    is_count: bool
    where: tuple[Condition, ...]
    order: tuple[Order, ...]
    start: int
    page: int


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    place: int


def parse(text: str) -> Statement:
    """The statement; raises 4000 for what does not parse and 4001 for what cannot be meant."""
    return _Parser(_tokens(text)).statement()


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    place = 0
    stripped = text.rstrip()
    while place < len(stripped):
        match = _TOKEN.match(stripped, place)
        if match is None:
            raise _lexical(stripped, place)
        kind = str(match.lastgroup)
        tokens.append(_Token(kind, match.group(kind), match.start(kind) + 1))
        place = match.end()
    return tokens


def _lexical(text: str, place: int) -> ApiFault:
    offset = len(text[place:]) - len(text[place:].lstrip())
    wrong = text[place + offset : place + offset + 1]
    detail = f"QueryParserError: Lexical error at line 1, column {place + offset + 1}. "
    return fault("4000", f'{detail}Encountered: "{wrong}"')


class _Parser:
    """Reads tokens from left to right."""

    def __init__(self, tokens: Sequence[_Token]) -> None:
        self._tokens = tokens
        self._next = 0

    def statement(self) -> Statement:
        self._expect("SELECT")
        properties, is_count = self._selection()
        self._expect("FROM")
        entity = self._take("word")
        where = self._conditions() if self._accept("WHERE") else ()
        order = self._orders() if self._accept_order() else ()
        start, page = self._paging()
        if self._next < len(self._tokens):
            raise self._unexpected()
        return Statement(entity, properties, is_count, where, order, start, page)

    def _selection(self) -> tuple[tuple[str, ...], bool]:
        if self._accept("*"):
            # `SELECT *, Sku` is the way to some properties that a bare star leaves out.
            while self._accept(","):
                self._take("word")
            return (), False
        first = self._take("word")
        if first.lower() == "count" and self._accept("("):
            self._expect("*")
            self._expect(")")
            return (), True
        names = [first]
        while self._accept(","):
            names.append(self._take("word"))
        return tuple(names), False

    def _conditions(self) -> tuple[Condition, ...]:
        found = [self._condition()]
        while self._accept("AND"):
            found.append(self._condition())
        return tuple(found)

    def _condition(self) -> Condition:
        name = self._take("word")
        operator = self._peek().upper()
        if operator not in _OPERATORS:
            raise self._unexpected()
        self._next += 1
        if operator != "IN":
            return Condition(name, operator, (self._value(),))
        self._expect("(")
        values = [self._value()]
        while self._accept(","):
            values.append(self._value())
        self._expect(")")
        return Condition(name, operator, tuple(values))

    def _value(self) -> str:
        token = self._token()
        if token.kind == "string":
            self._next += 1
            return re.sub(r"\\(.)", r"\1", token.text[1:-1])
        if token.kind == "number" or token.text.lower() in {"true", "false", "current_date"}:
            self._next += 1
            return token.text
        raise self._unexpected()

    def _accept_order(self) -> bool:
        if self._accept("ORDERBY"):
            return True
        if self._accept("ORDER"):
            self._expect("BY")
            return True
        return False

    def _orders(self) -> tuple[Order, ...]:
        found = [self._order()]
        while self._accept(","):
            found.append(self._order())
        return tuple(found)

    def _order(self) -> Order:
        name = self._take("word")
        descending = self._accept("DESC")
        if not descending:
            self._accept("ASC")
        return Order(name, descending)

    def _paging(self) -> tuple[int, int]:
        start, page = 1, DEFAULT_PAGE
        while self._next < len(self._tokens):
            if self._accept("STARTPOSITION"):
                start = self._bounded(1, 2**31)
            elif self._accept("MAXRESULTS"):
                page = self._bounded(1, LARGEST_PAGE)
            else:
                raise self._unexpected()
        return start, page

    def _bounded(self, least: int, most: int) -> int:
        value = int(float(self._take("number")))
        if value < least:
            text = f"QueryValidationError: value {value} is too small. Min allowed value is {least}"
            raise fault("4001", text)
        if value > most:
            text = f"QueryValidationError: value {value} is too large. Max allowed value is {most}"
            raise fault("4001", text)
        return value

    def _token(self) -> _Token:
        if self._next >= len(self._tokens):
            raise fault("4000", "QueryParserError: Encountered <EOF> too early")
        return self._tokens[self._next]

    def _peek(self) -> str:
        return self._token().text

    def _accept(self, text: str) -> bool:
        found = self._next < len(self._tokens) and self._peek().upper() == text
        self._next += found
        return found

    def _expect(self, text: str) -> None:
        if self._token().text.upper() != text:
            raise self._unexpected()
        self._next += 1

    def _take(self, kind: str) -> str:
        token = self._token()
        if token.kind != kind:
            raise self._unexpected()
        self._next += 1
        return token.text

    def _unexpected(self) -> ApiFault:
        token = self._token()
        where = f"at line 1, column {token.place}"
        return fault("4000", f'QueryParserError: Encountered " {token.text[:60]} " {where}')
