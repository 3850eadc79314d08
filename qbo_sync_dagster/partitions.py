"""The realm partitions, and the one helper for checks that are judged per company.

The only place that translates between a partition key (the company's readable key) and a realm.
"""

from __future__ import annotations

import warnings

import dagster as dg
import sqlalchemy as sa

from qbo_sync_dagster.ledger import connections
from qbo_sync_dagster.ledger.connections import Connection

PARTITIONS_NAME = "realm"

realm_partitions = dg.DynamicPartitionsDefinition(name=PARTITIONS_NAME)


def realm_check(name: str, *, asset: str, description: str) -> dg.AssetCheckSpec:
    """A check with one status per company.

    Partitioned checks are a preview in Dagster 1.13. They stand behind this one function so that
    they can be given up in one place; without them every company would overwrite the others'.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dg.AssetCheckSpec(
            name, asset=asset, description=description, partitions_def=realm_partitions
        )


def connection_of(ledger: sa.Connection, partition_key: str) -> Connection:
    """The company behind a partition. Raises UnknownRealmError."""
    return connections.get(ledger, partition_key)
