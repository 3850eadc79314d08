"""Exceptions of a connection, raised by what happened and cured through Dagster's page.

The page's own GraphQL launches the job with the very config that the exception shows; the services
run it, and the cycle that it asks for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

import dagster as dg
import pytest
import yaml

from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.ledger import connections, exceptions
from qbo_sync_dagster.ledger.exceptions import StoredException
from qbo_sync_dagster.panels import cures
from qbo_sync_dagster.sandbox.algapsa import tenants

from ..scenarios.conftest import NAMES, World, build_company
from .conftest import _LAUNCH, LOCATION, Floor, eventually

FAILED = "Accounting connection failed authentication"
EXPIRES = "Accounting connection expires in 5 days"


@dataclass
class Page:
    """Dagster's page, used by somebody in accounting."""

    floor: Floor
    world: World

    def resolve(self, title: str, action: Action, target: str = "") -> str:
        """Launch the form that the exception shows, filled in; returns the run's id."""
        form = yaml.safe_load(cures.config(self.world.exception(title).number, [action]))
        form["ops"]["resolve"]["config"] |= {"reason": "seen with the client"}
        if target:
            form["ops"]["resolve"]["config"]["target"] = target
        return self.launch("resolve_exception", form)

    def launch(self, job: str, config: object, **tags: str) -> str:
        selector = {
            "repositoryName": "__repository__",
            "repositoryLocationName": LOCATION,
            "jobName": job,
        }
        listed = [{"key": key, "value": value} for key, value in {"user": "Avery", **tags}.items()]
        params = {
            "selector": selector,
            "runConfigData": config,
            "executionMetadata": {"tags": listed},
        }
        launched = self.floor.graphql(_LAUNCH, params=params)["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return str(launched["run"]["runId"])

    def succeeded(self, run_id: str) -> None:
        def ended() -> dg.DagsterRun | None:
            run = self.floor.instance.get_run_by_id(run_id)
            return run if run is not None and run.is_finished else None

        run = eventually(f"the end of run {run_id}", ended)
        assert run.status is dg.DagsterRunStatus.SUCCESS, self._told(run_id)

    def _told(self, run_id: str) -> list[str]:
        return [entry.user_message for entry in self.floor.instance.all_logs(run_id)]

    def closed(self, title: str) -> StoredException:
        """Wait until the exception is closed; how it was."""

        def look() -> StoredException | None:
            with self.floor.engine.ledger.connect() as connection:
                every = exceptions.listed(connection, self.world.company.realm, include_closed=True)
            found = [each for each in every if each.title == title]
            return found[0] if found and found[0].state != "open" else None

        return eventually(f"the closing of {title!r}", look)


@pytest.fixture
def page(floor: Floor) -> Iterator[Page]:
    """A company with everything linked, auto-sync off."""
    with floor.owner.begin() as connection:
        tenant = tenants.create_tenant(connection, "Cedar Ridge IT")
        region = tenants.TaxRegion("US-WA", "Washington", Decimal("8.25"))
        tenants.create_tax_region(connection, tenant, region)
        clients = [
            tenants.create_client(connection, tenant, tenants.Client(name)) for name in NAMES
        ]
        service = tenants.create_service(
            connection, tenant, tenants.Service("Managed endpoint", 10_000)
        )
    world = World(
        quickbooks=floor.quickbooks,
        engine=floor.engine,
        owner=floor.owner,
        tenant=tenant,
        clients=clients,
        service=service,
        company=build_company(floor.quickbooks, clients, NAMES),
    )
    world.connect(world.company)
    world.link_everything()
    world.configure(auto_sync=False)
    with floor.engine.ledger.connect() as connection:
        key = connections.get(connection, world.company.realm).company
    floor.instance.add_dynamic_partitions("realm", [key])
    yield Page(floor, world)
    floor.quickbooks.clear_faults(world.company.realm)


def test_an_expiring_connection_is_dismissed_from_its_page(page: Page) -> None:
    world = page.world
    world.cycle()  # renews the tokens, and their end with them
    world.in_ledger(
        "UPDATE connection_tokens SET refresh_expires_at = ledger_now() + interval '5 days' "
        "WHERE realm = :realm",
        realm=world.company.realm,
    )
    world.cycle()

    page.succeeded(page.resolve(EXPIRES, Action.DISMISS))

    assert page.closed(EXPIRES).state == "dismissed"


def test_a_failed_connection_goes_on_from_the_page_once_it_is_reconnected(page: Page) -> None:
    world, realm = page.world, page.world.company.realm
    world.quickbooks.revoke_tokens(realm)
    assert world.cycle().outcome == "aborted"
    assert world.titles() == [FAILED]
    again = replace(world.company, refresh_token=world.quickbooks.refresh_token(realm))
    world.connect(again)
    with world.engine.ledger.connect() as connection:
        key = connections.get(connection, realm).company

    page.succeeded(page.launch("sync_cycle", {}, **{"dagster/partition": key}))

    assert page.closed(FAILED).closed_at is not None
    assert world.titles() == []
