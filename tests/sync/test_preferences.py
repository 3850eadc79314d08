"""Preferences: read before posting, kept for a day; without them nothing is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from qbo_sync_dagster.domain.errors import MalformedObjectError
from qbo_sync_dagster.ledger import connections, leases, migrate
from qbo_sync_dagster.ledger.engine import LedgerClock, create_ledger_engine
from qbo_sync_dagster.ledger.errors import LeaseLostError
from qbo_sync_dagster.quickbooks.errors import ConnectionDeadError, NoAnswerError, ThrottledError
from qbo_sync_dagster.sync.context import CycleContext, Tally
from qbo_sync_dagster.sync.preferences import PostingRules, posting_rules

REALM = "9341453"
CLOSED = date(2026, 3, 31)
RULES = PostingRules(closing_date=CLOSED, refuses_duplicate_numbers=True, multi_currency=False)


@dataclass
class Company:
    """QuickBooks' preferences as the gateway gives them, or the error it raises."""

    error: Exception | None = None
    shown: dict[str, Any] = field(
        default_factory=lambda: {
            "book_close_date": CLOSED,
            "custom_numbers": True,
            "multi_currency": None,
            "auto_apply_credit": None,
        }
    )

    def preferences(self) -> SimpleNamespace:
        if self.error:
            raise self.error
        return SimpleNamespace(**self.shown)


@dataclass
class Office:
    """A cycle's context over a real ledger, with a QuickBooks that says what a test wants."""

    ctx: CycleContext
    company: Company
    offset: timedelta = timedelta(0)


@pytest.fixture
def office(fresh_database: Callable[[], str]) -> Iterator[Office]:
    ledger = create_ledger_engine(fresh_database())
    migrate.upgrade(ledger)
    new = connections.NewConnection(REALM, "tenant", "Slate Bay IT", "UTC", date(2026, 3, 1))
    with ledger.begin() as connection:
        added = connections.add(connection, new)
    lease = leases.take(ledger, REALM, "run 1")
    assert lease is not None
    company = Company()
    clock = LedgerClock(ledger)
    engine = SimpleNamespace(
        ledger=ledger, ledger_reads=ledger, now=lambda: clock.now() + made.offset
    )
    ctx = CycleContext(
        engine=cast("Any", engine),
        connection=added,
        lease=lease,
        cycle_id=1,
        started_at=added.connected_at,
        started_monotonic=0.0,
        quickbooks=cast("Any", company),
        algapsa=cast("Any", None),
        tally=Tally(),
    )
    made = Office(ctx, company)
    yield made
    ledger.dispose()


def test_the_closing_date_and_the_numbering_are_what_quickbooks_says(office: Office) -> None:
    assert posting_rules(office.ctx, may_read=True) == RULES


def test_what_quickbooks_does_not_say_counts_as_the_safe_side(office: Office) -> None:
    office.company.shown["custom_numbers"] = None

    rules = posting_rules(office.ctx, may_read=True)

    assert rules is not None
    assert not rules.refuses_duplicate_numbers


@pytest.mark.parametrize(
    "error",
    [
        NoAnswerError("Down."),
        ThrottledError("Slow.", retry_after=60),
        MalformedObjectError("Not preferences."),
    ],
)
def test_if_they_cannot_be_read_the_copy_of_the_last_day_serves(
    office: Office, error: Exception
) -> None:
    posting_rules(office.ctx, may_read=True)
    office.company.error = error
    office.offset = timedelta(hours=23, minutes=59)

    assert posting_rules(office.ctx, may_read=True) == RULES


def test_after_a_failed_poll_the_copy_serves_without_a_call(office: Office) -> None:
    posting_rules(office.ctx, may_read=True)
    office.company.error = AssertionError("no call may be made")

    assert posting_rules(office.ctx, may_read=False) == RULES


def test_a_copy_older_than_a_day_does_not_serve(office: Office) -> None:
    posting_rules(office.ctx, may_read=True)
    office.offset = timedelta(hours=24, seconds=1)

    assert posting_rules(office.ctx, may_read=False) is None


def test_without_a_copy_nothing_is_known(office: Office) -> None:
    office.company.error = NoAnswerError("Down.")

    assert posting_rules(office.ctx, may_read=True) is None


def test_a_company_that_has_closed_nothing_is_remembered_as_that(office: Office) -> None:
    office.company.shown["book_close_date"] = None
    posting_rules(office.ctx, may_read=True)

    rules = posting_rules(office.ctx, may_read=False)

    assert rules is not None
    assert rules.closing_date is None


def test_a_dead_connection_is_not_covered_up_by_a_copy(office: Office) -> None:
    posting_rules(office.ctx, may_read=True)
    office.company.error = ConnectionDeadError("Reconnect.")

    with pytest.raises(ConnectionDeadError):
        posting_rules(office.ctx, may_read=True)


def test_a_cycle_that_lost_its_lease_stores_no_copy(office: Office) -> None:
    leases.take(office.ctx.engine.ledger, REALM, "child", parent_holder="run 1")

    with pytest.raises(LeaseLostError):
        posting_rules(office.ctx, may_read=True)
