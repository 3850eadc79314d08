"""The nightly sweep over all companies: audit logs followed, lost payments wanted again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from qbo_sync_dagster.algapsa.errors import AlgaPsaError
from qbo_sync_dagster.ledger import connections
from qbo_sync_dagster.ledger.connections import Connection
from qbo_sync_dagster.sync.auditing import Audited, verify_logs
from qbo_sync_dagster.sync.engine import SyncEngine
from qbo_sync_dagster.sync.sweep import plan_lost_payments

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Swept:
    """One company: its audit log, how many payments the next cycle plans anew, and why they could
    not be looked for, if so. Forgotten and disconnected companies have their log followed only."""

    audited: Audited
    planned_again: int
    problem: str | None


def sweep_companies(engine: SyncEngine) -> Iterator[Swept]:
    """Sweep every company; one that cannot be swept stops no other."""
    with engine.ledger.connect() as connection:
        known = {each.realm: each for each in connections.every(connection)}
    for audited in verify_logs(engine.ledger):
        company = known.get(audited.realm)
        if company is None or company.state == "disconnected":
            yield Swept(audited, 0, None)
        else:
            yield _swept(engine, company, audited)


def _swept(engine: SyncEngine, company: Connection, audited: Audited) -> Swept:
    try:
        return Swept(audited, plan_lost_payments(engine, company), None)
    except AlgaPsaError as error:
        return Swept(audited, 0, str(error))
    except Exception as error:  # noqa: BLE001 - one company's fault must not hide the others
        _LOG.exception("The sweep of realm %s met an unexpected fault.", audited.realm)
        problem = (
            f"Its payments were not looked at to the end: an unexpected fault "
            f"({type(error).__name__}). The log has the details; materialize the sweep again."
        )
        return Swept(audited, 0, problem)
