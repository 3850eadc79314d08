"""What befalls cycles in production: killed workers, runs that hang, clicks, ticks that overlap."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from qbo_sync_dagster.sync.outcome import Stage

if TYPE_CHECKING:
    from tests.dagster_daemon.conftest import Company

ROOT = Path(__file__).resolve().parents[2]
EVERY_STAGE = {stage.value for stage in Stage}


def test_a_worker_killed_after_it_sent_an_invoice_leaves_one_invoice_and_a_free_company(
    company: Company,
) -> None:
    company.finalize_invoice()
    company.hold_answers(50, kind="batch")
    company.hold_answers(50, kind="create")
    company.ask_for_a_cycle()
    killed = company.in_mid_cycle()

    company.answer_at_once()
    os.kill(company.worker_of(killed), signal.SIGKILL)

    assert company.end_of(killed.run_id) is dg.DagsterRunStatus.FAILURE
    company.until("a cycle by the retry", lambda: "succeeded" in company.outcomes())
    company.until("an answer to Sync Now", lambda: not company.has_open_request())
    retry = company.runs()[1]
    assert retry.get_parent_run_id() == killed.run_id
    assert company.end_of(retry.run_id) is dg.DagsterRunStatus.SUCCESS
    assert company.outcomes()[0] == "died"
    assert company.in_quickbooks() == 1
    assert company.holder() is None


def test_a_run_past_its_maximum_time_is_ended_and_the_next_cycle_goes_on(
    company: Company,
) -> None:
    company.register()
    company.finalize_invoice()
    company.hold_answers(50, kind="batch")
    company.hold_answers(50, kind="create")
    company.launch(**{"dagster/max_retries": "0"})
    stuck = company.in_mid_cycle()

    company.floor.instance.add_run_tags(stuck.run_id, {"dagster/max_runtime": "1"})

    assert company.end_of(stuck.run_id) is dg.DagsterRunStatus.FAILURE
    company.answer_at_once()
    company.ask_for_a_cycle()
    company.until("the next cycle", lambda: "succeeded" in company.outcomes())

    assert company.outcomes()[0] == "died"
    assert company.in_quickbooks() == 1


def test_a_click_on_one_asset_runs_no_part_of_a_cycle_alone(company: Company) -> None:
    company.register()
    company.finalize_invoice()

    answer = company.launch("posted_operations")

    assert answer["__typename"] == "InvalidSubsetError"
    assert company.runs() == []
    assert company.in_quickbooks() == 0


def test_a_click_on_the_assets_runs_the_whole_cycle(company: Company) -> None:
    """The page selects all seven by itself when one is clicked."""
    company.register()
    company.finalize_invoice()

    run_id = company.launch(*EVERY_STAGE)["run"]["runId"]

    assert company.end_of(run_id) is dg.DagsterRunStatus.SUCCESS
    assert company.stages_of(run_id) == EVERY_STAGE
    assert company.in_quickbooks() == 1


def test_a_tick_while_the_last_round_still_runs_starts_nothing(company: Company) -> None:
    company.wait_between_ticks()
    company.register()
    company.finalize_invoice()
    company.hold_answers(50, kind="batch")
    company.hold_answers(50, kind="create")
    company.launch()
    company.in_mid_cycle()
    company.configure(auto_sync=True)

    tick = company.dry_tick()
    company.configure(auto_sync=False)
    company.answer_at_once()

    assert tick["error"] is None
    assert company.key not in [request["runKey"] for request in tick["runRequests"] or []]


def test_a_tick_after_the_round_ended_starts_the_next(company: Company) -> None:
    company.wait_between_ticks()
    company.register()
    company.end_of(company.launch()["run"]["runId"])
    company.configure(auto_sync=True)

    tick = company.dry_tick()

    assert company.key in [request["runKey"] for request in tick["runRequests"] or []]


def test_a_second_worker_on_a_company_does_nothing_and_says_so(company: Company) -> None:
    company.register()
    company.finalize_invoice()
    # Longer than a second worker takes to start on a busy machine.
    company.hold_answers(50, kind="batch")
    company.hold_answers(50, kind="create")
    first = company.launch()["run"]["runId"]
    company.in_mid_cycle()

    second = subprocess.run(
        [
            sys.executable,
            str(Path(sysconfig.get_path("scripts")) / "dagster"),
            *("job", "execute", "-m", "qbo_sync_dagster.definitions", "-j", "sync_cycle"),
            *("--tags", f'{{"dagster/partition": "{company.key}"}}'),
        ],
        env=company.floor.environment,
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )

    assert second.returncode == 0, second.stderr[-2000:]
    assert "Another cycle of Cedar Ridge IT is running; this one did nothing." in second.stderr
    assert company.end_of(first) is dg.DagsterRunStatus.SUCCESS
    assert company.outcomes() == ["succeeded"]
    assert company.in_quickbooks() == 1


def test_two_launches_of_one_company_run_one_after_the_other(company: Company) -> None:
    company.register()
    company.finalize_invoice()
    launched = [company.launch()["run"]["runId"] for _ in range(2)]

    ends = [company.end_of(run_id) for run_id in launched]

    assert ends == [dg.DagsterRunStatus.SUCCESS] * 2
    records = [company.floor.instance.get_run_record_by_id(run_id) for run_id in launched]
    spans = sorted((each.start_time, each.end_time) for each in records if each is not None)
    assert spans[0][1] <= spans[1][0]
    assert company.outcomes() == ["succeeded", "succeeded"]
    assert company.in_quickbooks() == 1
