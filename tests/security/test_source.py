"""What holds for all of the source: no value in a statement, no way around TLS, no secret."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from qbo_sync_dagster.quickbooks.redact import scrub

_ROOT = Path(__file__).resolve().parents[2]
_SQL = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE|FROM|WHERE|JOIN|VALUES|SET|PREPARE|EXECUTE)\b")
_CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]*")
# Statements that are composed when they run, of our own names and constants, seen one by one.
_SEEN = {
    # Names and bodies of the statements of that module, which it prepares.
    ("payment_statements.py", "_label(statement)"),
    ("payment_statements.py", "', '.join((_TYPES[name] for name in names))"),
    ("payment_statements.py", "body"),
    ("payment_statements.py", "', '.join(map(_cast, _names(statement)))"),
    # A sentence for people.
    ("preflight.py", "row[0]"),
    # Intuit's query language; values are quoted there, and its tests try to break out.
    ("query.py", "query.entity"),
    ("query.py", "' AND '.join(map(_condition, conditions))"),
}
# `text` and `exec_driver_sql` of what is no constant name: wrappers around the module's constants.
_STATEMENTS_SEEN = {
    ("sql.py", "statement"),
    ("payment_statements.py", "';'.join(map(_prepare, (*_OPEN, *_WRITE)))"),
}


def _modules() -> Iterator[tuple[Path, ast.Module]]:
    for package in ("qbo_sync_dagster", "assets", "sensors"):
        for path in sorted((_ROOT / package).rglob("*.py")):
            if not {"sandbox", "migrations"} & set(path.relative_to(_ROOT).parts):
                yield path, ast.parse(path.read_text())


def _run_time(tree: ast.Module) -> Iterator[ast.AST]:
    """What runs later than at import: at import there is nothing but our own constants."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            yield from ast.walk(node)


def _unsafe_parts(node: ast.AST) -> Iterator[str]:
    """What a statement is composed of beside constants."""
    if isinstance(node, ast.JoinedStr):
        words = "".join(str(v.value) for v in node.values if isinstance(v, ast.Constant))
        parts = [v.value for v in node.values if isinstance(v, ast.FormattedValue)]
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
        sides = [node.left, node.right]
        words = "".join(str(s.value) for s in sides if isinstance(s, ast.Constant))
        parts = [s for s in sides if not isinstance(s, ast.Constant)]
    else:
        return
    if _SQL.search(words):
        names = (ast.unparse(part) for part in parts)
        yield from (name for name in names if not _CONSTANT.fullmatch(name))


def test_no_statement_holds_a_value_they_are_all_bound() -> None:
    found = {
        (path.name, part)
        for path, tree in _modules()
        for node in _run_time(tree)
        for part in _unsafe_parts(node)
    }

    assert found <= _SEEN


def test_what_is_run_as_sql_later_than_at_import_is_a_constant() -> None:
    found = set()
    for path, tree in _modules():
        for node in _run_time(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            is_text = ast.unparse(node.func) == "sa.text"
            if (is_text or node.func.attr == "exec_driver_sql") and node.args:
                given = node.args[0]
                named = ast.unparse(given)
                is_literal = isinstance(given, ast.Constant | ast.JoinedStr)
                if not is_literal and not _CONSTANT.fullmatch(named):
                    found.add((path.name, named))

    assert found <= _STATEMENTS_SEEN


@pytest.mark.parametrize(
    "planted",
    [
        "def f(x): return f'SELECT 1 FROM t WHERE a = {x}'",
        "def f(x): return 'DELETE FROM t WHERE a = ' + x",
        "def f(x): return 'UPDATE t SET a = %s' % x",
    ],
)
def test_the_check_sees_a_value_in_a_statement(planted: str) -> None:
    parts = [part for node in _run_time(ast.parse(planted)) for part in _unsafe_parts(node)]

    assert parts == ["x"]


def test_nothing_switches_the_check_of_certificates_off() -> None:
    doors = {"_create_unverified_context", "CERT_NONE", "check_hostname", "verify_mode"}
    for path, tree in _modules():
        for node in ast.walk(tree):
            assert not (isinstance(node, ast.keyword) and node.arg == "verify"), path
            assert not (isinstance(node, ast.Attribute) and node.attr in doors), path


def test_one_place_makes_the_client_that_carries_tokens() -> None:
    makers = {
        path.name
        for path, tree in _modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("httpx.Client", "httpx.AsyncClient", "httpx.get")
        and "cli" not in path.parts
    }

    assert makers == {"transport.py"}


def _tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=_ROOT, capture_output=True, text=True, check=False
    )
    names = listed.stdout.split("\0") if listed.returncode == 0 else []
    found = [_ROOT / name for name in names if name]
    return [path for path in found if path.is_file()] or [
        path
        for package in ("qbo_sync_dagster", "assets", "sensors", "tests", "docs", "benchmarks")
        for path in (_ROOT / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    ]


_SECRETS = {
    "private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    "Fernet key": re.compile(r"(?<![A-Za-z0-9_/+-])[A-Za-z0-9_-]{43}=(?![A-Za-z0-9=])"),
    "refresh token of Intuit": re.compile(r"\bAB\d{2}[A-Za-z0-9]{36,}"),
    "access token": re.compile(r"\beyJ[A-Za-z0-9_-]{40,}"),
    "client secret of Intuit": re.compile(r"\bCLIENT_SECRET\b\s*=\s*[\"'][A-Za-z0-9]{40}[\"']"),
}


def test_the_repository_holds_no_secret() -> None:
    found = [
        (path.name, kind)
        for path in _tracked()
        for kind, pattern in _SECRETS.items()
        if pattern.search(path.read_text(errors="replace"))
    ]

    assert found == []


def test_what_counts_as_a_secret_here_is_scrubbed_from_logs_too() -> None:
    token = "AB11" + "x" * 40

    assert _SECRETS["refresh token of Intuit"].search(token)
    assert token not in scrub(f"the token is {token}.")
