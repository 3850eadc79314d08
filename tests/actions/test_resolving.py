"""What staff decide about an exception: refused where it makes no sense, kept with who and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from qbo_sync_dagster.actions import cases, dismissing
from qbo_sync_dagster.actions.cases import Choice
from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.actions.resolving import Resolution, resolve
from qbo_sync_dagster.domain.catalogue import CATALOGUE, Action, ExceptionKind
from qbo_sync_dagster.domain.document_view import DELETED, DocumentView, LineView, differences
from qbo_sync_dagster.domain.drift import drift_exception
from qbo_sync_dagster.domain.exception_record import ExceptionRecord, RecordReference
from qbo_sync_dagster.ledger import (
    connections,
    cycles,
    decisions,
    exceptions,
    inbox,
    links,
    operations,
)
from qbo_sync_dagster.ledger.exceptions import StoredException
from qbo_sync_dagster.ledger.links import Link
from tests.actions.conftest import REALM, Office

INVOICE = "3f2b8c1e-0d4a-4c57-9a68-1b2c3d4e5f60"
RECORD = f"invoice:{INVOICE}"
AGREED = DocumentView(
    state="live",
    number="INV-7",
    customer_id="12",
    currency="USD",
    date="2026-11-02",
    due_date="2026-12-02",
    total_minor=10_000,
    tax_minor=0,
    lines=(LineView("5", "1", 10_000, "", "NON"),),
)
RAISED = replace(AGREED, total_minor=12_500, lines=(LineView("5", "1", 12_500, "", "NON"),))


@dataclass
class Desk:
    """An accountant's desk in one company of an office."""

    office: Office

    def ledger(self, call: Callable[..., Any], *args: Any, **options: Any) -> Any:
        with self.office.engine.ledger.begin() as connection:
            return call(connection, *args, **options)

    def raises(self, kind: ExceptionKind, record: str = RECORD, **told: Any) -> int:
        """Open an exception; returns its number."""
        raised = ExceptionRecord(kind, record, "It happened.", **told)
        self.ledger(exceptions.raise_all, REALM, [raised])
        [found] = [each for each in self.open() if each.kind == kind and each.record == record]
        return found.number

    def drifts(self, agreed: DocumentView = AGREED, shown: DocumentView = RAISED) -> int:
        """A linked invoice that QuickBooks shows differently; the number of its exception."""
        new = links.NewLink(
            *("invoice", INVOICE, "145", "exported"),
            snapshot=agreed.as_json(),
            shown=shown.as_json(),
            fingerprint="as exported",
        )
        self.ledger(links.add, REALM, [new])
        raised = drift_exception(INVOICE, "145", agreed, shown, differences(agreed, shown))
        self.ledger(exceptions.raise_all, REALM, [raised])
        [found] = [each for each in self.open() if each.kind == raised.kind]
        return found.number

    def queues(self, kind: str, state: str = "queued", **options: Any) -> int:
        """An operation on the invoice in a state; its id."""
        self.ledger(operations.queue, REALM, [operations.NewOperation(kind, INVOICE, "Invoice 7")])
        [made] = self.ledger(operations.of_record, REALM, kind, INVOICE)
        self.ledger(operations.change, [made.operation_id], state, **options)
        return int(made.operation_id)

    def operation(self, kind: str) -> operations.Operation | None:
        """The open operation of a kind on the invoice."""
        found = self.ledger(operations.of_record, REALM, kind, INVOICE)
        return found[0] if found else None

    def act(self, action: Action, number: int, target: str = "", reason: str = "as agreed") -> str:
        choice = Choice(number, "Avery", reason)
        return resolve(self.office.engine, Resolution(action, choice, target))

    def refuses(self, action: Action, number: int, **options: str) -> str:
        with pytest.raises(ActionRefusedError) as refused:
            self.act(action, number, **options)
        return str(refused.value)

    def open(self) -> list[StoredException]:
        return list(self.ledger(exceptions.listed, REALM))

    def exception(self, number: int) -> StoredException:
        found = self.ledger(exceptions.get, number)
        assert isinstance(found, StoredException)
        return found

    def link(self, state: str = "live") -> Link:
        [row] = self.ledger(
            lambda c: c.execute(links.links.select().where(links.links.c.algapsa_id == INVOICE))
        )
        assert row.state == state
        return Link(*[getattr(row, name) for name in Link.__slots__])

    def asked_for_a_cycle(self) -> bool:
        return REALM in self.ledger(cycles.open_requests)


