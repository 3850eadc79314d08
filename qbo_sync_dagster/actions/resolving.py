"""Settling an exception by its number: the one place that Dagster's job and the commands call.

What belongs here: which function serves which action. What does not: what an action does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from qbo_sync_dagster.actions.accepting import accept
from qbo_sync_dagster.actions.both_real import both_real
from qbo_sync_dagster.actions.cases import Choice, open_case
from qbo_sync_dagster.actions.closed_books import accept_closed
from qbo_sync_dagster.actions.credits import accept_loss, accept_uses, apply_again, carries_credit
from qbo_sync_dagster.actions.dismissing import dismiss
from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.actions.exporting import export_early
from qbo_sync_dagster.actions.foreign_invoices import not_from_algapsa
from qbo_sync_dagster.actions.history import apply_history, match_history, push_history
from qbo_sync_dagster.actions.linking_cases import link_client, link_invoice
from qbo_sync_dagster.actions.matching import match
from qbo_sync_dagster.actions.orphans import adopt, send_again
from qbo_sync_dagster.actions.payment_drift import (
    accept_payment,
    follow_quickbooks,
    re_export_payment,
)
from qbo_sync_dagster.actions.re_dating import re_date
from qbo_sync_dagster.actions.re_exporting import re_export, void_in_quickbooks
from qbo_sync_dagster.actions.refunds import record_refund
from qbo_sync_dagster.actions.retrying import retry
from qbo_sync_dagster.domain.catalogue import Action, ExceptionKind
from qbo_sync_dagster.sync.engine import SyncEngine


@dataclass(frozen=True, slots=True)
class Resolution:
    """An action on an exception, as somebody asked for it.

    `target` names the other record where the action needs one, such as a QuickBooks id.
    """

    action: Action
    choice: Choice
    target: str = ""


def resolve(engine: SyncEngine, wanted: Resolution) -> str:
    """Carry out the action; says in a sentence or two what follows.

    Raises ActionRefusedError (LinkFileError among them) and AlgaPsaError; then nothing changed.
    """
    with engine.ledger.connect() as connection:
        case = open_case(connection, wanted.choice, wanted.action)
    if wanted.action is Action.RECONNECT:
        raise ActionRefusedError(_RECONNECT.format(realm=case.realm))
    own = _OF_KIND.get(case.kind, {})
    return {**_SERVED, **own}[wanted.action](engine, wanted)


# A token typed into a form would be stored in clear with the run.
_RECONNECT = (
    "A company is reconnected on the command line: `qbo-sync connections reconnect {realm}`. The "
    "exception closes by itself with the next cycle."
)

_SERVED: Mapping[Action, Callable[[SyncEngine, Resolution], str]] = {
    Action.DISMISS: lambda engine, wanted: dismiss(engine.ledger, wanted.choice),
    Action.RETRY: lambda engine, wanted: retry(engine.ledger, wanted.choice),
    Action.ACCEPT: lambda engine, wanted: accept(engine, wanted.choice),
    Action.RE_EXPORT: lambda engine, wanted: re_export(engine.ledger, wanted.choice),
    Action.VOID: lambda engine, wanted: void_in_quickbooks(engine.ledger, wanted.choice),
    Action.RE_DATE: lambda engine, wanted: re_date(engine.ledger, wanted.choice),
    Action.ADOPT: lambda engine, wanted: adopt(engine, wanted.choice, wanted.target),
    Action.SEND_AGAIN: lambda engine, wanted: send_again(engine.ledger, wanted.choice),
    Action.EXPORT: lambda engine, wanted: export_early(engine.ledger, wanted.choice),
    Action.APPLY: lambda engine, wanted: apply_history(engine.ledger, wanted.choice, wanted.target),
    Action.PUSH: lambda engine, wanted: push_history(engine.ledger, wanted.choice, wanted.target),
    Action.MATCH: lambda engine, wanted: match(engine, wanted.choice, wanted.target),
    Action.BOTH_REAL: lambda engine, wanted: both_real(engine, wanted.choice, wanted.target),
    Action.NOT_FROM_ALGAPSA: lambda engine, wanted: not_from_algapsa(
        engine, wanted.choice, wanted.target
    ),
    Action.RECORD_REFUND: lambda engine, wanted: record_refund(
        engine, wanted.choice, wanted.target
    ),
    Action.LINK_CLIENT: lambda engine, wanted: link_client(engine, wanted.choice, wanted.target),
    Action.LINK_INVOICE: lambda engine, wanted: link_invoice(engine, wanted.choice, wanted.target),
}

# Where the same word means something else: drift of a payment is settled on its own link, and
# payments from before the sync are told apart by the exception that lists them.
_OF_KIND: Mapping[ExceptionKind, Mapping[Action, Callable[[SyncEngine, Resolution], str]]] = {
    ExceptionKind.PAYMENT_DRIFT: {
        Action.ACCEPT: lambda engine, wanted: (
            accept_loss(engine, wanted.choice)
            if carries_credit(engine.ledger, wanted.choice.number)
            else accept_payment(engine, wanted.choice)
        ),
        Action.RE_EXPORT: lambda engine, wanted: (
            apply_again(engine, wanted.choice)
            if carries_credit(engine.ledger, wanted.choice.number)
            else re_export_payment(engine, wanted.choice)
        ),
        Action.APPLY: lambda engine, wanted: follow_quickbooks(engine, wanted.choice),
    },
    ExceptionKind.CREDIT_USED_ELSEWHERE: {
        Action.ACCEPT: lambda engine, wanted: accept_uses(engine, wanted.choice),
    },
    ExceptionKind.CLOSED_PERIOD: {
        Action.ACCEPT: lambda engine, wanted: accept_closed(engine, wanted.choice),
    },
    ExceptionKind.HISTORY_PAYMENTS: {
        Action.MATCH: lambda engine, wanted: match_history(
            engine.ledger, wanted.choice, wanted.target
        ),
    },
}
