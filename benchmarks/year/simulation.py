"""The year itself: days on which things happen, a cycle after each, and what must hold then."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

from benchmarks.year.day import Day
from benchmarks.year.habits import ACTS
from benchmarks.year.invariants import (
    BrokenPromiseError,
    check_cursor,
    check_nothing_silent,
    check_nothing_twice,
)
from benchmarks.year.names import judged
from benchmarks.year.provider import Company, Provider, open_provider
from qbo_sync_dagster.sandbox.algapsa.errors import AlgaRefusedError, NotModelledError
from qbo_sync_dagster.sandbox.algapsa.schema import Edition
from qbo_sync_dagster.sandbox.quickbooks.control import SandboxRefusedError
from qbo_sync_dagster.sync.outcome import Outcome

_MOST_ACTS_A_DAY = 6
_QUIET_DAYS = 0.25
_DAYS_A_CHECK = 7
_LAST_CYCLES = 3
_DAY = timedelta(days=1)
# AlgaPSA's Enterprise Edition lets exported invoices be reopened and deleted, Community does not.
_EDITIONS: tuple[Edition, Edition] = ("enterprise", "community")
# What a storm left in doubt is settled as on any other day: by the cycle a quarter of an hour on.
_QUARTER = timedelta(minutes=15)
_SECOND_CYCLES = 0.1


@dataclass
class Told:
    """What happened in the time that was acted out."""

    seed: int
    days: int = 0
    cycles: int = 0
    acts: Counter[str] = field(default_factory=Counter)
    decided: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    exceptions: Counter[str] = field(default_factory=Counter)
    named: Counter[str] = field(default_factory=Counter)
    documents: int = 0
    last: dict[str, Outcome] = field(default_factory=dict)


def act_out(seed: int, days: int) -> Told:
    """Act out `days` days by chance from `seed`.

    Raises BrokenPromiseError with seed and day as soon as something does not hold.
    """
    told = Told(seed)
    with open_provider(_EDITIONS[seed % 2]) as provider:
        day = Day(provider, Random(seed))  # noqa: S311  (a simulation, no secret)
        while told.days < days:
            try:
                _one_day(day, told)
            except BrokenPromiseError as error:
                raise BrokenPromiseError(f"Seed {seed}, day {told.days}: {error}") from error
        _finish(day, told)
    return told


def _one_day(day: Day, told: Told) -> None:
    day.provider.later(_DAY)
    told.days += 1
    if day.chance.random() >= _QUIET_DAYS:
        _work(day, told)
        _cycles(day.provider, told)
        if day.chance.random() < _SECOND_CYCLES:
            day.provider.later(_QUARTER)
            _cycles(day.provider, told)
    if told.days % _DAYS_A_CHECK == 0:
        for company in day.provider.companies:
            # A cycle that could not poll is told as failed; what it did not see has no name yet.
            if told.last.get(company.realm) is Outcome.SUCCEEDED:
                check_nothing_silent(day.provider, company)


def _work(day: Day, told: Told) -> None:
    weights = [habit.weight for habit in ACTS]
    for _ in range(day.chance.randint(1, _MOST_ACTS_A_DAY)):
        [habit] = day.chance.choices(ACTS, weights)
        # What a side refuses its own people did not happen.
        with suppress(AlgaRefusedError, NotModelledError, SandboxRefusedError):
            told.acts[habit.act.__name__] += habit.act(day)


def _cycles(provider: Provider, told: Told) -> None:
    for company in provider.companies:
        _cycle(provider, company, told)
    check_nothing_twice(provider)


def _cycle(provider: Provider, company: Company, told: Told) -> None:
    before = provider.cursor(company)
    end = provider.cycle(company)
    told.cycles += 1
    told.outcomes[str(end.outcome)] += 1
    told.last[company.realm] = end.outcome
    check_cursor(provider, company, before)


def _finish(day: Day, told: Told) -> None:
    """The weather clears, and some cycles settle what is still in doubt."""
    provider = day.provider
    provider.quickbooks.clear_faults()
    told.decided, told.refused = day.decided, day.refused
    for _ in range(_LAST_CYCLES):
        provider.later(_DAY)
        _cycles(provider, told)
    for company in provider.companies:
        check_nothing_silent(provider, company)
        told.exceptions.update(each.title for each in provider.open_exceptions(company))
        told.named.update(
            f"{step.what} ({min(step.names, default='nothing')})"
            for each in judged(provider, company)
            for step in each.steps
        )
        told.documents += len(provider.objects(company, "Invoice"))
