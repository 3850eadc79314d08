"""Refusals of the demo AlgaPSA, in the cases where AlgaPSA itself refuses."""

from __future__ import annotations


class AlgaRefusedError(Exception):
    """AlgaPSA does not allow this on the record in its present state."""


class NotModelledError(Exception):
    """AlgaPSA can do this, but its rows were never observed, so the demo will not invent them."""
