"""The demo's two sides: one provider in AlgaPSA, its two companies in QuickBooks, in agreement.

Belongs here: building both and what the bookkeeper does next. Does not: connecting the engine to
them, which takes only what `DemoWorld` tells.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from qbo_sync_dagster.domain.money import to_decimal, to_minor
from qbo_sync_dagster.sandbox import demo_books
from qbo_sync_dagster.sandbox.algapsa.reading import InvoiceState, invoice_states
from qbo_sync_dagster.sandbox.algapsa.schema import Edition, create_schema
from qbo_sync_dagster.sandbox.algapsa.seed import (
    PlannedClient,
    PlannedInvoice,
    ProviderPlan,
    plan_provider,
    write_provider,
)
from qbo_sync_dagster.sandbox.demo_books import BooksIds, Json
from qbo_sync_dagster.sandbox.quickbooks.control import SandboxControl

TIME_ZONE = "America/Los_Angeles"
REALMS = ("9341453201001", "9341453201002")
_MAIN_NAME = "Harbor Light IT Services"
_CLOUD_NAME = "Harbor Light Cloud"
_CLOUD_CLIENTS = 10
# History lies so far behind the cursor that no first poll, overlap included, delivers it.
_HISTORY_BEFORE = timedelta(days=1)
_CURSOR_BEFORE = timedelta(minutes=10)

Link = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class DemoCompany:
    """One QuickBooks company and what connecting it takes.

    `links` are (kind, AlgaPSA id, QuickBooks id). `left_alone` are the QuickBooks invoices that
    the bookkeeper does not pay: the drifted one, and those part-paid before the connection.
    """

    realm: str
    name: str
    time_zone: str
    go_live: date
    refresh_token: str
    is_default: bool
    default_item: str
    links: tuple[Link, ...]
    left_alone: frozenset[str]

    def linked(self, kind: str) -> dict[str, str]:
        """QuickBooks ids by AlgaPSA id."""
        return {ours: theirs for each, ours, theirs in self.links if each == kind}


@dataclass(frozen=True, slots=True)
class DemoWorld:
    """Both sides. Nothing before `connected_at` is news; `pending_homes` are the finalized,
    unbooked invoices that belong to the second company."""

    tenant: str
    today: date
    companies: tuple[DemoCompany, ...]
    pending_homes: tuple[str, ...]
    connected_at: datetime


def build_demo_world(
    algapsa_dsn: str,
    control: SandboxControl,
    *,
    today: date,
    edition: Edition = "community",
    with_news: bool = True,
    realms: tuple[str, str] = REALMS,
) -> DemoWorld:
    """Create and fill an empty AlgaPSA database and two new QuickBooks companies.

    With `with_news` the bookkeeper has already worked since `connected_at` (`record_news`).
    """
    plan = plan_provider(today)
    states = _fill_algapsa(algapsa_dsn, plan, edition)
    split = len(plan.clients) - _CLOUD_CLIENTS
    with _in_the_past(control):
        main = _keep_books(control, (realms[0], _MAIN_NAME), plan, plan.clients[:split], states)
        cloud = _keep_books(control, (realms[1], _CLOUD_NAME), plan, plan.clients[split:], states)
    theirs = {client.id for client in plan.clients[split:]}
    world = DemoWorld(
        tenant=plan.tenant,
        today=today,
        companies=(replace(main, is_default=True), cloud),
        pending_homes=tuple(
            each.id for each in plan.current if each.finalized and each.draft.client_id in theirs
        ),
        connected_at=control.now() - _CURSOR_BEFORE,
    )
    return record_news(control, world) if with_news else world


def record_news(control: SandboxControl, world: DemoWorld) -> DemoWorld:
    """What the bookkeeper did after the connection: twelve payments in all, among them one cheque
    over three invoices, and one booked invoice edited. Returns the world with that invoice left
    alone.
    """
    main, cloud = world.companies
    for company, full, partial in ((main, 5, 2), (cloud, 3, 1)):
        _record_payments(control, world, company, full, partial)
    invoices = _payable(control, main)
    drifted = max(invoices, key=lambda each: (each["TotalAmt"], each["Id"]))
    control.edit(main.realm, "Invoice", drifted["Id"], Line=_one_fewer(drifted))
    return replace(
        world, companies=(replace(main, left_alone=main.left_alone | {drifted["Id"]}), cloud)
    )


def bookkeeper_payment(
    control: SandboxControl, world: DemoWorld, rng: random.Random
) -> Json | None:
    """One more payment, in a random company: mostly in full. None if nothing is open there."""
    company = rng.choice(world.companies)
    invoices = _payable(control, company)
    if not invoices:
        return None
    invoice = rng.choice(invoices)
    part = rng.choice((1, 1, 1, 1, 2))
    return _pay(control, world, company, [invoice], f"{rng.randint(1000, 9999)}", part=part)


def bookkeeper_extension(
    control: SandboxControl, world: DemoWorld, rng: random.Random
) -> Json | None:
    """One invoice is given 15 more days in QuickBooks alone. None if nothing is open there."""
    company = rng.choice(world.companies)
    invoices = _payable(control, company)
    if not invoices:
        return None
    invoice = rng.choice(invoices)
    due = date.fromisoformat(invoice["DueDate"]) + timedelta(days=15)
    return control.edit(company.realm, "Invoice", invoice["Id"], DueDate=due.isoformat())


def _fill_algapsa(dsn: str, plan: ProviderPlan, edition: Edition) -> Mapping[str, InvoiceState]:
    engine = sa.create_engine(dsn)
    create_schema(engine, edition)
    with engine.begin() as connection:
        write_provider(connection, plan)
    states = {state.invoice_id: state for state in invoice_states(engine, plan.tenant)}
    engine.dispose()
    return states


@contextmanager
def _in_the_past(control: SandboxControl) -> Iterator[None]:
    control.advance(-_HISTORY_BEFORE)
    try:
        yield
    finally:
        control.advance(_HISTORY_BEFORE)


def _keep_books(
    control: SandboxControl,
    company: tuple[str, str],
    plan: ProviderPlan,
    clients: Sequence[PlannedClient],
    states: Mapping[str, InvoiceState],
) -> DemoCompany:
    """Open a company and book the history of these clients in it."""
    realm, name = company
    token = control.create_realm(name, realm=realm).refresh_token
    ids = _lists(control, realm, plan, clients)
    booked = _booked_history(plan, clients)
    terms = {client.id: client.client.terms or "net_30" for client in clients}
    invoices = [
        demo_books.invoice(each, states[each.id].number, terms[each.draft.client_id], ids)
        for each in booked
    ]
    made = _seed(control, realm, "Invoice", [each.id for each in booked], invoices)
    _book_payments(control, realm, plan, booked, made, ids)
    links = _links(plan, ids, made)
    part_paid = {made[each.id] for each in booked if states[each.id].status == "partially_applied"}
    return DemoCompany(
        realm=realm,
        name=name,
        time_zone=TIME_ZONE,
        go_live=plan.go_live,
        refresh_token=token,
        is_default=False,
        default_item=ids.default_item,
        links=links,
        left_alone=frozenset(part_paid),
    )


def _lists(
    control: SandboxControl, realm: str, plan: ProviderPlan, clients: Sequence[PlannedClient]
) -> BooksIds:
    account = control.create(realm, "Account", demo_books.INCOME_ACCOUNT)["Id"]
    default = demo_books.item(demo_books.DEFAULT_ITEM, 0, account)
    items = [default, *(demo_books.service_item(each, account) for each in plan.services)]
    item_ids = _seed(control, realm, "Item", ["", *(s.service_id for s in plan.services)], items)
    by_name = {term["Name"]: term["Id"] for term in control.list(realm, "Term")}
    terms = {key: by_name[name] for key, name in demo_books.TERMS.items()}
    customers = [demo_books.customer(client, terms) for client in clients]
    return BooksIds(
        items=item_ids,
        default_item=item_ids.pop(""),
        terms=terms,
        customers=_seed(control, realm, "Customer", [each.id for each in clients], customers),
    )


def _booked_history(plan: ProviderPlan, clients: Sequence[PlannedClient]) -> list[PlannedInvoice]:
    ours = {client.id for client in clients}
    return [
        each
        for each in plan.history
        if each.draft.client_id in ours and each.total > 0 and not each.voided
    ]


def _book_payments(
    control: SandboxControl,
    realm: str,
    plan: ProviderPlan,
    booked: Sequence[PlannedInvoice],
    invoices: Mapping[str, str],
    ids: BooksIds,
) -> None:
    customers = {each.id: ids.customers[each.draft.client_id] for each in booked}
    paid = [each for each in plan.payments if each.invoice_id in invoices]
    bodies = [
        demo_books.booked_payment(each, customers[each.invoice_id], invoices[each.invoice_id])
        for each in paid
    ]
    _seed(control, realm, "Payment", [each.payment_id for each in paid], bodies)


def _links(plan: ProviderPlan, ids: BooksIds, invoices: Mapping[str, str]) -> tuple[Link, ...]:
    kinds = {
        "client": ids.customers,
        "service": ids.items,
        "tax_region": {region.code: demo_books.TAXABLE for region in plan.regions},
        "payment_term": ids.terms,
        "invoice": invoices,
    }
    return tuple(
        (kind, ours, theirs) for kind, pairs in kinds.items() for ours, theirs in pairs.items()
    )


def _seed(
    control: SandboxControl, realm: str, entity: str, keys: Sequence[str], bodies: Sequence[Json]
) -> dict[str, str]:
    """Create objects at once; their QuickBooks ids by key."""
    made = control.seed(realm, [{"entity": entity, "body": body} for body in bodies])
    return dict(zip(keys, made, strict=True))


def _record_payments(
    control: SandboxControl, world: DemoWorld, company: DemoCompany, full: int, partial: int
) -> None:
    invoices = _payable(control, company)
    if company.is_default:
        cheque = _three_of_one_customer(invoices)
        _pay(control, world, company, cheque, "4711")
        invoices = [each for each in invoices if each not in cheque]
    # The largest invoice of a company is the one that drifts; it is not paid.
    invoices.sort(key=lambda each: (each["TotalAmt"], each["Id"]))
    for place, invoice in enumerate(invoices[: full + partial]):
        part = 2 if place < partial else 1
        _pay(control, world, company, [invoice], f"{5001 + place}", part=part)


def _payable(control: SandboxControl, company: DemoCompany) -> list[Json]:
    return [
        each
        for each in control.list(company.realm, "Invoice")
        if each["Balance"] > 0 and each["Id"] not in company.left_alone
    ]


def _three_of_one_customer(invoices: Sequence[Json]) -> list[Json]:
    by_customer: dict[str, list[Json]] = defaultdict(list)
    for invoice in invoices:
        by_customer[invoice["CustomerRef"]["value"]].append(invoice)
    return next(each[:3] for each in by_customer.values() if len(each) >= 3)


def _pay(
    control: SandboxControl,
    world: DemoWorld,
    company: DemoCompany,
    invoices: Sequence[Json],
    reference: str,
    *,
    part: int = 1,
) -> Json:
    """Receive the open balances of a customer's invoices, or one `part`-th of them."""
    lines = [
        (each["Id"], to_decimal(max(1, to_minor(each["Balance"]) // part))) for each in invoices
    ]
    customer = invoices[0]["CustomerRef"]["value"]
    day = max(world.today, date.fromisoformat(invoices[0]["TxnDate"]))
    return control.record_payment(
        company.realm, customer, lines, date=day.isoformat(), ref=reference
    )


def _one_fewer(invoice: Json) -> list[Json]:
    """The invoice's lines with one unit less of something, as after a phone call."""
    lines = [each for each in invoice["Line"] if "SalesItemLineDetail" in each]
    place = next(n for n, each in enumerate(lines) if each["SalesItemLineDetail"]["Qty"] > 1)
    detail = lines[place]["SalesItemLineDetail"]
    fewer = {**detail, "Qty": detail["Qty"] - 1}
    amount = fewer["Qty"] * fewer["UnitPrice"]
    lines[place] = {**lines[place], "Amount": amount, "SalesItemLineDetail": fewer}
    return lines
