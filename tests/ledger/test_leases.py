"""The lease: one holder per company, and one that lost it writes nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from qbo_sync_dagster.ledger import connections, leases
from qbo_sync_dagster.ledger.errors import LeaseLostError

from .conftest import OTHER, Ledger

EXPIRED = timedelta(seconds=leases.LEASE_SECONDS)


def _take(ledger: Ledger, holder: str, **options: str) -> leases.Lease:
    lease = leases.take(ledger.engine, ledger.realm, holder, **options)
    assert lease is not None
    return lease


def _name(ledger: Ledger) -> str:
    with ledger.begin() as connection:
        return connections.get(connection, ledger.realm).company_name


def test_a_held_company_is_not_given_to_another_run(ledger: Ledger) -> None:
    _take(ledger, "run 1")

    assert leases.take(ledger.engine, ledger.realm, "run 2") is None


def test_a_holder_does_not_get_its_own_lease_a_second_time(ledger: Ledger) -> None:
    _take(ledger, "run 1")

    assert leases.take(ledger.engine, ledger.realm, "run 1") is None


def test_companies_are_held_apart(ledger: Ledger) -> None:
    ledger.connect(OTHER)
    _take(ledger, "run 1")

    assert leases.take(ledger.engine, OTHER, "run 2") is not None


def test_a_released_company_is_free_at_once(ledger: Ledger) -> None:
    leases.release(ledger.engine, _take(ledger, "run 1"))

    assert _take(ledger, "run 2").epoch == 2


def test_an_expired_lease_is_taken_over_and_the_epoch_rises(ledger: Ledger) -> None:
    first = _take(ledger, "run 1")
    later = ledger.on_clock(EXPIRED)

    taken = leases.take(later, ledger.realm, "run 2")
    later.dispose()

    assert taken is not None
    assert taken.epoch == first.epoch + 1


def test_a_lease_is_not_taken_over_before_it_expires(ledger: Ledger) -> None:
    _take(ledger, "run 1")
    earlier = ledger.on_clock(EXPIRED - timedelta(seconds=60))

    assert leases.take(earlier, ledger.realm, "run 2") is None
    earlier.dispose()


def test_renewing_prolongs_the_lease_from_now(ledger: Ledger) -> None:
    lease = _take(ledger, "run 1")
    later = ledger.on_clock(EXPIRED - timedelta(seconds=60))
    leases.renew(later, lease)
    much_later = ledger.on_clock(EXPIRED + timedelta(seconds=60))

    assert leases.take(much_later, ledger.realm, "run 2") is None
    later.dispose()
    much_later.dispose()


def test_a_retry_takes_its_parents_lease_over_at_once(ledger: Ledger) -> None:
    _take(ledger, "parent")

    assert _take(ledger, "child", parent_holder="parent").epoch == 2


def test_a_retry_does_not_take_a_strangers_lease(ledger: Ledger) -> None:
    _take(ledger, "stranger")

    assert leases.take(ledger.engine, ledger.realm, "child", parent_holder="parent") is None


def test_a_run_without_a_parent_does_not_take_a_lease_without_a_holders_name(
    ledger: Ledger,
) -> None:
    _take(ledger, "")

    assert leases.take(ledger.engine, ledger.realm, "run 2", parent_holder="") is None


def test_a_holder_whose_lease_was_taken_over_cannot_renew(ledger: Ledger) -> None:
    lost = _take(ledger, "parent")
    _take(ledger, "child", parent_holder="parent")

    with pytest.raises(LeaseLostError, match="wrote nothing more"):
        leases.renew(ledger.engine, lost)


def test_a_holder_whose_lease_was_taken_over_writes_nothing_to_the_ledger(ledger: Ledger) -> None:
    lost = _take(ledger, "parent")
    _take(ledger, "child", parent_holder="parent")

    with pytest.raises(LeaseLostError), leases.fenced(ledger.engine, lost) as connection:
        connections.update(connection, ledger.realm, company_name="Overwritten")
    assert _name(ledger) == "Slate Bay IT"


def test_nobody_takes_the_company_over_while_its_holder_is_in_a_ledger_write(
    ledger: Ledger,
) -> None:
    lease = _take(ledger, "parent")
    with leases.fenced(ledger.engine, lease), ledger.begin() as connection:
        connection.execute(sa.text("SET LOCAL lock_timeout = '100ms'"))
        update = sa.text("UPDATE leases SET epoch = epoch + 1 WHERE realm = :realm")
        with pytest.raises(sa.exc.OperationalError, match="lock timeout"):
            connection.execute(update, {"realm": ledger.realm})


def test_a_late_release_does_not_free_the_new_holders_company(ledger: Ledger) -> None:
    lost = _take(ledger, "parent")
    _take(ledger, "child", parent_holder="parent")

    leases.release(ledger.engine, lost)

    with ledger.begin() as connection:
        assert leases.holder_of(connection, ledger.realm) == "child"


def test_nobody_holds_a_company_whose_lease_expired(ledger: Ledger) -> None:
    _take(ledger, "run 1")
    later = ledger.on_clock(EXPIRED)
    with later.begin() as connection:
        holder = leases.holder_of(connection, ledger.realm)
    later.dispose()

    assert holder is None
