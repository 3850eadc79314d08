"""Intuit's refusals: business faults and the gateway's own, with their two envelopes.

Belongs here: codes, texts and envelopes. Does not: when a fault is due.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from qbo_sync_dagster.sandbox.quickbooks.wire import Json, encode, millisecond_text

_MESSAGES = {
    "500": "Unsupported Operation",
    "610": "Object Not Found",
    "620": "Transaction cannot be linked",
    "800": "Cannot delete because of dependencies",
    "1040": "Batch limit exceeded",
    "2010": "Request has invalid or unsupported property",
    "2020": "Required param missing, need to supply the required value for the API",
    "2030": "Invalid ID",
    "2040": "Invalid characters",
    "2050": "String length specified does not match the supported length",
    "2060": "Invalid Date",
    "2080": "Invalid Number",
    "2130": "Invalid request id",
    "2170": "Invalid Enumeration",
    "2210": "Invalid email format",
    "2250": "Lines missing",
    "2290": "Negative amount",
    "2500": "Invalid Reference Id",
    "4000": "Error parsing query",
    "4001": "Invalid query",
    "5010": "Stale Object Error",
    "6000": "A business validation error has occurred while processing your request",
    "6070": "Amount calculation incorrect in the request",
    "6100": "Invalid tax code",
    "6140": "Duplicate Document Number Error",
    "6150": "ParentRef needs Job",
    "6180": "Too many levels",
    "6190": "Invalid Company Status",
    "6200": "Account Period Closed",
    "6210": "Account Period Closed, Cannot Update Through Services API",
    "6220": "Customer balance is not zero",
    "6240": "Duplicate Name Exists Error",
    "6250": "Customer is invalid or inactive",
    "6540": "Deposited Transaction cannot be changed",
    "10000": "An application error has occurred while processing your request",
}


@dataclass(frozen=True, slots=True)
class FaultDetail:
    """One error of a fault; `element` is the property it is about."""

    code: str
    detail: str
    element: str | None = None

    def as_json(self, *, in_batch: bool) -> Json:
        """The error as Intuit writes it; inside a batch `element` is never missing."""
        message = _MESSAGES.get(self.code, "A business validation error has occurred")
        plain: Json = {"Message": message, "Detail": self.detail, "code": self.code}
        if self.element is not None or in_batch:
            plain["element"] = self.element or ""
        return plain


class ApiFault(Exception):  # noqa: N818  (Intuit's word; it is an answer, not a failure of ours)
    """A business refusal, answered with the service-level envelope."""

    def __init__(self, *details: FaultDetail, status: int = 400, kind: str = "") -> None:
        super().__init__("; ".join(f"{d.code} {d.detail}" for d in details))
        self.details = details
        self.status = status
        self.kind = kind or "ValidationFault"

    def as_json(self, *, in_batch: bool = False) -> Json:
        """The value of `Fault`."""
        return {"Error": [d.as_json(in_batch=in_batch) for d in self.details], "type": self.kind}

    def body(self, began: datetime) -> str:
        """The whole answer. An invalid id is recorded without a time."""
        envelope: Json = {"Fault": self.as_json()}
        if self.details[0].code != "2030":
            envelope["time"] = millisecond_text(began)
        return encode(envelope)


def fault(code: str, detail: str, element: str | None = None) -> ApiFault:
    """A fault with one error."""
    status, kind = (500, "SystemFault") if code == "10000" else (400, "")
    return ApiFault(FaultDetail(code, detail, element), status=status, kind=kind)


def missing(name: str) -> ApiFault:
    """A required property was not sent."""
    return fault("2020", f"Required parameter {name} is missing in the request", name)


def not_found() -> ApiFault:
    """The object does not exist, or no longer."""
    detail = "Object Not Found : Something you're trying to use has been made inactive. "
    return fault("610", detail + "Check the fields with accounts, customers, items, vendors.")


def bad_reference(kind: str, value: str) -> ApiFault:
    """A reference names nothing; `kind` is Intuit's internal list name."""
    return fault("2500", f"Invalid Reference Id : {kind} element id {value} not found")


def unsupported(what: str) -> ApiFault:
    """Something the API, or this sandbox, does not offer."""
    return fault("500", f"Operation {what} is not supported.")


class GatewayFault(Exception):  # noqa: N818
    """A refusal before the books were reached: authentication, authorisation, throttling."""

    def __init__(self, status: int, code: str, name: str, kind: str, detail: str | None) -> None:
        super().__init__(f"{status} {name}")
        self.headers: dict[str, str] = {}
        self.status = status
        self.code = code
        self.name = name
        self.kind = kind
        self.detail = detail

    def body(self, began: datetime) -> str:
        """The lower-case envelope with its null siblings and the time in milliseconds."""
        text = f"message={self.name}; errorCode=00{self.code}; statusCode={self.status}"
        error = {"message": text, "detail": self.detail, "code": self.code, "element": None}
        return encode(
            {
                "warnings": None,
                "intuitObject": None,
                "fault": {"error": [error], "type": self.kind},
                "report": None,
                "queryResponse": None,
                "batchItemResponse": [],
                "attachableResponse": [],
                "syncErrorResponse": None,
                "requestId": None,
                "time": int(began.timestamp() * 1000),
                "status": None,
                "cdcresponse": [],
            }
        )


def unauthenticated(detail: str) -> GatewayFault:
    """401/3200: the access token is missing, malformed, expired or revoked."""
    refusal = GatewayFault(401, "3200", "AuthenticationFailed", "AUTHENTICATION", detail)
    refusal.headers["www-authenticate"] = 'Bearer realm="Intuit", error="invalid_token"'
    return refusal


def unauthorised() -> GatewayFault:
    """403/3100: a good token of another company."""
    return GatewayFault(403, "3100", "ApplicationAuthorizationFailed", "SERVICE", None)


def throttled(*, retry_after: bool) -> GatewayFault:
    """429/3001: more calls than Intuit allows. Whether Retry-After comes with it is not known."""
    detail = "The request limit was reached. Try again later"
    refusal = GatewayFault(429, "3001", "ThrottleExceeded", "SERVICE", detail)
    if retry_after:
        refusal.headers["retry-after"] = "60"
    return refusal
