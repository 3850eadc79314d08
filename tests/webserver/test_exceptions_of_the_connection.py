"""Exceptions of a connection: raised by what became of its authorization, and settled from
Dagster's page or by connecting again, which needs a browser at Intuit."""

from __future__ import annotations

import os

import sqlalchemy as sa

from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.sandbox.postgres import EmbeddedServer
from tests.scenarios.conftest import World
from tests.webserver.page import REASON, Page

FAILED = "Accounting connection failed authentication"
EXPIRES = "Accounting connection expires in 5 days"


def _connect_again(world: World) -> None:
    world.company.refresh_token = world.quickbooks.refresh_token(world.company.realm)
    world.connect(world.company)


def _consented_five_years_ago(server: EmbeddedServer, world: World) -> None:
    """Intuit ends an authorization after five years, however often it was used; all but 5 days
    of them have passed."""
    dsn = server.dsn(f"test_{os.getpid()}_sandbox")
    engine = sa.create_engine(dsn.replace("postgresql://", "postgresql+psycopg2://"))
    statement = (
        "UPDATE refresh_token SET hard_expires_at = now() + interval '5 days' WHERE realm = :realm"
    )
    with engine.begin() as connection:
        connection.execute(sa.text(statement), {"realm": world.company.realm})
    engine.dispose()


def test_a_revoked_connection_goes_on_where_it_stopped_once_it_is_connected_again(
    page: Page,
) -> None:
    world = page.world
    paid = world.exported(10_000)
    world.pay((paid, "100.00"))
    unsent = world.invoice()
    world.quickbooks.revoke_tokens(world.company.realm)
    page.cycle(expected="FAILURE")
    assert page.titles() == [FAILED]
    told = page.section(FAILED)
    assert "connections reconnect" in told.replace("\\", "")
    # A token typed into a form would be stored, so there is none.
    assert "```yaml" not in told
    assert (world.rows(paid), world.in_quickbooks(unsent)) == ([], [])

    _connect_again(world)
    page.cycle()

    assert page.titles() == []
    assert world.rows(paid) == [10_000]
    assert len(world.in_quickbooks(unsent)) == 1
    closed = page.closed(FAILED)
    assert closed.when
    assert closed.by == "sync"


def test_a_connection_that_lapses_soon_is_told_until_it_is_connected_again(
    page: Page, postgres_server: EmbeddedServer
) -> None:
    world = page.world
    _consented_five_years_ago(postgres_server, world)
    page.cycle()
    assert page.titles() == [EXPIRES]
    assert "Reconnect ahead of the deadline" in page.section(EXPIRES)

    _connect_again(world)
    page.cycle()

    assert page.titles() == []
    assert page.closed(EXPIRES).by == "sync"


def test_a_connection_that_lapses_soon_can_be_dismissed(
    page: Page, postgres_server: EmbeddedServer
) -> None:
    _consented_five_years_ago(postgres_server, page.world)
    page.cycle()

    page.resolve(EXPIRES, Action.DISMISS)
    page.cycle()

    assert page.titles() == []
    closed = page.closed(EXPIRES)
    assert (closed.by, closed.how) == ("Avery", f"dismissed: {REASON}")
