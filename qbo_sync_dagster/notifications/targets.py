"""The targets of a company as the ledger keeps them: encrypted, since their addresses hold
passwords."""

from __future__ import annotations

import json
from collections.abc import Sequence

import sqlalchemy as sa

from qbo_sync_dagster.ledger import connections
from qbo_sync_dagster.ledger.tokens import TokenCipher
from qbo_sync_dagster.notifications.delivery import Target


def load(connection: sa.Connection, realm: str, cipher: TokenCipher) -> tuple[Target, ...]:
    """The company's targets. Raises SecretKeyError if the key is not the one they were stored
    with."""
    stored = connections.notification_targets(connection, realm)
    if stored is None:
        return ()
    return tuple(
        Target(each["url"], each["service"]) for each in json.loads(cipher.decrypt(stored))
    )


def store(
    connection: sa.Connection, realm: str, targets: Sequence[Target], cipher: TokenCipher
) -> None:
    """Replace the company's targets."""
    told = json.dumps([{"url": each.url, "service": each.service} for each in targets])
    stored = cipher.encrypt(told) if targets else None
    connections.update(connection, realm, notification_targets=stored)
