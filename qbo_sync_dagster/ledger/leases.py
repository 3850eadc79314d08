"""The lease: at most one cycle at a time holds a realm, and a late one can write nothing.

Taken by compare-and-set on the ledger's clock, with an epoch that rises at each take-over. Every
ledger write of a cycle goes through `fenced`, which checks that epoch in its own transaction.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from qbo_sync_dagster.ledger.errors import LeaseLostError
from qbo_sync_dagster.ledger.tables import leases

LEASE_SECONDS = 300

# Built once: it is asked for every payment.
_HELD: sa.Select[tuple[Any]] = (
    sa.select(sa.literal_column("1"))
    .select_from(leases)
    .where(leases.c.realm == sa.bindparam("realm"), leases.c.epoch == sa.bindparam("epoch"))
    .with_for_update(read=True)
)


@dataclass(frozen=True, slots=True)
class Lease:
    """Proof of holding a realm: valid until somebody raises the epoch."""

    realm: str
    epoch: int
    holder: str


def _expiry() -> sa.TextClause:
    return sa.text(f"ledger_now() + interval '{LEASE_SECONDS} seconds'")


def take(
    engine: sa.Engine, realm: str, holder: str, *, parent_holder: str | None = None
) -> Lease | None:
    """Take the realm's lease, or None if another holder's has not expired.

    `holder` names the run. A run whose parent run holds the lease takes it over at once: the
    parent crashed, or it would not have a child.
    """
    free = sa.or_(
        leases.c.holder.is_(None),
        leases.c.expires_at <= sa.text("ledger_now()"),
        leases.c.holder == parent_holder if parent_holder else sa.false(),
    )
    with engine.begin() as connection:
        connection.execute(insert(leases).values(realm=realm).on_conflict_do_nothing())
        epoch = connection.execute(
            sa.update(leases)
            .where(leases.c.realm == realm, free)
            .values(epoch=leases.c.epoch + 1, holder=holder, expires_at=_expiry())
            .returning(leases.c.epoch)
        ).scalar_one_or_none()
    return None if epoch is None else Lease(realm, epoch, holder)


def renew(engine: sa.Engine, lease: Lease) -> None:
    """Prolong the lease. Raises LeaseLostError when another run has taken the realm."""
    with engine.begin() as connection:
        renewed = connection.execute(
            sa.update(leases)
            .where(leases.c.realm == lease.realm, leases.c.epoch == lease.epoch)
            .values(expires_at=_expiry())
        )
    if not renewed.rowcount:
        raise _lost(lease)


def release(engine: sa.Engine, lease: Lease) -> None:
    """Give the realm back; does nothing if it was taken over meanwhile."""
    with engine.begin() as connection:
        connection.execute(
            sa.update(leases)
            .where(leases.c.realm == lease.realm, leases.c.epoch == lease.epoch)
            .values(holder=None, expires_at=None)
        )


def require(connection: sa.Connection, lease: Lease) -> None:
    """Raise LeaseLostError unless the lease is still ours; holds it until the transaction ends."""
    held = connection.execute(_HELD, {"realm": lease.realm, "epoch": lease.epoch})
    if held.scalar_one_or_none() is None:
        raise _lost(lease)


@contextmanager
def fenced(engine: sa.Engine, lease: Lease) -> Iterator[sa.Connection]:
    """A ledger transaction of the cycle that holds the lease."""
    with engine.begin() as connection:
        require(connection, lease)
        yield connection


def holder_of(connection: sa.Connection, realm: str) -> str | None:
    """The run that holds the realm now, or None."""
    held: str | None = connection.execute(
        sa.select(leases.c.holder).where(
            leases.c.realm == realm, leases.c.expires_at > sa.text("ledger_now()")
        )
    ).scalar_one_or_none()
    return held


def _lost(lease: Lease) -> LeaseLostError:
    return LeaseLostError(
        f"Another run has taken over company {lease.realm}. This one stopped and wrote nothing "
        "more; nothing needs to be done."
    )
