"""What the tests of the chaos run share: a sandbox and stores that no other test uses."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from chaos.stores import Stores, open_stores
from qbo_sync_dagster.sandbox.postgres import EmbeddedServer
from qbo_sync_dagster.sandbox.quickbooks.process import SandboxProcess


@pytest.fixture(scope="module")
def sandbox_of_its_own(postgres_server: EmbeddedServer) -> Iterator[tuple[SandboxProcess, Stores]]:
    """A sandbox that is emptied for each scene, which the other tests' must not be."""
    name = f"test_{os.getpid()}_chaos_quickbooks"
    url = postgres_server.create_database(name)
    prefix = f"test_{os.getpid()}_chaos"
    with SandboxProcess(url) as process, open_stores(postgres_server, prefix, url) as stores:
        yield process, stores
    postgres_server.drop_database(name)
