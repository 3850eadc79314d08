"""Drift as an exception: what of an exported document changed, on which side, said to people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.both_sides import in_words
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.document_changes import WITHDRAWN
from qbo_sync_dagster.domain.document_kinds import INVOICE, DocumentKind
from qbo_sync_dagster.domain.document_view import (
    LIVE,
    DocumentView,
    FieldDifference,
    differences,
)
from qbo_sync_dagster.domain.eligibility import CANCELLED_STATUSES
from qbo_sync_dagster.domain.exception_record import ExceptionRecord, RecordReference
from qbo_sync_dagster.domain.export import ExportDocument
from qbo_sync_dagster.domain.money import format_minor

DRIFT_KINDS = (ExceptionKind.DRIFT_CHANGED, ExceptionKind.DRIFT_GONE)
_MOST_FIELDS_TOLD = 12
_ONLY_TEXTS = (
    "Its number, client, dates, total and lines are as they were: a text or a detail differs, "
    "such as a description, the PO number or an exchange rate."
)
_VOID_WHEN_LINKED = "void:"
_NOT_STANDING = CANCELLED_STATUSES | {"draft"}


def is_gone_on_both_sides(shown: DocumentView, header: DocumentHeader | None) -> bool:
    """Whether both books have withdrawn the document: then nothing is left to disagree about."""
    return shown.state != LIVE and (header is None or header.status in CANCELLED_STATUSES)


def drift_exception(
    invoice_id: str,
    quickbooks_id: str,
    agreed: DocumentView,
    shown: DocumentView,
    found: Sequence[FieldDifference],
    document: DocumentKind = INVOICE,
    named: Sequence[FieldDifference] | None = None,
) -> ExceptionRecord:
    """The exception for an exported document that was changed, voided or deleted in QuickBooks.

    `named` is what was `found`, with names in place of ids.
    """
    is_gone = shown.state != LIVE
    if is_gone:
        told = f"was {shown.state} in QuickBooks."
    else:
        told = f"was changed in QuickBooks. {_sentence(_words(named or found))}"
    return ExceptionRecord(
        kind=ExceptionKind.DRIFT_GONE if is_gone else ExceptionKind.DRIFT_CHANGED,
        record=f"invoice:{invoice_id}",
        what_happened=f"{document.noun} {agreed.number} {told}",
        references=_references(invoice_id, quickbooks_id, agreed.number, document),
        amounts=_totals(agreed, shown),
        version=drift_version(found),
    )


def _words(found: Sequence[FieldDifference]) -> str:
    return in_words(found, _MOST_FIELDS_TOLD)


def _totals(agreed: DocumentView, shown: DocumentView) -> dict[str, int]:
    if agreed.total_minor == shown.total_minor:
        return {}
    return {"exported total": agreed.total_minor, "QuickBooks total": shown.total_minor}


def drift_version(found: Sequence[FieldDifference]) -> str:
    """What an exception about drift judges: the fields that differ, as QuickBooks shows them."""
    return "|".join(f"{item.field}={item.shown}" for item in found)


@dataclass(frozen=True, slots=True)
class ChangedSides:
    """What each side changed of a document since it was agreed on, with names in place of ids.

    `problems` say why AlgaPSA's version could not be sent as it is; then nothing is known of
    `in_algapsa`. `accepted_minor` is what QuickBooks' total exceeds AlgaPSA's by with consent.
    """

    in_algapsa: Sequence[FieldDifference] = ()
    in_quickbooks: Sequence[FieldDifference] = ()
    problems: Sequence[str] = ()
    accepted_minor: int = 0


def changed_in_algapsa(
    invoice_id: str,
    quickbooks_id: str,
    fingerprint: str,
    shown: DocumentView,
    header: DocumentHeader | None,
    document: DocumentKind = INVOICE,
    sides: ChangedSides | None = None,
) -> ExceptionRecord | None:
    """The exception for an exported document that AlgaPSA no longer shows as exported, or None.

    `sides` tell both versions field by field; without them only the totals are told.
    """
    kind = _kind_of_change(fingerprint, header)
    if kind is None or is_gone_on_both_sides(shown, header):
        return None
    number = header.number if header else shown.number
    stands = f"In QuickBooks it stands at {format_minor(shown.total_minor)}."
    told = {
        ExceptionKind.DELETED_IN_ALGAPSA: f"no longer exists in AlgaPSA. {stands}",
        ExceptionKind.REOPENED_IN_ALGAPSA: f"is a draft again in AlgaPSA. {stands}",
        ExceptionKind.VOIDED_IN_ALGAPSA: f"was voided in AlgaPSA. {stands}",
        ExceptionKind.CHANGED_IN_ALGAPSA: _both_versions(shown, header, sides),
    }
    accepted = sides.accepted_minor if sides else 0
    return ExceptionRecord(
        kind=kind,
        record=f"invoice:{invoice_id}",
        what_happened=f"{document.noun} {number} {told[kind]}",
        references=_references(invoice_id, quickbooks_id, number, document),
        amounts={"QuickBooks total": shown.total_minor}
        | ({"AlgaPSA total": header.exported_minor} if header else {})
        | ({"difference accepted before": accepted} if accepted else {}),
        # Not the status: it moves with every payment, and the kind tells draft and void apart.
        version=header.fingerprint if header else "deleted",
    )


def _both_versions(
    shown: DocumentView, header: DocumentHeader | None, sides: ChangedSides | None
) -> str:
    total = format_minor(header.exported_minor) if header else "unknown"
    totals = f"Its total is {total} there and {format_minor(shown.total_minor)} in QuickBooks."
    opening = "was changed in AlgaPSA after it was exported."
    if sides is None:
        return f"{opening} {totals}"
    if sides.problems:
        cannot = " ".join(sides.problems)
        return f"{opening} {totals} It could not be sent as it is now: {cannot}"
    if sides.in_algapsa:
        told = f"{opening} {_sentence(_words(sides.in_algapsa))}"
    else:
        told = f"{opening} {_ONLY_TEXTS}"
    if shown.state != LIVE:
        return f"{told} In QuickBooks it is {shown.state}."
    if sides.in_quickbooks:
        there = _words(sides.in_quickbooks)
        return f"{told} It was changed in QuickBooks as well. {_sentence(there)}"
    return f"{told} QuickBooks still shows it as it was agreed on."


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


def fingerprint_at_link(header: DocumentHeader) -> str:
    """The content that a link to an object from elsewhere stands for.

    A document that was void already when somebody linked it is told of, never voided by itself.
    """
    is_void = header.status in CANCELLED_STATUSES
    return f"{_VOID_WHEN_LINKED}{header.fingerprint}" if is_void else header.fingerprint


def was_void_when_linked(fingerprint: str) -> bool:
    """Whether AlgaPSA had voided the document before it was linked."""
    return fingerprint.startswith(_VOID_WHEN_LINKED)


def is_as_exported(fingerprint: str, header: DocumentHeader | None) -> bool:
    """Whether AlgaPSA still shows a document with the content that was exported, and final."""
    return _kind_of_change(fingerprint, header) is None


def is_changed_only(fingerprint: str, header: DocumentHeader | None) -> bool:
    """Whether AlgaPSA shows another content than was exported, but neither draft, void nor gone."""
    return _kind_of_change(fingerprint, header) is ExceptionKind.CHANGED_IN_ALGAPSA


def agrees(wanted: ExportDocument, as_sent: DocumentView, shown: DocumentView) -> bool:
    """Whether QuickBooks shows what AlgaPSA would send today, its own fields aside.

    `as_sent` is how `wanted` would look there.
    """
    return (
        shown.state == LIVE
        and shown.customer_id == wanted.customer_id
        and shown.total_minor == wanted.total_minor
        and shown.currency in ("", wanted.currency)
        and not differences(as_sent, shown)
    )


def _kind_of_change(fingerprint: str, header: DocumentHeader | None) -> ExceptionKind | None:
    if fingerprint == WITHDRAWN and (header is None or header.status in _NOT_STANDING):
        return None
    if header is None:
        return ExceptionKind.DELETED_IN_ALGAPSA
    if header.status == "draft" or header.finalized_at is None:
        return ExceptionKind.REOPENED_IN_ALGAPSA
    if header.status in CANCELLED_STATUSES:
        return ExceptionKind.VOIDED_IN_ALGAPSA
    if header.fingerprint != fingerprint:
        return ExceptionKind.CHANGED_IN_ALGAPSA
    return None


def _references(
    invoice_id: str, quickbooks_id: str, number: str, document: DocumentKind
) -> tuple[RecordReference, ...]:
    label = f"{document.noun} {number}"
    return (
        RecordReference("algapsa", "invoice", invoice_id, label),
        RecordReference("quickbooks", document.entity, quickbooks_id, label),
    )