@pytest.fixture
def desk(office: Office) -> Desk:
    office.connect()
    return Desk(office)


def test_an_exception_that_is_not_there_is_refused(desk: Desk) -> None:
    assert "There is no exception 999" in desk.refuses(Action.RETRY, 999)


def test_a_closed_exception_is_refused_with_who_closed_it(desk: Desk) -> None:
    number = desk.raises(ExceptionKind.ALREADY_SETTLED, "payment:9")
    desk.act(Action.DISMISS, number)

    assert "was dismissed already by Avery" in desk.refuses(Action.RETRY, number)


def test_an_action_that_the_kind_does_not_allow_is_refused_and_changes_nothing(desk: Desk) -> None:
    for kind in ExceptionKind:
        number = desk.raises(kind, title_values={"days": "7"})
        for action in set(Action) - set(CATALOGUE[kind].actions):
            told = desk.refuses(action, number, target="1")
            assert f"which {action} does not settle" in told
            assert str(CATALOGUE[kind].actions[0]) in told
        assert desk.exception(number).state == "open"

    assert not desk.asked_for_a_cycle()


@pytest.mark.parametrize("action", [Action.DISMISS, Action.ACCEPT])
def test_what_lets_a_difference_stand_needs_a_reason(desk: Desk, action: Action) -> None:
    number = desk.drifts()

    assert "needs a reason" in desk.refuses(action, number, reason=" ")


def test_who_why_and_how_stay_with_a_closed_exception_and_in_the_audit_log(desk: Desk) -> None:
    number = desk.raises(ExceptionKind.PAYABLE_ONLINE)
    desk.act(Action.DISMISS, number, reason="The link is for a deposit.")

    closed = desk.exception(number)
    assert (closed.state, closed.closed_by) == ("dismissed", "Avery")
    assert closed.close_reason == "dismissed: The link is for a deposit."
    assert closed.closed_at is not None
    [effect] = [row for row in desk.office.audited() if row[0] == "dismiss"]
    assert effect[1] == RECORD
    assert effect[3]["by"] == "Avery"  # type: ignore[index]
    assert desk.asked_for_a_cycle()


def test_a_dismissed_export_neither_waits_nor_is_raised_again_for_that_version(desk: Desk) -> None:
    desk.queues("export_invoice", "errored", reason_code="6000")
    number = desk.raises(ExceptionKind.EXPORT_FAILING, version="as it is")
    desk.act(Action.DISMISS, number)

    assert desk.operation("export_invoice") is None
    assert desk.ledger(operations.counts, REALM)["errored"] == 0
    again = ExceptionRecord(ExceptionKind.EXPORT_FAILING, RECORD, "Again.", version="as it is")
    assert desk.ledger(exceptions.raise_all, REALM, [again]) == 0
    changed = replace(again, version="changed")
    assert desk.ledger(exceptions.raise_all, REALM, [changed]) == 1


def test_a_dismissal_leaves_alone_what_is_being_sent(desk: Desk) -> None:
    desk.queues("export_invoice", "posting")
    desk.act(Action.DISMISS, desk.raises(ExceptionKind.EXPORT_FAILING))

    operation = desk.operation("export_invoice")
    assert operation is not None
    assert operation.state == "posting"


