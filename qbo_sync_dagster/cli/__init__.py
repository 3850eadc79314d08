"""`qbo-sync`: one module per group of commands, each a few lines around an action or a cycle.

Standard output holds the answer alone (with --json: JSON alone); progress and errors go to
standard error.
"""
