"""The Sync Health panel: the guide's rows, and a summary that shows without a click."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from qbo_sync_dagster.panels.health import Curve, health_panel
from qbo_sync_dagster.panels.values import INLINE_CHARACTERS, Markdown
from qbo_sync_dagster.sync.outcome import SyncHealth

HealthOf = Callable[..., SyncHealth]


def test_the_guides_rows_come_first_in_its_order(health_of: HealthOf, now: datetime) -> None:
    panel = health_panel(health_of(), Curve(), now)

    assert list(panel)[:7] == [
        "company",
        "last_sync_cycle",
        "pending_ops",
        "errored_ops",
        "drift",
        "open_exceptions",
        "token_expiry",
    ]
    assert panel["company"] == "Slate Bay IT"
    assert panel["last_sync_cycle"] == "succeeded at 2026-11-22 14:15 UTC: 2 payments applied"
    assert panel["token_expiry"] == "2027-02-01 14:16 UTC (in 71 days)"


def test_a_failed_cycle_shows_its_cause_in_the_row(health_of: HealthOf, now: datetime) -> None:
    panel = health_panel(health_of(outcome="failed", problem="QuickBooks is down."), Curve(), now)

    assert str(panel["last_sync_cycle"]).endswith(": QuickBooks is down.")


def test_a_company_that_never_synced_says_so(health_of: HealthOf, now: datetime) -> None:
    health = health_of(started_at=None, finished_at=None, last_success_at=None, outcome="")

    panel = health_panel(health, Curve(), now)

    assert panel["last_sync_cycle"] == "no cycle has run yet"
    assert panel["last_success"] == "never"


def test_switched_off_and_disconnected_companies_say_what_starts_a_cycle(
    health_of: HealthOf, now: datetime
) -> None:
    off = health_panel(health_of(auto_sync=False), Curve(), now)
    dead = health_panel(health_of(state="reconnect"), Curve(), now)

    assert off["next_cycle"] == "when Sync Now asks for one"
    assert dead["next_cycle"] == "once the company is connected again"


def test_the_summary_with_its_curves_shows_at_once(health_of: HealthOf, now: datetime) -> None:
    health = health_of(company_name="N" * 50, problem="p" * 160, errored=9, drift=9, held=1)
    curve = Curve(pending=list(range(24)), open_exceptions=list(range(1000, 1024)))

    panel = health_panel(health, curve, now)["panel"]

    assert isinstance(panel, Markdown)
    assert len(panel.text) <= INLINE_CHARACTERS
    assert "data:image/svg+xml" in panel.text


def test_the_summary_shows_at_once_whatever_stands_in_names(
    health_of: HealthOf, now: datetime
) -> None:
    health = health_of(company_name="<" * 500, problem="<" * 5000, errored=9, drift=9)
    curve = Curve(pending=list(range(24)), open_exceptions=list(range(24)))

    panel = health_panel(health, curve, now)["panel"]

    assert isinstance(panel, Markdown)
    assert len(panel.text) <= INLINE_CHARACTERS


def test_the_summary_of_a_quiet_company_is_one_sentence(health_of: HealthOf, now: datetime) -> None:
    panel = health_panel(health_of(), Curve([0, 0], [0, 0]), now)["panel"]

    assert panel == Markdown(
        "**Slate Bay IT**: nothing to do. Nothing waits and nothing needs a person."
    )


def test_the_summary_counts_what_needs_a_person(health_of: HealthOf, now: datetime) -> None:
    panel = health_panel(health_of(errored=1, open_exceptions=2), Curve(), now)["panel"]

    assert isinstance(panel, Markdown)
    assert "1 errored op and 2 open exceptions to look at" in panel.text
