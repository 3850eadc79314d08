"""Faults on demand: rules that tests set, and what each effect does to a call or its answer.

Belongs here: matching and effects. Does not: faults that the books themselves give.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qbo_sync_dagster.sandbox.quickbooks.faults import ApiFault, fault
from qbo_sync_dagster.sandbox.quickbooks.storage import Cursor
from qbo_sync_dagster.sandbox.quickbooks.wire import Json, decode, encode

KINDS = ("any", "batch", "cdc", "create", "delete", "query", "read", "token", "update", "void")
# Not executed; answered with something else, or not at all.
BEFORE = (
    "401",
    "403",
    "429",
    "500",
    "502_html",
    "503",
    "html_200",
    "fault",
    "fault_in_200",
    "timeout_before",
    "drop_before",
)
# Executed and committed; the answer is lost or spoiled.
AFTER = (
    "latency",
    "timeout_after_commit",
    "drop_after_commit",
    "502_after_commit",
    "malformed_json",
    "omit_field",
    "huge_text",
    "unknown_fields",
    "omit_item",
)
HUGE = "x" * 100_000

_LIVE = """
SELECT id, realm, kind, entity, match, after_calls, effect, hold_ms FROM fault_rule
WHERE times > 0 AND (realm IS NULL OR realm = %s) ORDER BY id
"""
_INSERT = """
INSERT INTO fault_rule (realm, kind, entity, match, after_calls, times, effect, hold_ms)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING id
"""
# In one statement, so that two calls at once use up two turns.
_USE = "UPDATE fault_rule SET times = times - 1 WHERE id = %s AND times > 0 RETURNING times"
_WAIT = "UPDATE fault_rule SET after_calls = after_calls - 1 WHERE id = %s"


class RuleError(Exception):
    """A fault rule that cannot be understood."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One live rule."""

    id: int
    realm: str | None
    kind: str
    entity: str | None
    match: str | None
    after_calls: int
    effect: str
    hold_ms: int

    def fits(self, kind: str, entity: str, text: str) -> bool:
        """Whether the rule is about such a call."""
        return (
            self.kind in ("any", kind)
            and (self.entity is None or self.entity.lower() in entity.lower().split(","))
            and (self.match is None or self.match in text)
        )


@dataclass(frozen=True, slots=True)
class Effect:
    """What happens to one call."""

    name: str
    argument: str
    hold_ms: int

    @property
    def is_before(self) -> bool:
        """Whether the call is not executed."""
        return self.name in BEFORE

    @property
    def hangs_up(self) -> bool:
        """Whether the connection is closed without an answer."""
        return self.name.startswith(("timeout_", "drop_"))

    @property
    def seconds(self) -> float:
        """How long it takes until something happens."""
        if self.name == "latency":
            return float(self.argument or 0) / 1000
        return self.hold_ms / 1000 if self.name.startswith("timeout_") else 0.0


def add_rule(cursor: Cursor, rule: Json) -> int:
    """Store a rule; its number. Raises RuleError for an unknown kind or effect."""
    known = {"realm", "kind", "entity", "match", "after_calls", "times", "effect", "hold_ms"}
    name = str(rule.get("effect", "")).partition(":")[0]
    if set(rule) - known or rule.get("kind", "any") not in KINDS or name not in BEFORE + AFTER:
        message = f"A rule has {sorted(known)}, a kind of {KINDS} and an effect of {BEFORE + AFTER}"
        raise RuleError(message)
    cursor.execute(
        _INSERT,
        (
            rule.get("realm"),
            rule.get("kind", "any"),
            rule.get("entity"),
            rule.get("match"),
            rule.get("after_calls", 0),
            rule.get("times", 1),
            rule["effect"],
            rule.get("hold_ms", 50),
        ),
    )
    (number,) = cursor.fetchone()
    return int(number)


def live_rules(cursor: Cursor, realm: str) -> list[Rule]:
    """The rules that may concern a company."""
    cursor.execute(_LIVE, (realm,))
    return [Rule(*row) for row in cursor.fetchall()]


def clear_rules(cursor: Cursor, realm: str | None) -> None:
    """Forget the rules of one company, or all."""
    cursor.execute("DELETE FROM fault_rule WHERE %s IS NULL OR realm = %s", (realm, realm))


def effect_on(
    cursor: Cursor, rules: Sequence[Rule], kind: str, entity: str, text: str
) -> Effect | None:
    """The effect of the first rule that fits and is due; its turn is used up."""
    for rule in rules:
        if not rule.fits(kind, entity, text):
            continue
        if rule.after_calls > 0:
            cursor.execute(_WAIT, (rule.id,))
            continue
        cursor.execute(_USE, (rule.id,))
        if cursor.fetchone() is not None:
            name, _, argument = rule.effect.partition(":")
            return Effect(name, argument, rule.hold_ms)
    return None


def injected_fault(effect: Effect) -> ApiFault:
    """The business fault an effect asks for: `fault:<code>` or `fault:<code>:<detail>`."""
    code, _, detail = effect.argument.partition(":")
    if effect.name == "500":
        code = "10000"
    return fault(code or "6000", detail or "Injected fault")


def spoiled(effect: Effect, body: str) -> str:
    """The answer as the effect leaves it."""
    if effect.name == "malformed_json":
        return body[: len(body) // 2]
    if effect.name == "omit_field":
        return encode(_without(decode(body), effect.argument))
    if effect.name == "huge_text":
        return encode(_with_fields(decode(body), {effect.argument: HUGE}))
    if effect.name == "unknown_fields":
        extra = {"FutureField": {"value": "1", "list": [1, 2]}, "futureFlag": True}
        return encode(_with_fields(decode(body), extra))
    return body


def _without(value: object, name: str) -> object:
    if isinstance(value, dict):
        return {k: _without(v, name) for k, v in value.items() if k != name}
    return [_without(each, name) for each in value] if isinstance(value, list) else value


def _with_fields(value: Any, extra: Json) -> object:  # noqa: ANN401  (JSON of any shape)
    if isinstance(value, list):
        return [_with_fields(each, extra) for each in value]
    if not isinstance(value, dict):
        return value
    inner = {k: _with_fields(v, extra) for k, v in value.items()}
    return {**inner, **extra} if "SyncToken" in value or "time" in value else inner
