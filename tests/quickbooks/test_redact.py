"""Secrets never reach a log."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest

from qbo_sync_dagster.quickbooks.redact import install_redaction, scrub


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What a plain handler writes once redaction is installed; the factory is put back after."""
    before = logging.getLogRecordFactory()
    install_redaction()
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger("redaction-test")
    logger.propagate = False
    logger.addHandler(handler)
    yield stream
    logger.removeHandler(handler)
    logging.setLogRecordFactory(before)


LOGGER = logging.getLogger("redaction-test")


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer SECRET-token.value",
        "authorization=SECRET",
        "{'Authorization': 'Basic SECRETc2VjcmV0'}",
        "[(b'authorization', b'Bearer SECRET123')]",
        "refresh_token=SECRET&grant_type=refresh_token",
        '{"access_token": "SECRET", "refresh_token":"SECRET2"}',
        r'"{\"access_token\":\"SECRET\"}"',
        "client_secret=SECRET",
        "QBO_SYNC_SECRET_KEY=SECRET",
        "postgresql://sync:SECRET@db.example.com/ledger",
        "Token expired: AB11SECRETxxxxxxxxxxxxxxxxxxxxxxxx",
        "Token expired: eyJSECRETlbmMiOiJBMTI4Q0JDLUhTMjU2.x.y",
    ],
)
def test_a_secret_is_replaced_wherever_it_stands(text: str) -> None:
    assert "SECRET" not in scrub(text).replace("_SECRET_KEY", "")
    assert "[redacted]" in scrub(text)


def test_ordinary_sentences_stay_as_they_are() -> None:
    text = "Invoice INV-7 was refused (code 6140). The authorization of Example IT is fine."
    assert scrub(text) == text


def test_messages_arguments_and_tracebacks_are_scrubbed(log: io.StringIO) -> None:
    LOGGER.warning("headers %s", {"Authorization": "Bearer SECRET-token"})
    try:
        raise ValueError("refresh_token=SECRET")
    except ValueError:
        LOGGER.exception("the call failed")
    written = log.getvalue()
    assert "SECRET" not in written
    assert "ValueError" in written
    assert "the call failed" in written


def test_other_messages_are_formatted_as_ever(log: io.StringIO) -> None:
    LOGGER.warning("%s of %d", "one", 3)
    assert log.getvalue() == "one of 3\n"


def test_a_message_that_does_not_fit_its_arguments_does_not_break_the_caller(
    log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    LOGGER.warning("%d of %d", "one")  # noqa: PLE1206 - the point of the test
    LOGGER.warning("after")
    assert log.getvalue() == "after\n"


def test_installing_twice_changes_nothing(log: io.StringIO) -> None:
    factory = logging.getLogRecordFactory()
    install_redaction()
    assert logging.getLogRecordFactory() is factory


def test_a_name_in_a_message_does_not_steer_the_terminal_that_shows_the_log(
    log: io.StringIO,
) -> None:
    LOGGER.warning("Invoice %s", "INV-1\x1b[2J\x9b31m\u202etxt")
    assert log.getvalue() == "Invoice INV-1 [2J 31m txt\n"
