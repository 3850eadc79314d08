"""How to settle an exception, ready to paste: the job's config and the command.

What belongs here: text made of an exception's number and the actions it allows. What does not:
what the actions are and do (domain.catalogue, domain.cures).
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from qbo_sync_dagster.domain.catalogue import CATALOGUE, Action, ExceptionKind
from qbo_sync_dagster.domain.cures import CURES, word
from qbo_sync_dagster.ledger.exceptions import StoredException

JOB, STEP = "resolve_exception", "resolve"


def actions_of(exception: StoredException) -> tuple[Action, ...]:
    """What settles it, as the catalogue says today."""
    return CATALOGUE[ExceptionKind(exception.kind)].actions


def offered(exception: StoredException) -> list[Action]:
    """The actions that a form may take: a reconnect needs a browser and stays out of it."""
    return [action for action in actions_of(exception) if action is not Action.RECONNECT]


def config(number: int, actions: Sequence[Action]) -> str:
    """The job's config as YAML, with the first action filled in and the others named."""
    others = f"  # or {', '.join(word(each) for each in actions[1:])}" if actions[1:] else ""
    lines = [
        "ops:",
        f"  {STEP}:",
        "    config:",
        f"      exception: {number}",
        f"      action: {word(actions[0])}{others}",
        '      reason: ""  # why; kept with the exception',
    ]
    targets = [f"{word(each)}: {told}" for each in actions if (told := CURES[each].target)]
    if targets:
        lines.append(f'      target: ""  # {"; ".join(targets)}')
    return "\n".join(lines)


def command(exception: StoredException) -> str:
    """The command that takes the first action, with the others named."""
    first, *others = actions_of(exception)
    told = f"`{command_of(exception, first)}`"
    if first is Action.RECONNECT:
        return "; or ".join([told, *(f"`{command_of(exception, each)}`" for each in others)])
    named = ", ".join(_spelt(each) for each in others)
    return f"{told}; or {named} in its place" if others else told


def command_of(exception: StoredException, action: Action) -> str:
    """The command that takes an action on an exception."""
    if action is Action.RECONNECT:
        return f"qbo-sync connections reconnect {exception.realm}"
    target = " TARGET" if CURES[action].target else ""
    return f'qbo-sync exceptions {_spelt(action)} {exception.number}{target} --reason "..."'


def launchpad(job: str | None, yaml: str) -> str | None:
    """The address of the job's Launchpad with the config filled in; None without its page."""
    return f"{job}/playground/setup?config={quote(yaml, safe='')}" if job else None


def job_page(location: str | None) -> str | None:
    """The job's page in a code location of the web server that shows it."""
    return f"/locations/{quote(location, safe='')}/jobs/{JOB}" if location else None


def _spelt(action: Action) -> str:
    return word(action).replace("_", "-")
