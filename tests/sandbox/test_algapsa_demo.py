"""The demo's two sides agree on everything booked, and differ only by what a cycle should do."""

from __future__ import annotations

import os
import random
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from qbo_sync_dagster.domain.money import to_minor
from qbo_sync_dagster.sandbox.algapsa.reading import InvoiceState, invoice_states, payment_rows
from qbo_sync_dagster.sandbox.algapsa.schema import Edition
from qbo_sync_dagster.sandbox.demo import (
    DemoCompany,
    DemoWorld,
    bookkeeper_extension,
    bookkeeper_payment,
    build_demo_world,
    record_news,
)
from qbo_sync_dagster.sandbox.postgres import EmbeddedServer
from qbo_sync_dagster.sandbox.quickbooks.control import SandboxControl
from qbo_sync_dagster.sandbox.quickbooks.process import SandboxProcess

OVERLAP = timedelta(minutes=5)


@dataclass(frozen=True)
class Demo:
    """A built world and the ways into both sides."""

    world: DemoWorld
    engine: Engine
    control: SandboxControl

    def states(self) -> dict[str, InvoiceState]:
        states = invoice_states(self.engine, self.world.tenant)
        return {state.invoice_id: state for state in states}

    def objects(self, company: DemoCompany, entity: str) -> dict[str, dict[str, Any]]:
        return {each["Id"]: each for each in self.control.list(company.realm, entity)}

    def unbooked(self) -> list[InvoiceState]:
        linked = {ours for c in self.world.companies for ours in c.linked("invoice")}
        return [
            state
            for state in self.states().values()
            if state.invoice_id not in linked
            and state.status == "sent"
            and state.invoice_date >= self.world.companies[0].go_live
        ]


def build(
    server: EmbeddedServer, control: SandboxControl, today: date, edition: Edition, news: bool
) -> Iterator[Demo]:
    name = f"test_{os.getpid()}_{uuid.uuid4().hex[:12]}"
    dsn = server.create_database(name)
    token = uuid.uuid4().hex[:12]
    world = build_demo_world(
        dsn,
        control,
        today=today,
        edition=edition,
        with_news=news,
        realms=(f"main-{token}", f"cloud-{token}"),
    )
    engine = sa.create_engine(dsn)
    yield Demo(world, engine, control)
    engine.dispose()
    server.drop_database(name)


@pytest.fixture(
    scope="module",
    params=[(date(2026, 11, 22), "community"), (date(2027, 1, 1), "enterprise")],
    ids=["late in a month", "first of January"],
)
def booked(
    request: pytest.FixtureRequest, postgres_server: EmbeddedServer, sandbox_process: SandboxProcess
) -> Iterator[Demo]:
    """Both sides before anybody did anything after the connection; read only."""
    today, edition = request.param
    yield from build(postgres_server, sandbox_process.control, today, edition, news=False)


@pytest.fixture
def demo(postgres_server: EmbeddedServer, sandbox: SandboxControl) -> Iterator[Demo]:
    """The world as the demo starts with it."""
    yield from build(postgres_server, sandbox, date(2026, 11, 22), "community", news=True)


def test_every_linked_invoice_agrees_in_number_date_total_and_balance(booked: Demo) -> None:
    states = booked.states()
    for company in booked.world.companies:
        theirs = booked.objects(company, "Invoice")
        for ours, identity in company.linked("invoice").items():
            state, invoice = states[ours], theirs[identity]
            assert (
                invoice["DocNumber"],
                date.fromisoformat(invoice["TxnDate"]),
                to_minor(invoice["TotalAmt"]),
                to_minor(invoice["Balance"]),
            ) == (state.number, state.invoice_date, state.total, state.balance)


def test_every_invoice_in_quickbooks_is_linked_to_the_client_it_belongs_to(booked: Demo) -> None:
    states = booked.states()
    for company in booked.world.companies:
        clients, invoices = company.linked("client"), company.linked("invoice")
        theirs = booked.objects(company, "Invoice")
        assert set(invoices.values()) == set(theirs)
        for ours, identity in invoices.items():
            customer = theirs[identity]["CustomerRef"]["value"]
            assert clients[states[ours].client_id] == customer


def test_every_payment_of_the_past_stands_on_both_sides(booked: Demo) -> None:
    paid: Counter[str] = Counter()
    for company in booked.world.companies:
        numbers = {k: v["DocNumber"] for k, v in booked.objects(company, "Invoice").items()}
        for payment in booked.objects(company, "Payment").values():
            assert payment["UnappliedAmt"] == 0
            assert date.fromisoformat(payment["TxnDate"]) < company.go_live
            for line in payment["Line"]:
                number = numbers[line["LinkedTxn"][0]["TxnId"]]
                paid[number] += to_minor(line["Amount"])
    states = booked.states().values()
    assert paid == Counter({state.number: state.paid for state in states if state.paid})


