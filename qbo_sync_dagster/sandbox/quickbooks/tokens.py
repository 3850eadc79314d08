"""OAuth tokens: issued, rotated, expired and revoked on the sandbox's clock.

Belongs here: the two tables of tokens. Does not: HTTP.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from qbo_sync_dagster.sandbox.quickbooks.faults import unauthenticated, unauthorised
from qbo_sync_dagster.sandbox.quickbooks.storage import Cursor

ACCESS_SECONDS = 3600
_REFRESH_LIFE = timedelta(days=100)
_HARD_LIFE = timedelta(days=5 * 365)
_ROTATE_AFTER = timedelta(hours=24)
_SHORTEST = 20

_LOCKED = """
SELECT realm, issued_at, expires_at, hard_expires_at, revoked FROM refresh_token
WHERE token = %s FOR UPDATE
"""
_INSERT = """
INSERT INTO refresh_token (token, realm, issued_at, expires_at, hard_expires_at)
VALUES (%s, %s, %s, %s, %s)
"""
_ACCESS = "INSERT INTO access_token (token, realm, expires_at) VALUES (%s, %s, %s)"
_REVOKE = "UPDATE refresh_token SET revoked = true WHERE token = %s"
_REVOKE_ALL = (
    "UPDATE refresh_token SET revoked = true WHERE realm = %s",
    "UPDATE access_token SET revoked = true WHERE realm = %s",
)


class InvalidGrantError(Exception):
    """The refresh token is unknown, replaced, expired or revoked."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a refresh gives."""

    realm: str
    access_token: str
    refresh_token: str
    refresh_seconds: int
    hard_seconds: int


def issue_refresh_token(cursor: Cursor, realm: str, now: datetime) -> str:
    """A refresh token as Intuit's OAuth playground hands it out."""
    token = f"RT1-{secrets.token_urlsafe(30)}"
    cursor.execute(_INSERT, (token, realm, now, now + _REFRESH_LIFE, now + _HARD_LIFE))
    return token


def realm_of(cursor: Cursor, refresh_token: str) -> str | None:
    """The company a refresh token belongs to."""
    cursor.execute("SELECT realm FROM refresh_token WHERE token = %s", (refresh_token,))
    row = cursor.fetchone()
    return str(row[0]) if row else None


def refresh(cursor: Cursor, token: str, now: datetime, *, rotate_always: bool) -> Grant:
    """A new access token, and the refresh token to use next. Raises InvalidGrantError."""
    cursor.execute(_LOCKED, (token,))
    row = cursor.fetchone()
    if row is None or row[4] or now >= min(row[2], row[3]):
        raise InvalidGrantError
    realm, issued_at, _, hard_end, _ = row
    following = token
    expires_at = min(now + _REFRESH_LIFE, hard_end)
    if rotate_always or now - issued_at >= _ROTATE_AFTER:
        following = f"RT1-{secrets.token_urlsafe(30)}"
        cursor.execute(_REVOKE, (token,))
        cursor.execute(_INSERT, (following, realm, now, expires_at, hard_end))
    access = secrets.token_urlsafe(60)
    cursor.execute(_ACCESS, (access, realm, now + timedelta(seconds=ACCESS_SECONDS)))
    left = int((expires_at - now).total_seconds())
    return Grant(realm, access, following, left, int((hard_end - now).total_seconds()))


def check_access(cursor: Cursor, header: str, realm: str, now: datetime) -> None:
    """Raises the gateway's 401 or 403 unless the header holds a live token of the company."""
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise unauthenticated("Token missing")
    if len(token) < _SHORTEST:
        raise unauthenticated("Malformed bearer token: too short or too long")
    cursor.execute("SELECT realm, expires_at, revoked FROM access_token WHERE token = %s", (token,))
    row = cursor.fetchone()
    if row is None or row[2] or now >= row[1]:
        raise unauthenticated(f"Token expired: {token[:6]}...")
    if row[0] != realm:
        raise unauthorised()


def revoke(cursor: Cursor, token: str) -> bool:
    """Revoke by either token, which ends the whole connection; False if it is unknown."""
    sql = "SELECT realm FROM refresh_token WHERE token = %s UNION "
    cursor.execute(sql + "SELECT realm FROM access_token WHERE token = %s", (token, token))
    row = cursor.fetchone()
    if row is not None:
        revoke_realm(cursor, row[0])
    return row is not None


def revoke_realm(cursor: Cursor, realm: str) -> None:
    """What a customer does who disconnects the app."""
    for statement in _REVOKE_ALL:
        cursor.execute(statement, (realm,))


def expire_access(cursor: Cursor, realm: str, now: datetime) -> None:
    """Let the company's access tokens have expired."""
    cursor.execute("UPDATE access_token SET expires_at = %s WHERE realm = %s", (now, realm))
