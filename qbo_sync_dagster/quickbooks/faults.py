"""Intuit's faults: reading both envelopes, and what to do about each code.

What belongs here: the table code -> remedy, error class, sentence with the cure. What does not:
sending, waiting, retrying.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

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
from qbo_sync_dagster.quickbooks.redact import scrub

THROTTLE_SECONDS = 60.0
ACCESS_TOKEN_REJECTED = "3200"  # noqa: S105 - a fault code
_LONGEST_DETAIL = 300
_CODE_IN_MESSAGE = re.compile(r"errorCode=0*(\d+)")


class Remedy(Enum):
    """Who acts on a fault: the engine again, the planner, whoever may connect, or a person."""

    RETRY = "retry"
    REPLAN = "re-plan"
    RECONNECT = "reconnect"
    TELL = "tell a person"


@dataclass(frozen=True, slots=True)
class Fault:
    """One error of a fault envelope, as sent. `type` is upper case ("" if missing)."""

    code: str | None
    message: str
    detail: str
    element: str | None
    type: str


@dataclass(frozen=True, slots=True)
class FaultRule:
    """What a code means for us. The sentence tells what happened and what cures it."""

    remedy: Remedy
    error: type[QuickBooksError]
    sentence: str


def _tell(sentence: str, error: type[QuickBooksError] = FaultError) -> FaultRule:
    return FaultRule(Remedy.TELL, error, sentence)


def _replan(error: type[QuickBooksError], sentence: str) -> FaultRule:
    return FaultRule(Remedy.REPLAN, error, sentence)


def _reconnect(sentence: str) -> FaultRule:
    return FaultRule(Remedy.RECONNECT, ConnectionDeadError, sentence)


def _unknown_outcome(sentence: str) -> FaultRule:
    return FaultRule(Remedy.RETRY, NoAnswerError, sentence)


_SIGN_IN = _reconnect(
    "QuickBooks no longer accepts our sign-in. Reconnect the company; nothing is sent until then."
)
_NOT_ALLOWED = _reconnect(
    "the user who connected the company may not do this. Reconnect as a company administrator."
)
_SYSTEM = _unknown_outcome(
    "QuickBooks reported an error of its own. What became of the request is read back."
)
_MAINTENANCE = _unknown_outcome("QuickBooks is not available at the moment. It is asked again.")
_ENGINE = _tell(
    "QuickBooks did not understand the request. Report this with the code; the record itself is "
    "untouched."
)
_FORMAT = _tell("a value has a form QuickBooks does not take. Correct it in AlgaPSA and retry.")
_IN_USE = _tell(
    "QuickBooks keeps it because other records depend on it. Detach those in QuickBooks and retry."
)
_CLOSED = _tell(
    "its date lies in a closed period. Reopen the books in QuickBooks or re-date the record.",
    ClosedPeriodError,
)
_ACCOUNT = _tell("QuickBooks does not allow this account or item. Choose another one and retry.")
_BUSINESS_RULE = _tell("a rule of QuickBooks forbids it. Correct the record as it says and retry.")

FAULT_RULES: Final[Mapping[str, FaultRule]] = {
    "100": _SIGN_IN,
    "110": _SIGN_IN,
    "120": _NOT_ALLOWED,
    "130": _MAINTENANCE,
    "140": _MAINTENANCE,
    "150": _MAINTENANCE,
    # Fault code 500 comes with HTTP 400 and means "unsupported operation", not a server failure.
    "500": _ENGINE,
    # The request id was seen before, so the earlier send may have been carried out.
    "600": _unknown_outcome("QuickBooks has seen this request before. Its outcome is read back."),
    "610": _replan(
        ObjectNotFoundError,
        "it, or something it refers to, was deleted or made inactive in QuickBooks. Make it active "
        "again or choose another one, then retry.",
    ),
    "620": _tell(
        "QuickBooks cannot link these transactions. Check that both belong to one customer."
    ),
    "800": _IN_USE,
    "1040": _ENGINE,
    "2010": _ENGINE,
    "2020": _tell("a required value is missing. Complete the record in AlgaPSA and retry."),
    "2030": _ENGINE,
    "2040": _tell("a text has characters QuickBooks does not take. Remove them and retry."),
    "2050": _tell("a text is longer or shorter than QuickBooks allows. Change it and retry."),
    **dict.fromkeys(("2060", "2070", "2080", "2090", "2100", "2110", "2140", "2170"), _FORMAT),
    "2130": _ENGINE,
    "2210": _tell("an e-mail address is not valid. Correct it at the client and retry."),
    "2250": _tell("the document has no lines. Add one in AlgaPSA and retry."),
    "2290": _tell("an amount is negative where QuickBooks takes none. Correct it and retry."),
    "2500": _tell(
        "it refers to an item, account, class or department QuickBooks does not have. Map it again "
        "and retry."
    ),
    "2600": _replan(StaleObjectError, "it was changed by somebody else at the same time."),
    "3001": FaultRule(
        Remedy.RETRY, ThrottledError, "QuickBooks' rate limit is reached. It waits and goes on."
    ),
    "3100": _reconnect(
        "this company has not authorised the app, or belongs to the other Intuit environment. "
        "Reconnect it."
    ),
    ACCESS_TOKEN_REJECTED: _SIGN_IN,
    "4000": _ENGINE,
    "4001": _ENGINE,
    "5000": _replan(StaleObjectError, "it was changed in QuickBooks since it was read."),
    "5010": _replan(StaleObjectError, "it was changed in QuickBooks since it was read."),
    "5020": _tell("the connected user may not do this. Give it the right in QuickBooks and retry."),
    "5030": _tell("the company's QuickBooks plan does not have this feature."),
    "6000": _BUSINESS_RULE,
    "6070": _tell("a line's amount is not quantity times price. Correct the line and retry."),
    "6100": _tell("a line has a tax code this company does not take. Map the tax again and retry."),
    "6140": _tell(
        "its number is already used in QuickBooks. Link the record to that document, or change "
        "the number, and retry.",
        DuplicateNumberError,
    ),
    "6150": _tell("a sub-customer needs to be marked as a job in QuickBooks."),
    "6180": _tell("sub-customers are nested too deeply. QuickBooks allows five levels."),
    "6190": _reconnect(
        "the company's QuickBooks subscription is not active. Renew it in QuickBooks, then "
        "reconnect."
    ),
    "6200": _CLOSED,
    "6210": _CLOSED,
    "6220": _IN_USE,
    "6240": _tell(
        "a customer, vendor or employee already has this name. Link the client to it, or change "
        "one of the names, and retry.",
        DuplicateNameError,
    ),
    "6250": _tell("the customer is inactive in QuickBooks. Make it active again and retry."),
    "6430": _ACCOUNT,
    "6450": _tell("the payment is settled and cannot be voided. Record a refund in QuickBooks."),
    "6480": _tell("it is matched to a bank transaction. Undo the match in QuickBooks and retry."),
    "6540": _tell(
        "the payment is part of a bank deposit. Take it out of the deposit in QuickBooks and retry."
    ),
    "10000": _SYSTEM,
    "10100": _tell("the answer is too large for QuickBooks."),
    "10200": _reconnect(
        "the company's data was reset in QuickBooks. Check the company, then reconnect."
    ),
}

# The schema itself misspells "AuthorizatonFault".
FAULT_TYPE_RULES: Final[Mapping[str, FaultRule]] = {
    "AUTHENTICATION": _SIGN_IN,
    "AUTHENTICATIONFAULT": _SIGN_IN,
    "AUTHORIZATION": _NOT_ALLOWED,
    "AUTHORIZATIONFAULT": _NOT_ALLOWED,
    "AUTHORIZATONFAULT": _NOT_ALLOWED,
    "VALIDATIONFAULT": _BUSINESS_RULE,
    "SYSTEMFAULT": _SYSTEM,
}

_BUSY = _tell(
    "somebody is editing that list in QuickBooks. It is tried again later.", RecordBusyError
)

# With several errors in one fault the first of these rules the answer: doubt beats a definite
# refusal, or a write that happened could be sent again.
_PRECEDENCE = (Remedy.RECONNECT, Remedy.RETRY, Remedy.TELL, Remedy.REPLAN)


def parse_fault(status: int, body: object) -> list[Fault] | None:
    """The errors of a fault envelope in either spelling, or None if the answer is no fault.

    Comes first whatever the HTTP status: faults also arrive with 200 and inside batch items.
    """
    envelope = _get(body, "fault")
    if not isinstance(envelope, Mapping):
        return None
    kind = _text(_get(envelope, "type")).upper() or ("AUTHENTICATION" if status == 401 else "")
    errors = _get(envelope, "error")
    listed = errors if isinstance(errors, list) else [errors]
    return [_fault(error, kind) for error in listed] or [_fault(None, kind)]


def rule_for(fault: Fault, status: int) -> FaultRule:
    """The rule of the code; else of the fault's type; else what the HTTP status allows to say."""
    if fault.code == "6000" and "one name at a time" in fault.detail.lower():
        return _BUSY
    by_status = _SYSTEM if status >= 500 else _BUSINESS_RULE
    by_type = FAULT_TYPE_RULES.get(fault.type, by_status)
    return FAULT_RULES.get(fault.code or "", by_type)


