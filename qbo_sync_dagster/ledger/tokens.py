"""OAuth tokens of each connection, encrypted at rest, changed under their row's lock only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy.dialects.postgresql import insert

from qbo_sync_dagster.ledger.errors import SecretKeyError, UnknownRealmError
from qbo_sync_dagster.ledger.tables import connection_tokens, connections


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of one connection, in clear; never logged, never shown."""

    access_token: str | None
    access_expires_at: datetime | None
    refresh_token: str
    refresh_expires_at: datetime | None

    def __repr__(self) -> str:
        return f"Tokens(expires {self.access_expires_at}, refresh {self.refresh_expires_at})"


class TokenCipher:
    """Fernet over one or several keys, comma separated; the first encrypts, all decrypt."""

    def __init__(self, keys: str) -> None:
        try:
            self._fernet = MultiFernet([Fernet(key.strip()) for key in keys.split(",")])
        except ValueError as error:
            raise SecretKeyError(
                "QBO_SYNC_SECRET_KEY is not a Fernet key. Make one with "
                "`python -c 'from cryptography.fernet import Fernet; "
                "print(Fernet.generate_key().decode())'`."
            ) from error

    def encrypt(self, text: str) -> bytes:
        """The text, unreadable without the key."""
        return self._fernet.encrypt(text.encode())

    def decrypt(self, data: bytes) -> str:
        """The text. Raises SecretKeyError if none of the keys fits."""
        try:
            return self._fernet.decrypt(bytes(data)).decode()
        except InvalidToken as error:
            raise SecretKeyError(
                "QBO_SYNC_SECRET_KEY is not the key the QuickBooks tokens were stored with. "
                "Set the former key, or connect the company again."
            ) from error

    def rotate(self, data: bytes) -> bytes:
        """The same text under the first key. Raises SecretKeyError if none of the keys fits."""
        return self.encrypt(self.decrypt(data))


class TokenRow:
    """One connection's tokens while their row is locked."""

    def __init__(self, connection: sa.Connection, realm: str, cipher: TokenCipher) -> None:
        self._connection = connection
        self._realm = realm
        self._cipher = cipher

    def load(self) -> Tokens:
        """The stored tokens. Raises UnknownRealmError if the company has none."""
        return _load(self._connection, self._realm, self._cipher, lock=True)

    def save(self, tokens: Tokens) -> None:
        """Store rotated tokens; durable when the row's lock is given back."""
        store(self._connection, self._realm, tokens, self._cipher)

    def drop(self) -> None:
        """Forget the tokens."""
        mine = connection_tokens.c.realm == self._realm
        self._connection.execute(sa.delete(connection_tokens).where(mine))


class TokenVault:
    """Access to the tokens for whoever refreshes them."""

    def __init__(self, engine: sa.Engine, cipher: TokenCipher) -> None:
        self._engine = engine
        self._cipher = cipher

    @contextmanager
    def exclusive(self, realm: str) -> Iterator[TokenRow]:
        """Hold the row's lock, so that one process at a time refreshes this connection."""
        with self._engine.begin() as connection:
            # A refresh waits for Intuit's answer with the row locked, longer than other sessions
            # may idle in a transaction.
            connection.execute(sa.text("SET LOCAL idle_in_transaction_session_timeout = 180000"))
            yield TokenRow(connection, realm, self._cipher)

    def peek(self, realm: str) -> Tokens:
        """The stored tokens without a lock."""
        with self._engine.connect() as connection:
            return load(connection, realm, self._cipher)


def load(connection: sa.Connection, realm: str, cipher: TokenCipher) -> Tokens:
    """The stored tokens without a lock. Raises UnknownRealmError if the company has none."""
    return _load(connection, realm, cipher, lock=False)


def stored(connection: sa.Connection, realm: str) -> bool:
    """Whether a connection has tokens."""
    query = sa.select(connection_tokens.c.realm).where(connection_tokens.c.realm == realm)
    return connection.execute(query).first() is not None


def store(connection: sa.Connection, realm: str, tokens: Tokens, cipher: TokenCipher) -> None:
    """Write a connection's tokens, replacing what was there."""
    access = cipher.encrypt(tokens.access_token) if tokens.access_token else None
    values = {
        "access_token": access,
        "access_expires_at": tokens.access_expires_at,
        "refresh_token": cipher.encrypt(tokens.refresh_token),
        "refresh_expires_at": tokens.refresh_expires_at,
        "stored_at": sa.text("ledger_now()"),
    }
    statement = insert(connection_tokens).values(realm=realm, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["realm"], set_=values))


def re_encrypt(ledger: sa.Engine, cipher: TokenCipher) -> int:
    """Encrypt every stored secret with the first key; returns how many companies have any.

    All or none. Raises SecretKeyError if one was stored with a key that is not given.
    """
    secrets = {
        connection_tokens: ("access_token", "refresh_token"),
        connections: ("notification_targets",),
    }
    changed: set[str] = set()
    with ledger.begin() as connection:
        for table, columns in secrets.items():
            query = sa.select(table.c.realm, *(table.c[name] for name in columns))
            for row in connection.execute(query.with_for_update()).mappings():
                values = {name: cipher.rotate(row[name]) for name in columns if row[name]}
                if values:
                    mine = table.c.realm == row["realm"]
                    connection.execute(sa.update(table).where(mine).values(**values))
                    changed.add(row["realm"])
    return len(changed)


def refresh_expiry(connection: sa.Connection, realm: str) -> datetime | None:
    """When the connection's authorization lapses unless it is used; None if Intuit did not say."""
    expiry: datetime | None = connection.execute(
        sa.select(connection_tokens.c.refresh_expires_at).where(connection_tokens.c.realm == realm)
    ).scalar_one_or_none()
    return expiry


def _load(connection: sa.Connection, realm: str, cipher: TokenCipher, *, lock: bool) -> Tokens:
    query = sa.select(connection_tokens).where(connection_tokens.c.realm == realm)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise UnknownRealmError(f"QuickBooks company {realm} has no tokens. Connect it again.")
    return Tokens(
        access_token=cipher.decrypt(row.access_token) if row.access_token else None,
        access_expires_at=row.access_expires_at,
        refresh_token=cipher.decrypt(row.refresh_token),
        refresh_expires_at=row.refresh_expires_at,
    )
