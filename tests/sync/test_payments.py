"""Payments in as a stage: from the inbox into AlgaPSA, with the ledger's record of it.

QuickBooks' changes are put into the inbox as a poll would put them; everything else is real.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar, cast

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from qbo_sync_dagster.algapsa.errors import AlgaPsaBusyError
from qbo_sync_dagster.algapsa.gateway import AlgaPsa
from qbo_sync_dagster.algapsa.payments_write import PaymentTransaction, PaymentWriter
from qbo_sync_dagster.ledger import (
    audit,
    connections,
    cycles,
    exceptions,
    inbox,
    leases,
    links,
)
from qbo_sync_dagster.ledger.errors import LeaseLostError
from qbo_sync_dagster.quickbooks.client import QuickBooksClient
from qbo_sync_dagster.quickbooks.settings import QuickBooksSettings
from qbo_sync_dagster.sandbox.algapsa import edits, invoices, payments, reading, tenants
from qbo_sync_dagster.sandbox.algapsa.charges import Charge
from qbo_sync_dagster.sandbox.algapsa.schema import Edition
from qbo_sync_dagster.sync.context import CycleContext, Tally
from qbo_sync_dagster.sync.engine import EngineConfig, SyncEngine
from qbo_sync_dagster.sync.payments import PaymentsApplied, apply_payments
from tests.databases import as_engine_role

T = TypeVar("T")
REALM = "9341453"
EDITIONS: tuple[Edition, ...] = ("community", "enterprise")
CUSTOMER, STRANGER = "58", "99"
DAY = date(2026, 3, 2)
SECRET_KEY = Fernet.generate_key().decode()


@dataclass
class Books:
    """AlgaPSA, the ledger and a cycle's context between them; invoices by QuickBooks id."""

    ctx: CycleContext
    owner: sa.Engine
    tenant: str
    client: str
    ids: dict[str, str] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)

    def do(self, act: Callable[..., T], *args: Any, **options: Any) -> T:
        with self.owner.begin() as connection:
            return act(connection, self.tenant, *args, **options)

    def invoice(self, quickbooks_id: str, cents: int = 10_000, *, linked: bool = True) -> str:
        draft = invoices.InvoiceDraft(self.client, DAY, (Charge("Endpoint", cents),))
        self.ids[quickbooks_id] = self.do(invoices.draft_invoice, draft)
        self.do(invoices.finalize_invoice, self.ids[quickbooks_id], today=DAY)
        if linked:
            self.link(quickbooks_id)
        return self.ids[quickbooks_id]

    def link(self, quickbooks_id: str, **fields: Any) -> None:
        new = links.NewLink(
            "invoice", self.ids[quickbooks_id], quickbooks_id, "exported", snapshot={"read": True}
        )
        with self.ctx.engine.ledger.begin() as connection:
            links.add(connection, REALM, [replace(new, **fields)])

    def deliver(self, payment: str, *lines: tuple[str, str], **fields: Any) -> None:
        """A poll brings a new version of a payment with these invoice lines."""
        self.versions[payment] = self.versions.get(payment, -1) + 1
        payload = {
            "Id": payment,
            "SyncToken": str(self.versions[payment]),
            "TxnDate": "2026-03-20",
            "TotalAmt": sum(Decimal(amount) for _, amount in lines),
            "CustomerRef": {"value": CUSTOMER},
            "CurrencyRef": {"value": "USD"},
            "PaymentRefNum": f"CHQ {payment}",
            "Line": [
                {"Amount": Decimal(amount), "LinkedTxn": [{"TxnId": invoice, "TxnType": "Invoice"}]}
                for invoice, amount in lines
            ],
        } | fields
        self.receive("Payment", payment, self.versions[payment], payload)

    def delete(self, payment: str) -> None:
        """A poll says that a payment was deleted."""
        self.receive("Payment", payment, -1, {}, deleted=True)

    def receive(
        self, entity: str, object_id: str, version: int, payload: Any, *, deleted: bool = False
    ) -> None:
        change = inbox.Delivered(entity, object_id, version, deleted, None, payload)
        with self.ctx.ledger() as connection:
            inbox.receive(connection, REALM, [change])
            inbox.supersede(connection, REALM)

    def apply(self) -> PaymentsApplied:
        return apply_payments(self.ctx)

    def paid(self, quickbooks_id: str) -> int:
        return reading.invoice_state(self.owner, self.ids[quickbooks_id]).paid

    def status(self, quickbooks_id: str) -> str:
        return reading.invoice_state(self.owner, self.ids[quickbooks_id]).status

    def rows(self, quickbooks_id: str) -> list[int]:
        return [row.amount for row in reading.payment_rows(self.owner, self.ids[quickbooks_id])]

    def changes(self) -> dict[tuple[str, int], str]:
        with self.ctx.reading() as connection:
            rows = connection.execute(
                sa.text("SELECT object_id, version, state FROM inbound_changes")
            )
            return {(row[0], row[1]): row[2] for row in rows}

    def exceptions(self) -> list[exceptions.StoredException]:
        with self.ctx.reading() as connection:
            return exceptions.listed(connection, REALM)

    def titles(self) -> list[str]:
        return [each.title for each in self.exceptions()]

    def audited(self) -> list[str]:
        with self.ctx.reading() as connection:
            assert audit.first_break(connection, REALM) is None
            rows = connection.execute(sa.text("SELECT effect FROM audit_log ORDER BY sequence"))
            return list(rows.scalars())