@pytest.mark.parametrize(
    ("action", "kind"), [(Action.RE_EXPORT, "update_document"), (Action.VOID, "void_document")]
)
def test_a_dismissed_change_withdraws_what_was_chosen_for_it_before(
    desk: Desk, action: Action, kind: str
) -> None:
    desk.drifts()
    number = desk.raises(ExceptionKind.CHANGED_IN_ALGAPSA)
    desk.act(action, number)
    assert desk.operation(kind)

    told = desk.act(Action.DISMISS, number)

    assert desk.operation(kind) is None
    assert "Nothing of it is sent any more" in told


def test_dismissed_drift_withdraws_its_re_export_and_leaves_a_refused_one_told(desk: Desk) -> None:
    number = desk.drifts()
    desk.act(Action.RE_EXPORT, number)
    desk.act(Action.DISMISS, number)
    assert desk.operation("update_document") is None

    desk.queues("update_document", "errored")
    desk.act(Action.DISMISS, desk.raises(ExceptionKind.DRIFT_CHANGED, version="another"))

    assert desk.operation("update_document")


def test_what_was_withdrawn_is_not_revived_by_a_cycle_that_read_it_before(desk: Desk) -> None:
    operation = desk.queues("export_invoice")
    desk.act(Action.DISMISS, desk.raises(ExceptionKind.EXPORT_FAILING))
    desk.ledger(operations.change, [operation], "errored", reason="refused")

    assert desk.operation("export_invoice") is None


@pytest.mark.parametrize("state", ["errored", "held"])
def test_a_retry_queues_what_failed_and_leaves_the_exception_open(desk: Desk, state: str) -> None:
    desk.queues("export_invoice", state, more_faults=5, reason_code="6000")
    number = desk.raises(ExceptionKind.EXPORT_FAILING)
    desk.act(Action.RETRY, number)

    operation = desk.operation("export_invoice")
    assert operation is not None
    assert (operation.state, operation.faults) == ("queued", 0)
    assert desk.exception(number).state == "open"
    assert desk.asked_for_a_cycle()


def test_a_retry_never_sends_an_orphan_again(desk: Desk) -> None:
    desk.queues("export_invoice", "held", reason_code="orphan")
    desk.act(Action.RETRY, desk.raises(ExceptionKind.EXPORT_FAILING))

    operation = desk.operation("export_invoice")
    assert operation is not None
    assert operation.state == "held"


def test_accepted_drift_becomes_what_both_agreed_on_and_keeps_the_difference(desk: Desk) -> None:
    number = desk.drifts()
    told = desk.act(Action.ACCEPT, number)

    link = desk.link()
    assert link.snapshot == RAISED.as_json()
    assert (link.difference_minor, link.accepted_minor, link.drift) == (2_500, 2_500, None)
    [decision] = desk.ledger(decisions.of_kind, REALM, "accepted", [RECORD])
    assert (decision.amount_minor, decision.reason) == (2_500, "as agreed")
    assert desk.exception(number).state == "resolved"
    assert "25.00 more than AlgaPSA" in told


def test_accepting_drift_adds_to_a_difference_that_stood_before(desk: Desk) -> None:
    number = desk.drifts(replace(AGREED, total_minor=10_003))
    desk.ledger(links.update, desk.link().link_id, difference_minor=3, accepted_minor=3)
    desk.act(Action.ACCEPT, number)

    assert desk.link().accepted_minor == 2_500


def test_drift_that_moved_on_since_it_was_shown_is_not_accepted(desk: Desk) -> None:
    number = desk.drifts()
    moved = replace(RAISED, total_minor=99_900)
    desk.ledger(links.update, desk.link().link_id, shown=moved.as_json())

    assert "changed again" in desk.refuses(Action.ACCEPT, number)
    assert desk.link().snapshot == AGREED.as_json()


def test_an_accepted_deletion_keeps_its_link_for_good(desk: Desk) -> None:
    number = desk.drifts(shown=AGREED.gone(DELETED))
    told = desk.act(Action.ACCEPT, number)

    link = desk.link("accepted")
    assert (link.difference_minor, link.accepted_minor) == (-10_000, -10_000)
    assert "never exported again" in told