def test_each_client_has_one_company_and_each_company_all_services(booked: Demo) -> None:
    main, cloud = booked.world.companies
    assert (len(main.linked("client")), len(cloud.linked("client"))) == (30, 10)
    assert not set(main.linked("client")) & set(cloud.linked("client"))
    for company in booked.world.companies:
        assert set(company.linked("service")) == set(main.linked("service"))
        assert set(company.linked("tax_region")) == {"US-WA", "US-ID"}
        assert set(company.linked("payment_term")) == {"net_30", "net_15", "due_on_receipt"}
        assert company.default_item in booked.objects(company, "Item")
    assert [company.is_default for company in booked.world.companies] == [True, False]


def test_no_first_poll_delivers_the_history(booked: Demo) -> None:
    for company in booked.world.companies:
        for entity in ("Customer", "Invoice", "Payment", "Item"):
            for each in booked.objects(company, entity).values():
                stamp = datetime.fromisoformat(each["MetaData"]["LastUpdatedTime"])
                assert stamp < booked.world.connected_at - OVERLAP


def test_thirty_invoices_since_go_live_wait_each_for_the_company_of_its_client(
    booked: Demo,
) -> None:
    main, cloud = booked.world.companies
    unbooked = booked.unbooked()
    assert len(unbooked) == 30
    assert all(state.invoice_date <= booked.world.today for state in unbooked)
    pending = set(booked.world.pending_homes)
    assert 5 <= len(pending) <= 12
    clients = {c.realm: set(c.linked("client")) for c in (main, cloud)}
    numbers = {
        each["DocNumber"] for c in (main, cloud) for each in booked.objects(c, "Invoice").values()
    }
    for state in unbooked:
        home = cloud if state.invoice_id in pending else main
        assert state.client_id in clients[home.realm]
        assert state.number not in numbers


def news(demo: Demo, company: DemoCompany) -> list[dict[str, Any]]:
    return [
        each
        for each in demo.objects(company, "Payment").values()
        if datetime.fromisoformat(each["MetaData"]["LastUpdatedTime"]) >= demo.world.connected_at
    ]


def test_twelve_payments_came_in_after_the_cursor_in_both_companies(demo: Demo) -> None:
    main, cloud = demo.world.companies
    assert (len(news(demo, main)), len(news(demo, cloud))) == (8, 4)
    lines = Counter(len(each["Line"]) for c in demo.world.companies for each in news(demo, c))
    assert lines == {1: 11, 3: 1}


def test_the_new_payments_fit_invoices_that_nobody_paid_before(demo: Demo) -> None:
    states = demo.states()
    parts = 0
    for company in demo.world.companies:
        ours = {theirs: ours for ours, theirs in company.linked("invoice").items()}
        for payment in news(demo, company):
            assert payment["UnappliedAmt"] == 0
            for line in payment["Line"]:
                state = states[ours[line["LinkedTxn"][0]["TxnId"]]]
                assert payment_rows(demo.engine, state.invoice_id) == []
                assert to_minor(line["Amount"]) <= state.balance
                parts += to_minor(line["Amount"]) < state.balance
    assert parts == 3


def test_one_invoice_was_edited_in_quickbooks_and_is_left_alone(demo: Demo) -> None:
    states = demo.states()
    edited = [
        (company, invoices[identity])
        for company in demo.world.companies
        for invoices in [demo.objects(company, "Invoice")]
        for ours, identity in company.linked("invoice").items()
        if to_minor(invoices[identity]["TotalAmt"]) != states[ours].total
    ]
    [(company, invoice)] = edited
    assert invoice["Id"] in company.left_alone
    assert all(line["Amount"] for line in invoice["Line"])


def test_the_bookkeeper_pays_what_is_open_and_stops_when_nothing_is(demo: Demo) -> None:
    rng = random.Random(3)  # noqa: S311
    cloud = demo.world.companies[1]
    small = replace(demo.world, companies=(cloud,))
    before = len(demo.objects(cloud, "Payment"))
    made = 0
    while payment := bookkeeper_payment(demo.control, small, rng):
        assert payment["UnappliedAmt"] == 0
        made += 1
        assert made < 400
    left = demo.objects(cloud, "Invoice")
    assert {k for k, v in left.items() if v["Balance"] > 0} == set(cloud.left_alone)
    assert len(demo.objects(cloud, "Payment")) == before + made


def test_the_bookkeeper_gives_one_open_invoice_more_time(demo: Demo) -> None:
    before = [
        invoice
        for company in demo.world.companies
        for invoice in demo.objects(company, "Invoice").values()
    ]
    changed = bookkeeper_extension(demo.control, demo.world, random.Random(5))  # noqa: S311
    assert changed is not None
    number = changed["DocNumber"]
    [old] = [each for each in before if each["DocNumber"] == number]
    assert changed["DueDate"] > old["DueDate"]
    assert (changed["TotalAmt"], changed["Balance"]) == (old["TotalAmt"], old["Balance"])


def test_news_can_be_recorded_later(
    postgres_server: EmbeddedServer, sandbox: SandboxControl
) -> None:
    for quiet in build(postgres_server, sandbox, date(2026, 11, 22), "community", news=False):
        assert sum(len(news(quiet, company)) for company in quiet.world.companies) == 0
        told = record_news(sandbox, quiet.world)
        assert sum(len(news(quiet, company)) for company in told.companies) == 12