@pytest.fixture
def edition() -> Edition:
    return "community"


@pytest.fixture
def books(edition: Edition, fresh_database: Callable[..., str]) -> Iterator[Books]:
    algapsa = fresh_database(edition)
    owner = sa.create_engine(algapsa)
    with owner.begin() as connection:
        tenant = tenants.create_tenant(connection, "Slate Bay IT")
        client = tenants.create_client(connection, tenant, tenants.Client("Quarry Lane Dental"))
    config = EngineConfig(
        ledger_url=fresh_database("ledger"),
        algapsa_url=as_engine_role(algapsa),
        secret_key=SECRET_KEY,
        quickbooks=QuickBooksSettings("http://127.0.0.1:9", "http://127.0.0.1:9", "id", "secret"),
    )
    with SyncEngine(config) as engine:
        yield Books(_context(engine, tenant, client), owner, tenant, client)
    owner.dispose()


def _context(engine: SyncEngine, tenant: str, client: str) -> CycleContext:
    with engine.ledger.begin() as connection:
        company = connections.add(
            connection,
            connections.NewConnection(REALM, tenant, "Slate Bay", "America/Los_Angeles", DAY),
        )
        links.add(connection, REALM, [links.NewLink("client", client, CUSTOMER, "imported")])
    lease = leases.take(engine.ledger, REALM, "test")
    assert lease
    with engine.ledger.begin() as connection:
        cycle = cycles.start(
            connection,
            REALM,
            epoch=lease.epoch,
            trigger="test",
            run_id=None,
            cursor=company.cursor,
        )
    return CycleContext(
        engine=engine,
        connection=company,
        lease=lease,
        cycle_id=cycle.cycle_id,
        started_at=cycle.started_at,
        started_monotonic=0.0,
        quickbooks=cast("QuickBooksClient", None),  # the stage makes no calls
        algapsa=AlgaPsa(engine.algapsa, tenant, company.time_zone),
        tally=Tally(),
    )


def test_a_delivered_payment_is_applied_and_logged(books: Books) -> None:
    books.invoice("130")
    books.deliver("181", ("130", "100.00"))
    done = books.apply()
    assert (done.applied, done.rows_written, done.parked) == (1, 1, 0)
    assert books.status("130") == "paid"
    assert books.changes() == {("181", 0): "applied"}
    assert books.audited() == ["apply payment"]
    assert books.ctx.tally.algapsa_writes == 1


