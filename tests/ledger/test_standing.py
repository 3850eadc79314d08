"""How companies stand: counts over all aggregates, each company's own."""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography.fernet import Fernet

from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.exception_record import ExceptionRecord
from qbo_sync_dagster.ledger import (
    cycles,
    exceptions,
    inbox,
    links,
    operations,
    standing,
    tokens,
)
from qbo_sync_dagster.ledger.engine import ledger_now

from .conftest import OTHER, Ledger

EXPIRY = datetime(2027, 1, 1, tzinfo=UTC)


def test_a_company_is_counted_over_every_aggregate_and_another_is_not(ledger: Ledger) -> None:
    ledger.connect(OTHER)
    realm = ledger.realm
    with ledger.begin() as connection:
        new = [operations.NewOperation("export_invoice", each, each) for each in ("a", "b", "c")]
        operations.queue(connection, realm, new)
        [first, second, _] = operations.open_ones(connection, realm)
        operations.change(connection, [first.operation_id], "errored")
        operations.change(connection, [second.operation_id], "done")
        links.add(connection, realm, [links.NewLink("invoice", "a", "1", "exported")])
        link = links.by_algapsa_id(connection, realm, "invoice")["a"]
        links.update(connection, link.link_id, drift={"fields": []})
        inbox.receive(
            connection, realm, [inbox.Delivered("Payment", "7", 0, False, None, {"Id": "7"})]
        )
        [change] = inbox.unsettled(connection, realm, "Payment")
        inbox.settle(connection, realm, [change.change_id], "parked")
        record = ExceptionRecord(ExceptionKind.UNKNOWN_INVOICE, "payment:7", "It pays nothing.")
        exceptions.raise_all(connection, realm, [record])
        cipher = tokens.TokenCipher(Fernet.generate_key().decode())
        tokens.store(connection, realm, tokens.Tokens(None, None, "r", EXPIRY), cipher)
        counts = standing.counts_by_realm(connection)

    assert set(counts) == {realm}
    assert counts[realm] == standing.RealmCounts(
        operations={"queued": 1, "errored": 1},
        drift=1,
        parked=1,
        open_exceptions=1,
        token_expires_at=EXPIRY,
    )


def test_a_closed_link_is_no_drift_and_a_resolved_exception_is_not_open(ledger: Ledger) -> None:
    with ledger.begin() as connection:
        links.add(connection, ledger.realm, [links.NewLink("invoice", "a", "1", "exported")])
        link = links.by_algapsa_id(connection, ledger.realm, "invoice")["a"]
        links.update(connection, link.link_id, drift={"fields": []}, state="closed")
        record = ExceptionRecord(ExceptionKind.UNKNOWN_INVOICE, "payment:7", "It pays nothing.")
        exceptions.raise_all(connection, ledger.realm, [record])
        exceptions.resolve_others(
            connection, ledger.realm, [ExceptionKind.UNKNOWN_INVOICE], [], "Gone."
        )

        assert standing.counts_by_realm(connection) == {}


def test_only_a_cycle_that_succeeded_counts_as_last_success(ledger: Ledger) -> None:
    ends = []
    for outcome in ("succeeded", "failed"):
        with ledger.begin() as connection:
            now = ledger_now(connection)
            cycle = cycles.start(
                connection, ledger.realm, epoch=1, trigger="test", run_id=None, cursor=now
            )
            closed = cycles.close(
                connection,
                cycle.cycle_id,
                outcome=outcome,
                counts={},
                calls={},
                summary="",
                problem=None,
                cursor=now,
            )
            ends.append(closed.finished_at)
    with ledger.begin() as connection:
        counts = standing.counts_by_realm(connection)

    assert counts[ledger.realm].last_success_at == ends[0]
