"""Secrets never reach a log: one scrubber, and a log-record factory that applies it.

What belongs here: recognising credentials in text. What does not: deciding what is worth logging.
"""

from __future__ import annotations

import logging
import re
import traceback
from typing import Final

_HIDDEN: Final = "[redacted]"
_NAMES: Final = (
    "access_token|refresh_token|id_token|client_secret|secret_key|password|accessToken|refreshToken"
)
_PATTERNS: Final = (
    (re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE), rf"\1 {_HIDDEN}"),
    (
        re.compile(
            r"(authorization\\?[\"']?\s*[:=]\s*b?\\?[\"']?)(?!bearer|basic)[^\s\"',}]+", re.I
        ),
        rf"\1{_HIDDEN}",
    ),
    (
        re.compile(rf"((?:{_NAMES})\\?[\"']?\s*[:=]\s*b?\\?[\"']?)[^\s\"'&,;}}]+", re.I),
        rf"\1{_HIDDEN}",
    ),
    # Intuit's refresh tokens (AB11...) and encrypted access tokens (eyJ...), wherever they stand:
    # a fault's detail reads "Token expired: eyJ...".
    (re.compile(r"\bAB\d{2}[A-Za-z0-9_-]{20,}"), _HIDDEN),
    (re.compile(r"\beyJ[A-Za-z0-9._-]{20,}"), _HIDDEN),
    (re.compile(r"(://[^\s:/@]+:)[^\s@/]+@"), rf"\1{_HIDDEN}@"),
)


def scrub(text: str) -> str:
    """The text with tokens, secrets and passwords replaced."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def install_redaction() -> None:
    """Scrub every log record of this process from now on. Installing twice changes nothing.

    A factory, not a filter: filters are per handler, and Dagster stores records through its own.
    """
    inner = logging.getLogRecordFactory()
    if getattr(inner, "scrubs_secrets", False):
        return

    def factory(*args: object, **kwargs: object) -> logging.LogRecord:
        return _scrubbed(inner(*args, **kwargs))

    factory.scrubs_secrets = True  # type: ignore[attr-defined]
    logging.setLogRecordFactory(factory)


def _inert(text: str) -> str:
    """The text without what could steer the terminal that shows a log: it may quote a name."""
    return "".join(c if c in "\n\t" or c.isprintable() else " " for c in text)


def _scrubbed(record: logging.LogRecord) -> logging.LogRecord:
    try:
        message = record.getMessage()
    except (TypeError, ValueError):  # the caller's format and arguments disagree: theirs to report
        return record
    if (clean := _inert(scrub(message))) != message:
        record.msg, record.args = clean, ()
    if record.exc_info and record.exc_info[0] is not None:
        # Formatters print exc_text when it is set, in place of the traceback they would make.
        record.exc_text = scrub("".join(traceback.format_exception(*record.exc_info)).rstrip())
    return record
