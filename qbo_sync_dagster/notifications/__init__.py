"""Messages to people by mail, Slack, Teams and the like: what is new, once, and never at a cycle's
expense.

What belongs here: which messages a target still lacks, and sending them. What does not: which
exceptions there are (the ledger), who may set targets (actions).
"""