def error_for(
    faults: list[Fault],
    *,
    action: str,
    status: int,
    intuit_tid: str | None = None,
    retry_after: float = THROTTLE_SECONDS,
) -> QuickBooksError:
    """The one error that stands for a fault envelope. `action` reads like "create the invoice"."""
    ruled = [(rule_for(fault, status), fault) for fault in faults]
    rule, fault = min(ruled, key=lambda pair: _PRECEDENCE.index(pair[0].remedy))
    detail = _explanation(fault, rule)
    message = _sentence(action, rule, detail, fault.code)
    error = (
        ThrottledError(message, retry_after=retry_after)
        if issubclass(rule.error, ThrottledError)
        else rule.error(message)
    )
    error.code, error.detail, error.element = fault.code, detail, fault.element
    error.intuit_tid, error.http_status = intuit_tid, status
    return error


def _sentence(action: str, rule: FaultRule, detail: str | None, code: str | None) -> str:
    said = f' QuickBooks says: "{detail}".' if detail else ""
    coded = f" (Code {code}.)" if code else ""
    return f"QuickBooks did not {action}: {rule.sentence}{said}{coded}"


def _explanation(fault: Fault, rule: FaultRule) -> str | None:
    """Intuit's own words, cut. Sign-in faults quote the token in their detail: never those."""
    if rule.remedy is Remedy.RECONNECT:
        return None
    text = " ".join(scrub(fault.detail or fault.message).split())
    return text if len(text) <= _LONGEST_DETAIL else text[: _LONGEST_DETAIL - 1] + "…"


def _fault(error: object, kind: str) -> Fault:
    message = _text(_get(error, "message"))
    return Fault(
        code=_code(_get(error, "code"), message),
        message=message,
        detail=_text(_get(error, "detail")),
        element=_text(_get(error, "element"))[:100] or None,
        type=kind,
    )


def _code(value: object, message: str) -> str | None:
    stated = _text(value).strip()[:20]
    if not stated:
        found = _CODE_IN_MESSAGE.search(message)
        stated = found.group(1) if found else ""
    return (stated.lstrip("0") if stated.isdigit() else stated) or None


def _get(mapping: object, name: str) -> object:
    """The value under `name` in any letter case; None if there is none."""
    if not isinstance(mapping, Mapping):
        return None
    return next((v for k, v in mapping.items() if isinstance(k, str) and k.lower() == name), None)


def _text(value: object) -> str:
    return str(value)[:5000] if isinstance(value, str | int) else ""
