"""Pure rules and types: no I/O, no clock, no SQL, no HTTP, no Dagster.

A decision about money belongs here and nowhere else. Loading and writing do not.
"""
