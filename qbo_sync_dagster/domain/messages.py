"""What is told to people of a company's open exceptions, and under which names it is remembered.

Messages hold titles and what records are called, never amounts, addresses or payloads: they leave
for services that other people read.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.connection_notices import EXPIRY_NOTICE
from qbo_sync_dagster.domain.foreign_text import shorten, without_domains

_MOST_LISTED = 20
_LONGEST_LABEL = 80
# What would be markup or a mention in one of the services; names come from outside.
_LOOK_ALIKES = str.maketrans(
    {"<": "‹", ">": "›", "@": "＠", "*": "∗", "_": "ˍ", "`": "'", "[": "(", "]": ")", "|": "¦"}
    | {"~": "∼", "#": "＃", "&": "＆", "\\": "/"}
)


@dataclass(frozen=True, slots=True)
class OpenException:
    """An open exception as messages see it; `labels` are what people call its records."""

    number: int
    kind: str
    title: str
    version: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """One message in plain text. `names` are the notices that it is."""

    title: str
    body: str
    names: tuple[str, ...]


def messages(
    company_name: str, standing: Sequence[OpenException], told: Collection[str]
) -> list[Message]:
    """The messages that are due, most urgent first: one about a failed connection, one about its
    end coming near, and one about everything else that is new. `told` are names of notices."""
    new = [each for each in standing if _name(each) not in told]
    urgent = [each for each in new if each.kind in _ALONE]
    rest = [each for each in new if each.kind not in _ALONE]
    told_alone = [_alone(company_name, each) for each in sorted(urgent, key=_urgency)]
    return [*told_alone, *([_together(company_name, rest)] if rest else [])]


_ALONE = (ExceptionKind.CONNECTION_FAILED, ExceptionKind.CONNECTION_EXPIRES)


def _urgency(exception: OpenException) -> int:
    return _ALONE.index(ExceptionKind(exception.kind))


def _name(exception: OpenException) -> str:
    if exception.kind == ExceptionKind.CONNECTION_EXPIRES:
        # Its exception stays open for two weeks; each band is told once.
        return f"{EXPIRY_NOTICE}:{exception.version.rpartition(':')[2]}"
    return f"exception:{exception.number}"


def _alone(company_name: str, exception: OpenException) -> Message:
    company = harmless(company_name)
    return Message(
        f"{company}: {harmless(exception.title)}",
        f"{harmless(exception.title)} ({company}). Reconnect it with `qbo-sync connections "
        f"reconnect`. It is exception {exception.number}.",
        (_name(exception),),
    )


def _together(company_name: str, new: Sequence[OpenException]) -> Message:
    company = harmless(company_name)
    count = "1 new exception" if len(new) == 1 else f"{len(new)} new exceptions"
    newest = sorted(new, key=lambda each: -each.number)
    lines = [_line(each) for each in newest[:_MOST_LISTED]]
    if len(newest) > _MOST_LISTED:
        lines.append(f"... and {len(newest) - _MOST_LISTED} more.")
    lines += ["", "See sync_exceptions in Dagster, or run qbo-sync exceptions."]
    return Message(f"{company}: {count}", "\n".join(lines), tuple(_name(each) for each in new))


def _line(exception: OpenException) -> str:
    labels = ", ".join(harmless(label) for label in exception.labels[:2])
    told = f"{exception.number}: {harmless(exception.title)}"
    return f"{told} ({labels})" if labels else told


def harmless(text: str) -> str:
    """The text on one line, cut, and without what a service would take for markup or a link."""
    return without_domains(shorten(text, _LONGEST_LABEL).translate(_LOOK_ALIKES))
