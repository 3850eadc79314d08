"""`qbo-sync onboard`: clients, products, history and go-live of a company, step by step.

Each step shows what it proposes and asks before it does anything. It can be ended at any point
and run again: what is done stays done, and a second run changes nothing.
"""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Annotated

import typer

from qbo_sync_dagster.actions import mapping
from qbo_sync_dagster.actions.configuring import configure
from qbo_sync_dagster.cli.errors import CommandError
from qbo_sync_dagster.cli.opening import opened_engine
from qbo_sync_dagster.cli.output import (
    JsonFlag,
    add_row,
    answer,
    answer_json,
    answer_table,
    new_table,
    remark,
    working,
)
from qbo_sync_dagster.cli.parameters import Company
from qbo_sync_dagster.domain.history_matching import HistoryMatch, HistoryState
from qbo_sync_dagster.domain.matching import ClientMatch, MatchState
from qbo_sync_dagster.domain.money import format_minor
from qbo_sync_dagster.domain.suggestions import MappedRecord
from qbo_sync_dagster.ledger import connections
from qbo_sync_dagster.onboarding.clients import (
    ClientChoices,
    ClientsDone,
    decide_clients,
    propose_clients,
)
from qbo_sync_dagster.onboarding.history import link_history, propose_history
from qbo_sync_dagster.panels import words
from qbo_sync_dagster.sync.engine import SyncEngine


class Step(StrEnum):
    """The steps in their order."""

    CLIENTS = "clients"
    PRODUCTS = "products"
    HISTORY = "history"
    GO_LIVE = "go-live"


Pairs = Annotated[
    list[str] | None,
    typer.Option(
        "--link",
        metavar="CLIENT=CUSTOMER",
        help="Link this client, each by id or name; corrects a wrong link. May be repeated.",
    ),
]
Create = Annotated[
    list[str] | None,
    typer.Option("--create", metavar="CLIENT", help="Create a customer for it. May be repeated."),
]
Skip = Annotated[
    list[str] | None,
    typer.Option("--skip", metavar="CLIENT", help="Leave it out from now on. May be repeated."),
]