def test_accepting_withdraws_a_re_export_that_was_filed_before(desk: Desk) -> None:
    number = desk.drifts()
    desk.act(Action.RE_EXPORT, number)
    desk.act(Action.ACCEPT, number)

    assert desk.operation("update_document") is None


def test_nothing_is_accepted_while_it_is_being_sent(desk: Desk) -> None:
    number = desk.drifts()
    desk.queues("update_document", "posting")

    assert "being sent" in desk.refuses(Action.ACCEPT, number)
    assert desk.exception(number).state == "open"


def test_an_accepted_total_lets_the_payments_go(desk: Desk) -> None:
    new = links.NewLink(
        *("invoice", INVOICE, "145", "exported"),
        snapshot=RAISED.as_json(),
        fingerprint="as exported",
        difference_minor=2_500,
    )
    desk.ledger(links.add, REALM, [new])
    number = desk.raises(ExceptionKind.TOTAL_DIFFERENCE, version="12500")
    desk.act(Action.ACCEPT, number)

    assert desk.link().accepted_minor == 2_500
    assert desk.ledger(links.with_open_difference, REALM) == []


def test_a_change_in_algapsa_may_stay_there_alone(desk: Desk) -> None:
    desk.drifts()
    desk.ledger(links.update, desk.link().link_id, shown=AGREED.as_json())
    number = desk.raises(
        ExceptionKind.CHANGED_IN_ALGAPSA,
        version="as it is now",
        amounts={"AlgaPSA total": 9_000, "QuickBooks total": 10_000},
    )
    desk.act(Action.ACCEPT, number)

    link = desk.link()
    assert (link.fingerprint, link.accepted_minor) == ("as it is now", 1_000)


def test_a_re_export_files_what_staff_saw_and_waits_for_the_result(desk: Desk) -> None:
    number = desk.drifts()
    told = desk.act(Action.RE_EXPORT, number)

    operation = desk.operation("update_document")
    assert operation is not None
    assert operation.detail["shown"] == RAISED.as_json()
    assert desk.exception(number).state == "open"
    assert "Exception" in told
    assert desk.asked_for_a_cycle()


def test_a_second_re_export_takes_the_place_of_one_that_failed(desk: Desk) -> None:
    number = desk.drifts()
    desk.act(Action.RE_EXPORT, number)
    failed = desk.operation("update_document")
    assert failed is not None
    desk.ledger(operations.change, [failed.operation_id], "errored")
    desk.act(Action.RE_EXPORT, number)

    operation = desk.operation("update_document")
    assert operation is not None
    assert operation.state == "queued"
    assert operation.operation_id != failed.operation_id


def test_a_void_is_filed_in_place_of_a_re_export(desk: Desk) -> None:
    desk.drifts()
    number = desk.raises(ExceptionKind.CHANGED_IN_ALGAPSA)
    desk.act(Action.RE_EXPORT, number)
    desk.act(Action.VOID, number)

    assert desk.operation("update_document") is None
    assert desk.operation("void_document") is not None


def test_closed_books_are_gone_round_by_the_first_open_day(desk: Desk) -> None:
    desk.queues("export_invoice", "held", reason_code="closed period")
    desk.ledger(connections.update, REALM, preferences={"closing_date": "2026-10-31"})
    number = desk.raises(ExceptionKind.CLOSED_PERIOD)
    told = desk.act(Action.RE_DATE, number)

    operation = desk.operation("export_invoice")
    assert operation is not None
    assert (operation.state, operation.detail["date"]) == ("queued", "2026-11-01")
    [decision] = desk.ledger(decisions.of_kind, REALM, "re_dated", [RECORD])
    assert decision.detail["to"] == date(2026, 11, 1).isoformat()
    assert desk.exception(number).close_reason == "dated 2026-11-01: as agreed"
    assert "2026-11-01" in told


def test_a_void_in_closed_books_is_not_re_dated_but_may_be_given_up(desk: Desk) -> None:
    desk.drifts()
    desk.queues("void_document", "held", reason_code="closed period")
    number = desk.raises(ExceptionKind.CLOSED_PERIOD)

    assert "Only what is to be created" in desk.refuses(Action.RE_DATE, number)


