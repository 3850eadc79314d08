"""Which request each intent becomes, and which value its answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from qbo_sync_dagster.domain.errors import MalformedObjectError
from qbo_sync_dagster.quickbooks.answers import WriteAnswer
from qbo_sync_dagster.quickbooks.calls import CallKind, Write
from qbo_sync_dagster.quickbooks.errors import (
    ConnectionDeadError,
    FaultError,
    NoAnswerError,
    StaleObjectError,
    ThrottledError,
)
from qbo_sync_dagster.quickbooks.query import Query, equals

Ok = Callable[..., httpx.Response]
SINCE = datetime(2026, 3, 2, 8, 55, 30, 700000, tzinfo=UTC)


def changes(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"CDCResponse": [{"QueryResponse": list(blocks)}]}


def rows(entity: str, count: int, first: int = 1) -> list[dict[str, Any]]:
    return [{"Id": str(first + n), "SyncToken": "0", "domain": entity} for n in range(count)]


def invoice(number: int) -> Write:
    return Write("create", "Invoice", {"DocNumber": str(number)}, f"request-{number}")


class TestChanges:
    def test_the_poll_asks_for_all_entities_in_one_call(self, company: Any, ok: Ok) -> None:
        company.replies = [ok(changes({}))]
        company.client().cdc(["Customer", "Invoice"], SINCE)
        params = company.requests[0].url.params
        assert company.requests[0].url.path.endswith("/cdc")
        assert params["entities"] == "Customer,Invoice"
        assert params["changedSince"] == "2026-03-02T08:55:30+00:00"
        assert b"%2B00%3A00" in company.requests[0].url.query

    def test_live_and_deleted_objects_come_with_token_and_time(self, company: Any, ok: Ok) -> None:
        live = {
            "Id": "9",
            "SyncToken": "3",
            "TotalAmt": 12.5,
            "MetaData": {"LastUpdatedTime": "2026-03-02T00:59:00-08:00"},
        }
        gone = {"Id": "8", "status": "Deleted", "domain": "QBO"}
        company.replies = [
            ok(changes({"Payment": [live, gone], "startPosition": 1, "maxResults": 2}, {}))
        ]
        answer = company.client().cdc(["Payment", "Invoice"], SINCE)
        first, second = answer.objects
        assert (first.entity, first.id, first.sync_token, first.deleted) == (
            "Payment",
            "9",
            "3",
            False,
        )
        assert first.updated_at == datetime(2026, 3, 2, 8, 59, tzinfo=UTC)
        assert first.payload["TotalAmt"] == Decimal("12.5")
        assert (second.id, second.sync_token, second.deleted) == ("8", None, True)
        assert answer.time == datetime(2026, 3, 2, 9, 0, 0, 500000, tzinfo=UTC)
        assert answer.complete

    def test_a_thousand_objects_in_total_are_not_complete(self, company: Any, ok: Ok) -> None:
        company.replies = [
            ok(changes({"Payment": rows("p", 600)}, {"Invoice": rows("i", 399)})),
            ok(changes({"Payment": rows("p", 600)}, {"Invoice": rows("i", 400)})),
        ]
        client = company.client()
        assert client.cdc(["Payment", "Invoice"], SINCE).complete
        assert not client.cdc(["Payment", "Invoice"], SINCE).complete

    def test_a_block_that_declares_more_than_it_holds_is_not_complete(
        self, company: Any, ok: Ok
    ) -> None:
        company.replies = [ok(changes({"Payment": rows("p", 2), "totalCount": 3}))]
        assert not company.client().cdc(["Payment"], SINCE).complete

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"CDCResponse": []},
            {"CDCResponse": {}},
            {"CDCResponse": [{}]},
            {"CDCResponse": ["x"]},
            {"CDCResponse": [{"QueryResponse": ["x"]}]},
            {"CDCResponse": [{"QueryResponse": [{"Fault": {"Error": []}}]}]},
            {"CDCResponse": [{"QueryResponse": [{}]}], "time": None},
            {"CDCResponse": [{"QueryResponse": [{}]}], "time": "2026-03-02T09:00:00"},
            {"QueryResponse": {}},
        ],
    )
    def test_an_answer_of_another_shape_never_means_that_nothing_changed(
        self, company: Any, ok: Ok, body: dict[str, Any]
    ) -> None:
        company.replies = [ok(body)]
        with pytest.raises(NoAnswerError):
            company.client().cdc(["Payment"], SINCE)

    def test_an_answer_nested_beyond_measure_is_no_answer(self, company: Any) -> None:
        deep = "[" * 900 + "]" * 900
        body = '{"CDCResponse":[{"QueryResponse":[{"Payment":[{"x":%s}]}]}],"time":"%s"}'
        content = (body % (deep, "2026-03-02T01:00:00-08:00")).encode()
        company.replies = [httpx.Response(200, content=content)] * 3
        with pytest.raises(NoAnswerError):
            company.client().cdc(["Payment"], SINCE)

    def test_an_object_without_an_id_is_handed_on_with_a_stable_stand_in(
        self, company: Any, ok: Ok
    ) -> None:
        broken = [{"TotalAmt": 5}, None, "text", {"Id": ""}, {"Id": {"x": 1}}, {"Id": "x" * 9999}]
        company.replies = [ok(changes({"Payment": [*broken, {"Id": "9"}]}))] * 2
        client = company.client()
        answer = client.cdc(["Payment"], SINCE)
        ids = [row.id for row in answer.objects]
        assert len(set(ids)) == len(broken) + 1
        assert all(name.startswith("unreadable-") for name in ids[:-1])
        assert ids[-1] == "9"
        assert [row.id for row in client.cdc(["Payment"], SINCE).objects] == ids


class TestReading:
    def test_a_query_is_posted_as_text(self, company: Any, ok: Ok) -> None:
        company.replies = [ok({"QueryResponse": {"Invoice": rows("i", 2), "maxResults": 2}})]
        page = company.client().query(Query("Invoice", where=(equals("DocNumber", "O'7"),)))
        (request,) = company.requests
        assert request.method == "POST"
        assert request.url.path.endswith("/query")
        assert request.headers["Content-Type"] == "application/text"
        assert b"DocNumber = 'O\\'7'" in request.content
        assert "requestid" not in request.url.params
        assert [row.id for row in page.objects] == ["1", "2"]

    def test_an_empty_query_answer_is_an_empty_page(self, company: Any, ok: Ok) -> None:
        company.replies = [ok({"QueryResponse": {}})]
        assert company.client().query(Query("Invoice")).objects == ()

    @pytest.mark.parametrize("body", [{}, {"QueryResponse": None}, {"CDCResponse": []}])
    def test_a_query_answer_of_another_shape_is_no_answer(
        self, company: Any, ok: Ok, body: dict[str, Any]
    ) -> None:
        company.replies = [ok(body)]
        with pytest.raises(NoAnswerError):
            company.client().query(Query("Invoice"))

    def test_numbers_are_looked_up_in_bulk(self, company: Any, ok: Ok) -> None:
        company.replies = [ok({"QueryResponse": {"Invoice": rows("i", 3)}})]
        numbers = [f"INV-{n:05}" for n in range(1000)]
        assert len(company.client().query_in("Invoice", "DocNumber", numbers)) == 3
        assert company.requests[0].content.count(b"INV-") == 1000

    def test_looking_up_nothing_asks_nothing(self, company: Any) -> None:
        assert company.client().query_in("Invoice", "DocNumber", []) == []
        assert company.requests == []

    def test_preferences_and_company_info_are_read_by_their_own_paths(
        self, company: Any, ok: Ok
    ) -> None:
        preferences = {
            "Id": "1",
            "SalesFormsPrefs": {"CustomTxnNumbers": True},
            "AccountingInfoPrefs": {"TrackDepartments": False},
        }
        info = {"Id": "1", "CompanyName": "Example IT"}
        company.replies = [ok({"Preferences": preferences}), ok({"CompanyInfo": info})]
        client = company.client()
        assert client.preferences().custom_numbers is True
        assert client.company_info().name == "Example IT"
        paths = [request.url.path for request in company.requests]
        assert paths == [
            "/v3/company/9341453/preferences",
            "/v3/company/9341453/companyinfo/9341453",
        ]

    def test_a_company_without_a_name_is_malformed(self, company: Any, ok: Ok) -> None:
        company.replies = [ok({"CompanyInfo": {"Id": "1"}})]
        with pytest.raises(MalformedObjectError, match="CompanyName"):
            company.client().company_info()


class TestWrites:
    @pytest.mark.parametrize(
        ("operation", "entity", "expected"),
        [
            ("create", "Invoice", {}),
            ("update", "Invoice", {"operation": "update"}),
            ("void", "Invoice", {"operation": "void"}),
            ("void", "Payment", {"operation": "update", "include": "void"}),
            ("create", "CreditMemo", {}),
            ("update", "Customer", {"operation": "update"}),
        ],
    )
    def test_each_write_says_its_operation_and_its_request_id(
        self, company: Any, ok: Ok, operation: Any, entity: str, expected: dict[str, str]
    ) -> None:
        company.replies = [ok({entity: {"Id": "5", "SyncToken": "1"}})]
        answer = company.client().write(Write(operation, entity, {"Id": "5"}, "request-9"))
        (request,) = company.requests
        assert request.method == "POST"
        assert request.url.path == f"/v3/company/9341453/{entity.lower()}"
        assert request.headers["Content-Type"] == "application/json"
        assert dict(request.url.params) == {
            "requestid": "request-9",
            "minorversion": "75",
            **expected,
        }
        assert (answer.object.id, answer.object.sync_token) == ("5", "1")
        assert answer.intuit_tid == "1-abc"
        assert answer.time == datetime(2026, 3, 2, 9, 0, 0, 500000, tzinfo=UTC)

    def test_a_delete_is_done_when_the_stub_says_so(self, company: Any, ok: Ok) -> None:
        company.replies = [ok({"Invoice": {"Id": "5", "status": "Deleted"}})]
        body = {"Id": "5", "SyncToken": "1"}
        answer = company.client().write(Write("delete", "Invoice", body, "r"))
        assert company.requests[0].url.params["operation"] == "delete"
        assert answer.object.deleted

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"Invoice": {}},
            {"Invoice": None},
            {"Invoice": [{"Id": "5"}]},
            {"Payment": {"Id": "5"}},
            {"Invoice": {"Id": "5", "status": "Deleted"}},
        ],
    )
    def test_an_answer_that_does_not_show_the_written_object_is_doubt(
        self, company: Any, ok: Ok, body: dict[str, Any]
    ) -> None:
        company.replies = [ok(body)]
        with pytest.raises(NoAnswerError) as caught:
            company.client().write(invoice(1))
        assert caught.value.sent

    def test_a_write_without_a_time_in_its_answer_is_done_all_the_same(self, company: Any) -> None:
        company.replies = [httpx.Response(200, json={"Invoice": {"Id": "5"}})]
        assert company.client().write(invoice(1)).time is None

    def test_the_body_goes_out_exactly(self, company: Any, ok: Ok) -> None:
        company.replies = [ok({"Payment": {"Id": "5"}})]
        body = {"TotalAmt": Decimal("100.10"), "CustomerRef": {"value": "7"}}
        company.client().write(Write("create", "Payment", body, "r"))
        assert company.requests[0].content == b'{"CustomerRef":{"value":"7"},"TotalAmt":100.1}'

    @pytest.mark.parametrize("request_id", ["", "x" * 51])
    def test_a_write_without_a_usable_request_id_cannot_be_made(self, request_id: str) -> None:
        with pytest.raises(ValueError, match="request id"):
            Write("create", "Invoice", {}, request_id)


class TestBatches:
    def test_a_batch_names_each_item_and_its_operation(self, company: Any, ok: Ok) -> None:
        company.replies = [ok({"BatchItemResponse": []})]
        items = [
            ("a", invoice(1)),
            ("b", Write("update", "Invoice", {"Id": "2"}, "r2")),
            ("c", Write("void", "Payment", {"Id": "3"}, "r3")),
            ("d", Write("delete", "Payment", {"Id": "4"}, "r4")),
        ]
        company.client().write_batch(items, "batch-1")
        assert company.requests[0].url.params["requestid"] == "batch-1"
        assert company.requests[0].url.path.endswith("/batch")
        assert company.sent() == {
            "BatchItemRequest": [
                {"bId": "a", "operation": "create", "Invoice": {"DocNumber": "1"}},
                {"bId": "b", "operation": "update", "Invoice": {"Id": "2"}},
                {
                    "bId": "c",
                    "operation": "update",
                    "optionsData": "void",
                    "Payment": {"Id": "3"},
                },
                {"bId": "d", "operation": "delete", "Payment": {"Id": "4"}},
            ]
        }
        assert company.records[0].kind is CallKind.BATCH
        assert company.records[0].items == 4
        assert not company.records[0].metered

    def test_each_item_settles_on_its_own_answer_in_any_order(self, company: Any, ok: Ok) -> None:
        stale = {"Error": [{"code": "5010", "Message": "Stale", "element": ""}]}
        throttled = {"error": [{"code": "3001", "message": "m"}], "type": "SERVICE"}
        company.replies = [
            ok(
                {
                    "BatchItemResponse": [
                        {"bId": "c", "Fault": stale},
                        {"bId": "a", "Invoice": {"Id": "11", "SyncToken": "0"}},
                        {"bId": "d", "fault": throttled},
                        {"bId": "e", "Fault": {"Error": [{"code": "6190"}]}},
                        {"bId": "f", "Invoice": {}},
                        {"bId": "zz", "Invoice": {"Id": "99"}},
                    ]
                }
            )
        ]
        items = [(name, invoice(n)) for n, name in enumerate("abcdef")]
        answers = company.client().write_batch(items, "batch-1")
        assert list(answers) == list("abcdef")
        assert isinstance(answers["a"], WriteAnswer)
        assert answers["a"].object.id == "11"
        assert type(answers["b"]) is NoAnswerError
        assert type(answers["c"]) is StaleObjectError
        assert type(answers["d"]) is ThrottledError
        assert type(answers["e"]) is ConnectionDeadError
        assert type(answers["f"]) is NoAnswerError

    def test_an_item_answered_twice_is_in_doubt(self, company: Any, ok: Ok) -> None:
        twice = [{"bId": "a", "Invoice": {"Id": "1"}}, {"bId": "a", "Invoice": {"Id": "2"}}]
        company.replies = [ok({"BatchItemResponse": twice})]
        answers = company.client().write_batch([("a", invoice(1))], "batch-1")
        assert type(answers["a"]) is NoAnswerError

    def test_a_batch_without_an_answer_is_in_doubt_as_a_whole(self, company: Any, ok: Ok) -> None:
        company.replies = [httpx.ReadTimeout("slow"), ok({})]
        for _ in range(2):
            with pytest.raises(NoAnswerError) as caught:
                company.client().write_batch([("a", invoice(1))], "batch-1")
            assert caught.value.sent
        assert company.replies == []

    def test_a_batch_refused_as_a_whole_is_a_definite_answer(self, company: Any, fault: Ok) -> None:
        company.replies = [fault("1040")]
        with pytest.raises(FaultError):
            company.client().write_batch([("a", invoice(1))], "batch-1")

    def test_a_batch_keeps_to_intuits_limits(self, company: Any) -> None:
        client = company.client()
        many = [(str(n), invoice(n)) for n in range(31)]
        with pytest.raises(ValueError, match="1 to 30"):
            client.write_batch(many, "b")
        with pytest.raises(ValueError, match="1 to 30"):
            client.write_batch([], "b")
        with pytest.raises(ValueError, match="of its own"):
            client.write_batch([("a", invoice(1)), ("a", invoice(2))], "b")
        with pytest.raises(ValueError, match="1 to 10"):
            client.write_batch([("x" * 11, invoice(1))], "b")
        with pytest.raises(ValueError, match="1 to 36"):
            client.write_batch([("a", invoice(1))], "x" * 37)
        assert company.requests == []
