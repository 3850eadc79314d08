"""Alembic's environment: it runs on the connection that `ledger.migrate` hands it."""

from alembic import context

from qbo_sync_dagster.ledger.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
