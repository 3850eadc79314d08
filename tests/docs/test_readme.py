"""What is documented is what there is: exceptions, settings, commands, AlgaPSA's role."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.main import get_command

from qbo_sync_dagster.actions.configuring import SETTINGS
from qbo_sync_dagster.algapsa.gateway import AlgaPsa
from qbo_sync_dagster.cli.main import app
from qbo_sync_dagster.domain.catalogue import CATALOGUE
from qbo_sync_dagster.sandbox.algapsa import tenants
from qbo_sync_dagster.sandbox.algapsa.role import create_role
from qbo_sync_dagster.sandbox.algapsa.schema import Edition, create_schema
from qbo_sync_dagster.settings import Settings

_ROOT = Path(__file__).resolve().parents[2]
_README = (_ROOT / "README.md").read_text()


def test_the_readme_tells_what_to_do_for_each_exception_in_the_catalogues_words() -> None:
    titles = ((entry.title.replace("{days}", "N"), entry.cure) for entry in CATALOGUE.values())
    table = "\n".join(f"| {title} | {cure} |" for title, cure in titles)

    assert table in _README, f"The README's table of exceptions should be:\n{table}"


def test_the_readme_names_every_setting_of_a_company() -> None:
    for setting in SETTINGS.values():
        assert f"| `{setting.name}` | {setting.effect} |" in _README


def test_the_readme_names_every_environment_variable_and_no_other() -> None:
    read = {str(field.validation_alias) for field in Settings.model_fields.values()}
    named = set(re.findall(r"^\| `([A-Z_]+)` \|", _README, flags=re.MULTILINE))

    assert named == read | {"QBO_REFRESH_TOKEN"}


def test_the_readme_names_every_command() -> None:
    group = get_command(app)
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        for path in [f"{name} {each}" for each in getattr(command, "commands", {})] or [name]:
            assert f"`qbo-sync {path}" in _README, path


@pytest.mark.parametrize("edition", ["community", "enterprise"])
def test_the_roles_script_grants_all_that_the_sync_asks_of_algapsa(
    edition: Edition, fresh_database: Callable[..., str]
) -> None:
    # Roles belong to the whole server, which other runs use too.
    role = f"test_{os.getpid()}_{uuid.uuid4().hex[:8]}"
    script = (_ROOT / "docs" / "algapsa-role.sql").read_text().replace("qbo_sync", role)
    statements = "\n".join(line for line in script.splitlines() if not line.startswith("\\"))
    url = fresh_database()
    owner = sa.create_engine(url)
    create_schema(owner, edition)
    for _ in range(2):
        with owner.begin() as connection:
            connection.exec_driver_sql(statements.replace("%", "%%"))
    with owner.begin() as connection:
        tenant = tenants.create_tenant(connection, "Slate Bay IT")
    engine = sa.create_engine(sa.make_url(url).set(username=role))

    problems = AlgaPsa(engine, tenant, "UTC").preflight(datetime.now(UTC))

    engine.dispose()
    with owner.begin() as connection:
        connection.exec_driver_sql(f"DROP OWNED BY {role}; DROP ROLE {role}")
    owner.dispose()
    assert problems == ()


def test_the_roles_script_grants_what_the_tests_role_has_and_no_more(
    fresh_database: Callable[..., str],
) -> None:
    """The tests that the role is refused everything else run as the sandbox's role."""
    role = f"test_{os.getpid()}_{uuid.uuid4().hex[:8]}"
    script = (_ROOT / "docs" / "algapsa-role.sql").read_text().replace("qbo_sync", role)
    statements = "\n".join(line for line in script.splitlines() if not line.startswith("\\"))
    url = fresh_database()
    owner = sa.create_engine(url)
    create_schema(owner, "enterprise")
    create_role(url, "qbo_sync", "only for tests")
    grants = """
        SELECT table_name::text, column_name::text, privilege_type::text
        FROM information_schema.column_privileges WHERE grantee = :role
        UNION SELECT table_name::text, '', privilege_type::text
        FROM information_schema.table_privileges WHERE grantee = :role
    """
    with owner.begin() as connection:
        connection.exec_driver_sql(statements.replace("%", "%%"))
        documented, tested = (
            {tuple(row) for row in connection.execute(sa.text(grants), {"role": name})}
            for name in (role, "qbo_sync")
        )
        connection.exec_driver_sql(f"DROP OWNED BY {role}; DROP ROLE {role}")
    owner.dispose()

    assert ("invoices", "status", "UPDATE") in documented
    assert documented == tested
