"""Errors that pure rules raise. A refusal that staff must settle is a value, not one of these."""


class DomainError(Exception):
    """A rule was given something it cannot judge."""


class MoneyError(DomainError):
    """An amount that is not whole cents of one currency, or too large to be real."""


class MalformedObjectError(DomainError):
    """A QuickBooks object lacks what its type always has; names the object and the field."""