def test_nothing_to_do_touches_nothing(books: Books) -> None:
    assert books.apply() == PaymentsApplied()


def test_one_cheque_over_three_invoices_is_one_payment(books: Books) -> None:
    for quickbooks_id in ("130", "131", "132"):
        books.invoice(quickbooks_id)
    books.deliver("181", ("130", "100.00"), ("131", "40.00"), ("132", "0.01"))
    assert books.apply().applied == 1
    assert [books.paid(each) for each in ("130", "131", "132")] == [10_000, 4_000, 1]


def test_edit_void_and_deletion_take_back_what_quickbooks_no_longer_holds(books: Books) -> None:
    books.invoice("130")
    books.deliver("181", ("130", "100.00"))
    books.apply()
    books.deliver("181", ("130", "30.00"))
    assert books.apply().reversed == 1
    assert books.paid("130") == 3_000
    books.deliver("181", PrivateNote="Voided", TotalAmt=0)
    books.apply()
    assert (books.paid("130"), books.status("130")) == (0, "sent")
    books.deliver("182", ("130", "55.00"))
    books.apply()
    books.delete("182")
    books.apply()
    assert books.paid("130") == 0


def test_payment_whose_lines_were_removed_is_taken_back(books: Books) -> None:
    books.invoice("130")
    books.deliver("181", ("130", "100.00"))
    books.apply()
    books.deliver("181", TotalAmt=Decimal(100))
    books.apply()
    assert books.rows("130") == [10_000, -10_000]


def test_new_version_that_changes_nothing_is_known(books: Books) -> None:
    books.invoice("130")
    books.deliver("181", ("130", "100.00"))
    books.apply()
    books.deliver("181", ("130", "100.00"), PrivateNote="thank you")
    done = books.apply()
    assert (done.known, done.rows_written) == (1, 0)


def test_payment_to_an_unlinked_invoice_waits_and_applies_itself_once_linked(
    books: Books,
) -> None:
    books.invoice("130", linked=False)
    books.deliver("181", ("130", "100.00"))
    assert books.apply().parked == 1
    assert books.titles() == ["QuickBooks payment references an unknown invoice"]
    assert books.apply().parked == 1
    assert [each.count for each in books.exceptions()] == [2]
    books.link("130")
    assert books.apply().applied == 1
    assert books.titles() == []
    assert books.paid("130") == 10_000


def test_unknown_invoice_is_named_by_its_number(books: Books) -> None:
    books.receive("Invoice", "977", 0, {"Id": "977", "DocNumber": "1042"})
    books.deliver("181", ("977", "100.00"))
    books.apply()
    [exception] = books.exceptions()
    assert "QuickBooks invoice 1042" in exception.what_happened


def test_sales_that_were_never_in_algapsa_are_foreign_and_no_exception(books: Books) -> None:
    books.receive("Invoice", "977", 0, {"Id": "977", "DocNumber": "1042"})
    books.deliver("181", ("977", "100.00"), CustomerRef={"value": STRANGER})
    done = books.apply()
    assert (done.foreign, done.parked) == (1, 0)
    assert books.titles() == []


def test_strangers_payment_on_an_invoice_with_our_number_is_held(books: Books) -> None:
    invoice_id = books.invoice("130", linked=False)
    number = reading.invoice_state(books.owner, invoice_id).number
    books.receive("Invoice", "130", 0, {"Id": "130", "DocNumber": number})
    books.deliver("181", ("130", "100.00"), CustomerRef={"value": STRANGER})
    assert books.apply().parked == 1
    assert books.titles() == ["QuickBooks payment references an unknown invoice"]


