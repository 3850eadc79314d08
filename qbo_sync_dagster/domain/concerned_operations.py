"""Which operations an exception is about: what a retry sends again and a dismissal withdraws."""

from __future__ import annotations

from collections.abc import Mapping

from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.operation_kinds import (
    APPLY_CREDIT,
    CHANGE_PAYMENT,
    CREATE_CUSTOMER,
    EXPORT_CREDIT_MEMO,
    EXPORT_INVOICE,
    PUSH_PAYMENT,
    RECORD_KINDS,
    REMOVE_CREDIT,
    UPDATE_DOCUMENT,
    VOID_DOCUMENT,
)

_EXPORTS = (CREATE_CUSTOMER, EXPORT_INVOICE, EXPORT_CREDIT_MEMO)
_PAYMENTS = (PUSH_PAYMENT, CHANGE_PAYMENT)
_CREDITS = (APPLY_CREDIT, REMOVE_CREDIT)
_ANY = tuple(RECORD_KINDS)

_CONCERNED: Mapping[ExceptionKind, tuple[str, ...]] = {
    ExceptionKind.EXPORT_NOT_READY: (*_EXPORTS, UPDATE_DOCUMENT),
    ExceptionKind.EXPORT_FAILING: (*_EXPORTS, UPDATE_DOCUMENT),
    ExceptionKind.ALREADY_IN_QUICKBOOKS: _EXPORTS,
    ExceptionKind.CLOSED_PERIOD: _ANY,
    ExceptionKind.ORPHAN: _ANY,
    ExceptionKind.VOID_FAILING: (VOID_DOCUMENT,),
    ExceptionKind.PUSH_INVOICE_NOT_MAPPED: _PAYMENTS,
    ExceptionKind.PUSH_CUSTOMER_NOT_MAPPED: _PAYMENTS,
    ExceptionKind.PUSH_FAILING: _PAYMENTS,
    ExceptionKind.SAME_PAYMENT: (*_PAYMENTS, APPLY_CREDIT),
    ExceptionKind.ALREADY_SETTLED: _PAYMENTS,
    ExceptionKind.REVERSAL_TO_RECORD: _PAYMENTS,
    ExceptionKind.CREDIT_FAILING: _CREDITS,
    ExceptionKind.CREDIT_CONSUMED: _CREDITS,
    ExceptionKind.CREDIT_WAITING: _CREDITS,
    ExceptionKind.CREDIT_USED_ELSEWHERE: _CREDITS,
}


def concerned_operations(kind: str, record: str) -> dict[str, str]:
    """The operation kinds that an exception of this kind on this record is about.

    Each with the record's id there; none for an exception that is about no operation.
    """
    record_kind, _, record_id = record.partition(":")
    return {
        operation: record_id
        for operation in _CONCERNED.get(ExceptionKind(kind), ())
        if RECORD_KINDS[operation] == record_kind
    }
