"""The benchmarks run as they are called, and print what they promise. Times are not judged."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from benchmarks import export, idle, payments


def figures(
    main: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *arguments: str,
) -> dict[str, float]:
    """What a benchmark prints, as JSON alone on standard output."""
    monkeypatch.setattr("sys.argv", ["benchmark", "--forgetful", "--json", *arguments])
    main()
    return dict(json.loads(capsys.readouterr().out))


def test_export_prints_its_figures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--invoices", "31", "--latency-ms", "0", "--limits")
    found = figures(export.main, monkeypatch, capsys, *arguments)

    names = ("invoices", "http_calls", "metered_calls", "seconds", "engine_cpu_seconds", "peak_mib")
    assert tuple(found) == names
    # A token, the poll, the preferences, one look-up of numbers, two batches.
    assert (found["invoices"], found["http_calls"], found["metered_calls"]) == (31, 7, 4)


def test_payments_print_their_figures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = figures(payments.main, monkeypatch, capsys, "--payments", "3")

    names = ("payments", "seconds", "engine_cpu_seconds", "peak_mib", "http_calls")
    assert tuple(found) == names
    assert (found["payments"], found["http_calls"]) == (3, 1)


def test_an_idle_cycle_makes_one_metered_call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = figures(idle.main, monkeypatch, capsys, "--invoices", "3")

    assert (found["invoices"], found["http_calls"], found["metered_calls"]) == (3, 1, 1)
