"""What people in QuickBooks do to an object before the engine knows what became of its write.

Belongs here: the acts. Does not: which records they meet, and what must hold afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any

from chaos.lost_records import Doubtful
from chaos.world import World
from qbo_sync_dagster.domain.operation_kinds import APPLY_CREDIT, PUSH_PAYMENT
from qbo_sync_dagster.sandbox.quickbooks.control import SandboxRefusedError

_COPIED = ("CustomerRef", "TxnDate", "DocNumber", "PrivateNote", "PaymentRefNum", "TotalAmt")
_LINE_FIELDS = ("Amount", "DetailType", "SalesItemLineDetail", "LinkedTxn")


class Fate(StrEnum):
    """What becomes of an object meanwhile."""

    KEPT = "kept"
    TOUCHED = "touched"
    REWRITTEN = "rewritten"
    VOIDED = "voided"
    DELETED = "deleted"
    COPIED = "copied"


def befall(world: World, doubtful: Doubtful, object_id: str, fate: Fate) -> Fate:
    """What people did to an object that stands; kept where QuickBooks did not let them."""
    try:
        _ACTS[fate](world, doubtful, object_id)
    except SandboxRefusedError:
        return Fate.KEPT
    return fate


def enter_by_hand(world: World, doubtful: Doubtful) -> bool:
    """Somebody enters a create that never arrived; False where QuickBooks did not let them."""
    customer = world.customer(doubtful.client)
    try:
        if doubtful.kind == PUSH_PAYMENT:
            line = (world.shown(doubtful.invoice), Decimal(doubtful.shows) / 100)
            world.quickbooks.record_payment(world.realm, customer, [line])
        elif doubtful.entity == "Customer":
            world.quickbooks.customer(world.realm, doubtful.shows)
        elif doubtful.kind == APPLY_CREDIT:
            return False
        else:
            made = {"Invoice": world.quickbooks.invoice, "CreditMemo": world.quickbooks.credit_memo}
            lines = [(world.item, Decimal(77))]
            made[doubtful.entity](world.realm, customer, lines, DocNumber=doubtful.shows)
    except SandboxRefusedError:
        return False
    return True


def _kept(world: World, doubtful: Doubtful, object_id: str) -> None:
    """Nobody does anything."""


def _touched(world: World, doubtful: Doubtful, object_id: str) -> None:
    """Saved with a remark; what was sent is still there."""
    shown = world.quickbooks.get(world.realm, doubtful.entity, object_id)
    change: dict[str, Any]
    if doubtful.entity == "Customer":
        change = {"Notes": "calls on Mondays"}
    elif doubtful.entity == "Payment":
        change = {"PrivateNote": f"{shown.get('PrivateNote', '')} see bank".strip()}
    else:
        change = {"CustomerMemo": {"value": "Thank you"}}
    world.quickbooks.edit(world.realm, doubtful.entity, object_id, **change)


def _rewritten(world: World, doubtful: Doubtful, object_id: str) -> None:
    """Nothing that was sent is left of it."""
    line = {
        "Amount": 11,
        "DetailType": "SalesItemLineDetail",
        "SalesItemLineDetail": {"ItemRef": {"value": world.item}},
    }
    change: dict[str, Any] = {"DocNumber": f"X-{object_id}", "Line": [line]}
    if doubtful.entity == "Customer":
        change = {"DisplayName": f"Renamed {object_id}"}
    elif doubtful.entity == "Payment":
        change = {"PrivateNote": "by hand", "TotalAmt": 11, "Line": []}
    world.quickbooks.edit(world.realm, doubtful.entity, object_id, **change)


def _voided(world: World, doubtful: Doubtful, object_id: str) -> None:
    if doubtful.entity in ("Invoice", "Payment"):
        world.quickbooks.void(world.realm, doubtful.entity, object_id)
    else:
        _deleted(world, doubtful, object_id)


def _deleted(world: World, doubtful: Doubtful, object_id: str) -> None:
    if doubtful.entity == "Customer":
        world.quickbooks.edit(world.realm, "Customer", object_id, Active=False)
    else:
        world.quickbooks.delete(world.realm, doubtful.entity, object_id)


def _copied(world: World, doubtful: Doubtful, object_id: str) -> None:
    """The copy that a person makes on the screen of the object: all its fields, a new id."""
    shown = world.quickbooks.get(world.realm, doubtful.entity, object_id)
    if doubtful.entity == "Customer":
        world.quickbooks.customer(world.realm, f"{shown['DisplayName']} (2)")
        return
    body = {name: shown[name] for name in _COPIED if name in shown}
    body["Line"] = [_line(each) for each in shown["Line"] if _is_own(each)]
    if doubtful.entity != "Payment":
        body.pop("TotalAmt")
    try:
        world.quickbooks.create(world.realm, doubtful.entity, body)
    except SandboxRefusedError:
        # The number is taken there, or nothing is left to pay.
        if doubtful.entity == "Payment":
            body["Line"] = []
        else:
            body["DocNumber"] = f"C-{object_id}"
        world.quickbooks.create(world.realm, doubtful.entity, body)


def _is_own(line: Mapping[str, Any]) -> bool:
    return line.get("DetailType") in (None, "SalesItemLineDetail")


def _line(line: Mapping[str, Any]) -> dict[str, Any]:
    return {name: line[name] for name in _LINE_FIELDS if name in line}


_ACTS: Mapping[Fate, Callable[[World, Doubtful, str], None]] = {
    Fate.KEPT: _kept,
    Fate.TOUCHED: _touched,
    Fate.REWRITTEN: _rewritten,
    Fate.VOIDED: _voided,
    Fate.DELETED: _deleted,
    Fate.COPIED: _copied,
}
