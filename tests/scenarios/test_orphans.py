"""Orphans: what was sent and cannot be told from the rest, settled by people, never made twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.sandbox.algapsa import payments
from tests.scenarios.conftest import World
from tests.scenarios.credit_steps import (
    apply,
    balance,
    linking,
    note,
    settle,
    settled,
    take_back,
)

ORPHAN = "Sent to QuickBooks, but its arrival can't be confirmed"
SAME = "Same payment on both sides?"
DRIFT = "Applied payment was changed outside the sync"
TOO_LATE = timedelta(hours=13)
LONG_ENOUGH = timedelta(minutes=3)


def _objects(world: World, entity: str) -> list[dict[str, Any]]:
    return world.quickbooks.list(world.company.realm, entity)


def _lose(world: World, effect: str, entity: str) -> None:
    """One cycle in which the answer to a create is lost."""
    world.quickbooks.fault(effect, realm=world.company.realm, kind="create", entity=entity)
    world.cycle()
    assert "posting" in world.operations().values()


def _sent_in_vain(world: World, entity: str, effect: str = "drop_before") -> None:
    """What was sent is in doubt for longer than QuickBooks remembers a request."""
    world.quickbooks.set(world.company.realm, requestid_retention_seconds=60)
    _lose(world, effect, entity)
    world.later(TOO_LATE)
    world.cycle()
    assert world.titles() == [ORPHAN]


def _an_invoice(world: World) -> str:
    world.invoice(8_000)
    return "Invoice"


def _a_credit_note(world: World) -> str:
    note(world)
    return "CreditMemo"


def _a_payment(world: World) -> str:
    world.record_in_algapsa(world.exported(10_000), 4_000)
    return "Payment"


def _an_application(world: World) -> str:
    invoice = world.exported(10_000)
    note(world)
    world.cycle()
    apply(world, invoice)
    return "Payment"


KINDS = pytest.mark.parametrize("made", [_an_invoice, _a_credit_note, _a_payment, _an_application])


@KINDS
def test_what_never_arrived_is_sent_again_once_when_staff_say_so(
    world: World, made: Callable[[World], str]
) -> None:
    entity = made(world)
    _sent_in_vain(world, entity)
    world.cycle()
    assert _objects(world, entity) == []

    settle(world, ORPHAN, Action.SEND_AGAIN)
    world.cycle()

    assert len(_objects(world, entity)) == 1
    assert world.titles() == []
    settled(world)


@KINDS
def test_dismissed_it_is_not_sent_by_itself(world: World, made: Callable[[World], str]) -> None:
    entity = made(world)
    _sent_in_vain(world, entity)

    settle(world, ORPHAN, Action.DISMISS)
    for _ in range(2):
        assert world.cycle().outcome == "succeeded"

    assert _objects(world, entity) == []
    assert world.titles() == []


def test_a_dismissed_payment_is_not_sent_once_a_part_of_it_is_taken_back(world: World) -> None:
    invoice = world.exported(10_000)
    own = world.record_in_algapsa(invoice, 4_000)
    _sent_in_vain(world, "Payment")
    settle(world, ORPHAN, Action.DISMISS)
    world.cycle()

    world.do(payments.reverse_payment, own, 1_000)
    world.cycle()

    assert _objects(world, "Payment") == []
    assert world.operations() == {}


def test_both_real_of_a_payment_beside_it_leaves_the_push_in_doubt(world: World) -> None:
    invoice = world.exported(10_000)
    world.record_in_algapsa(invoice, 4_000)
    _lose(world, "drop_before", "Payment")
    world.pay((invoice, "40.00"))
    world.later(LONG_ENOUGH)
    world.cycle()
    assert world.titles() == sorted([ORPHAN, SAME])

    settle(world, SAME, Action.BOTH_REAL)
    for _ in range(2):
        assert world.cycle().outcome == "succeeded"

    assert world.rows(invoice) == [4_000, 4_000]
    assert world.titles() == [ORPHAN]
    settle(world, ORPHAN, Action.SEND_AGAIN)
    world.cycle()
    assert len(_objects(world, "Payment")) == 2
    assert world.titles() == []
    settled(world)


def test_a_payment_that_algapsa_has_entered_is_not_adopted_as_the_push(world: World) -> None:
    invoice = world.exported(10_000)
    world.record_in_algapsa(invoice, 4_000)
    _lose(world, "drop_before", "Payment")
    payment = world.pay((invoice, "40.00"))
    world.later(LONG_ENOUGH)
    world.cycle()
    settle(world, SAME, Action.BOTH_REAL)
    world.cycle()
    assert world.rows(invoice) == [4_000, 4_000]

    with pytest.raises(ActionRefusedError, match="entered in AlgaPSA as another payment"):
        settle(world, ORPHAN, Action.ADOPT, payment)

    assert world.links("payment") == {}
    assert world.titles() == [ORPHAN]


def _number(world: World, entity: str) -> dict[str, object]:
    """What a bookkeeper does to our object so that nothing tells it from theirs."""
    if entity == "Payment":
        return {"PrivateNote": "by hand"}
    return {"DocNumber": "X-7", "TxnDate": (world.today - timedelta(days=1)).isoformat()}


@pytest.mark.parametrize("made", [_an_invoice, _a_credit_note, _a_payment])
def test_what_was_changed_beyond_recognition_is_adopted_and_not_made_again(
    world: World, made: Callable[[World], str]
) -> None:
    entity = made(world)
    _lose(world, "timeout_after_commit", entity)
    [found] = _objects(world, entity)
    world.quickbooks.edit(world.company.realm, entity, found["Id"], **_number(world, entity))
    world.later(LONG_ENOUGH)
    world.cycle()
    assert ORPHAN in world.titles()

    told = settle(world, ORPHAN, Action.ADOPT, found["Id"])
    world.cycle()

    assert found["Id"] in told
    assert len(_objects(world, entity)) == 1
    assert ORPHAN not in world.titles()
    settled(world)


@pytest.mark.parametrize("made", [_an_invoice, _a_credit_note, _a_payment])
def test_sent_again_although_it_is_there_stays_one_where_anything_tells_it(
    world: World, made: Callable[[World], str]
) -> None:
    entity = made(world)
    _lose(world, "timeout_after_commit", entity)
    [found] = _objects(world, entity)
    before = _number(world, entity)
    restored = {name: found.get(name) for name in before}
    world.quickbooks.edit(world.company.realm, entity, found["Id"], **before)
    world.later(LONG_ENOUGH)
    world.cycle()
    world.quickbooks.edit(world.company.realm, entity, found["Id"], **restored)

    settle(world, ORPHAN, Action.SEND_AGAIN)
    world.cycle()

    assert [each["Id"] for each in _objects(world, entity)] == [found["Id"]]
    assert ORPHAN not in world.titles()
    settled(world)


def test_an_application_whose_payment_was_deleted_before_it_was_seen_is_sent_again(
    world: World,
) -> None:
    invoice = world.exported(10_000)
    note(world)
    world.cycle()
    apply(world, invoice)
    _lose(world, "timeout_after_commit", "Payment")
    [made] = linking(world)
    world.quickbooks.delete(world.company.realm, "Payment", made["Id"])
    world.later(LONG_ENOUGH)
    world.cycle()
    assert world.titles() == [ORPHAN]
    assert linking(world) == []

    settle(world, ORPHAN, Action.SEND_AGAIN)
    world.cycle()

    assert balance(world, invoice) == Decimal(70)
    assert world.titles() == []
    settled(world)


@pytest.fixture
def doubtful(world: World) -> tuple[World, Any, str]:
    """An application that staff must place, and a payment that they applied by hand meanwhile."""
    invoice = world.exported(10_000)
    note(world)
    world.cycle()
    apply(world, invoice)
    _lose(world, "timeout_after_commit", "Payment")
    [lost] = linking(world)
    world.quickbooks.delete(world.company.realm, "Payment", lost["Id"])
    world.later(LONG_ENOUGH)
    world.cycle()
    [memo] = _objects(world, "CreditMemo")
    made = world.quickbooks.apply_credit(
        world.company.realm,
        world.company.customers[world.clients[0]],
        world.quickbooks_id(invoice),
        memo["Id"],
        Decimal(30),
    )
    world.cycle()
    return world, invoice, str(made["Id"])


def test_an_application_is_adopted_and_leaves_quickbooks_when_algapsa_takes_it_back(
    doubtful,
) -> None:
    world, invoice, payment = doubtful

    settle(world, ORPHAN, Action.ADOPT, payment)
    world.cycle()

    assert list(world.links("credit_application").values()) == [payment]
    assert world.titles() == []
    settled(world)
    take_back(world, invoice)
    world.cycle()
    assert linking(world) == []
    assert balance(world, invoice) == Decimal(100)
    assert world.titles() == []


def test_an_application_applied_by_hand_meanwhile_is_not_sent_on_top(doubtful) -> None:
    world, invoice, payment = doubtful

    settle(world, ORPHAN, Action.SEND_AGAIN)
    world.cycle()

    assert [each["Id"] for each in linking(world)] == [payment]
    assert balance(world, invoice) == Decimal(70)
    assert world.titles() == []
    settled(world)


@pytest.mark.parametrize("marker_stays", [True, False])
def test_an_application_that_was_lowered_before_it_was_seen_is_not_sent_on_top(
    world: World, marker_stays: bool
) -> None:
    invoice = world.exported(10_000)
    note(world, 6_000)
    world.cycle()
    apply(world, invoice, 3_000)
    world.quickbooks.set(world.company.realm, requestid_retention_seconds=60)
    _lose(world, "timeout_after_commit", "Payment")
    [made] = linking(world)
    lines = [{**line, "Amount": Decimal(20)} for line in made["Line"]]
    private = made["PrivateNote"] if marker_stays else "by hand"
    realm = world.company.realm
    world.quickbooks.edit(realm, "Payment", made["Id"], Line=lines, PrivateNote=private)
    world.later(LONG_ENOUGH)

    world.cycle()
    world.cycle()

    assert balance(world, invoice) == Decimal(80)
    assert len(linking(world)) == 1
    assert world.titles() == ([DRIFT] if marker_stays else [STILL_OPEN, ORPHAN])


STILL_OPEN = "QuickBooks applied a credit note that AlgaPSA still shows open"


@KINDS
@pytest.mark.parametrize("named", ["nothing", "deleted", "other customer", "linked"])
def test_a_wrong_object_is_refused_in_a_sentence_and_nothing_changes(
    world: World, made: Callable[[World], str], named: str
) -> None:
    entity = made(world)
    _sent_in_vain(world, entity)
    wrong = _wrong(world, entity, named)
    world.cycle()
    before, links = world.operations(), world.in_ledger("SELECT count(*) FROM links")

    with pytest.raises(ActionRefusedError) as refused:
        settle(world, ORPHAN, Action.ADOPT, wrong)

    assert wrong in str(refused.value)
    assert world.operations() == before
    assert world.in_ledger("SELECT count(*) FROM links") == links
    assert ORPHAN in world.titles()


def _wrong(world: World, entity: str, named: str) -> str:
    """The id of an object that is not the one in doubt."""
    if named == "nothing":
        return "99999"
    realm, item = world.company.realm, world.company.item
    customer = world.company.customers[world.clients[1 if named == "other customer" else 0]]
    if entity == "Payment":
        body = {"CustomerRef": {"value": customer}, "TotalAmt": 40}
        wrong = world.quickbooks.create(realm, "Payment", body)
    else:
        create = {"Invoice": world.quickbooks.invoice, "CreditMemo": world.quickbooks.credit_memo}
        wrong = create[entity](realm, customer, [(item, Decimal(80))], DocNumber="X-9")
    if named == "deleted":
        world.cycle()
        world.quickbooks.delete(realm, entity, wrong["Id"])
    if named == "linked":
        world.in_ledger(
            "INSERT INTO links (realm, kind, algapsa_id, quickbooks_id, origin)"
            " VALUES (:realm, :kind, 'another', :id, 'exported')",
            realm=realm,
            kind={"Invoice": "invoice", "CreditMemo": "credit_memo", "Payment": "payment"}[entity],
            id=wrong["Id"],
        )
    return str(wrong["Id"])