@pytest.mark.parametrize(
    ("act", "title"),
    [
        (invoices.bulk_cancel, "QuickBooks payment targets a non-payable invoice"),
        (invoices.delete_invoice, "QuickBooks payment targets a non-payable invoice"),
    ],
)
def test_payment_on_a_cancelled_or_deleted_invoice_waits(
    books: Books, act: Callable[..., Any], title: str
) -> None:
    invoice = books.invoice("130")
    books.do(act, [invoice] if act is invoices.bulk_cancel else invoice)
    books.deliver("181", ("130", "100.00"))
    assert books.apply().parked == 1
    assert books.titles() == [title]


def test_larger_payment_waits_with_both_figures_while_others_go_on(books: Books) -> None:
    books.invoice("130")
    books.invoice("131")
    books.deliver("181", ("130", "100.01"))
    books.deliver("182", ("131", "100.00"), CurrencyRef={"value": "EUR"})
    books.deliver("183", ("131", "60.00"))
    done = books.apply()
    assert (done.applied, done.parked) == (1, 2)
    assert sorted(books.titles()) == [
        "QuickBooks payment is in another currency than its invoice",
        "QuickBooks payment targets an already-settled invoice",
    ]
    [settled] = [each for each in books.exceptions() if each.kind == "already_settled"]
    assert sorted(settled.amounts.values()) == [10_000, 10_001]
    assert "100.01" in settled.what_happened


def test_payment_that_cannot_be_read_is_parked_and_the_others_go_on(books: Books) -> None:
    books.invoice("130")
    books.receive("Payment", "180", 0, {"Id": "180"})
    books.deliver("182", ("130", "0.001"))
    books.deliver("181", ("130", "100.00"))
    done = books.apply()
    assert (done.applied, done.parked) == (1, 2)
    assert set(books.titles()) == {"QuickBooks sent a record that can't be read"}


def test_same_cheque_on_both_sides_is_held(books: Books) -> None:
    invoice = books.invoice("130")
    books.do(payments.record_payment, payments.Payment(invoice, 4_000, DAY))
    books.deliver("181", ("130", "40.00"))
    assert books.apply().parked == 1
    assert books.titles() == ["Same payment on both sides?"]
    assert books.paid("130") == 4_000


def test_edit_that_moves_money_to_an_unknown_invoice_takes_it_back_and_waits(
    books: Books,
) -> None:
    books.invoice("130")
    books.deliver("181", ("130", "100.00"))
    books.apply()
    books.deliver("181", ("977", "100.00"))
    done = books.apply()
    assert (done.parked, done.reversed) == (1, 1)
    assert books.paid("130") == 0
    assert books.audited() == ["apply payment", "reverse payment"]


def test_payment_entered_anew_before_the_old_one_is_deleted_is_applied_in_one_cycle(
    books: Books,
) -> None:
    books.invoice("130")
    books.deliver("181", ("130", "100.00"))
    books.apply()
    books.deliver("170", ("130", "100.00"))
    books.delete("181")
    assert books.apply().applied == 2
    assert books.rows("130") == [10_000, -10_000, 10_000]
    assert books.titles() == []


def test_two_payments_that_swap_invoices_settle_in_one_cycle(books: Books) -> None:
    books.invoice("130")
    books.invoice("131")
    books.deliver("181", ("130", "100.00"))
    books.deliver("182", ("131", "100.00"))
    books.apply()
    books.deliver("181", ("131", "100.00"))
    books.deliver("182", ("130", "100.00"))
    done = books.apply()
    assert (done.applied, done.parked, done.rows_written) == (2, 0, 4)
    assert (books.paid("130"), books.paid("131")) == (10_000, 10_000)
    assert books.titles() == []
    assert len(books.audited()) == 4


def test_open_total_difference_holds_payments_without_a_second_exception(books: Books) -> None:
    books.invoice("130", linked=False)
    books.link("130", difference_minor=5)
    books.deliver("181", ("130", "100.05"))
    assert books.apply().parked == 1
    assert books.titles() == []
    with books.ctx.engine.ledger.begin() as connection:
        [link] = links.by_quickbooks_id(connection, REALM, "invoice").values()
        links.update(connection, link.link_id, accepted_minor=5)
    assert books.apply().applied == 1
    assert books.paid("130") == 10_000