def _orphan(desk: Desk, *candidates: str) -> int:
    desk.queues("export_invoice", "held", reason_code="orphan")
    found = tuple(
        RecordReference("quickbooks", "Invoice", each, "Invoice found") for each in candidates
    )
    for each in (*candidates, "146"):
        desk.ledger(inbox.receive, REALM, [_shown(each)])
    return desk.raises(ExceptionKind.ORPHAN, references=found)


def _shown(object_id: str) -> inbox.Delivered:
    """An invoice as a poll brought it."""
    payload = {
        "Id": object_id,
        "SyncToken": "0",
        "TxnDate": "2026-11-02",
        "TotalAmt": 100,
        "Balance": 100,
        "CustomerRef": {"value": "12"},
        "Line": [],
    }
    return inbox.Delivered("Invoice", object_id, 0, deleted=False, updated_at=None, payload=payload)


def test_the_only_candidate_of_an_orphan_is_adopted_without_naming_it(desk: Desk) -> None:
    number = _orphan(desk, "145")
    desk.act(Action.ADOPT, number)

    link = desk.link()
    assert (link.quickbooks_id, link.origin, link.snapshot) == ("145", "adopted", None)
    assert desk.operation("export_invoice") is None
    assert desk.exception(number).close_reason == "adopted QuickBooks object 145: as agreed"


@pytest.mark.parametrize("candidates", [(), ("145", "146")])
def test_an_orphan_without_one_candidate_needs_its_object_named(
    desk: Desk, candidates: tuple[str, ...]
) -> None:
    number = _orphan(desk, *candidates)

    assert "Say which QuickBooks object is meant" in desk.refuses(Action.ADOPT, number)
    desk.act(Action.ADOPT, number, target="146")
    assert desk.link().quickbooks_id == "146"


def test_an_object_that_is_linked_already_is_not_adopted(desk: Desk) -> None:
    other = links.NewLink("invoice", "another invoice", "145", "exported")
    desk.ledger(links.add, REALM, [other])
    number = _orphan(desk, "145")

    assert "linked already" in desk.refuses(Action.ADOPT, number)
    operation = desk.operation("export_invoice")
    assert operation is not None
    assert operation.state == "held"


def test_an_orphan_that_is_not_there_is_sent_again_under_another_id(desk: Desk) -> None:
    number = _orphan(desk)
    before = desk.operation("export_invoice")
    desk.act(Action.SEND_AGAIN, number)

    operation = desk.operation("export_invoice")
    assert operation is not None
    assert before is not None
    assert (operation.state, operation.reason_code) == ("queued", None)
    assert operation.attempt == before.attempt + 1
    assert desk.exception(number).state == "resolved"


def test_a_client_is_linked_from_its_invoices_exception(desk: Desk) -> None:
    msp = desk.office.msp
    number = desk.raises(
        ExceptionKind.EXPORT_NOT_READY,
        f"invoice:{msp.invoices[0]}",
        references=(RecordReference("algapsa", "invoice", msp.invoices[0], "Invoice 1"),),
    )
    desk.act(Action.LINK_CLIENT, number, target="58")

    assert desk.ledger(links.ids, REALM, "client") == {msp.clients[0]: "58"}
    assert desk.exception(number).state == "open"
    assert desk.asked_for_a_cycle()


def test_a_client_whose_customer_is_gone_is_linked_to_another_one(desk: Desk) -> None:
    client = desk.office.msp.clients[0]
    desk.ledger(links.add, REALM, [links.NewLink("client", client, "57", "imported")])
    number = desk.raises(ExceptionKind.CUSTOMER_UNAVAILABLE, f"client:{client}")
    desk.act(Action.LINK_CLIENT, number, target="58")

    assert desk.ledger(links.ids, REALM, "client") == {client: "58"}


