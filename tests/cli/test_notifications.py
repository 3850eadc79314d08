"""`qbo-sync notifications`, and a cycle on the command line that tells people."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.exception_record import ExceptionRecord
from qbo_sync_dagster.ledger import exceptions
from qbo_sync_dagster.ledger.engine import create_ledger_engine

from .conftest import REALM, Shell


@pytest.fixture
def inbox() -> Iterator[tuple[str, list[str]]]:
    """The address of a service that takes messages, and the titles of those it got."""
    titles: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            titles.append(body["title"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"json://desk:hunter2@127.0.0.1:{server.server_port}/", titles
    server.shutdown()
    server.server_close()


def test_targets_are_set_shown_without_secrets_tried_and_switched_off(
    shell: Shell, inbox: tuple[str, list[str]]
) -> None:
    address, titles = inbox
    shell.connect()

    told = shell.ok("notifications", "set", REALM, "-", text=f"{address}\n")

    assert told.startswith("JSON (")
    assert shell.ok("notifications", "show", REALM) == told
    assert shell.ok("notifications", "test", REALM) == f"{told.strip()}: arrived.\n"
    assert titles == ["Slate Bay 1: test"]
    assert "hunter2" not in told
    assert shell.ok("notifications", "set", REALM, "--none") == "No messages are sent.\n"
    assert "no notification targets" in shell.refused("notifications", "test", REALM)


def test_an_address_that_is_none_is_refused_and_not_repeated(
    shell: Shell, caplog: pytest.LogCaptureFixture
) -> None:
    shell.connect()

    told = shell.refused(
        "notifications", "set", REALM, "-", text="nonsense://token-of-slack/hunter2\n"
    )

    assert "Address 1 of 1" in told
    assert "hunter2" not in told + caplog.text
    assert "token-of-slack" not in caplog.text
    assert "No address was given" in shell.refused("notifications", "set", REALM, "-", text="\n")


def test_a_cycle_on_the_command_line_tells_what_is_new(
    shell: Shell, inbox: tuple[str, list[str]]
) -> None:
    address, titles = inbox
    shell.connect()
    shell.ok("notifications", "set", REALM, "-", text=address)
    engine = create_ledger_engine(shell.settings["QBO_SYNC_DATABASE_URL"])
    with engine.begin() as connection:
        record = ExceptionRecord(ExceptionKind.STANDS_TWICE, "invoice:7", "It stands twice.")
        exceptions.raise_all(connection, REALM, [record])
    engine.dispose()

    for _ in range(2):
        shell.run("cycle", REALM)

    assert titles == ["Slate Bay 1: 1 new exception"]
