"""What people must know about a connection: it failed, or its authorization will lapse."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from math import ceil

from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.exception_record import ExceptionRecord, RecordReference

# Days before the end at which staff are told, widest first; each is told once.
EXPIRY_BANDS = (14, 7, 2)
# In the name of every notice about the end; after a reconnect they are told anew.
EXPIRY_NOTICE = "expires"
_SECONDS_A_DAY = 86_400


def not_connected(state: str, company_name: str, company: str) -> str:
    """Why no cycle of a company that is not connected does anything, with the cure."""
    if state == "disconnected":
        return (
            f"{company_name} is disconnected from QuickBooks, so nothing is synced. To sync it "
            f"again run `qbo-sync connections reconnect {company}`."
        )
    return (
        f"{company_name} must be reconnected to QuickBooks before it can sync: `qbo-sync "
        f"connections reconnect {company}`."
    )


def connection_failed(realm: str, company_name: str, sentence: str) -> ExceptionRecord:
    """The exception of a connection that QuickBooks no longer accepts."""
    return ExceptionRecord(
        kind=ExceptionKind.CONNECTION_FAILED,
        record=f"connection:{realm}",
        what_happened=(
            f"QuickBooks no longer accepts the authorization of {company_name}. Its sync is "
            f"paused; nothing is lost. {sentence}"
        ),
        references=(_company(realm, company_name),),
    )


def connection_expires(
    realm: str, company_name: str, expires_at: datetime | None, now: datetime
) -> ExceptionRecord | None:
    """The warning ahead of the end, or None while it is further away than the widest band."""
    if expires_at is None or expires_at <= now:
        return None
    days = max(1, ceil((expires_at - now).total_seconds() / _SECONDS_A_DAY))
    bands = [band for band in EXPIRY_BANDS if days <= band]
    if not bands:
        return None
    return ExceptionRecord(
        kind=ExceptionKind.CONNECTION_EXPIRES,
        record=f"connection:{realm}",
        what_happened=(
            f"The authorization of {company_name} lapses on {expires_at:%Y-%m-%d %H:%M} UTC "
            "unless the company is connected again."
        ),
        references=(_company(realm, company_name),),
        # A dismissal holds for its band only: the nearer one is told again.
        version=f"{expires_at:%Y-%m-%d}:{min(bands)}",
        title_values={"days": str(days)},
    )


def _company(realm: str, company_name: str) -> RecordReference:
    return RecordReference("quickbooks", "company", realm, f"Connection of {company_name}")


def notification_failed(realm: str, targets: Mapping[str, bool]) -> ExceptionRecord:
    """The exception of targets that messages did not reach; True where one may have arrived."""
    told = [
        f"{name} gave no answer in time; the message may have arrived and is not sent again."
        if in_doubt
        else f"{name} did not take a message."
        for name, in_doubt in sorted(targets.items())
    ]
    return ExceptionRecord(
        kind=ExceptionKind.NOTIFICATION_FAILED,
        record=f"notifications:{realm}",
        what_happened=" ".join(told),
        version=",".join(sorted(targets)),
    )


def not_ready(realm: str, problems: list[str]) -> ExceptionRecord:
    """The exception of a tenant whose AlgaPSA fails the preflight."""
    return ExceptionRecord(
        kind=ExceptionKind.ALGAPSA_NOT_READY,
        record=f"connection:{realm}",
        what_happened=" ".join(problems),
    )
