"""Notices to people: once each, to every target, and never at the expense of a cycle."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from qbo_sync_dagster.actions import notifying
from qbo_sync_dagster.actions.cases import Choice
from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.actions.resolving import Resolution, resolve
from qbo_sync_dagster.domain.catalogue import Action, ExceptionKind
from qbo_sync_dagster.domain.connection_notices import connection_expires, connection_failed
from qbo_sync_dagster.domain.exception_record import ExceptionRecord, RecordReference
from qbo_sync_dagster.ledger import exceptions
from qbo_sync_dagster.ledger.tables import connections as connections_table
from qbo_sync_dagster.ledger.tables import notices as notices_table
from qbo_sync_dagster.notifications import delivery
from qbo_sync_dagster.notifications.announcing import announce
from qbo_sync_dagster.notifications.delivery import Delivery
from tests.waiting import eventually

from ..actions.conftest import (  # noqa: F401
    OTHER,
    REALM,
    Office,
    msp,
    office,
)

UNDELIVERED = "Notifications don't arrive"


@dataclass
class Receiver:
    """A service that takes messages. `status` answers them; `gate` holds answers back."""

    status: int = 200
    messages: list[dict[str, str]] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    @property
    def url(self) -> str:
        return f"json://desk:hunter2@127.0.0.1:{self.port}/inbox"

    @property
    def titles(self) -> list[str]:
        return [message["title"] for message in self.messages]


def start(receiver: Receiver) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.gate.wait(60)
            receiver.messages.append(json.loads(body))
            self.send_response(receiver.status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture
def receivers() -> Iterator[tuple[Receiver, Receiver]]:
    made = (Receiver(), Receiver())
    servers = [start(receiver) for receiver in made]
    for receiver in made:
        receiver.gate.set()
    yield made
    for receiver, server in zip(made, servers, strict=True):
        receiver.gate.set()
        server.shutdown()
        server.server_close()


@pytest.fixture
def desk(receivers: tuple[Receiver, Receiver]) -> Receiver:
    return receivers[0]


def notify(office: Office, *urls: str, realm: str = REALM) -> tuple[str, ...]:  # noqa: F811
    return notifying.set_targets(office.engine.ledger, office.engine.cipher, realm, urls)


def told(office: Office, realm: str = REALM, limit: float = 30.0) -> int:  # noqa: F811
    return announce(office.engine.ledger, office.engine.cipher, realm, limit)


def happen(office: Office, *records: str, realm: str = REALM) -> None:  # noqa: F811
    raised = [
        ExceptionRecord(
            ExceptionKind.EXPORT_FAILING,
            record,
            "It failed.",
            (RecordReference("algapsa", "invoice", record, f"Invoice {record}"),),
        )
        for record in records
    ]
    with office.engine.ledger.begin() as connection:
        exceptions.raise_all(connection, realm, raised)


def titles(office: Office, realm: str = REALM) -> list[str]:  # noqa: F811
    with office.engine.ledger.connect() as connection:
        return [each.title for each in exceptions.listed(connection, realm)]


def test_new_exceptions_of_a_cycle_are_one_message_and_are_not_told_again(
    office: Office,  # noqa: F811
    desk: Receiver,
) -> None:
    office.connect()
    notify(office, desk.url)
    happen(office, "INV-1", "INV-2")

    assert told(office) == 1
    happen(office, "INV-1")
    assert told(office) == 0
    happen(office, "INV-3")
    assert told(office) == 1

    assert desk.titles == ["Slate Bay 1: 2 new exceptions", "Slate Bay 1: 1 new exception"]
    assert "Invoice INV-2" in desk.messages[0]["message"]
    assert "hunter2" not in json.dumps(desk.messages)


def test_without_targets_nothing_is_sent_and_apprise_is_not_even_loaded(
    office: Office,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    office.connect()
    happen(office, "INV-1")
    monkeypatch.setattr(delivery, "_plugin", lambda url: pytest.fail("apprise was asked"))

    assert told(office) == 0


def test_two_companies_have_targets_of_their_own(
    office: Office,  # noqa: F811
    receivers: tuple[Receiver, Receiver],
) -> None:
    office.connect()
    office.connect(OTHER)
    notify(office, receivers[0].url)
    notify(office, receivers[1].url, realm=OTHER)
    happen(office, "INV-1", realm=OTHER)

    told(office)
    told(office, OTHER)

    assert receivers[0].titles == []
    assert receivers[1].titles == ["Slate Bay 2: 1 new exception"]


def test_a_failed_connection_is_told_by_itself_and_again_after_it_was_mended(
    office: Office,  # noqa: F811
    desk: Receiver,
) -> None:
    office.connect()
    notify(office, desk.url)
    failed = connection_failed(REALM, "Slate Bay 1", "It was revoked.")
    for _ in range(2):
        with office.engine.ledger.begin() as connection:
            exceptions.raise_all(connection, REALM, [failed])
        told(office)
        told(office)
        office.connect()

    title = "Slate Bay 1: Accounting connection failed authentication"
    assert desk.titles == [title, title]


def expire(office: Office, days: float) -> None:  # noqa: F811
    now = office.engine.now()
    warning = connection_expires(REALM, "Slate Bay 1", now + timedelta(days=days), now)
    assert warning is not None
    with office.engine.ledger.begin() as connection:
        exceptions.raise_all(connection, REALM, [warning])


def test_the_coming_end_is_told_once_a_band_and_again_after_a_reconnect(
    office: Office,  # noqa: F811
    desk: Receiver,
) -> None:
    office.connect()
    notify(office, desk.url)
    for days in (13.5, 12.5, 5.5, 4.5, 1.5, 0.5):
        expire(office, days)
        told(office)

    assert [title.partition("in ")[2] for title in desk.titles] == ["14 days", "6 days", "2 days"]
    office.connect()
    expire(office, 12.5)
    told(office)
    assert len(desk.titles) == 4


def test_a_target_that_refuses_is_tried_again_and_the_others_are_told_once(
    office: Office,  # noqa: F811
    receivers: tuple[Receiver, Receiver],
) -> None:
    good, bad = receivers
    bad.status = 500
    office.connect()
    notify(office, good.url, bad.url)
    happen(office, "INV-1")

    assert told(office) == 1
    assert UNDELIVERED in titles(office)
    bad.status = 200
    told(office)

    assert sum("Invoice INV-1" in message["message"] for message in good.messages) == 1
    assert "Invoice INV-1" in bad.messages[-1]["message"]
    assert UNDELIVERED not in titles(office)


def test_a_dismissed_target_is_told_no_more_while_it_fails(
    office: Office,  # noqa: F811
    desk: Receiver,
) -> None:
    desk.status = 500
    office.connect()
    notify(office, desk.url)
    happen(office, "INV-1")
    told(office)
    with office.engine.ledger.connect() as connection:
        listed = exceptions.listed(connection, REALM)
    [number] = [each.number for each in listed if each.title == UNDELIVERED]

    choice = Choice(number, "Avery", "The service is down until Monday.")
    resolve(office.engine, Resolution(Action.DISMISS, choice))
    happen(office, "INV-2")
    told(office)

    assert UNDELIVERED not in titles(office)


def test_a_target_that_nobody_listens_on_harms_nobody(
    office: Office,  # noqa: F811
    desk: Receiver,
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    office.connect()
    notify(office, f"json://127.0.0.1:{port}/", desk.url)
    happen(office, "INV-1")

    assert told(office) == 1
    assert UNDELIVERED in titles(office)


def test_a_target_without_an_answer_is_not_waited_for_and_not_told_twice(
    office: Office,  # noqa: F811
    desk: Receiver,
) -> None:
    office.connect()
    notify(office, desk.url)
    happen(office, "INV-1")
    desk.gate.clear()

    assert told(office, limit=0.2) == 0
    assert UNDELIVERED in titles(office)
    desk.gate.set()
    # The answer comes when nobody waits for it any more.
    eventually("the message", lambda: desk.messages)
    told(office)

    assert sum("Invoice INV-1" in message["message"] for message in desk.messages) == 1
    assert UNDELIVERED not in titles(office)


def test_a_notice_that_another_run_is_sending_is_left_to_it(
    office: Office,  # noqa: F811
    desk: Receiver,
) -> None:
    office.connect()
    notify(office, desk.url)
    happen(office, "INV-1")
    desk.gate.clear()
    first = threading.Thread(target=told, args=(office,))
    first.start()
    while not claimed(office):
        pass

    assert told(office) == 0

    desk.gate.set()
    first.join(180)
    assert len(desk.messages) == 1


def claimed(office: Office) -> bool:  # noqa: F811
    with office.engine.ledger.connect() as connection:
        return connection.execute(notices_table.select()).first() is not None


def test_whatever_goes_wrong_while_telling_is_no_error_of_the_cycle(
    office: Office,  # noqa: F811
    desk: Receiver,
) -> None:
    office.connect()
    notify(office, desk.url)
    with office.engine.ledger.begin() as connection:
        connection.execute(connections_table.update().values(notification_targets=b"damaged"))

    assert told(office) == 0


def test_targets_are_encrypted_audited_and_shown_without_their_secrets(
    office: Office,  # noqa: F811
    desk: Receiver,
) -> None:
    office.connect()

    [shown] = notify(office, desk.url)

    with office.engine.ledger.connect() as connection:
        stored = connection.execute(
            connections_table.select().with_only_columns(connections_table.c.notification_targets)
        ).scalar_one()
    assert b"hunter2" not in bytes(stored)
    assert shown.startswith("JSON (")
    assert "hunter2" not in shown
    assert office.audited()[-1] == ("setting changed", "notification-targets", [], [shown])
    rows = office.audited()
    notify(office, desk.url)
    assert office.audited() == rows


def test_an_address_that_is_none_is_refused_without_repeating_it(office: Office) -> None:  # noqa: F811
    office.connect()

    with pytest.raises(ActionRefusedError, match="Address 2 of 2") as refusal:
        notify(office, "json://127.0.0.1/", "nonsense://user:hunter2@host")

    assert "hunter2" not in str(refusal.value)


def test_a_test_message_says_what_became_of_it(office: Office, desk: Receiver) -> None:  # noqa: F811
    office.connect()
    [shown] = notify(office, desk.url)

    outcomes = notifying.send_test(office.engine.ledger, office.engine.cipher, REALM)

    assert outcomes == {shown: Delivery.SENT}
    assert desk.titles == ["Slate Bay 1: test"]
