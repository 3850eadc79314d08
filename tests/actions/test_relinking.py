"""Linking a client to another customer settles what was told about the former one."""

from __future__ import annotations

from qbo_sync_dagster.actions.linking import import_links
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.exception_record import ExceptionRecord
from qbo_sync_dagster.ledger import exceptions

from .conftest import REALM, Office


def test_a_client_linked_to_another_customer_needs_the_former_one_no_more(office: Office) -> None:
    office.connect()
    first, second = office.msp.clients[:2]
    import_links(office.engine, REALM, f"client,{first},58\nclient,{second},59")
    gone = [
        ExceptionRecord(ExceptionKind.CUSTOMER_UNAVAILABLE, f"client:{each}", "Made inactive.")
        for each in (first, second)
    ]
    with office.engine.ledger.begin() as connection:
        exceptions.raise_all(connection, REALM, gone)

    import_links(office.engine, REALM, f"client,{first},60", replace=True)

    with office.engine.ledger.begin() as connection:
        still = exceptions.listed(connection, REALM)
    assert [each.record for each in still] == [f"client:{second}"]
