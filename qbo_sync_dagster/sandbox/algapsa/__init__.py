"""A demo AlgaPSA: its billing tables in PostgreSQL and what its users and jobs do to them.

Modelled from catalogue facts and observed writes. What AlgaPSA does not do, and what was never
observed, raises here instead of pretending. Nothing of the engine is imported.
"""
