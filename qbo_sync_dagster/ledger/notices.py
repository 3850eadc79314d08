"""Notices: what was told to people already, so that nothing is told twice."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from qbo_sync_dagster.ledger.tables import notices


def claim(connection: sa.Connection, realm: str, names: Collection[str]) -> set[str]:
    """Those of the notices that nobody has sent or is sending; from now on they are ours."""
    if not names:
        return set()
    rows = [{"realm": realm, "notice": name} for name in sorted(set(names))]
    statement = insert(notices).on_conflict_do_nothing().returning(notices.c.notice)
    return set(connection.execute(statement, rows).scalars())


def release(connection: sa.Connection, realm: str, names: Collection[str]) -> None:
    """Let these be sent again: they are known not to have arrived."""
    wanted = sa.literal(sorted(names), sa.ARRAY(sa.Text))
    connection.execute(
        sa.delete(notices).where(notices.c.realm == realm, notices.c.notice == sa.any_(wanted))
    )


def sent(connection: sa.Connection, realm: str) -> set[str]:
    """The names of all notices of a company that went out."""
    query = sa.select(notices.c.notice).where(notices.c.realm == realm)
    return set(connection.execute(query).scalars())


def forget(connection: sa.Connection, realm: str, about: str) -> None:
    """Forget every notice with this word in its name: its subject begins anew."""
    connection.execute(
        sa.delete(notices).where(
            notices.c.realm == realm, notices.c.notice.contains(about, autoescape=True)
        )
    )
