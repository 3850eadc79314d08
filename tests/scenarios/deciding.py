"""What scenarios about cures share: an accountant decides, and how an exception was closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbo_sync_dagster.actions.cases import Choice
from qbo_sync_dagster.actions.resolving import Resolution, resolve

if TYPE_CHECKING:
    from qbo_sync_dagster.domain.catalogue import Action
    from tests.scenarios.conftest import World

REASON = "as agreed with the client"


def decide(world: World, which: str | int, action: Action, target: str = "") -> str:
    """Avery takes the action on the one open exception of this title, or of this number."""
    number = which if isinstance(which, int) else world.exception(which).number
    return resolve(world.engine, Resolution(action, Choice(number, "Avery", REASON), target))


def closed(world: World, title: str) -> tuple[str, str]:
    """State and closer of the exception of this title that was closed last."""
    query = (
        "SELECT state, closed_by FROM exceptions WHERE title = :title AND state <> 'open' "
        "ORDER BY number DESC LIMIT 1"
    )
    [(state, by)] = world.in_ledger(query, title=title)
    return state, by