def test_the_number_that_is_taken_is_linked_without_naming_it_again(desk: Desk) -> None:
    invoice = desk.office.msp.invoices[0]
    number = desk.raises(
        ExceptionKind.ALREADY_IN_QUICKBOOKS,
        f"invoice:{invoice}",
        references=(
            RecordReference("algapsa", "invoice", invoice, "Invoice 1"),
            RecordReference("quickbooks", "Invoice", "145", "Invoice 1"),
        ),
    )
    desk.act(Action.LINK_INVOICE, number)

    assert desk.ledger(links.ids, REALM, "invoice") == {invoice: "145"}


def test_a_company_is_not_reconnected_by_a_form_that_would_store_its_token(desk: Desk) -> None:
    number = desk.raises(ExceptionKind.CONNECTION_FAILED, f"connection:{REALM}")

    assert "qbo-sync connections reconnect" in desk.refuses(Action.RECONNECT, number)


def test_a_reason_has_an_end(desk: Desk) -> None:
    number = desk.raises(ExceptionKind.PAYABLE_ONLINE)

    assert "longer than 500" in desk.refuses(Action.DISMISS, number, reason="x" * 501)


def test_whoever_gives_no_name_is_kept_as_somebody(desk: Desk) -> None:
    number = desk.raises(ExceptionKind.PAYABLE_ONLINE)
    choice = Choice(number, "  ", "as agreed")
    resolve(desk.office.engine, Resolution(Action.DISMISS, choice))

    assert desk.exception(number).closed_by == "somebody"


def test_what_a_cycle_closes_at_that_moment_is_not_settled_a_second_time(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = desk.raises(ExceptionKind.PAYABLE_ONLINE)

    def close_first(*_: object) -> bool:
        return bool(desk.ledger(exceptions.close, number, "resolved", "sync", "gone"))

    monkeypatch.setattr(dismissing, "_withdraw", close_first)

    assert "closed at this moment" in desk.refuses(Action.DISMISS, number)
    assert desk.exception(number).closed_by == "sync"
    assert "dismiss" not in [row[0] for row in desk.office.audited()]


def test_an_action_gives_way_to_a_cycle_that_holds_the_record(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases, "_LONGEST_WAIT_SECONDS", 1.0)
    desk.queues("export_invoice", "errored")
    number = desk.raises(ExceptionKind.EXPORT_FAILING)
    with desk.office.engine.ledger.connect() as cycle:
        cycle.execute(sa.text("SET LOCAL idle_in_transaction_session_timeout = '20s'"))
        cycle.execute(sa.text("SELECT FROM operations FOR UPDATE"))

        assert "A cycle works on this record" in desk.refuses(Action.RETRY, number)


def test_a_total_that_moved_since_it_was_shown_is_not_accepted(desk: Desk) -> None:
    new = links.NewLink(
        *("invoice", INVOICE, "145", "exported"), snapshot=RAISED.as_json(), difference_minor=2_500
    )
    desk.ledger(links.add, REALM, [new])
    number = desk.raises(ExceptionKind.TOTAL_DIFFERENCE, version="11000")

    assert "changed again" in desk.refuses(Action.ACCEPT, number)
    assert desk.link().accepted_minor == 0


def test_a_loss_that_moved_since_it_was_shown_is_not_accepted(desk: Desk) -> None:
    number = desk.drifts(shown=AGREED.gone(DELETED))
    desk.ledger(links.update, desk.link().link_id, shown=RAISED.as_json())

    assert "changed again" in desk.refuses(Action.ACCEPT, number)
    desk.link("live")


def test_accepted_drift_takes_the_total_difference_along(desk: Desk) -> None:
    number = desk.drifts()
    other = desk.raises(ExceptionKind.TOTAL_DIFFERENCE)
    desk.act(Action.ACCEPT, number)

    closed = desk.exception(other)
    assert (closed.state, closed.closed_by) == ("resolved", "Avery")
    assert closed.close_reason == f"accepted with exception {number}"


def test_an_export_in_closed_books_is_not_accepted(desk: Desk) -> None:
    desk.drifts()
    desk.queues("export_invoice", "held", reason_code="closed period")
    number = desk.raises(ExceptionKind.CLOSED_PERIOD)

    assert "Only what is to be voided" in desk.refuses(Action.ACCEPT, number)
    desk.link("live")


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        (ExceptionKind.DRIFT_CHANGED, Action.ACCEPT),
        (ExceptionKind.DRIFT_CHANGED, Action.RE_EXPORT),
        (ExceptionKind.DELETED_IN_ALGAPSA, Action.VOID),
    ],
)
def test_what_is_no_longer_linked_is_refused_in_a_sentence(
    desk: Desk, kind: ExceptionKind, action: Action
) -> None:
    assert "no longer linked" in desk.refuses(action, desk.raises(kind))


