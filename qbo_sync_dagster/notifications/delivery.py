"""Sending one message to one target within a time limit.

A thread of its own per target: what a service does with our call must never hold a cycle.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from time import monotonic
from typing import TYPE_CHECKING

from qbo_sync_dagster.domain.messages import Message

if TYPE_CHECKING:
    from apprise import NotifyBase

_LOG = logging.getLogger(__name__)
_CONNECT_SECONDS = 5.0
LIMIT_SECONDS = 15.0


class Delivery(StrEnum):
    """What became of a message. UNKNOWN: no answer in time, it may have arrived."""

    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Target:
    """Where messages go: an apprise URL, which holds passwords, and what it is called."""

    url: str = field(repr=False)
    service: str

    @property
    def key(self) -> str:
        """Tells targets apart without naming them."""
        return hashlib.sha256(self.url.encode()).hexdigest()[:12]

    @property
    def shown(self) -> str:
        """What people see of it."""
        return f"{self.service} ({self.key[:6]})"


def target_of(url: str) -> Target | None:
    """The target of an apprise URL; None if apprise cannot send to it."""
    plugin = _plugin(url)
    return Target(url, str(plugin.service_name)) if plugin is not None else None


def deliver(
    sendings: Sequence[tuple[Target, Sequence[Message]]], limit: float = LIMIT_SECONDS
) -> dict[tuple[str, Message], Delivery]:
    """Send each target its messages, all targets at once, within `limit` seconds altogether."""
    outcomes = {
        (target.key, message): Delivery.UNKNOWN for target, some in sendings for message in some
    }
    threads = [
        threading.Thread(target=_send_all, args=(target, some, outcomes), daemon=True)
        for target, some in sendings
    ]
    for thread in threads:
        thread.start()
    until = monotonic() + limit
    for thread in threads:
        thread.join(max(0.0, until - monotonic()))
    return dict(outcomes)


def _send_all(
    target: Target, some: Sequence[Message], outcomes: dict[tuple[str, Message], Delivery]
) -> None:
    for message in some:
        outcomes[target.key, message] = _send(target, message)


def _send(target: Target, message: Message) -> Delivery:
    import apprise  # noqa: PLC0415 - takes most of a second

    try:
        plugin = _plugin(target.url)
        if plugin is None:
            return Delivery.FAILED
        plugin.socket_connect_timeout = _CONNECT_SECONDS
        # Longer than we wait: no answer in time then shows as unknown and not as failed.
        plugin.socket_read_timeout = LIMIT_SECONDS * 4
        app = apprise.Apprise(asset=apprise.AppriseAsset(async_mode=False))
        app.add(plugin)
        sent = app.notify(message.body, message.title, body_format=apprise.NotifyFormat.TEXT)
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything; its words hold secrets
        _LOG.warning("Notifying %s failed: %s.", target.shown, type(error).__name__)
        return Delivery.FAILED
    return Delivery.SENT if sent else Delivery.FAILED


def _plugin(url: str) -> NotifyBase | None:
    import apprise  # noqa: PLC0415 - takes most of a second

    # It logs addresses, and those hold passwords and tokens in many forms.
    logging.getLogger("apprise").disabled = True
    return apprise.Apprise.instantiate(url, suppress_exceptions=True)
