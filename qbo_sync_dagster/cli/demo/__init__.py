"""`qbo-sync demo`: both sides, the engine and Dagster on this machine, from nothing.

Belongs here: starting, wiring and ending them. Does not: what is in the demo's books (sandbox).
"""
