"""What can go wrong at QuickBooks: one class per remedy.

Messages are sentences for accounting staff. They hold codes, record ids and Intuit's own
explanation, never a payload, a token or a header.
"""

from __future__ import annotations


class QuickBooksError(Exception):
    """A call to QuickBooks did not do what it was asked to.

    `code` is Intuit's fault code (or the OAuth error), `detail` Intuit's explanation (cut and
    scrubbed), `element` the field it names, `intuit_tid` what Intuit's support asks for.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        detail: str | None = None,
        element: str | None = None,
        intuit_tid: str | None = None,
        http_status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.detail = detail
        self.element = element
        self.intuit_tid = intuit_tid
        self.http_status = http_status


class FaultError(QuickBooksError):
    """A definite answer about the record that sending it again cannot cure: tell a person."""


class StaleObjectError(FaultError):
    """Somebody changed the object since it was read (5010): read it again and plan anew."""


class ObjectNotFoundError(FaultError):
    """The object, or one it refers to, is deleted or inactive in QuickBooks (610)."""


class ClosedPeriodError(FaultError):
    """The date lies on or before the company's closing date (6200, 6210): hold the record."""


class DuplicateNumberError(FaultError):
    """Another transaction has this number (6140): look it up, then link or renumber."""


class DuplicateNameError(FaultError):
    """A customer, vendor or employee has this name (6240): look it up, then link or rename."""


class RecordBusyError(FaultError):
    """Somebody is editing the list in QuickBooks right now: nothing was done, try again later."""


class ThrottledError(QuickBooksError):
    """QuickBooks refused the call for its rate limit: nothing was done, and the realm pauses."""

    def __init__(
        self,
        message: str,
        *,
        retry_after: float,
        code: str | None = None,
        detail: str | None = None,
        intuit_tid: str | None = None,
        http_status: int | None = None,
    ) -> None:
        super().__init__(
            message, code=code, detail=detail, intuit_tid=intuit_tid, http_status=http_status
        )
        self.retry_after = retry_after
        """Seconds to leave this realm alone."""


class ConnectionDeadError(QuickBooksError):
    """The company can't be reached with these credentials: reconnect; no call before that."""


class NoAnswerError(QuickBooksError):
    """No definite answer: a write is in doubt (unless it was never `sent`), a read can be retried.

    `sent` is False only when the request certainly never reached QuickBooks: no connection was
    made, or no access token could be had.
    """

    def __init__(
        self,
        message: str,
        *,
        sent: bool = True,
        code: str | None = None,
        detail: str | None = None,
        intuit_tid: str | None = None,
        http_status: int | None = None,
    ) -> None:
        super().__init__(
            message, code=code, detail=detail, intuit_tid=intuit_tid, http_status=http_status
        )
        self.sent = sent
