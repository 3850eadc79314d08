"""Brings the ledger's tables to the version this code needs, and tells when they are not.

Migrations are Alembic revisions in `migrations/`; they run under an advisory lock, since several
processes may start at once.
"""

from __future__ import annotations

from importlib.resources import files

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from qbo_sync_dagster.ledger.errors import LedgerNotMigratedError

_MIGRATION_LOCK = 7_236_114


def _config(connection: sa.Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("qbo_sync_dagster.ledger") / "migrations"))
    config.attributes["connection"] = connection
    return config


def upgrade(engine: sa.Engine, revision: str = "head") -> None:
    """Migrate the ledger up to `revision`."""
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": _MIGRATION_LOCK})
        connection.commit()
        try:
            command.upgrade(_config(connection), revision)
            connection.commit()
        finally:
            connection.rollback()
            connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), {"key": _MIGRATION_LOCK})
            connection.commit()


def downgrade(engine: sa.Engine, revision: str = "base") -> None:
    """Migrate the ledger down to `revision`; `base` drops everything we own."""
    with engine.connect() as connection:
        command.downgrade(_config(connection), revision)
        connection.commit()


def require_current(engine: sa.Engine) -> None:
    """Raise LedgerNotMigratedError unless the tables are those of this code."""
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    with engine.connect() as connection:
        present = MigrationContext.configure(connection).get_current_revision()
    if present != newest:
        raise LedgerNotMigratedError(
            f"The ledger database is at version {present or 'none'}, this program needs {newest}. "
            "Run `qbo-sync migrate`."
        )
