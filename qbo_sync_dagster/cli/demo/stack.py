"""What every demo stands on: the server, both sides, a connected engine. Built once, then kept.

The companies are connected and linked by the same actions that staff use.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from qbo_sync_dagster.actions.choices import company_lists
from qbo_sync_dagster.actions.configuring import configure
from qbo_sync_dagster.actions.connecting import CompanyToConnect, connect_company
from qbo_sync_dagster.actions.link_file import write_link_file
from qbo_sync_dagster.actions.linking import import_links
from qbo_sync_dagster.cli.demo import folder as demo_folder
from qbo_sync_dagster.cli.output import working
from qbo_sync_dagster.ledger import links, migrate
from qbo_sync_dagster.quickbooks.settings import QuickBooksSettings
from qbo_sync_dagster.sandbox import postgres
from qbo_sync_dagster.sandbox.algapsa.role import create_role
from qbo_sync_dagster.sandbox.demo import DemoCompany, DemoWorld, build_demo_world
from qbo_sync_dagster.sandbox.quickbooks.control import CLIENT_ID, CLIENT_SECRET, SandboxControl
from qbo_sync_dagster.sandbox.quickbooks.process import SandboxProcess
from qbo_sync_dagster.sync.engine import EngineConfig, SyncEngine, open_engine

_DATABASES = ("ledger", "algapsa", "quickbooks", "dagster")
_ROLE = "qbo_sync"


@dataclass(frozen=True, slots=True)
class DemoStack:
    """Both sides and what reaches them. `dagster_url` is the database for Dagster's storage."""

    folder: Path
    config: EngineConfig
    dagster_url: str
    control: SandboxControl
    world: DemoWorld

    def environment(self) -> dict[str, str]:
        """The settings that make any `qbo-sync` command or Dagster service use this demo."""
        return {
            "QBO_SYNC_DATABASE_URL": self.config.ledger_url,
            "ALGAPSA_DATABASE_URL": self.config.algapsa_url,
            "DAGSTER_DATABASE_URL": self.dagster_url,
            "DAGSTER_HOME": str(self.folder / "dagster"),
            "QBO_CLIENT_ID": self.config.quickbooks.client_id,
            "QBO_CLIENT_SECRET": self.config.quickbooks.client_secret,
            "QBO_API_BASE_URL": self.config.quickbooks.api_base_url,
            "QBO_OAUTH_TOKEN_URL": self.config.quickbooks.token_url,
            "QBO_OAUTH_AUTHORIZE_URL": self.config.quickbooks.authorize_url,
            "QBO_OAUTH_REVOKE_URL": self.config.quickbooks.revoke_url,
            "QBO_ALLOW_OTHER_HOSTS": "true",
            "QBO_ENVIRONMENT": "sandbox",
            "QBO_SYNC_SECRET_KEY": self.config.secret_key,
        }


@contextmanager
def running_stack(folder: Path) -> Iterator[DemoStack]:
    """Start the server and the sandbox; build the world if this folder has none; end both."""
    world = demo_folder.remembered_world(folder)
    with working("Starting PostgreSQL ..."):
        server = postgres.start(folder / "postgres")
    try:
        with working("Starting the sandbox QuickBooks ..."):
            urls = _databases(server, anew=world is None)
            sandbox = SandboxProcess(urls["quickbooks"])
        with sandbox:
            yield _stack(folder, urls, sandbox, world)
    finally:
        # A killed demo leaves its server running, and this one is its heir.
        postgres.stop_server(folder / "postgres")


def _databases(server: postgres.EmbeddedServer, *, anew: bool) -> dict[str, str]:
    if anew:
        for name in _DATABASES:
            server.drop_database(name)
    return {name: server.create_database(name) for name in _DATABASES}


def _stack(
    folder: Path, urls: dict[str, str], sandbox: SandboxProcess, world: DemoWorld | None
) -> DemoStack:
    built = world
    if built is None:
        with working("Filling AlgaPSA and QuickBooks with twelve months of business ..."):
            built = build_demo_world(urls["algapsa"], sandbox.control, today=demo_folder.today())
    config = _config(folder, urls, sandbox)
    with open_engine(config) as engine, working("Preparing the ledger ..."):
        migrate.upgrade(engine.ledger)
        if world is None:
            _connect(engine, built)
            demo_folder.remember_world(folder, built)
    return DemoStack(folder, config, urls["dagster"], sandbox.control, built)


def _config(folder: Path, urls: dict[str, str], sandbox: SandboxProcess) -> EngineConfig:
    key = demo_folder.secret_key(folder)
    return EngineConfig(
        ledger_url=urls["ledger"],
        # The password opens nothing: the server listens on its owner's socket only.
        algapsa_url=create_role(urls["algapsa"], _ROLE, "demo"),
        secret_key=key,
        quickbooks=QuickBooksSettings(
            api_base_url=sandbox.api_base,
            token_url=sandbox.token_url,
            authorize_url=sandbox.control.authorize_url,
            revoke_url=sandbox.control.revoke_url,
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
        ),
    )


def _connect(engine: SyncEngine, world: DemoWorld) -> None:
    for company in sorted(world.companies, key=lambda each: not each.is_default):
        connect_company(engine.ledger, engine.cipher, _to_connect(world, company))
        import_links(engine, company.realm, write_link_file(company.links))
        configure(
            engine.ledger,
            company.realm,
            {"default-item": company.default_item},
            lambda realm: company_lists(engine, realm),
        )
    [second] = [each for each in world.companies if not each.is_default]
    with engine.ledger.begin() as connection:
        links.set_home(connection, world.tenant, second.realm, world.pending_homes)


def _to_connect(world: DemoWorld, company: DemoCompany) -> CompanyToConnect:
    return CompanyToConnect(
        tenant=world.tenant,
        realm=company.realm,
        company_name=company.name,
        time_zone=company.time_zone,
        refresh_token=company.refresh_token,
        go_live_date=company.go_live,
        cursor=world.connected_at,
    )
