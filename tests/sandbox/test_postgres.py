"""The embedded server: shared, refused where it can't work, one folder per checkout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg2
import pytest

from qbo_sync_dagster.sandbox import postgres


def _scalar(dsn: str, statement: str) -> str:
    connection = psycopg2.connect(dsn)
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return str(cursor.fetchone()[0])
    finally:
        connection.close()


def test_a_folder_with_a_space_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(postgres.EmbeddedServerError, match=r"has a space .* QBO_SYNC_DATA"):
        postgres.start(tmp_path / "my data")


def test_a_second_caller_attaches_and_does_not_stop_what_it_did_not_start(
    postgres_server: postgres.EmbeddedServer,
) -> None:
    with postgres.start(postgres_server.folder) as attached:
        assert not attached.started_here
    assert _scalar(postgres_server.dsn("postgres"), "SELECT 1") == "1"


def test_there_is_room_for_two_hundred_connections(
    postgres_server: postgres.EmbeddedServer,
) -> None:
    limit = _scalar(postgres_server.dsn("postgres"), "SHOW max_connections")
    assert int(limit) >= 200


def test_each_fresh_database_is_empty_and_its_own(fresh_database: Callable[..., str]) -> None:
    first, second = fresh_database(), fresh_database()
    connection = psycopg2.connect(first)
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE only_here (id int)")
    connection.close()
    assert _scalar(second, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == "0"


def test_the_data_folder_is_configurable_and_one_per_checkout(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("QBO_SYNC_DATA", raising=False)
    one, other = postgres.default_folder(tmp_path / "a"), postgres.default_folder(tmp_path / "b")
    assert one != other
    monkeypatch.setenv("QBO_SYNC_DATA", str(tmp_path / "mine"))
    assert postgres.default_folder(tmp_path / "a") == tmp_path / "mine"
