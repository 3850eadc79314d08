"""Credit that staff dismissed: neither sent nor taken back as it is now."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa

from qbo_sync_dagster.domain.algapsa_payments import CreditApplication
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.credit_exceptions import (
    WAITING_KINDS,
    dispute_version,
    removal_version,
)
from qbo_sync_dagster.domain.credits import credit_record
from qbo_sync_dagster.domain.credits_in import Dispute
from qbo_sync_dagster.ledger import exceptions
from qbo_sync_dagster.ledger.credit_links import CreditLink
from qbo_sync_dagster.sync.left_unapplied import credit_left_beside


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """What staff dismissed: (record, version), and records whose doubt they settled that way.

    `beside` are applications, by transaction, that a payment left unapplied may be the same as.
    """

    versions: Collection[tuple[str, str]]
    orphans: Collection[str]
    beside: Collection[str]

    def covers(self, application: CreditApplication) -> bool:
        """Whether it is not to be sent."""
        record = credit_record(application.key)
        is_judged = record in self.orphans or (record, application.key) in self.versions
        return is_judged or application.transaction_id in self.beside

    def keeps(self, link: CreditLink) -> bool:
        """Whether what AlgaPSA took back is to stay in QuickBooks."""
        return (credit_record(link.key), removal_version(link.key)) in self.versions

    def judged(self, dispute: Dispute) -> bool:
        """Whether both uses of the note stay as they are."""
        return (f"invoice:{dispute.note_id}", dispute_version(dispute)) in self.versions


def left_alone_by_staff(connection: sa.Connection, realm: str) -> LeftAlone:
    """What staff dismissed about credit."""
    kinds = (*WAITING_KINDS, ExceptionKind.CREDIT_USED_ELSEWHERE)
    dismissed = exceptions.dismissed_versions(connection, realm, kinds)
    return LeftAlone(
        {(record, version) for _, record, version in dismissed},
        {record for kind, record, _ in dismissed if kind == ExceptionKind.ORPHAN},
        credit_left_beside(connection, realm),
    )
