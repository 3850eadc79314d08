"""Errors of the AlgaPSA gateway, one class per remedy."""

from __future__ import annotations


class AlgaPsaError(Exception):
    """AlgaPSA's database did not do what was asked."""


class AlgaPsaUnreachableError(AlgaPsaError):
    """No connection: the next cycle tries again, and a person looks at the server or the DSN."""


class AlgaPsaBusyError(AlgaPsaError):
    """Somebody holds the rows, or we held them too long: nothing was written, retry later."""


class AlgaPsaMismatchError(AlgaPsaError):
    """The schema or the grants are not what we were built for: run `qbo-sync doctor`."""


class AlgaPsaNotReadyError(AlgaPsaError):
    """The database is not to be believed now: a restore still runs, or the preflight fails."""


class AlgaPsaRejectedError(AlgaPsaError):
    """The database refused this record's values: the record waits for a person."""


class PaymentRowTakenError(AlgaPsaRejectedError):
    """A row with the id we computed exists without standing for the payment: tell a person."""
