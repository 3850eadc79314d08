"""The ledger's tables: made by migrations, taken away by them, and those that the code knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from qbo_sync_dagster.ledger import migrate
from qbo_sync_dagster.ledger.engine import create_ledger_engine
from qbo_sync_dagster.ledger.errors import LedgerNotMigratedError
from qbo_sync_dagster.ledger.tables import metadata


@pytest.fixture
def bare(fresh_database: Callable[..., str]) -> Iterator[sa.Engine]:
    """An empty database."""
    engine = create_ledger_engine(fresh_database())
    yield engine
    engine.dispose()


def _differences(engine: sa.Engine) -> list[object]:
    with engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, metadata))


def test_migrations_make_exactly_the_tables_that_the_code_knows(bare: sa.Engine) -> None:
    migrate.upgrade(bare)

    assert _differences(bare) == []


def test_check_constraints_of_the_code_are_in_the_database(bare: sa.Engine) -> None:
    # Alembic does not compare these by itself.
    migrate.upgrade(bare)
    found = sa.inspect(bare)

    for table in metadata.sorted_tables:
        expected = {
            str(each.name) for each in table.constraints if isinstance(each, sa.CheckConstraint)
        }
        present = {str(each["name"]) for each in found.get_check_constraints(table.name)}
        assert present == expected, table.name


def test_the_values_that_a_check_allows_are_those_of_the_code(bare: sa.Engine) -> None:
    migrate.upgrade(bare)
    found = sa.inspect(bare)

    for table in metadata.sorted_tables:
        present = {c["name"]: str(c["sqltext"]) for c in found.get_check_constraints(table.name)}
        for each in table.constraints:
            if isinstance(each, sa.CheckConstraint):
                allowed = str(each.sqltext).split("'")[1::2]
                assert present[str(each.name)].split("'")[1::2] == allowed, each.name


def test_migrating_down_leaves_nothing_behind(bare: sa.Engine) -> None:
    migrate.upgrade(bare)
    migrate.downgrade(bare)

    with bare.connect() as connection:
        tables = set(sa.inspect(connection).get_table_names()) - {"alembic_version"}
        functions = connection.execute(
            sa.text("SELECT count(*) FROM pg_proc WHERE proname = 'ledger_now'")
        ).scalar_one()
    assert (tables, functions) == (set(), 0)


def test_migrating_down_and_up_again_works(bare: sa.Engine) -> None:
    migrate.upgrade(bare)
    migrate.downgrade(bare)
    migrate.upgrade(bare)

    migrate.require_current(bare)


def test_migrating_twice_changes_nothing(bare: sa.Engine) -> None:
    migrate.upgrade(bare)
    migrate.upgrade(bare)

    assert _differences(bare) == []


def test_a_database_without_tables_is_refused_with_the_cure(bare: sa.Engine) -> None:
    with pytest.raises(LedgerNotMigratedError, match="qbo-sync migrate"):
        migrate.require_current(bare)
