"""What must hold in a history: after every cycle, and once it has come to rest.

Belongs here: holding both books, and the ledger, against the model. Does not: what happens.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from benchmarks.year.invariants import BrokenPromiseError
from chaos.books import read_books
from chaos.history import History
from qbo_sync_dagster.ledger import audit, connections


class DuplicateError(BrokenPromiseError):
    """Something stands twice, or was created once too often."""


def check_after_cycle(history: History, cursor: datetime) -> datetime:
    """After every cycle, whatever its end: nothing twice, nothing back; the new cursor."""
    _check_nothing_twice(history)
    with history.world.stores.ledger.connect() as connection:
        now = connections.get(connection, history.world.realm).cursor
        broken = audit.first_break(connection, history.world.realm)
    if now < cursor:
        raise BrokenPromiseError(f"The cursor went back from {cursor} to {now}.")
    if broken is not None:
        raise BrokenPromiseError(f"The audit log is broken: {broken}")
    return now


def disagreements(history: History) -> list[str]:
    """Where the world is not what the model says, once nothing moves any more."""
    return [*_differences(history), *_half_done(history), *_unasked(history)]


def _check_nothing_twice(history: History) -> None:
    sides, model = history.sides(), history.expected
    # No amount comes up twice on an invoice, nor a document under one number.
    for shown in (sides.documents, sides.paid_in_quickbooks, sides.paid_in_algapsa):
        twice = [key for key, count in shown.items() if count > 1]
        if twice:
            raise DuplicateError(f"Twice in the books: {twice}")
    most = {
        "Invoice": len(model.bills),
        "CreditMemo": len(model.notes),
        "Payment": len(model.cheques) + len(model.receipts) + history.uses_ever(),
    }
    for entity, limit in most.items():
        if sides.created.get(entity, 0) > limit:
            raise DuplicateError(f"One {entity} too many was created: {sides.created[entity]}")


def _differences(history: History) -> Iterator[str]:
    sides, model = history.sides(), history.expected
    voided = {each.number for each in model.bills if each.is_void}
    documents = {key: count for key, count in sides.documents.items() if key[1] not in voided}
    pairs: list[tuple[str, Any, Any]] = [
        ("documents", documents, model.documents()),
        ("paid in QuickBooks", sides.paid_in_quickbooks, model.paid_in_quickbooks()),
        ("paid in AlgaPSA", sides.paid_in_algapsa, model.paid_in_algapsa()),
        ("credited", sides.credited, model.credited()),
    ]
    for what, shown, wanted in pairs:
        if dict(shown) != dict(wanted):
            yield f"{what}: found {dict(shown)}, wanted {dict(wanted)}"
    for key in sides.documents:
        if key[1] in voided and key[2]:
            yield f"voided, and still there: {key}"


def _half_done(history: History) -> list[str]:
    return read_books(history.world.stores, history.world.realm).half_done()


def _unasked(history: History) -> Iterator[str]:
    """Staff are asked where there is a gap, and nowhere else."""
    waiting, gaps = history.world.open(), history.expected.gaps()
    if not gaps:
        yield from (
            f"nothing is wrong, and staff are asked: {each.title}: {each.what_happened}"
            for each in waiting
        )
    elif not waiting:
        yield f"nobody is told of {[each.number for each in gaps]}"
