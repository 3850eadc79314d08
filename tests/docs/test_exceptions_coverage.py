"""The table of exceptions names, for each kind and action, a test that is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qbo_sync_dagster.domain.catalogue import CATALOGUE, Action, ExceptionKind
from tests.scenarios.causes import CAUSES

_ROOT = Path(__file__).resolve().parents[2]
_TABLE = (_ROOT / "docs" / "exceptions-coverage.md").read_text()
# Several rooms may have a file of one name.
_TESTS: dict[str, str] = {}
for _path in (_ROOT / "tests").rglob("test_*.py"):
    _TESTS[_path.stem] = _TESTS.get(_path.stem, "") + _path.read_text()
_NAMED = re.compile(r"`(test_\w+)::(\w+)(?:\[(\w+)\])?`")


def _row(kind: ExceptionKind) -> list[str]:
    """Raised by, closes by itself, cured by: the cells of the kind's one row."""
    title = CATALOGUE[kind].title.format(days="N")
    [row] = [line for line in _TABLE.splitlines() if line.startswith(f"| {title} |")]
    return [cell.strip() for cell in row.strip("|").split("|")][1:]


def test_the_table_has_a_row_for_each_kind_and_no_other() -> None:
    rows = [line for line in _TABLE.splitlines() if line.startswith("| ")][1:]

    assert len(rows) == len(CATALOGUE)


@pytest.mark.parametrize("kind", ExceptionKind)
def test_each_kind_is_raised_by_a_test_and_says_how_it_closes_by_itself(
    kind: ExceptionKind,
) -> None:
    raised, by_itself, _ = _row(kind)

    assert _NAMED.search(raised)
    assert by_itself


@pytest.mark.parametrize(
    ("kind", "action"),
    [(kind, action) for kind, entry in CATALOGUE.items() for action in entry.actions],
)
def test_each_action_that_a_kind_allows_has_a_test(kind: ExceptionKind, action: Action) -> None:
    cures = dict(part.split(": ", 1) for part in _row(kind)[2].split("<br>"))

    assert set(cures) == {str(each) for each in CATALOGUE[kind].actions}
    assert _NAMED.search(cures[str(action)])


@pytest.mark.parametrize(
    ("kind", "file", "name", "case"),
    sorted((kind, *named) for kind in ExceptionKind for named in _NAMED.findall(str(_row(kind)))),
)
def test_every_test_that_the_table_names_is_there(
    kind: ExceptionKind, file: str, name: str, case: str
) -> None:
    assert f"def test_{name}(" in _TESTS[file]
    if file == "test_cures_by_kind":
        assert case == kind
        assert kind in CAUSES or kind is ExceptionKind.UNREADABLE_CHANGE
    elif case:
        assert case == kind
        assert f"ExceptionKind.{kind.name}" in _TESTS[file]