def test_payment_that_algapsa_pushed_itself_is_never_applied(books: Books) -> None:
    invoice = books.invoice("130")
    row = books.do(payments.record_payment, payments.Payment(invoice, 4_000, DAY))
    with books.ctx.engine.ledger.begin() as connection:
        links.add(connection, REALM, [links.NewLink("payment", row, "181", "exported")])
    books.deliver("181", ("130", "40.00"))
    assert books.apply().rows_written == 0
    assert books.rows("130") == [4_000]


def test_payment_that_was_matched_is_known_and_its_change_is_drift(books: Books) -> None:
    invoice = books.invoice("130")
    row = books.do(payments.record_payment, payments.Payment(invoice, 4_000, DAY))
    with books.ctx.engine.ledger.begin() as connection:
        links.add(connection, REALM, [links.NewLink("payment", row, "181", "matched")])
    books.deliver("181", ("130", "40.00"))
    assert books.apply().known == 1
    books.deliver("181", ("130", "30.00"))
    assert books.apply().parked == 1
    assert books.titles() == ["Applied payment was changed outside the sync"]
    assert books.rows("130") == [4_000]


def test_credit_memo_applied_in_quickbooks_is_labelled_as_credit(books: Books) -> None:
    invoice = books.invoice("130")
    memo = {"Amount": Decimal(10), "LinkedTxn": [{"TxnId": "140", "TxnType": "CreditMemo"}]}
    line = {"Amount": Decimal(10), "LinkedTxn": [{"TxnId": "130", "TxnType": "Invoice"}]}
    books.deliver("181", Line=[memo, line], TotalAmt=0)
    assert books.apply().applied == 1
    [transaction] = reading.transaction_rows(books.owner, invoice)
    assert transaction.metadata is not None
    assert transaction.metadata["kind"] == "credit_application"


