"""Which of AlgaPSA's documents QuickBooks still lacks, and which may not go there.

Judged on headers, for all documents of a company at once. Whether a document is complete enough
to be sent is `export`'s question.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from zoneinfo import ZoneInfo

from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.document_kinds import kind_of
from qbo_sync_dagster.domain.exception_record import ExceptionRecord, RecordReference
from qbo_sync_dagster.domain.money import format_minor

CANCELLED_STATUSES = frozenset({"cancelled", "void"})


class Standing(Enum):
    """What a document is to the export of one company."""

    TO_EXPORT = "to export"
    LINKED = "linked"
    ELSEWHERE = "another company's"
    NOT_FINAL = "draft"
    CANCELLED = "cancelled"
    PREPAYMENT = "prepayment"
    BEFORE_GO_LIVE = "before go-live"
    FINALIZED_LATE = "dated before go-live, finalized after it"
    BOOKED_BY_ALGAPSA = "mapped by AlgaPSA itself"
    BOOKED_BY_CSV = "taken to QuickBooks by a file of ours"


@dataclass(frozen=True, slots=True)
class CompanyScope:
    """What decides whether a document belongs to this company's export.

    `linked` are the ids of documents with a link in any company of the tenant, `homes` the realm
    of each document that has one. `chosen` are those that staff chose to have created anew, however
    they are dated, `booked_by_csv` those that a file of ours took to QuickBooks. `early` are those
    that staff chose to export although they are dated before go-live.
    """

    realm: str
    is_default: bool
    go_live: date
    connected_at: datetime
    time_zone: str
    linked: Collection[str]
    homes: Mapping[str, str]
    chosen: Collection[str] = ()
    booked_by_csv: Collection[str] = ()
    early: Collection[str] = ()

    def is_home_of(self, invoice_id: str) -> bool:
        """Whether the document goes to this company: by its home, else by the default."""
        home = self.homes.get(invoice_id)
        return home == self.realm if home else self.is_default


def standing(header: DocumentHeader, scope: CompanyScope) -> Standing:
    """Where a document stands; the first reason that applies, in the order of finality."""
    if header.invoice_id in scope.linked:
        return Standing.LINKED
    if not scope.is_home_of(header.invoice_id):
        return Standing.ELSEWHERE
    if header.status == "draft" or header.finalized_at is None:
        return Standing.NOT_FINAL
    if header.status in CANCELLED_STATUSES:
        return Standing.CANCELLED
    return _billed(header, scope)


def _billed(header: DocumentHeader, scope: CompanyScope) -> Standing:
    if header.invoice_id in scope.booked_by_csv:
        return Standing.BOOKED_BY_CSV
    if header.invoice_id in scope.chosen:
        return Standing.TO_EXPORT
    if header.mapped_by_algapsa:
        return Standing.BOOKED_BY_ALGAPSA
    if header.invoice_date < scope.go_live and header.invoice_id not in scope.early:
        late = _finalized_after_connecting(header, scope)
        return Standing.FINALIZED_LATE if late else Standing.BEFORE_GO_LIVE
    if header.is_prepayment or "prepayment" in (header.invoice_type, header.status):
        return Standing.PREPAYMENT
    return Standing.TO_EXPORT


def may_be_recognised(header: DocumentHeader) -> bool:
    """Whether an object may be taken for this document by its content, without its number.

    What AlgaPSA itself mapped stands elsewhere already, and a cancelled document was not sent.
    """
    return not header.mapped_by_algapsa and header.status not in CANCELLED_STATUSES


def is_mapped_here(header: DocumentHeader, scope: CompanyScope) -> bool:
    """Whether AlgaPSA itself says that this document is a certain invoice of this company.

    A document of its CSV export is not: no object is named there.
    """
    home = scope.homes.get(header.invoice_id)
    names_us = header.mapped_realm == scope.realm or (
        header.mapped_realm is None and scope.is_home_of(header.invoice_id)
    )
    return (
        header.mapped_by_algapsa == "quickbooks_online"
        and bool(header.mapped_external_id)
        and names_us
        and home in (None, scope.realm)
        and header.invoice_id not in scope.linked
        and header.finalized_at is not None
    )


def _finalized_after_connecting(header: DocumentHeader, scope: CompanyScope) -> bool:
    # AlgaPSA keeps only the day of finalizing, so the connect day itself counts as after: asking
    # once too often loses nothing.
    finalized = header.finalized_at
    first = connect_day(scope.connected_at, scope.time_zone)
    return finalized is not None and finalized.date() >= first


def connect_day(connected_at: datetime, time_zone: str) -> date:
    """The day the company was connected, in its own time zone."""
    return connected_at.astimezone(ZoneInfo(time_zone)).date()


_RAISED = {
    Standing.PREPAYMENT: ExceptionKind.PREPAYMENT,
    Standing.FINALIZED_LATE: ExceptionKind.BEFORE_GO_LIVE,
    Standing.BOOKED_BY_ALGAPSA: ExceptionKind.ALREADY_IN_QUICKBOOKS,
    Standing.BOOKED_BY_CSV: ExceptionKind.ALREADY_IN_QUICKBOOKS,
}
STANDING_KINDS = (ExceptionKind.PREPAYMENT, ExceptionKind.BEFORE_GO_LIVE)


def exceptions_of(headers: Iterable[DocumentHeader], scope: CompanyScope) -> list[ExceptionRecord]:
    """The exceptions of documents that are neither exported nor left alone silently."""
    return [
        _exception(header, kind, scope)
        for header in headers
        if (kind := _RAISED.get(standing(header, scope)))
    ]


def _exception(header: DocumentHeader, kind: ExceptionKind, scope: CompanyScope) -> ExceptionRecord:
    total = f"{format_minor(header.total_minor)} {header.currency}"
    noun = kind_of(header).noun
    told = {
        ExceptionKind.PREPAYMENT: (
            f"Prepayment invoice {header.number} of {total}, dated {header.invoice_date}, is not "
            "exported, and neither are its payments."
        ),
        ExceptionKind.BEFORE_GO_LIVE: (
            f"{noun} {header.number} of {total} is dated {header.invoice_date}, before go-live on "
            f"{scope.go_live}, but was finalized after the company was connected."
        ),
        ExceptionKind.ALREADY_IN_QUICKBOOKS: _booked(
            header, scope, f"{noun.lower()} {header.number} of {total}"
        ),
    }
    return ExceptionRecord(
        kind=kind,
        record=f"invoice:{header.invoice_id}",
        what_happened=told[kind],
        references=(invoice_reference(header),),
        amounts={"total": header.total_minor},
        version=header.fingerprint,
    )


def _booked(header: DocumentHeader, scope: CompanyScope, document: str) -> str:
    if header.invoice_id in scope.booked_by_csv:
        return (
            f"The file of an export batch took {document} to QuickBooks, so it is not created "
            "again. `qbo-sync onboard --step history` links all that were imported; a file that "
            "never was is withdrawn by `qbo-sync batches withdraw`."
        )
    known_as = f" (its id there: {header.mapped_external_id})" if header.mapped_external_id else ""
    return (
        f"AlgaPSA itself has {document} as booked in QuickBooks{known_as}. It is not created again."
    )


def invoice_reference(header: DocumentHeader) -> RecordReference:
    """How an exception points to an AlgaPSA invoice."""
    label = f"{kind_of(header).noun} {header.number}"
    return RecordReference("algapsa", "invoice", header.invoice_id, label)
