"""A believable managed-service provider: 40 clients and 12 months of invoices up to a day.

`plan_provider` is pure and repeats for one seed; `write_provider` puts the plan into AlgaPSA. The
documents of the month of `today` are the ones that no accounting system has seen yet.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import NAMESPACE_DNS, uuid5

from sqlalchemy import Connection

from qbo_sync_dagster.sandbox.algapsa.charges import (
    Charge,
    FixedPart,
    fixed_plan,
    manual_charge,
    percentage_discount,
)
from qbo_sync_dagster.sandbox.algapsa.invoices import (
    InvoiceDraft,
    draft_invoices,
    finalize_invoices,
    void_invoice,
)
from qbo_sync_dagster.sandbox.algapsa.payments import Payment, record_payments
from qbo_sync_dagster.sandbox.algapsa.seed_names import (
    CITIES,
    CLIENTS,
    LICENCES,
    PROVIDER,
    REGIONS,
    SERVICES,
)
from qbo_sync_dagster.sandbox.algapsa.tenants import (
    Client,
    Service,
    TaxRegion,
    create_clients,
    create_services,
    create_tax_region,
    create_tenant,
)

MONTHS = 12
_NAMESPACE = uuid5(NAMESPACE_DNS, "harbor-light.example.com")
_TERMS = ("net_30", "net_15", "net_30", "due_on_receipt")
# Days after the invoice date within which clients on these terms pay.
_PAYS_AFTER = {"due_on_receipt": (4, 21), "net_15": (12, 40), "net_30": (24, 62)}
_CURRENT_DRAFTS = 5
_NOT_BILLED_YET = 5
_CREDIT_NOTES = 6


@dataclass(frozen=True, slots=True)
class PlannedClient:
    """A client with what its monthly bill is made of."""

    client: Client
    region: TaxRegion
    devices: int
    servers: int
    on_fixed_plan: bool
    discount: Decimal
    is_slow_payer: bool

    @property
    def id(self) -> str:
        """Its AlgaPSA id."""
        return self.client.client_id


@dataclass(frozen=True, slots=True)
class PlannedInvoice:
    """An invoice and what becomes of it. `finalized` is false for a draft."""

    draft: InvoiceDraft
    finalized: bool = True
    voided: bool = False

    @property
    def id(self) -> str:
        """Its AlgaPSA id."""
        return self.draft.invoice_id

    @property
    def total(self) -> int:
        """Cents with tax."""
        return sum(charge.total for charge in self.draft.charges)


@dataclass(frozen=True, slots=True)
class ProviderPlan:
    """The whole provider. `history` is dated before `go_live`, `current` on or after it."""

    tenant: str
    go_live: date
    services: tuple[Service, ...]
    regions: tuple[TaxRegion, ...]
    clients: tuple[PlannedClient, ...]
    history: tuple[PlannedInvoice, ...]
    current: tuple[PlannedInvoice, ...]
    payments: tuple[Payment, ...]


def plan_provider(today: date, *, seed: int = 20) -> ProviderPlan:
    """The provider as of `today`; go-live is the first day of that month."""
    rng = random.Random(seed)  # noqa: S311 - repeatable examples, no secrets
    go_live = today.replace(day=1)
    clients = tuple(_client(rng, place, name) for place, name in enumerate(CLIENTS))
    months = [_months_before(go_live, back) for back in range(MONTHS, 0, -1)]
    bills = [_bill(rng, client, month) for month in months for client in clients]
    notes = [_credit_note(clients[7 * n % len(clients)], months[n]) for n in range(_CREDIT_NOTES)]
    voided = replace(bills[len(clients) * 3 + 5], voided=True)
    history = [*(voided if bill.id == voided.id else bill for bill in bills), *notes]
    history.sort(key=lambda each: each.draft.invoice_date)
    return ProviderPlan(
        tenant=seeded_id("tenant"),
        go_live=go_live,
        services=tuple(_service(key) for key in SERVICES),
        regions=REGIONS,
        clients=clients,
        history=tuple(history),
        current=_current_month(rng, clients, today),
        payments=tuple(
            payment
            for invoice in history
            if invoice.total > 0 and not invoice.voided
            for payment in _payments(rng, invoice, _owner(clients, invoice), go_live)
        ),
    )


def write_provider(connection: Connection, plan: ProviderPlan) -> None:
    """Put the plan into an empty AlgaPSA."""
    tenant = create_tenant(connection, PROVIDER, tenant=plan.tenant)
    for region in plan.regions:
        create_tax_region(connection, tenant, region)
    create_services(connection, tenant, plan.services)
    create_clients(connection, tenant, [each.client for each in plan.clients])
    _write_invoices(connection, tenant, plan.history)
    _write_invoices(connection, tenant, plan.current)
    record_payments(connection, tenant, plan.payments)


def seeded_id(*names: object) -> str:
    """The id of a seeded record, the same in every run."""
    return str(uuid5(_NAMESPACE, "/".join(str(name) for name in names)))


def _write_invoices(connection: Connection, tenant: str, planned: Sequence[PlannedInvoice]) -> None:
    draft_invoices(connection, tenant, [each.draft for each in planned])
    days = sorted({each.draft.invoice_date for each in planned if each.finalized})
    for day in days:
        due = [e.id for e in planned if e.finalized and e.draft.invoice_date == day]
        finalize_invoices(connection, tenant, due, today=day)
    for invoice in planned:
        if invoice.voided:
            void_invoice(connection, tenant, invoice.id)


def _client(rng: random.Random, place: int, name: str) -> PlannedClient:
    slug = "".join(letter for letter in name.lower() if letter.isalnum())
    region = REGIONS[(place // 2) % len(REGIONS)]
    client = Client(
        name=name,
        terms=_TERMS[place % len(_TERMS)],
        email=f"{slug}@example.com",
        city=CITIES[place % len(CITIES)],
        region_code=region.code,
        client_id=seeded_id("client", name),
    )
    return PlannedClient(
        client=client,
        region=region,
        devices=rng.randint(5, 48),
        servers=rng.randint(0, 4),
        on_fixed_plan=place % 5 == 2,
        discount=Decimal(10 if place % 8 == 4 else 0),
        is_slow_payer=place % 16 == 6,
    )


def _service(key: str) -> Service:
    name, rate = SERVICES[key]
    return Service(name, rate, is_license=key in LICENCES, service_id=seeded_id("service", key))


def _bill(rng: random.Random, client: PlannedClient, month: date) -> PlannedInvoice:
    """A client's monthly invoice: fifth of the month at the latest."""
    charges = _plan_charges(client) if client.on_fixed_plan else _device_charges(client)
    charges.append(_line("licence", client.devices + rng.randint(-2, 3), client.region))
    if rng.random() < 0.2:
        hours = Decimal(rng.randint(3, 30)) / 2
        charges.append(_line("project", hours))
    if rng.random() < 0.1:
        charges.append(manual_charge("Courier and cabling", rng.randint(20, 90) * 50))
    day = month.replace(day=rng.randint(1, 5))
    return PlannedInvoice(_draft(client, day, charges))