def test_crash_before_the_ledger_knew_is_replayed_without_a_second_row(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    books.invoice("130")
    books.deliver("181", ("130", "100.00"))
    with monkeypatch.context() as patch:
        patch.setattr("qbo_sync_dagster.sync.payments.record_results", _crash)
        with pytest.raises(RuntimeError, match="killed"):
            books.apply()
    assert books.changes() == {("181", 0): "received"}
    done = books.apply()
    assert (done.applied, done.rows_written) == (1, 0)
    assert books.rows("130") == [10_000]
    assert books.audited() == ["apply payment"]


def _crash(*_: object) -> None:
    raise RuntimeError("killed")


def test_run_that_lost_its_lease_while_it_waited_for_locks_writes_nothing(books: Books) -> None:
    books.invoice("130")
    books.deliver("181", ("130", "100.00"))
    books.ctx.engine.ledger.dispose()

    class TakenOver(AlgaPsa):
        def payment_writer(self) -> Any:
            with books.ctx.engine.ledger.begin() as connection:
                connection.execute(sa.text("UPDATE leases SET epoch = epoch + 1"))
            return super().payment_writer()

    ctx = replace(
        books.ctx, algapsa=TakenOver(books.ctx.engine.algapsa, books.tenant, "Asia/Tokyo")
    )
    with pytest.raises(LeaseLostError):
        apply_payments(ctx)
    assert books.rows("130") == []


def test_epoch_is_read_after_the_locks_and_before_the_write(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    books.invoice("130")
    books.deliver("181", ("130", "100.00"))
    steps: list[str] = []
    require, write = leases.require, PaymentTransaction.write

    def noted_require(connection: sa.Connection, lease: leases.Lease) -> None:
        with books.owner.connect() as other:
            # The server is shared with other tests: pg_locks shows every database's locks.
            locked = other.execute(
                sa.text(
                    "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
                    " WHERE l.locktype = 'advisory' AND d.datname = current_database()"
                )
            ).scalar_one()
        steps.append(f"epoch with {locked} advisory lock")
        require(connection, lease)

    def noted_write(self: PaymentTransaction, *args: Any) -> None:
        steps.append("write")
        write(self, *args)

    monkeypatch.setattr("qbo_sync_dagster.sync.payments.leases.require", noted_require)
    monkeypatch.setattr(PaymentTransaction, "write", noted_write)
    books.apply()
    assert "write" in steps
    assert steps[steps.index("write") - 1] == "epoch with 1 advisory lock"


def test_rows_that_a_taken_over_run_committed_late_on_another_invoice_are_reversed(
    books: Books,
) -> None:
    books.invoice("130")
    books.invoice("131")
    books.deliver("181", ("130", "100.00"))
    books.apply()
    books.deliver("181", ("131", "100.00"))

    class SeenLate(AlgaPsa):
        asked = 0

        def standing_payments(self, *args: Any) -> dict[str, dict[str, int]]:
            self.asked += 1
            return {} if self.asked == 1 else super().standing_payments(*args)

    late = SeenLate(books.ctx.engine.algapsa, books.tenant, "America/Los_Angeles")
    apply_payments(replace(books.ctx, algapsa=late))
    assert (books.paid("130"), books.paid("131")) == (0, 10_000)


def test_payment_whose_invoice_somebody_holds_stays_in_the_inbox(books: Books) -> None:
    books.invoice("130")
    books.deliver("181", ("130", "100.00"))
    with books.owner.begin() as holder:
        holder.execute(sa.text("SELECT FROM invoices FOR UPDATE"))
        assert books.apply().waiting == 1
    assert books.changes() == {("181", 0): "received"}
    assert books.titles() == []
    assert books.apply().applied == 1


def test_row_that_lost_its_key_parks_the_payment_instead_of_doubling_it(books: Books) -> None:
    books.invoice("130")
    books.deliver("181", ("130", "40.00"))
    books.apply()
    with books.owner.begin() as connection:
        connection.execute(sa.text("UPDATE invoice_payments SET metadata = NULL, amount = 4001"))
    books.receive("Payment", "181", 7, _payload_of(books, "181"))
    assert books.apply().parked == 1
    assert books.titles() == ["Applied payment was changed outside the sync"]
    assert books.rows("130") == [4_001]


@pytest.mark.parametrize("edition", ["enterprise"])
def test_client_who_can_still_pay_online_is_warned_of_until_the_link_is_gone(books: Books) -> None:
    invoice = books.invoice("130")
    books.do(edits.offer_card_payment, invoice, 10_000)
    books.deliver("181", ("130", "60.00"))
    books.apply()
    assert books.titles() == []
    books.deliver("182", ("130", "40.00"))
    books.apply()
    books.apply()
    assert books.titles() == ["Paid in QuickBooks, but still payable online"]
    with books.owner.begin() as connection:
        connection.execute(sa.text("UPDATE invoice_payment_links SET status = 'expired'"))
    books.apply()
    assert books.titles() == []


@pytest.mark.parametrize("edition", ["community"])
def test_when_all_rows_are_held_the_stage_stops_waiting(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    @contextmanager
    def busy(_: PaymentWriter, realm: str, payment_id: str, *__: Any) -> Iterator[None]:
        asked.append(payment_id)
        raise AlgaPsaBusyError("held")
        yield

    books.invoice("130")
    for payment in range(10):
        books.deliver(str(181 + payment), ("130", "1.00"))
    monkeypatch.setattr(PaymentWriter, "transaction", busy)
    assert books.apply().waiting == 10
    assert len(asked) == 3


def _payload_of(books: Books, payment: str) -> dict[str, Any]:
    with books.ctx.reading() as connection:
        newest = inbox.newest(connection, REALM, "Payment", [payment])
    return {**newest[payment].payload, "SyncToken": "7"}
