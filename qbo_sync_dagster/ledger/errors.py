"""Errors of the ledger, one class per remedy."""


class LedgerError(Exception):
    """The ledger cannot do what was asked."""


class LeaseLostError(LedgerError):
    """Another run took the realm over; this one must stop and write nothing more."""


class UnknownRealmError(LedgerError):
    """No connection with this realm id or company key."""


class LedgerNotMigratedError(LedgerError):
    """The database lacks our tables or has older ones: run `qbo-sync migrate`."""


class SecretKeyError(LedgerError):
    """QBO_SYNC_SECRET_KEY is not a Fernet key, or not the one the tokens were stored with."""


class DoubleLinkError(LedgerError):
    """The record, or the object, is linked already; linking it again would mix two documents."""


class LedgerUnreachableError(LedgerError):
    """The ledger's database is down, full or lets nobody in: bring it back, and nothing else."""