@pytest.mark.parametrize("action", [Action.RE_EXPORT, Action.VOID])
def test_nothing_is_filed_for_a_document_that_is_being_sent(desk: Desk, action: Action) -> None:
    desk.drifts()
    desk.queues("update_document", "posting")
    number = desk.raises(ExceptionKind.CHANGED_IN_ALGAPSA)

    assert "being sent" in desk.refuses(action, number)
    assert desk.operation("void_document") is None


def test_only_what_is_an_orphan_is_adopted_or_sent_again(desk: Desk) -> None:
    desk.queues("export_invoice", "held", reason_code="closed period")
    number = desk.raises(ExceptionKind.ORPHAN)

    assert "settled by now" in desk.refuses(Action.SEND_AGAIN, number)
    assert "settled by now" in desk.refuses(Action.ADOPT, number, target="145")


def test_what_is_being_sent_is_not_re_dated(desk: Desk) -> None:
    desk.queues("export_invoice", "posting")
    desk.ledger(connections.update, REALM, preferences={"closing_date": "2026-10-31"})
    number = desk.raises(ExceptionKind.CLOSED_PERIOD)

    assert "Only what is to be created" in desk.refuses(Action.RE_DATE, number)


def test_books_that_show_no_closing_date_are_not_gone_round(desk: Desk) -> None:
    desk.queues("export_invoice", "held", reason_code="closed period")
    number = desk.raises(ExceptionKind.CLOSED_PERIOD)

    assert "Retry instead" in desk.refuses(Action.RE_DATE, number)


def test_re_dating_keeps_what_else_was_decided_about_the_operation(desk: Desk) -> None:
    made = desk.queues("export_invoice", "held", reason_code="closed period")
    desk.ledger(operations.redetail, made, {"by": "Avery"})
    desk.ledger(connections.update, REALM, preferences={"closing_date": "2026-10-31"})
    desk.act(Action.RE_DATE, desk.raises(ExceptionKind.CLOSED_PERIOD))

    operation = desk.operation("export_invoice")
    assert operation is not None
    assert operation.detail == {"by": "Avery", "date": "2026-11-01"}


@pytest.mark.parametrize(
    ("failed_by", "waits_for"), [("duplicate number", "duplicate number"), ("6000", "retried")]
)
def test_a_retry_says_why_it_waits_until_it_succeeds(
    desk: Desk, failed_by: str, waits_for: str
) -> None:
    desk.queues("export_invoice", "errored", reason_code=failed_by)
    desk.act(Action.RETRY, desk.raises(ExceptionKind.EXPORT_FAILING))

    operation = desk.operation("export_invoice")
    assert operation is not None
    assert operation.reason_code == waits_for


def test_what_is_dated_before_go_live_is_exported_by_name_and_reason(desk: Desk) -> None:
    number = desk.raises(ExceptionKind.BEFORE_GO_LIVE)
    desk.act(Action.EXPORT, number)

    [decision] = desk.ledger(decisions.of_kind, REALM, "export_early")
    assert (decision.record, decision.decided_by, decision.reason) == (RECORD, "Avery", "as agreed")
    assert desk.exception(number).state == "resolved"
    assert desk.asked_for_a_cycle()
