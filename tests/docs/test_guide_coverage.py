"""The coverage table names only tests that exist, and no open ends."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]
_TABLE = (_ROOT / "docs" / "guide-coverage.md").read_text()
# Several rooms may have a file of one name.
_TESTS: dict[str, str] = {}
for _path in (_ROOT / "tests").rglob("test_*.py"):
    _TESTS[_path.stem] = _TESTS.get(_path.stem, "") + _path.read_text()


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`(test_\w+(?:::\w+)?)`", _TABLE))))
def test_every_test_that_the_table_names_is_there(named: str) -> None:
    file, _, name = named.partition("::")

    assert file in _TESTS
    assert f"def test_{name}" in _TESTS[file]


def test_every_row_says_what_shows_it() -> None:
    rows = [line for line in _TABLE.splitlines() if line.startswith("| ")]

    assert rows
    assert all(row.rstrip(" |").split("|")[-1].strip() for row in rows)
