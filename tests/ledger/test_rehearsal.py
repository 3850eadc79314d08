"""A ledger in which everything happens and nothing stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from qbo_sync_dagster.ledger.engine import create_ledger_engine
from qbo_sync_dagster.ledger.rehearsal import rehearsed


@pytest.fixture
def url(fresh_database: Callable[..., str]) -> str:
    return fresh_database()


@pytest.fixture
def ledger(url: str) -> Iterator[sa.Engine]:
    engine = create_ledger_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE notes (text TEXT PRIMARY KEY)"))
    yield engine
    engine.dispose()


NOTE = "INSERT INTO notes VALUES (:text)"


def _notes_in(engine: sa.Engine) -> list[str]:
    with engine.connect() as connection:
        return sorted(connection.execute(sa.text("SELECT text FROM notes")).scalars())


def test_what_was_written_is_read_there_and_gone_afterwards(ledger: sa.Engine, url: str) -> None:
    with rehearsed(url) as engine:
        with engine.begin() as connection:
            connection.execute(sa.text(NOTE), {"text": "a"})
        assert _notes_in(engine) == ["a"]
        assert _notes_in(ledger) == []

    assert _notes_in(ledger) == []


@pytest.mark.usefixtures("ledger")
def test_a_transaction_that_fails_takes_back_its_own_writes_only(url: str) -> None:
    with rehearsed(url) as engine:
        with engine.begin() as connection:
            connection.execute(sa.text(NOTE), {"text": "a"})
        with pytest.raises(IntegrityError), engine.begin() as connection:
            connection.execute(sa.text(NOTE), [{"text": "b"}, {"text": "a"}])

        assert _notes_in(engine) == ["a"]


@pytest.mark.usefixtures("ledger")
def test_a_reader_inside_a_transaction_takes_nothing_back(url: str) -> None:
    with rehearsed(url) as engine:
        with engine.begin() as connection:
            connection.execute(sa.text(NOTE), {"text": "a"})
            assert _notes_in(engine) == ["a"]

        assert _notes_in(engine) == ["a"]


@pytest.mark.usefixtures("ledger")
def test_a_transaction_that_is_given_up_leaves_nothing(url: str) -> None:
    with rehearsed(url) as engine:
        with engine.connect() as connection:
            connection.execute(sa.text(NOTE), {"text": "a"})

        assert _notes_in(engine) == []
