"""Sync Now."""

from __future__ import annotations

import pytest

from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.actions.sync_requests import request_sync_now
from qbo_sync_dagster.ledger import connections, cycles

from .conftest import REALM, Office


def test_a_request_is_filed_for_the_company_named_by_key_or_realm(office: Office) -> None:
    company = office.connect().company

    first = request_sync_now(office.engine.ledger, company, "the controller")
    second = request_sync_now(office.engine.ledger, REALM, "the controller")

    with office.engine.ledger.connect() as connection:
        newest = cycles.open_requests(connection)[REALM]
    assert (newest.request_id, newest.requested_by) == (second, "the controller")
    assert second > first


def test_a_disconnected_company_is_told_to_connect_again(office: Office) -> None:
    office.connect()
    with office.engine.ledger.begin() as connection:
        connections.update(connection, REALM, state="disconnected")

    with pytest.raises(ActionRefusedError, match="connections reconnect"):
        request_sync_now(office.engine.ledger, REALM, "the controller")
