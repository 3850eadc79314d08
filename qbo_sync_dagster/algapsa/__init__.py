"""Gateway to AlgaPSA's PostgreSQL database: bulk snapshots out, payments in.

Belongs here: every SQL statement that meets AlgaPSA's tables, and what AlgaPSA's types mean. Does
not: deciding about money, our own ledger, QuickBooks. Every predicate names the tenant, because
the database itself does not keep tenants apart.
"""