def _plan_charges(client: PlannedClient) -> list[Charge]:
    parts = [
        FixedPart(seeded_id("service", "endpoint"), client.devices * 6_000),
        FixedPart(seeded_id("service", "backup"), client.devices * 900),
        FixedPart(seeded_id("service", "helpdesk"), client.devices * 2_100),
    ]
    taxed = client.region.code == "US-ID"
    rate = client.region.rate if taxed else Decimal(0)
    region = client.region.code if taxed else None
    return [fixed_plan("Complete Care plan", parts, tax_region=region, tax_rate=rate)]


def _device_charges(client: PlannedClient) -> list[Charge]:
    charges = [_line("endpoint", client.devices), _line("backup", client.devices)]
    if client.servers:
        charges.append(_line("server", client.servers))
    if client.devices > 20:
        charges.append(_line("mail", client.devices, client.region))
    if client.discount:
        charges.append(percentage_discount("Loyalty discount", charges[0], client.discount))
    return charges


def _line(key: str, quantity: int | Decimal, region: TaxRegion | None = None) -> Charge:
    name, rate = SERVICES[key]
    return Charge(
        name,
        rate,
        Decimal(quantity),
        seeded_id("service", key),
        tax_region=region.code if region else None,
        tax_rate=region.rate if region else Decimal(0),
    )


