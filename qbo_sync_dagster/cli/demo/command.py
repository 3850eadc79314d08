"""The command: one cycle per company with --once, otherwise everything until it is ended."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Annotated

import typer

from qbo_sync_dagster.actions.sync_requests import request_sync_now
from qbo_sync_dagster.cli.cycles import company_row, run_shown
from qbo_sync_dagster.cli.demo.folder import data_folder, only_one, write_settings
from qbo_sync_dagster.cli.demo.services import (
    HOST,
    Service,
    chosen_port,
    running_services,
)
from qbo_sync_dagster.cli.demo.stack import DemoStack, running_stack
from qbo_sync_dagster.cli.ending import EXIT_CODE, EndAskedError, orderly_end
from qbo_sync_dagster.cli.output import (
    JsonFlag,
    add_row,
    answer,
    answer_json,
    answer_table,
    new_table,
    remark,
)
from qbo_sync_dagster.ledger import connections
from qbo_sync_dagster.ledger.connections import Connection
from qbo_sync_dagster.sandbox.demo import bookkeeper_extension, bookkeeper_payment
from qbo_sync_dagster.sandbox.quickbooks.control import SandboxRefusedError
from qbo_sync_dagster.sync.engine import open_engine
from qbo_sync_dagster.sync.outcome import CycleEnd, Outcome

_BOOKKEEPER_SECONDS = 120.0
_CHECK_SECONDS = 1.0
_EXTENSION_TURN = 2


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="One cycle per company, without Dagster; then end.")
    ] = False,
    port: Annotated[
        int | None,
        typer.Option(help="Port of the Dagster UI; 3000 or the next free one without it."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Run everything on this machine, with invented data.

    That is an AlgaPSA, a sandbox QuickBooks with two companies, the sync between them, and
    Dagster's UI. The data is kept for the next start.
    """
    with _ended_in_order(), only_one(folder := data_folder("demo"), "demo"):
        remark(f"The demo's data is in {folder}.")
        if once:
            with running_stack(folder) as stack:
                ends = _one_cycle_each(stack)
            _tell_ends(ends, as_json=as_json)
        else:
            ui_port = chosen_port(port)
            with running_stack(folder) as stack:
                _serve(stack, ui_port, as_json=as_json)


@contextmanager
def _ended_in_order() -> Iterator[None]:
    try:
        with orderly_end():
            yield
    except EndAskedError as error:
        raise typer.Exit(EXIT_CODE) from error
    finally:
        remark("Everything that was started has ended.")


def _one_cycle_each(stack: DemoStack) -> list[CycleEnd]:
    with open_engine(stack.config) as engine:
        with engine.ledger.connect() as connection:
            companies = connections.every(connection)
        return [run_shown(engine, each.realm, each.company_name) for each in companies]


def _tell_ends(ends: Sequence[CycleEnd], *, as_json: bool) -> None:
    if as_json:
        answer_json({"companies": [company_row(end) for end in ends]})
    else:
        table = new_table("company", "outcome", "summary", "to QuickBooks", "to AlgaPSA")
        for end in ends:
            health = end.health
            writes = (health.quickbooks_writes, health.algapsa_writes)
            add_row(table, health.company_name, end.outcome, end.sentence, *writes)
        answer_table(table)
    if any(end.outcome is not Outcome.SUCCEEDED for end in ends):
        raise typer.Exit(1)


def _serve(stack: DemoStack, port: int, *, as_json: bool) -> None:
    companies = _request_cycles(stack)
    write_settings(stack.folder, stack.environment())
    with running_services(stack.environment(), port) as services:
        _announce(stack, port, companies, as_json=as_json)
        with suppress(EndAskedError):
            _keep_going(stack, services)


def _request_cycles(stack: DemoStack) -> list[Connection]:
    with open_engine(stack.config) as engine:
        with engine.ledger.connect() as connection:
            companies = connections.every(connection)
        for company in companies:
            request_sync_now(engine.ledger, company.realm, "demo")
    return companies


def _announce(
    stack: DemoStack, port: int, companies: Sequence[Connection], *, as_json: bool
) -> None:
    url = f"http://{HOST}:{port}"
    if as_json:
        names = [{"realm": each.realm, "company": each.company} for each in companies]
        answer_json({"url": url, "data_folder": str(stack.folder), "companies": names})
        return
    answer(f"Dagster's UI is at {url}")
    answer(f"The companies are {' and '.join(each.company for each in companies)}.")
    answer(
        "Their first cycles start by themselves; a bookkeeper records a payment every 2 minutes, "
        "and once gives a client more time: drift."
    )
    answer(f"For `qbo-sync` in another terminal: . {stack.folder / 'settings.sh'}")
    answer("Ctrl-C ends everything. The data is kept.")


def _keep_going(stack: DemoStack, services: Sequence[Service]) -> None:
    """Until a signal comes or a service ends; the bookkeeper works meanwhile."""
    rng = random.Random()  # noqa: S311 - which invoice a demo bookkeeper picks
    due = time.monotonic() + _BOOKKEEPER_SECONDS
    turn = 0
    while True:
        time.sleep(_CHECK_SECONDS)
        for service in services:
            service.require_alive()
        if time.monotonic() >= due:
            turn += 1
            _do_bookkeeping(stack, rng, turn)
            due = time.monotonic() + _BOOKKEEPER_SECONDS


def _do_bookkeeping(stack: DemoStack, rng: random.Random, turn: int) -> None:
    try:
        if payment := bookkeeper_payment(stack.control, stack.world, rng):
            remark(f"The bookkeeper recorded a payment of {payment['TotalAmt']} in QuickBooks.")
        if turn == _EXTENSION_TURN:
            _extend(stack, rng)
    except SandboxRefusedError as error:
        remark(f"The bookkeeper could not do that: {error}")


def _extend(stack: DemoStack, rng: random.Random) -> None:
    if invoice := bookkeeper_extension(stack.control, stack.world, rng):
        remark(
            f"The bookkeeper moved the due date of invoice {invoice['DocNumber']} to "
            f"{invoice['DueDate']} in QuickBooks."
        )
