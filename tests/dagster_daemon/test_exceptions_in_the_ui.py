"""A decision made on Dagster's page, carried out by the services as in production.

Every kind of exception and each of its cures is seen in `tests/webserver`, without daemon.
"""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest

from qbo_sync_dagster.domain.catalogue import Action
from tests.dagster_daemon.conftest import Floor
from tests.waiting import eventually
from tests.webserver.opening import opened_page
from tests.webserver.page import Page

FAILING = "Scheduled accounting export keeps failing"
FAILED = "Accounting connection failed authentication"


@pytest.fixture
def page(floor: Floor) -> Iterator[Page]:
    """Somebody in accounting at the page of a company with everything linked, auto-sync off."""

    def until_ended(run_id: str) -> None:
        def ended() -> dg.DagsterRun | None:
            run = floor.instance.get_run_by_id(run_id)
            return run if run is not None and run.is_finished else None

        eventually(f"the end of run {run_id}", ended)

    with opened_page(
        floor.url, floor.engine.config, floor.owner, floor.quickbooks, until_ended
    ) as page:
        yield page


def test_a_retry_on_the_page_is_followed_by_its_cycle_without_another_click(page: Page) -> None:
    world = page.world
    invoice = world.invoice()
    world.quickbooks.fault("fault:6000", realm=world.company.realm, kind="create")
    page.cycle()
    assert page.titles() == [FAILING]

    page.resolve(FAILING, Action.RETRY)

    eventually("the invoice in QuickBooks", lambda: world.in_quickbooks(invoice))
    eventually("the closing of the exception", lambda: not world.titles())
    assert len(world.in_quickbooks(invoice)) == 1


def test_a_failed_connection_goes_on_from_the_page_once_it_is_connected_again(page: Page) -> None:
    world = page.world
    world.quickbooks.revoke_tokens(world.company.realm)
    page.cycle(expected="FAILURE")
    assert page.titles() == [FAILED]
    world.company.refresh_token = world.quickbooks.refresh_token(world.company.realm)
    world.connect(world.company)

    page.cycle()

    assert page.titles() == []
