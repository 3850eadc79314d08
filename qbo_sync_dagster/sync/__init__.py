"""The cycle: each stage loads, has the domain plan, and commits. No Dagster, no rules of money."""
