"""A company of its own, opened on Dagster's page.

What belongs here: making the company and its world. What does not: using the page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal

import sqlalchemy as sa

from qbo_sync_dagster.ledger import connections
from qbo_sync_dagster.sandbox.algapsa import tenants
from qbo_sync_dagster.sandbox.quickbooks.control import SandboxControl
from qbo_sync_dagster.sync.engine import EngineConfig
from tests.scenarios.conftest import NAMES, Naps, World, build_company, open_world_engine
from tests.webserver.page import Page


@contextmanager
def opened_page(
    url: str,
    config: EngineConfig,
    owner: sa.Engine,
    quickbooks: SandboxControl,
    until_ended: Callable[[str], None],
) -> Iterator[Page]:
    """The page of a company with everything linked, auto-sync off.

    `until_ended` waits for the run of that id where launching alone does not.
    """
    world = _world(config, owner, quickbooks)
    world.connect(world.company)
    world.link_everything()
    world.configure(auto_sync=False)
    with world.engine.ledger.connect() as connection:
        key = connections.get(connection, world.company.realm).company
    page = Page(url, world, key, until_ended)
    page.register()
    yield page
    quickbooks.clear_faults(world.company.realm)
    world.engine.close()


def _world(config: EngineConfig, owner: sa.Engine, quickbooks: SandboxControl) -> World:
    with owner.begin() as connection:
        tenant = tenants.create_tenant(connection, "Cedar Ridge IT")
        region = tenants.TaxRegion("US-WA", "Washington", Decimal("8.25"))
        tenants.create_tax_region(connection, tenant, region)
        clients = [
            tenants.create_client(connection, tenant, tenants.Client(name)) for name in NAMES
        ]
        wanted = tenants.Service("Managed endpoint", 10_000)
        service = tenants.create_service(connection, tenant, wanted)
    naps = Naps()
    return World(
        quickbooks=quickbooks,
        engine=open_world_engine(config, naps),
        owner=owner,
        tenant=tenant,
        clients=clients,
        service=service,
        company=build_company(quickbooks, clients, NAMES),
        naps=naps,
    )
