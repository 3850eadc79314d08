"""Re-export: staff have QuickBooks' document brought back to AlgaPSA's version, no more."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from qbo_sync_dagster.actions.cases import Choice
from qbo_sync_dagster.actions.re_exporting import re_export
from qbo_sync_dagster.sandbox.algapsa import edits, invoices
from qbo_sync_dagster.sandbox.algapsa.charges import Charge

CHANGED = "Exported invoice was changed in QuickBooks"
GONE = "Exported invoice was voided or deleted in QuickBooks"
IN_ALGAPSA = "Exported invoice was changed in AlgaPSA"
FAILING = "Scheduled accounting export keeps failing"
CLOSED = "Dated in a closed QuickBooks period"
LONG_ENOUGH = timedelta(minutes=3)


def _choose(world, title: str) -> None:
    """Staff press re-export on the open exception of this title."""
    re_export(world.engine.ledger, Choice(world.exception(title).number, "Staff"))


def _renumbered(world) -> tuple[Any, str]:
    """An exported invoice whose number a bookkeeper changed, told as drift."""
    invoice = world.exported()
    found = world.quickbooks_id(invoice)
    world.quickbooks.edit(world.company.realm, "Invoice", found, DocNumber="X-1")
    world.cycle()
    return invoice, found


def _shown(world, found: str) -> dict[str, Any]:
    return world.quickbooks.get(world.company.realm, "Invoice", found)


def _updates(world) -> int:
    counts = world.quickbooks.call_counts(world.company.realm)
    return counts["update"] + counts["create"] + counts["void"]


def _quiet(world) -> None:
    """Nothing is open or waits; an idle cycle costs one call."""
    assert world.operations() == {}
    assert world.titles() == []
    world.cycle()
    world.forget()
    world.cycle()
    assert world.metered() == 1
    assert world.titles() == []


def test_a_changed_document_is_brought_back_in_place_with_its_line_ids(world) -> None:
    invoice, found = _renumbered(world)
    lines = [line.get("Id") for line in _shown(world, found)["Line"]]
    _choose(world, CHANGED)
    assert world.titles() == [CHANGED]
    world.forget()

    assert world.cycle().outcome == "succeeded"

    shown = _shown(world, found)
    assert shown["DocNumber"] == invoice.number
    assert [line.get("Id") for line in shown["Line"]] == lines
    assert world.quickbooks.call_counts(world.company.realm)["update"] == 1
    assert world.links() == {invoice.invoice_id: found}
    _quiet(world)


def test_what_a_bookkeeper_wrote_for_the_client_stays(world) -> None:
    invoice = world.exported()
    found = world.quickbooks_id(invoice)
    changed = {"DocNumber": "X-1", "CustomerMemo": {"value": "Thank you"}, "PrivateNote": "called"}
    world.quickbooks.edit(world.company.realm, "Invoice", found, **changed)
    world.cycle()
    _choose(world, CHANGED)

    world.cycle()

    shown = _shown(world, found)
    assert shown["DocNumber"] == invoice.number
    assert shown["CustomerMemo"] == {"value": "Thank you"}
    assert shown["PrivateNote"] == "called"


def test_a_document_changed_in_algapsa_is_updated_with_its_new_lines_and_total(world) -> None:
    invoice = world.exported()
    found = world.quickbooks_id(invoice)
    charge = Charge("On-site visit", 5_000, service_id=world.service)
    world.do(edits.add_charge, invoice.invoice_id, charge)
    world.do(edits.retotal, invoice.invoice_id)
    world.cycle()
    _choose(world, IN_ALGAPSA)

    world.cycle()

    assert _shown(world, found)["TotalAmt"] == 150
    _quiet(world)


def test_a_voided_document_is_updated_in_place(world) -> None:
    invoice = world.exported()
    found = world.quickbooks_id(invoice)
    world.quickbooks.void(world.company.realm, "Invoice", found)
    world.cycle()
    _choose(world, GONE)

    world.cycle()

    shown = _shown(world, found)
    assert shown["TotalAmt"] == 100
    assert not shown.get("PrivateNote", "").startswith("Voided")
    assert world.links() == {invoice.invoice_id: found}
    _quiet(world)


def test_a_deleted_document_is_created_anew_only_because_staff_chose_it(world) -> None:
    invoice = world.exported()
    found = world.quickbooks_id(invoice)
    world.quickbooks.delete(world.company.realm, "Invoice", found)
    world.cycle()
    world.cycle()
    assert world.in_quickbooks(invoice) == []
    _choose(world, GONE)

    world.cycle()

    [again] = world.in_quickbooks(invoice)
    assert again["Id"] != found
    assert world.links() == {invoice.invoice_id: again["Id"]}
    assert world.in_ledger(
        "SELECT generation FROM links WHERE state = 'live' AND kind = 'invoice'"
    )[0] == (2,)
    _quiet(world)


def test_a_document_from_before_go_live_is_created_anew_too(world) -> None:
    invoice = world.history()
    found = world.quickbooks_id(invoice)
    world.link(("invoice", invoice.invoice_id, found))
    world.cycle()
    world.quickbooks.delete(world.company.realm, "Invoice", found)
    world.cycle()
    _choose(world, GONE)

    world.cycle()

    assert len(world.in_quickbooks(invoice)) == 1
    _quiet(world)


def test_what_staff_did_not_see_is_drift_again_and_nothing_is_sent(world) -> None:
    _, found = _renumbered(world)
    _choose(world, CHANGED)
    world.quickbooks.edit(world.company.realm, "Invoice", found, DocNumber="X-2")
    world.forget()

    world.cycle()

    assert _updates(world) == 0
    assert _shown(world, found)["DocNumber"] == "X-2"
    assert "X-2" in world.exception(CHANGED).what_happened
    assert world.operations() == {}


def test_a_payment_that_arrives_meanwhile_does_not_stop_it(world) -> None:
    invoice, found = _renumbered(world)
    _choose(world, CHANGED)
    world.quickbooks.edit(world.company.realm, "Invoice", found, PrivateNote="called them")

    world.cycle()

    assert _shown(world, found)["DocNumber"] == invoice.number


def test_a_stale_token_sends_nothing_over_the_other_change(world) -> None:
    _, found = _renumbered(world)
    _choose(world, CHANGED)
    world.quickbooks.fault("fault:5010", realm=world.company.realm, kind="update")
    world.cycle()
    assert list(world.operations().values()) == ["queued"]
    world.quickbooks.edit(world.company.realm, "Invoice", found, DocNumber="X-3")

    world.cycle()

    assert _shown(world, found)["DocNumber"] == "X-3"
    assert world.operations() == {}
    assert "X-3" in world.exception(CHANGED).what_happened


def test_a_total_below_what_is_applied_is_refused(world) -> None:
    invoice = world.exported()
    found = world.quickbooks_id(invoice)
    world.pay((invoice, "80.00"))
    world.cycle()
    [item] = world.do(edits.charge_ids, invoice.invoice_id)
    world.do(edits.reprice_charge, invoice.invoice_id, item, 5_000)
    world.cycle()
    _choose(world, IN_ALGAPSA)
    world.forget()

    world.cycle()

    assert _updates(world) == 0
    assert _shown(world, found)["TotalAmt"] == 100
    assert "80.00" in world.exception(FAILING).what_happened
    assert IN_ALGAPSA in world.titles()


@pytest.mark.parametrize("effect", ["timeout_after_commit", "timeout_before"])
def test_a_lost_answer_is_settled_from_the_object(world, effect) -> None:
    invoice, found = _renumbered(world)
    _choose(world, CHANGED)
    world.quickbooks.fault(effect, realm=world.company.realm, kind="update")
    world.cycle()
    assert list(world.operations().values()) == ["posting"]

    world.later(LONG_ENOUGH)
    world.cycle()

    assert _shown(world, found)["DocNumber"] == invoice.number
    _quiet(world)


def test_killed_between_the_send_and_its_record_nothing_is_sent_twice(world, monkeypatch) -> None:
    class KilledError(BaseException):
        pass

    def dies(*_: Any, **__: Any) -> None:
        raise KilledError

    invoice, found = _renumbered(world)
    _choose(world, CHANGED)
    with monkeypatch.context() as patch:
        patch.setattr("qbo_sync_dagster.sync.sending._record", dies)
        with pytest.raises(KilledError):
            world.cycle()
    assert _shown(world, found)["DocNumber"] == invoice.number
    token = _shown(world, found)["SyncToken"]

    world.later(LONG_ENOUGH)
    world.cycle()

    assert _shown(world, found)["SyncToken"] == token
    _quiet(world)


def test_closed_books_hold_it_at_no_attempt_cost(world) -> None:
    invoice, found = _renumbered(world)
    _choose(world, CHANGED)
    world.quickbooks.set(world.company.realm, book_close_date=world.today.isoformat())

    world.cycle()

    assert CLOSED in world.titles()
    assert _shown(world, found)["DocNumber"] == "X-1"
    assert world.in_ledger("SELECT attempt, faults FROM operations WHERE state = 'held'") == [
        (1, 0)
    ]
    world.quickbooks.set(world.company.realm, book_close_date="")
    world.cycle()
    assert _shown(world, found)["DocNumber"] == invoice.number
    _quiet(world)


def test_a_number_that_another_document_bears_is_not_taken(world) -> None:
    invoice, found = _renumbered(world)
    customer = world.company.customers[world.clients[0]]
    world.quickbooks.invoice(
        world.company.realm,
        customer,
        [(world.company.item, Decimal(5))],
        DocNumber=invoice.number,
    )
    world.cycle()
    _choose(world, CHANGED)

    world.cycle()

    assert _shown(world, found)["DocNumber"] == "X-1"
    assert "Already in QuickBooks" in world.titles()


def test_a_re_export_of_a_document_that_algapsa_voids_meanwhile_is_withdrawn(world) -> None:
    invoice, found = _renumbered(world)
    _choose(world, CHANGED)
    world.do(invoices.void_invoice, invoice.invoice_id)
    world.forget()

    world.cycle()

    assert _shown(world, found)["DocNumber"] == "X-1"
    assert world.quickbooks.call_counts(world.company.realm)["update"] == 0
