"""Each guarantee names what keeps it, tests that are there, and its limits."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]
_TEXT = (_ROOT / "docs" / "guarantees.md").read_text()
# Several rooms may have a file of one name.
_TESTS: dict[str, str] = {}
for _path in (_ROOT / "tests").rglob("test_*.py"):
    _TESTS[_path.stem] = _TESTS.get(_path.stem, "") + _path.read_text()
_NAMED = re.compile(r"`(test_\w+)::(\w+)`")
_ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in _TEXT.splitlines()
    if line.startswith("| ") and not line.startswith("| Guarantee ")
]


def test_each_guarantee_says_by_what_it_is_kept_what_shows_it_and_its_limits() -> None:
    assert len(_ROWS) > 20
    for row in _ROWS:
        assert len(row) == 4, row[0]
        assert all(row), row[0]
        assert _NAMED.search(row[2]), row[0]


@pytest.mark.parametrize(("file", "name"), sorted(set(_NAMED.findall(_TEXT))))
def test_every_test_that_a_guarantee_names_is_there(file: str, name: str) -> None:
    assert file in _TESTS
    assert f"def test_{name}(" in _TESTS[file]
