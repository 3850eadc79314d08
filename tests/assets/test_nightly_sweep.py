"""The nightly sweep in Dagster: what it shows of a good night and of a bad one."""

from __future__ import annotations

import dagster as dg
import sqlalchemy as sa

from assets.nightly_sweep import nightly_sweep
from qbo_sync_dagster.ledger import audit
from qbo_sync_dagster.resources import SyncEngineResource
from tests.dagster_ledger import Ledger

REALM = "9341453000000001"


def _sweep() -> tuple[dg.ExecuteInProcessResult, dict[str, dg.AssetCheckEvaluation]]:
    result = dg.materialize([nightly_sweep], resources={"sync_engine": SyncEngineResource()})
    return result, {each.check_name: each for each in result.get_asset_check_evaluations()}


def test_a_log_that_was_tampered_with_fails_its_check_by_row_and_stops_nothing(
    ledger: Ledger,
) -> None:
    ledger.connect(REALM)
    ledger.connect("9341453000000002", "Quarry Lane IT")
    effect = audit.Effect("ledger", "link made", "client:1")
    with ledger.engine.begin() as connection:
        for realm in (REALM, "9341453000000002"):
            audit.append(connection, realm, [effect, effect, effect])
        statement = "UPDATE audit_log SET record = 'x' WHERE realm = :realm AND sequence = 2"
        connection.execute(sa.text(statement), {"realm": REALM})

    result, checks = _sweep()

    assert result.success
    broken = checks["audit_log_unbroken"]
    assert not broken.passed
    assert broken.severity is dg.AssetCheckSeverity.ERROR
    assert f"Slate Bay IT ({REALM}): Row 2 was changed" in str(broken.description)
    assert "Quarry" not in str(broken.description)
    [shown] = result.asset_materializations_for_node("nightly_sweep")
    assert shown.metadata["broken_logs"].value == 1


def test_a_side_that_cannot_be_asked_is_told_and_the_logs_are_followed_all_the_same(
    ledger: Ledger,
) -> None:
    # The database that stands in for AlgaPSA has none of its tables.
    ledger.connect(REALM)
    with ledger.engine.begin() as connection:
        audit.append(connection, REALM, [audit.Effect("ledger", "link made", "client:1")])
        statement = (
            "INSERT INTO links (realm, kind, algapsa_id, quickbooks_id, origin, invoice_id) VALUES "
            "(:realm, 'payment', gen_random_uuid(), '7', 'exported', gen_random_uuid())"
        )
        connection.execute(sa.text(statement), {"realm": REALM})

    result, checks = _sweep()

    assert result.success
    assert checks["audit_log_unbroken"].passed
    assert not checks["payments_as_applied"].passed
    assert checks["payments_as_applied"].severity is dg.AssetCheckSeverity.ERROR
    assert "Slate Bay IT: " in str(checks["payments_as_applied"].description)
