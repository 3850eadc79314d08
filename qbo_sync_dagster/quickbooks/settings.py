"""Where QuickBooks is and how to talk to it. Values come from the caller; nothing reads the
environment here."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class QuickBooksSettings:
    """One Intuit app and environment. `api_base_url` runs up to and including `/v3/company`."""

    api_base_url: str
    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    timeout_seconds: float = 60.0
    connect_timeout_seconds: float = 10.0
    batches: bool = True
    authorize_url: str = ""
    revoke_url: str = ""
    batch_size: int = 30
    minor_version: int = 75
    max_response_bytes: int = 64 * 1024 * 1024
