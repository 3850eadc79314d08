"""The gateway against the sandbox: real HTTP, real tokens, real pages, faults and lost answers."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from qbo_sync_dagster.domain.errors import MalformedObjectError
from qbo_sync_dagster.quickbooks.answers import RawObject, WriteAnswer
from qbo_sync_dagster.quickbooks.calls import CallRecord, Write, WriteOperation
from qbo_sync_dagster.quickbooks.client import QuickBooksClient
from qbo_sync_dagster.quickbooks.errors import (
    ClosedPeriodError,
    ConnectionDeadError,
    DuplicateNameError,
    DuplicateNumberError,
    FaultError,
    NoAnswerError,
    ObjectNotFoundError,
    QuickBooksError,
    StaleObjectError,
    ThrottledError,
)
from qbo_sync_dagster.quickbooks.oauth import StoredTokens, TokenSource
from qbo_sync_dagster.quickbooks.objects import (
    parse_credit_memo,
    parse_customer,
    parse_invoice,
    parse_payment,
)
from qbo_sync_dagster.quickbooks.pace import Pacer
from qbo_sync_dagster.quickbooks.query import LAST_UPDATED, Query, at_least
from qbo_sync_dagster.quickbooks.settings import QuickBooksSettings
from qbo_sync_dagster.quickbooks.transport import new_http_client
from qbo_sync_dagster.sandbox.quickbooks.control import CLIENT_ID, CLIENT_SECRET, SandboxControl


@dataclass
class Books:
    """One sandbox company with a customer and an item, and the gateway connected to it."""

    sandbox: SandboxControl
    realm: str
    client: QuickBooksClient
    store: Any
    settings: QuickBooksSettings
    customer: str
    item: str
    records: list[CallRecord] = field(default_factory=list)

    def write(
        self,
        operation: WriteOperation,
        entity: str,
        body: dict[str, Any],
        request_id: str | None = None,
    ) -> WriteAnswer:
        return self.client.write(Write(operation, entity, body, request_id or uuid.uuid4().hex))

    def invoice_body(self, number: str, amount: str = "100.50") -> dict[str, Any]:
        line = {
            "Amount": Decimal(amount),
            "DetailType": "SalesItemLineDetail",
            "SalesItemLineDetail": {"ItemRef": {"value": self.item}},
        }
        customer = {"value": self.customer}
        return {"DocNumber": number, "CustomerRef": customer, "Line": [line]}

    def payment_body(self, invoice_id: str, amount: str) -> dict[str, Any]:
        link = {"TxnId": invoice_id, "TxnType": "Invoice"}
        return {
            "CustomerRef": {"value": self.customer},
            "TotalAmt": Decimal(amount),
            "Line": [{"Amount": Decimal(amount), "LinkedTxn": [link]}],
        }

    def now(self) -> datetime:
        return self.sandbox.now()


@pytest.fixture
def books(sandbox: SandboxControl, company: Any) -> Iterator[Books]:
    made = sandbox.create_realm()
    settings = QuickBooksSettings(sandbox.api_base, sandbox.token_url, CLIENT_ID, CLIENT_SECRET)
    company.store.tokens = StoredTokens(None, None, made.refresh_token, None)
    records: list[CallRecord] = []
    with new_http_client(settings) as http:
        client = QuickBooksClient(
            settings,
            TokenSource(company.store, http, settings, sandbox.now),
            made.realm,
            http=http,
            pace=Pacer(company.clock.monotonic, company.clock.sleep),
            sleep=company.clock.sleep,
            meter=records.append,
        )
        customer = sandbox.customer(made.realm, "Example Bakery")["Id"]
        item = sandbox.item(made.realm, "Managed service")["Id"]
        yield Books(sandbox, made.realm, client, company.store, settings, customer, item, records)


def outcome(answer: WriteAnswer | QuickBooksError) -> RawObject:
    assert isinstance(answer, WriteAnswer)
    return answer.object


class TestDocuments:
    def test_an_invoice_goes_out_and_is_read_back_to_the_cent(self, books: Books) -> None:
        answer = books.write("create", "Invoice", books.invoice_body("INV-1"))
        invoice = parse_invoice(books.client.read("Invoice", answer.object.id).payload)
        assert (invoice.doc_number, invoice.total, invoice.balance) == (
            "INV-1",
            Decimal("100.50"),
            Decimal("100.50"),
        )
        assert answer.intuit_tid
        assert answer.time is not None

    def test_an_invoice_is_updated_voided_and_deleted(self, books: Books) -> None:
        made = books.write("create", "Invoice", books.invoice_body("INV-1")).object
        known = {"Id": made.id, "SyncToken": made.sync_token, "sparse": True}
        changed = books.write("update", "Invoice", {**known, "PrivateNote": "PO: 7"}).object
        assert parse_invoice(changed.payload).private_note == "PO: 7"
        known = {"Id": made.id, "SyncToken": changed.sync_token}
        voided = books.write("void", "Invoice", known).object
        assert parse_invoice(voided.payload).is_voided
        known["SyncToken"] = voided.sync_token
        assert books.write("delete", "Invoice", known).object.deleted
        with pytest.raises(ObjectNotFoundError):
            books.client.read("Invoice", made.id)

    def test_a_payment_settles_an_invoice_and_its_void_reopens_it(self, books: Books) -> None:
        invoice_id = books.write("create", "Invoice", books.invoice_body("INV-1")).object.id
        made = books.write("create", "Payment", books.payment_body(invoice_id, "60.25")).object
        assert parse_payment(made.payload).invoice_lines == ((invoice_id, Decimal("60.25")),)
        invoice = parse_invoice(books.client.read("Invoice", invoice_id).payload)
        assert invoice.balance == Decimal("40.25")
        assert invoice.linked_payment_ids == (made.id,)
        known = {"Id": made.id, "SyncToken": made.sync_token, "sparse": True}
        assert parse_payment(books.write("void", "Payment", known).object.payload).is_void
        invoice = parse_invoice(books.client.read("Invoice", invoice_id).payload)
        assert invoice.balance == Decimal("100.50")

    def test_a_credit_application_is_read_from_both_its_lines(self, books: Books) -> None:
        sandbox, realm = books.sandbox, books.realm
        invoice = sandbox.invoice(realm, books.customer, [(books.item, 80)])["Id"]
        memo = sandbox.credit_memo(realm, books.customer, [(books.item, 50)])["Id"]
        made = sandbox.apply_credit(realm, books.customer, invoice, memo, 50)["Id"]
        payment = parse_payment(books.client.read("Payment", made).payload)
        assert payment.total == 0
        assert payment.invoice_lines == ((invoice, Decimal(50)),)
        assert payment.credit_lines == ((memo, Decimal(50)),)
        left = parse_credit_memo(books.client.read("CreditMemo", memo).payload)
        assert (left.total, left.remaining) == (Decimal(50), Decimal(0))

    def test_a_deposit_shows_on_the_payment(self, books: Books) -> None:
        invoice = books.sandbox.invoice(books.realm, books.customer, [(books.item, 80)])["Id"]
        paid = books.sandbox.record_payment(books.realm, books.customer, [(invoice, 80)])["Id"]
        books.sandbox.deposit(books.realm, paid)
        read = books.client.read("Payment", paid)
        assert parse_payment(read.payload).deposit_ids
        with pytest.raises(FaultError) as caught:
            books.write("void", "Payment", {"Id": paid, "SyncToken": read.sync_token})
        assert caught.value.code == "6540"

    def test_company_and_preferences_are_read(self, books: Books) -> None:
        books.sandbox.set(books.realm, custom_txn_numbers=True, book_close_date="2026-01-31")
        preferences = books.client.preferences()
        assert preferences.custom_numbers is True
        assert str(preferences.book_close_date) == "2026-01-31"
        assert books.client.company_info().name == "Northwind IT"


class TestRefusals:
    def test_a_request_id_sent_again_creates_nothing(self, books: Books) -> None:
        first = books.write("create", "Invoice", books.invoice_body("INV-1"), "request-1")
        again = books.write("create", "Invoice", books.invoice_body("INV-1"), "request-1")
        assert again.object.id == first.object.id
        assert len(books.sandbox.list(books.realm, "Invoice")) == 1

    def test_a_stale_token_is_refused_for_a_new_plan(self, books: Books) -> None:
        made = books.write("create", "Invoice", books.invoice_body("INV-1")).object
        books.sandbox.edit(books.realm, "Invoice", made.id, PrivateNote="by hand")
        with pytest.raises(StaleObjectError):
            books.write("void", "Invoice", {"Id": made.id, "SyncToken": made.sync_token})

    def test_names_and_numbers_that_are_taken_are_told_apart(self, books: Books) -> None:
        books.sandbox.set(books.realm, custom_txn_numbers=True)
        books.write("create", "Invoice", books.invoice_body("INV-1"))
        with pytest.raises(DuplicateNumberError):
            books.write("create", "Invoice", books.invoice_body("INV-1"))
        with pytest.raises(DuplicateNameError):
            books.write("create", "Customer", {"DisplayName": "Example Bakery"})

    def test_closed_books_are_told_apart(self, books: Books) -> None:
        books.sandbox.set(books.realm, book_close_date="2026-01-31")
        body = {**books.invoice_body("INV-1"), "TxnDate": "2026-01-15"}
        with pytest.raises(ClosedPeriodError):
            books.write("create", "Invoice", body)

    def test_a_lapsed_subscription_is_a_dead_connection(self, books: Books) -> None:
        books.sandbox.set(books.realm, subscription_lapsed=True)
        with pytest.raises(ConnectionDeadError, match="subscription"):
            books.client.company_info()


class TestBatches:
    def test_one_refused_item_leaves_the_others_done(self, books: Books) -> None:
        books.sandbox.set(books.realm, custom_txn_numbers=True)
        numbers = ["INV-1", "INV-2", "INV-1", "INV-3"]
        items = [
            (str(n), Write("create", "Invoice", books.invoice_body(number), f"r{n}"))
            for n, number in enumerate(numbers)
        ]
        answers = books.client.write_batch(items, "batch-1")
        refused = [key for key, answer in answers.items() if isinstance(answer, QuickBooksError)]
        assert len(refused) == 1
        assert type(answers[refused[0]]) is DuplicateNumberError
        assert len(books.sandbox.list(books.realm, "Invoice")) == 3
        again = books.client.write_batch(items, "batch-1")
        assert outcome(again["1"]).id == outcome(answers["1"]).id
        assert len(books.sandbox.list(books.realm, "Invoice")) == 3

    def test_every_operation_works_inside_a_batch(self, books: Books) -> None:
        made = [
            books.write("create", "Invoice", books.invoice_body(f"INV-{n}")).object
            for n in range(4)
        ]
        paid = books.write("create", "Payment", books.payment_body(made[3].id, "5")).object
        known = [{"Id": x.id, "SyncToken": x.sync_token, "sparse": True} for x in [*made, paid]]
        items = [
            ("u", Write("update", "Invoice", {**known[0], "PrivateNote": "hello"}, "r0")),
            ("v", Write("void", "Invoice", known[1], "r1")),
            ("d", Write("delete", "Invoice", known[2], "r2")),
            ("p", Write("void", "Payment", known[4], "r4")),
        ]
        answers = books.client.write_batch(items, "batch-1")
        assert parse_invoice(outcome(answers["u"]).payload).private_note == "hello"
        assert parse_invoice(outcome(answers["v"]).payload).is_voided
        assert outcome(answers["d"]).deleted
        assert parse_payment(outcome(answers["p"]).payload).is_void

    def test_an_item_missing_in_the_answer_is_in_doubt_alone(self, books: Books) -> None:
        books.sandbox.fault("omit_item", realm=books.realm, kind="create", match="INV-2")
        items = [
            (str(n), Write("create", "Invoice", books.invoice_body(f"INV-{n}"), f"r{n}"))
            for n in (1, 2, 3)
        ]
        answers = books.client.write_batch(items, "batch-1")
        assert isinstance(answers["2"], NoAnswerError)
        assert outcome(answers["1"]).id
        assert outcome(answers["3"]).id
        assert len(books.sandbox.list(books.realm, "Invoice")) == 3


class TestTrouble:
    @pytest.mark.parametrize(
        "effect",
        ["timeout_after_commit", "drop_after_commit", "502_after_commit", "malformed_json"],
    )
    def test_an_answer_lost_after_the_write_is_doubt_and_one_document(
        self, books: Books, effect: str
    ) -> None:
        books.sandbox.fault(effect, realm=books.realm, kind="create", entity="Invoice")
        with pytest.raises(NoAnswerError) as caught:
            books.write("create", "Invoice", books.invoice_body("INV-1"), "request-1")
        assert caught.value.sent
        assert len(books.sandbox.list(books.realm, "Invoice")) == 1
        books.write("create", "Invoice", books.invoice_body("INV-1"), "request-1")
        assert len(books.sandbox.list(books.realm, "Invoice")) == 1

    @pytest.mark.parametrize("effect", ["502_html", "503", "html_200", "drop_before", "500"])
    def test_a_read_survives_a_passing_outage(self, books: Books, effect: str) -> None:
        books.sandbox.fault(effect, realm=books.realm, kind="read", times=2)
        assert books.client.read("Customer", books.customer).id == books.customer

    def test_a_fault_inside_http_200_is_a_fault(self, books: Books) -> None:
        books.sandbox.fault("fault_in_200:6000", realm=books.realm, kind="create")
        with pytest.raises(FaultError) as caught:
            books.write("create", "Invoice", books.invoice_body("INV-1"))
        assert caught.value.code == "6000"
        assert caught.value.http_status == 200

    def test_a_server_that_is_down_leaves_no_write_in_doubt(self, books: Books) -> None:
        books.client.company_info()
        nowhere = QuickBooksSettings(
            "http://127.0.0.1:1/v3/company", books.settings.token_url, CLIENT_ID, CLIENT_SECRET
        )
        with new_http_client(nowhere) as http:
            tokens = TokenSource(books.store, http, nowhere, books.now)
            client = QuickBooksClient(nowhere, tokens, books.realm, http=http, pace=Pacer())
            with pytest.raises(NoAnswerError) as caught:
                client.write(Write("create", "Invoice", books.invoice_body("INV-1"), "r"))
        assert not caught.value.sent

    def test_texts_of_a_hundred_thousand_characters_do_not_break_reading(
        self, books: Books
    ) -> None:
        books.sandbox.fault("huge_text:DisplayName", realm=books.realm, kind="read")
        raw = books.client.read("Customer", books.customer)
        assert len(parse_customer(raw.payload).display_name) == 500
        books.sandbox.fault("huge_text:DocNumber", realm=books.realm, kind="read")
        made = books.write("create", "Invoice", books.invoice_body("INV-1")).object
        with pytest.raises(MalformedObjectError, match=f"Invoice {made.id} .* DocNumber"):
            parse_invoice(books.client.read("Invoice", made.id).payload)

    def test_fields_nobody_knows_are_ignored_and_missing_ones_named(self, books: Books) -> None:
        made = books.write("create", "Invoice", books.invoice_body("INV-1")).object
        books.sandbox.fault("unknown_fields", realm=books.realm, kind="read")
        assert parse_invoice(books.client.read("Invoice", made.id).payload).id == made.id
        books.sandbox.fault("omit_field:CustomerRef", realm=books.realm, kind="read")
        with pytest.raises(MalformedObjectError, match="CustomerRef"):
            parse_invoice(books.client.read("Invoice", made.id).payload)


class TestTokens:
    def test_the_first_call_trades_the_refresh_token_for_a_stored_pair(self, books: Books) -> None:
        before = books.store.tokens.refresh_token
        books.client.company_info()
        assert books.store.tokens.access_token
        assert books.store.tokens.refresh_token != before
        assert books.store.tokens.refresh_expires_at > books.now() + timedelta(days=90)

    def test_an_expired_access_token_costs_one_refresh(self, books: Books) -> None:
        books.client.company_info()
        books.sandbox.expire_access_tokens(books.realm)
        books.write("create", "Invoice", books.invoice_body("INV-1"))
        assert books.sandbox.call_counts(books.realm)["token"] == 2
        assert len(books.sandbox.list(books.realm, "Invoice")) == 1

    def test_a_disconnected_company_is_a_dead_connection_and_works_after_reconnecting(
        self, books: Books
    ) -> None:
        books.client.company_info()
        books.sandbox.revoke_tokens(books.realm)
        with pytest.raises(ConnectionDeadError) as caught:
            books.client.company_info()
        assert caught.value.code == "invalid_grant"
        again = books.sandbox.refresh_token(books.realm)
        books.store.tokens = StoredTokens(None, None, again, None)
        assert books.client.company_info().name == "Northwind IT"

    def test_a_token_of_another_company_is_a_dead_connection(self, books: Books) -> None:
        other = books.sandbox.create_realm("Contoso Support")
        with new_http_client(books.settings) as http:
            tokens = TokenSource(books.store, http, books.settings, books.now)
            client = QuickBooksClient(books.settings, tokens, other.realm, http=http, pace=Pacer())
            with pytest.raises(ConnectionDeadError) as caught:
                client.company_info()
        assert caught.value.code == "3100"


class TestChanges:
    def test_a_poll_shows_live_changes_voids_and_deletions(self, books: Books) -> None:
        sandbox, realm = books.sandbox, books.realm
        since = books.now() - timedelta(seconds=1)
        live, voided, gone = (
            sandbox.invoice(realm, books.customer, [(books.item, 10)])["Id"] for _ in range(3)
        )
        sandbox.void(realm, "Invoice", voided)
        sandbox.delete(realm, "Invoice", gone)
        answer = books.client.cdc(["Customer", "Invoice", "Payment"], since)
        invoices = {x.id: x for x in answer.objects if x.entity == "Invoice"}
        assert parse_invoice(invoices[live].payload).balance == 10
        assert parse_invoice(invoices[voided].payload).is_voided
        assert invoices[gone].deleted
        assert invoices[gone].sync_token is None
        assert answer.complete
        assert answer.time >= since

    def test_a_capped_poll_says_so_and_the_sweep_finds_everything(self, books: Books) -> None:
        # Before the company's one customer was made, however long ago that is.
        since = books.now() - timedelta(hours=1)
        bodies = [
            {"entity": "Customer", "body": {"DisplayName": f"Client {n}"}} for n in range(1500)
        ]
        books.sandbox.seed(books.realm, bodies)
        answer = books.client.cdc(["Customer", "Invoice"], since)
        assert not answer.complete
        sweep = books.client.changed_since("Customer", since)
        assert len({row.id for row in sweep.objects}) == 1501
        assert since < sweep.time <= books.now()

    def test_a_sweep_over_many_seconds_meets_each_object_once(self, books: Books) -> None:
        start = books.now() - timedelta(hours=2)
        bodies = [
            {
                "entity": "Customer",
                "body": {"DisplayName": f"Client {n}"},
                "updated": (start + timedelta(seconds=n // 3)).isoformat(),
            }
            for n in range(2500)
        ]
        books.sandbox.seed(books.realm, bodies)
        sweep = books.client.changed_since("Customer", start)
        ids = [row.id for row in sweep.objects]
        assert len(ids) == len(set(ids)) == 2501

    def test_inactive_customers_are_found_too(self, books: Books) -> None:
        books.sandbox.edit(books.realm, "Customer", books.customer, Active=False)
        (found,) = books.client.query_in("Customer", "Id", [books.customer])
        assert not parse_customer(found.payload).active


class TestQueries:
    def test_names_with_quotes_ampersands_and_backslashes_are_found(self, books: Books) -> None:
        names = ["O'Brien & Sons", "Back\\slash", "Ünïcode 東京", "50% off"]
        for name in names:
            books.sandbox.customer(books.realm, name)
        found = books.client.query_in("Customer", "DisplayName", names)
        assert sorted(parse_customer(x.payload).display_name for x in found) == sorted(names)

    def test_a_thousand_numbers_are_looked_up_in_one_metered_call(self, books: Books) -> None:
        books.write("create", "Invoice", books.invoice_body("INV-00500"))
        books.client.company_info()
        before = books.sandbox.metered_calls(books.realm)
        numbers = [f"INV-{n:05}" for n in range(1000)]
        (found,) = books.client.query_in("Invoice", "DocNumber", numbers)
        assert parse_invoice(found.payload).doc_number == "INV-00500"
        assert books.sandbox.metered_calls(books.realm) == before + 1

    def test_every_row_is_listed_once_over_many_pages(self, books: Books) -> None:
        bodies = [{"entity": "Customer", "body": {"DisplayName": f"C {n}"}} for n in range(50)]
        books.sandbox.seed(books.realm, bodies)
        found = [row.id for row in books.client.query_all("Customer", page_size=7)]
        assert len(found) == len(set(found)) == 51

    def test_what_is_counted_is_what_quickbooks_meters(self, books: Books) -> None:
        books.client.company_info()
        books.client.query(Query("Invoice", where=(at_least(LAST_UPDATED, books.now()),)))
        books.client.cdc(["Invoice"], books.now())
        books.write("create", "Invoice", books.invoice_body("INV-1"))
        assert sum(record.metered for record in books.records) == 3
        assert books.sandbox.metered_calls(books.realm) == 3


def test_with_limits_enforced_the_pace_never_meets_a_429(
    sandbox: SandboxControl, company: Any
) -> None:
    """Real time: fifteen calls take the second that ten a second allow, and none is refused."""
    made = sandbox.create_realm(enforce_limits=True)
    settings = QuickBooksSettings(sandbox.api_base, sandbox.token_url, CLIENT_ID, CLIENT_SECRET)
    company.store.tokens = StoredTokens(None, None, made.refresh_token, None)
    records: list[CallRecord] = []
    with new_http_client(settings) as http:
        tokens = TokenSource(company.store, http, settings, sandbox.now)
        client = QuickBooksClient(
            settings, tokens, made.realm, http=http, pace=Pacer(), meter=records.append
        )
        for _ in range(15):
            client.company_info()
    assert [record.http_status for record in records] == [200] * 15


def test_a_throttled_company_is_waited_for_and_the_write_happens_once(books: Books) -> None:
    books.sandbox.fault("429", realm=books.realm, kind="create")
    with pytest.raises(ThrottledError) as caught:
        books.write("create", "Invoice", books.invoice_body("INV-1"))
    assert 60 <= caught.value.retry_after <= 65
    assert books.sandbox.list(books.realm, "Invoice") == []