def onboard(
    company: Company,
    step: Annotated[
        Step | None, typer.Option(help="Only this step; all of them without it.")
    ] = None,
    link: Pairs = None,
    create: Create = None,
    skip: Skip = None,
    go_live: Annotated[
        str | None, typer.Option(metavar="DATE", help="First date that is exported: 2026-01-31.")
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do what is sure without asking: exact matches only.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Bring a company into the sync: link clients, products and booked invoices, set go-live.

    Without --yes on a terminal each step asks first; elsewhere it only shows what it would do.
    Names that are merely alike are never linked without being named with --link.
    """
    choices = ClientChoices(
        getpass.getuser(), link=_pairs(link or ()), create=create or (), skip=skip or ()
    )
    with opened_engine() as engine:
        with engine.ledger.connect() as connection:
            realm = connections.get(connection, company).realm
        wizard = _Wizard(engine, realm, choices, go_live, confirm=_confirming(yes, as_json))
        report = wizard.run([step] if step else list(Step), quiet=as_json)
    if as_json:
        answer_json(report)


def _pairs(given: Iterable[str]) -> dict[str, str]:
    pairs = [text.rpartition("=") for text in given]
    if any(not client.strip() or not customer.strip() for client, _, customer in pairs):
        raise CommandError("--link takes CLIENT=CUSTOMER, each by id or name.")
    return {client.strip(): customer.strip() for client, _, customer in pairs}


def _confirming(yes: bool, as_json: bool) -> Callable[[str], bool]:
    if yes:
        return lambda _: True
    if as_json or not sys.stdin.isatty():
        return lambda _: False
    return lambda question: typer.confirm(question, default=False)


class _Wizard:
    """The steps for one company; `confirm` asks a person, or answers for one who is not there."""

    def __init__(
        self,
        engine: SyncEngine,
        realm: str,
        choices: ClientChoices,
        go_live: str | None,
        *,
        confirm: Callable[[str], bool],
    ) -> None:
        self._engine = engine
        self._realm = realm
        self._choices = choices
        self._go_live = go_live
        self._confirm = confirm

    def run(self, steps: Iterable[Step], *, quiet: bool) -> dict[str, object]:
        """Run the steps; what each found and did, for programs."""
        self._quiet = quiet
        served = {
            Step.CLIENTS: self._clients,
            Step.PRODUCTS: self._products,
            Step.HISTORY: self._history,
            Step.GO_LIVE: self._set_go_live,
        }
        return {str(step): served[step]() for step in steps}

    def _clients(self) -> dict[str, object]:
        chosen = self._choices
        named = _done(ClientsDone())
        if chosen.link or chosen.create or chosen.skip:
            named = _done(decide_clients(self._engine, self._realm, chosen))
            self._say(f"Clients as you named them: {_counts(named)}.")
        with working("Comparing clients and customers ..."):
            found = propose_clients(self._engine, self._realm)
        self._show_clients(found)
        exact = sum(each.state is MatchState.EXACT for each in found)
        question = f"Link {words.counted(exact, 'client')} to the customer of the same name?"
        if exact and self._confirm(question):
            done = ClientChoices(chosen.by, exact=True)
            exact_done = decide_clients(self._engine, self._realm, done)
            self._say(f"{words.counted(exact_done.linked, 'client')} linked.")
            found = propose_clients(self._engine, self._realm)
        return {"done": named, "clients": [_client(each) for each in found]}

    def _show_clients(self, found: list[ClientMatch]) -> None:
        rows = [each for each in found if each.state is not MatchState.LINKED]
        linked = len(found) - len(rows)
        self._say(f"{words.counted(linked, 'client')} linked, {len(rows)} not.")
        if rows:
            table = [(each.name, each.state, _candidates(each)) for each in rows]
            self._table(("client", "state", "QuickBooks customer"), table)
        if any(each.is_open for each in rows):
            self._say("Decide by name: --link CLIENT=CUSTOMER, --create CLIENT or --skip CLIENT.")

    def _products(self) -> dict[str, object]:
        with working("Comparing services, tax regions and terms ..."):
            found = mapping.list_mappings(self._engine, self._realm)
        missing = [each for each in found if each.is_open]
        self._say(f"{len(found) - len(missing)} mapped, {len(missing)} not.")
        if missing:
            rows = [(each.kind, each.algapsa_name, each.state, _offered(each)) for each in missing]
            self._table(("kind", "in AlgaPSA", "state", "may be in QuickBooks"), rows)
        sure = sum(not each.quickbooks_id and each.certain is not None for each in found)
        made: list[MappedRecord] = []
        if sure and self._confirm(f"Map {sure} to the object of the same name?"):
            made = mapping.accept_certain(self._engine, self._realm)
            self._say(f"{len(made)} mapped.")
        served = {(each.kind, each.algapsa_id) for each in made}
        left = sum((each.kind, each.algapsa_id) not in served for each in missing)
        if left:
            self._say(f"{left} left: `qbo-sync mappings` sets them, also by a spreadsheet.")
        return {"mapped": len(made), "missing": left}

    def _history(self) -> dict[str, object]:
        with working("Looking for booked invoices ..."):
            found = propose_history(self._engine, self._realm)
        states = [each.state for each in found]
        matched, review = states.count(HistoryState.MATCHED), states.count(HistoryState.REVIEW)
        self._say(
            f"{matched} booked in QuickBooks, {review} to look at, "
            f"{states.count(HistoryState.NONE)} not there."
        )
        listed = [each for each in found if each.state is not HistoryState.NONE]
        if listed:
            rows = [(e.number, _total(e), e.state, e.quickbooks_id, e.reason) for e in listed]
            self._table(("invoice", "total", "state", "QuickBooks id", "reason"), rows)
        linked = 0
        if matched and self._confirm(f"Link {words.counted(matched, 'invoice')}?"):
            linked = link_history(self._engine, self._realm).linked
            self._say(
                f"{words.counted(linked, 'invoice')} linked. The next cycle pairs their payments."
            )
        return {"linked": linked, "documents": [_document(each) for each in found]}

    def _set_go_live(self) -> dict[str, object]:
        if self._go_live:
            configure(self._engine.ledger, self._realm, {"go-live": self._go_live})
        with self._engine.ledger.connect() as connection:
            company = connections.get(connection, self._realm)
        self._say(
            f"Documents dated on or after {company.go_live_date} are exported; earlier ones are "
            "only linked. Change it with --go-live."
        )
        return {"go_live_date": company.go_live_date, "auto_sync": company.auto_sync}

    def _say(self, sentence: str) -> None:
        if self._quiet:
            remark(sentence)
        else:
            answer(sentence)

    def _table(self, columns: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
        if self._quiet:
            return
        table = new_table(*columns)
        for row in rows:
            add_row(table, *row)
        answer_table(table)


def _done(done: ClientsDone) -> dict[str, object]:
    return {
        "linked": done.linked,
        "created": done.created,
        "skipped": done.skipped,
        "not_created": dict(done.not_created),
    }


def _counts(done: dict[str, object]) -> str:
    told = f"{done['linked']} linked, {done['created']} created, {done['skipped']} skipped"
    problems = done["not_created"]
    return f"{told}; not created: {problems}" if problems else told


def _candidates(match: ClientMatch) -> str:
    if match.customer_id:
        return f"{match.customer_name} ({match.customer_id})"
    there = [f"linked in {match.elsewhere}"] if match.elsewhere else []
    may_be = [f"{it.name} ({it.record_id}) {it.score} %" for it in match.suggestions]
    return ", ".join(there + may_be)


def _offered(record: MappedRecord) -> str:
    return ", ".join(f"{it.name} ({it.record_id}) {it.score} %" for it in record.suggestions)


def _total(match: HistoryMatch) -> str:
    return f"{format_minor(match.total_minor)} {match.currency}"


def _client(match: ClientMatch) -> dict[str, object]:
    return {
        "client_id": match.client_id,
        "name": match.name,
        "state": str(match.state),
        "customer_id": match.customer_id or None,
        "linked_elsewhere": match.elsewhere or None,
        "suggestions": [
            {"customer_id": it.record_id, "name": it.name, "score": it.score}
            for it in match.suggestions
        ],
    }


def _document(match: HistoryMatch) -> dict[str, object]:
    return {
        "invoice_id": match.invoice_id,
        "number": match.number,
        "state": str(match.state),
        "quickbooks_id": match.quickbooks_id or None,
        "reason": match.reason,
    }
