"""Secrets stay where they belong: none in logs, events, run config, the ledger or what is said."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import dagster as dg
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from assets.companies import companies
from assets.cycle import sync_cycle_assets
from qbo_sync_dagster.actions import notifying
from qbo_sync_dagster.cli.main import app
from qbo_sync_dagster.ledger import connections
from qbo_sync_dagster.ledger.tables import metadata
from qbo_sync_dagster.ledger.tokens import TokenVault
from qbo_sync_dagster.quickbooks.redact import install_redaction
from qbo_sync_dagster.resources import SyncEngineResource
from tests.scenarios.conftest import SECRET_KEY, World

HOOK_PASSWORD = "marked-hook-password"
# Encrypted there, or a digest of something else.
_SEALED = {("connection_tokens", "access_token"), ("connection_tokens", "refresh_token")}


class Watcher:
    """Runs what staff and services run, and keeps all that was said, shown and stored."""

    def __init__(self, world: World, instance: dg.DagsterInstance, log: io.StringIO) -> None:
        self._world = world
        self._instance = instance
        self.log = log
        self.said: list[str] = []
        config = world.engine.config
        self.secrets = {
            "key": SECRET_KEY,
            "client secret": config.quickbooks.client_secret,
            "password": str(sa.make_url(config.algapsa_url).password),
            "hook": HOOK_PASSWORD,
            "first token": world.company.refresh_token,
        }
        with world.engine.ledger.connect() as connection:
            self._key = connections.get(connection, world.company.realm).company

    def cycle(self) -> bool:
        """A cycle as Dagster runs it; whether it succeeded."""
        self._learn()
        done = self._run(sync_cycle_assets, partition_key=self._key)
        self._learn()
        return done.success

    def overview(self) -> None:
        """The page of all companies."""
        assert self._run(companies).success

    def _run(self, asset: dg.AssetsDefinition, **options: str) -> dg.ExecuteInProcessResult:
        return dg.materialize(
            [asset],
            resources={"sync_engine": SyncEngineResource()},
            instance=self._instance,
            raise_on_error=False,
            **options,
        )

    def command(self, *arguments: str) -> None:
        """A command of staff."""
        result = CliRunner().invoke(app, arguments)
        self.said.append(result.output + repr(result.exception))

    def _learn(self) -> None:
        tokens = TokenVault(self._world.engine.ledger, self._world.engine.cipher).peek(
            self._world.company.realm
        )
        self.secrets[f"refresh {len(self.secrets)}"] = tokens.refresh_token
        if tokens.access_token:
            self.secrets[f"access {len(self.secrets)}"] = tokens.access_token

    def everything(self) -> dict[str, str]:
        """All that was written anywhere, by place."""
        runs = self._instance.get_runs()
        return {
            "log": self.log.getvalue(),
            "commands": "\n".join(self.said),
            "runs": repr([(run.run_config, run.tags) for run in runs]),
            "events": "\n".join(
                repr(event) for run in runs for event in self._instance.all_logs(run.run_id)
            ),
            "ledger": "\n".join(self._ledger()),
        }

    def _ledger(self) -> Iterator[str]:
        with self._world.engine.ledger.connect() as connection:
            for table in metadata.sorted_tables:
                columns = [c for c in table.c if (table.name, c.name) not in _SEALED]
                yield from (repr(row) for row in connection.execute(sa.select(*columns)))


@pytest.fixture
def watcher(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watcher]:
    config = world.engine.config
    settings = {
        "QBO_SYNC_DATABASE_URL": config.ledger_url,
        "ALGAPSA_DATABASE_URL": config.algapsa_url,
        "QBO_SYNC_SECRET_KEY": SECRET_KEY,
        "QBO_CLIENT_ID": config.quickbooks.client_id,
        "QBO_CLIENT_SECRET": config.quickbooks.client_secret,
        "QBO_API_BASE_URL": config.quickbooks.api_base_url,
        "QBO_OAUTH_TOKEN_URL": config.quickbooks.token_url,
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    install_redaction()
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    with dg.DagsterInstance.ephemeral(settings={"telemetry": {"enabled": False}}) as instance:
        with world.engine.ledger.connect() as connection:
            company = connections.get(connection, world.company.realm).company
        instance.add_dynamic_partitions("realm", [company])
        yield Watcher(world, instance, log)
    root.setLevel(level)
    root.removeHandler(handler)


def test_no_secret_is_written_anywhere_in_good_times_and_bad(
    world: World, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, realm = world.engine, world.company.realm
    hook = f"json://staff:{HOOK_PASSWORD}@127.0.0.1:9/hook"
    notifying.set_targets(engine.ledger, engine.cipher, realm, [hook])
    world.pay((world.exported(), "40.00"))
    world.invoice()
    for effect, kind in (("500", "cdc"), ("502_html", "query"), ("drop_after_commit", "create")):
        world.quickbooks.fault(effect, realm=realm, kind=kind)
    watcher.cycle()
    world.quickbooks.clear_faults()
    world.quickbooks.expire_access_tokens(realm)
    assert watcher.cycle()
    monkeypatch.setenv("ALGAPSA_DATABASE_URL", "postgresql://127.0.0.1:9/nobody")
    watcher.command("doctor")
    monkeypatch.setenv("ALGAPSA_DATABASE_URL", engine.config.algapsa_url)
    world.quickbooks.revoke_tokens(realm)
    assert not watcher.cycle()
    watcher.overview()
    commands = (["doctor"], ["health"], ["audit", "verify"], ["connections", "disconnect", realm])
    for command in commands:
        watcher.command(*command)

    written = watcher.everything()

    assert all(len(text) > 100 for text in written.values())
    assert len(set(watcher.secrets.values())) > 7
    found = [
        (place, what)
        for place, text in written.items()
        for what, secret in watcher.secrets.items()
        if secret in text
    ]
    assert found == []
    assert all("Authorization: Bearer" not in text for text in written.values())


def test_the_search_finds_what_it_looks_for(world: World, watcher: Watcher) -> None:
    watcher.said.append(world.company.refresh_token)

    assert watcher.secrets["first token"] in watcher.everything()["commands"]