def _draft(
    client: PlannedClient, day: date, charges: Sequence[Charge], label: str = "bill"
) -> InvoiceDraft:
    return InvoiceDraft(
        client_id=client.id,
        invoice_date=day,
        charges=tuple(charges),
        invoice_id=seeded_id("invoice", label, client.id, day.year, day.month),
        created_at=datetime.combine(day, time(9), UTC),
    )


def _credit_note(client: PlannedClient, month: date) -> PlannedInvoice:
    charges = [manual_charge("Credit for mail outage", -client.devices * 250)]
    return PlannedInvoice(_draft(client, month.replace(day=15), charges, "credit"))


def _current_month(
    rng: random.Random, clients: Sequence[PlannedClient], today: date
) -> tuple[PlannedInvoice, ...]:
    """This month's bills: most finalized, some still drafts, some not written yet."""
    bills = [_bill(rng, client, today.replace(day=1)) for client in clients]
    # On the first days of a month nothing may be dated later than today.
    bills = [replace(bill, draft=_not_after(bill.draft, today)) for bill in bills]
    order = sorted(range(len(bills)), key=lambda place: (place * 7) % len(bills))
    drafts = set(order[:_CURRENT_DRAFTS])
    unwritten = set(order[_CURRENT_DRAFTS : _CURRENT_DRAFTS + _NOT_BILLED_YET])
    return tuple(
        replace(bill, finalized=place not in drafts)
        for place, bill in enumerate(bills)
        if place not in unwritten
    )


def _not_after(draft: InvoiceDraft, today: date) -> InvoiceDraft:
    return replace(draft, invoice_date=min(draft.invoice_date, today))


def _payments(
    rng: random.Random, invoice: PlannedInvoice, client: PlannedClient, go_live: date
) -> list[Payment]:
    """What the client paid on an old invoice before `go_live`, in one part or two."""
    issued = invoice.draft.invoice_date
    paid_on = issued + timedelta(days=rng.randint(*_PAYS_AFTER[client.client.terms or "net_30"]))
    in_two = rng.random() < 0.12
    if paid_on >= go_live or (client.is_slow_payer and (go_live - issued).days < 125):
        return []
    if not in_two:
        return [_payment(rng, invoice, invoice.total, paid_on, 1)]
    half = invoice.total // 200 * 100
    rest_on = paid_on + timedelta(days=20)
    first = _payment(rng, invoice, half, paid_on, 1)
    if rest_on >= go_live:
        return [first]
    return [first, _payment(rng, invoice, invoice.total - half, rest_on, 2)]


def _payment(
    rng: random.Random, invoice: PlannedInvoice, amount: int, paid_on: date, part: int
) -> Payment:
    method = rng.choice(("check", "check", "ach", "stripe"))
    number = rng.randint(1_000, 9_999)
    reference = f"pi_{number:04d}{invoice.id[:8]}" if method == "stripe" else f"{number}"
    return Payment(
        invoice_id=invoice.id,
        amount=amount,
        paid_on=paid_on,
        method=method,
        reference=reference,
        payment_id=seeded_id("payment", invoice.id, part),
        created_at=datetime.combine(paid_on, time(15), UTC),
    )


def _owner(clients: Sequence[PlannedClient], invoice: PlannedInvoice) -> PlannedClient:
    return next(client for client in clients if client.id == invoice.draft.client_id)


def _months_before(first: date, back: int) -> date:
    month = first.year * 12 + first.month - 1 - back
    return date(month // 12, month % 12 + 1, 1)
