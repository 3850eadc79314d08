"""What each fault says to do, in both envelopes."""

from __future__ import annotations

from typing import Any

import pytest

from qbo_sync_dagster.quickbooks.errors import (
    ClosedPeriodError,
    ConnectionDeadError,
    DuplicateNameError,
    DuplicateNumberError,
    FaultError,
    NoAnswerError,
    ObjectNotFoundError,
    QuickBooksError,
    RecordBusyError,
    StaleObjectError,
    ThrottledError,
)
from qbo_sync_dagster.quickbooks.faults import FAULT_RULES, error_for, parse_fault


def service(*errors: dict[str, Any], kind: str = "ValidationFault") -> dict[str, Any]:
    return {"Fault": {"Error": list(errors), "type": kind}}


def raised(body: object, status: int = 400) -> QuickBooksError:
    faults = parse_fault(status, body)
    assert faults is not None
    return error_for(faults, action="create the invoice", status=status, intuit_tid="1-t")


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("610", ObjectNotFoundError),
        ("5000", StaleObjectError),
        ("5010", StaleObjectError),
        ("6140", DuplicateNumberError),
        ("6240", DuplicateNameError),
        ("6200", ClosedPeriodError),
        ("6210", ClosedPeriodError),
        ("6190", ConnectionDeadError),
        ("120", ConnectionDeadError),
        ("3100", ConnectionDeadError),
        ("3200", ConnectionDeadError),
        ("3001", ThrottledError),
        ("10000", NoAnswerError),
        ("600", NoAnswerError),
        ("150", NoAnswerError),
        ("500", FaultError),
        ("620", FaultError),
        ("2050", FaultError),
        ("2500", FaultError),
        ("6000", FaultError),
        ("6540", FaultError),
    ],
)
def test_each_code_has_its_remedy(code: str, error: type[QuickBooksError]) -> None:
    assert type(raised(service({"code": code, "Message": "m", "Detail": "d"}))) is error


def test_the_gateways_lower_case_envelope_is_read_like_the_services() -> None:
    body = {
        "warnings": None,
        "intuitObject": None,
        "fault": {
            "error": [{"message": "errorCode=003100; statusCode=403", "detail": None}],
            "type": "SERVICE",
        },
    }
    error = raised(body, 403)
    assert type(error) is ConnectionDeadError
    assert error.code == "3100"


def test_a_null_fault_among_the_siblings_is_no_fault() -> None:
    assert parse_fault(200, {"fault": None, "Invoice": {"Id": "1"}}) is None


@pytest.mark.parametrize("body", [None, [], "text", 5, {"Invoice": {}}])
def test_other_answers_are_no_fault(body: object) -> None:
    assert parse_fault(400, body) is None


@pytest.mark.parametrize(
    "envelope",
    [{}, {"Error": []}, {"Error": None}, {"Error": [None]}, {"Error": "x"}, {"Error": [{}]}],
)
def test_a_fault_without_a_readable_error_is_still_a_refusal(envelope: dict[str, Any]) -> None:
    assert isinstance(raised({"Fault": envelope}), FaultError)


def test_a_throttle_fault_with_the_old_403_is_a_throttle() -> None:
    message = "message=ThrottleExceeded; errorCode=003001; statusCode=403"
    assert isinstance(raised(service({"message": message}, kind="SERVICE"), 403), ThrottledError)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("AuthenticationFault", ConnectionDeadError),
        ("AuthorizatonFault", ConnectionDeadError),
        ("SystemFault", NoAnswerError),
        ("ValidationFault", FaultError),
    ],
)
def test_an_unknown_code_follows_its_fault_type(kind: str, error: type[QuickBooksError]) -> None:
    assert type(raised(service({"code": "99999"}, kind=kind))) is error


def test_an_unknown_code_of_an_unknown_type_leaves_a_server_error_in_doubt() -> None:
    assert isinstance(raised(service({"code": "99999"}, kind="NEW"), 503), NoAnswerError)
    assert isinstance(raised(service({"code": "99999"}, kind="NEW"), 400), FaultError)


def test_doubt_beats_a_refusal_in_one_fault() -> None:
    assert isinstance(raised(service({"code": "2050"}, {"code": "10000"})), NoAnswerError)


def test_a_refusal_beats_a_stale_token_in_one_fault() -> None:
    assert raised(service({"code": "5010"}, {"code": "2050"})).code == "2050"


def test_somebody_editing_the_list_is_worth_another_try() -> None:
    detail = "You can only add or edit one name at a time. Please try again."
    assert isinstance(raised(service({"code": "6000", "Detail": detail})), RecordBusyError)


def test_the_message_says_what_failed_why_and_what_cures_it() -> None:
    detail = "Duplicate Document Number Error : This number has already been used."
    error = raised(service({"code": "6140", "Detail": detail, "element": "DocNumber"}))
    assert str(error) == (
        "QuickBooks did not create the invoice: its number is already used in QuickBooks. Link the "
        "record to that document, or change the number, and retry. QuickBooks says: "
        f'"{detail}". (Code 6140.)'
    )
    assert (error.code, error.element, error.intuit_tid) == ("6140", "DocNumber", "1-t")
    assert error.http_status == 400


def test_a_sign_in_fault_never_repeats_the_token_it_quotes() -> None:
    error = raised(service({"code": "3200", "Detail": "Token expired: eyJhbGciOi.secret"}), 401)
    assert "secret" not in str(error)
    assert error.detail is None


def test_a_long_detail_is_cut() -> None:
    error = raised(service({"code": "2010", "Detail": "x" * 100_000}))
    assert len(str(error)) < 700


def test_every_rule_is_a_sentence() -> None:
    for code, rule in FAULT_RULES.items():
        assert rule.sentence.endswith("."), code
        assert len(rule.sentence) > 20, code
