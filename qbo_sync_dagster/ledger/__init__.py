"""Our own PostgreSQL database: what was agreed, what is owed, what happened.

One module per aggregate, each the only place with SQL on its tables. Decisions do not belong here.
"""
