"""Weeks of a provider with two companies, by chance: nothing twice, nothing lost, nothing unnamed.

`QBO_SYNC_SIMULATED_DAYS` and `QBO_SYNC_SIMULATED_SEED` act out other spans and other years; the
same as a command is `python -m benchmarks.year`.
"""

from __future__ import annotations

import os

from benchmarks.year.simulation import act_out

DAYS = int(os.environ.get("QBO_SYNC_SIMULATED_DAYS", "42"))
SEED = int(os.environ.get("QBO_SYNC_SIMULATED_SEED", "7"))


def test_books_agree_but_for_what_is_named() -> None:
    told = act_out(SEED, DAYS)

    assert told.documents > DAYS // 3
    assert set(told.outcomes) <= {"succeeded", "failed"}
