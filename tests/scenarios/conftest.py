"""A whole world per test: AlgaPSA, QuickBooks over HTTP, the ledger, and the engine between them.

Each world has its own databases and its own companies, so that tests run side by side. The engine
meets AlgaPSA as the least-privilege role.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from qbo_sync_dagster.actions.connecting import CompanyToConnect, connect_company
from qbo_sync_dagster.actions.linking import import_links
from qbo_sync_dagster.ledger import connections, exceptions, links, operations
from qbo_sync_dagster.ledger.exceptions import StoredException
from qbo_sync_dagster.ledger.tables import inbound_changes
from qbo_sync_dagster.quickbooks.settings import QuickBooksSettings
from qbo_sync_dagster.sandbox.algapsa import invoices, payments, reading, tenants
from qbo_sync_dagster.sandbox.algapsa.charges import Charge
from qbo_sync_dagster.sandbox.postgres import EmbeddedServer
from qbo_sync_dagster.sandbox.quickbooks.control import CLIENT_ID, CLIENT_SECRET, SandboxControl
from qbo_sync_dagster.sync.cycle import last_end, run_cycle
from qbo_sync_dagster.sync.engine import EngineConfig, SyncEngine
from qbo_sync_dagster.sync.outcome import (
    AppliedChanges,
    CycleEnd,
    Stage,
    StageOutcome,
    StageResult,
)
from tests.databases import Databases, as_engine_role

T = TypeVar("T")
SECRET_KEY = Fernet.generate_key().decode()
TIME_ZONE = "America/Los_Angeles"


class Naps:
    """Waits that take no time: sleeping moves this monotonic clock on."""

    def __init__(self) -> None:
        self.slept = 0.0

    def sleep(self, seconds: float) -> None:
        """Let the seconds have passed."""
        self.slept += seconds

    def monotonic(self) -> float:
        """Seconds that passed or were slept through."""
        return time.monotonic() + self.slept


@dataclass
class Books:
    """An invoice on both sides: AlgaPSA's id, its number, and what QuickBooks calls it."""

    invoice_id: str
    number: str


@dataclass
class Company:
    """A QuickBooks company of the world, with its one item and its customers by client id."""

    realm: str
    refresh_token: str
    item: str
    term: str
    customers: dict[str, str] = field(default_factory=dict)


@dataclass
class World:
    """Everything a scenario acts on and looks at. Amounts are cents on AlgaPSA's side."""

    quickbooks: SandboxControl
    engine: SyncEngine
    owner: sa.Engine
    tenant: str
    clients: list[str]
    service: str
    company: Company
    offset: timedelta = timedelta(0)
    naps: Naps = field(default_factory=Naps)

    # AlgaPSA's people

    def do(self, act: Callable[..., T], *args: Any, **options: Any) -> T:
        """One of AlgaPSA's acts, in a transaction of its owner."""
        with self.owner.begin() as connection:
            return act(connection, self.tenant, *args, **options)

    @property
    def today(self) -> date:
        """The date on the world's clock."""
        return self.engine.now().date()

    def draft(
        self, cents: int = 10_000, *, client: int = 0, day: date | None = None, **options: Any
    ) -> Books:
        """A draft invoice over one service."""
        charges = options.pop("charges", None) or (
            Charge("Managed endpoint", cents, service_id=self.service),
        )
        wanted = invoices.InvoiceDraft(
            self.clients[client], day or self.today, tuple(charges), **options
        )
        invoice_id = self.do(invoices.draft_invoice, wanted)
        with self.owner.connect() as connection:
            number = connection.execute(
                sa.text("SELECT invoice_number FROM invoices WHERE invoice_id = :id"),
                {"id": invoice_id},
            ).scalar_one()
        return Books(invoice_id, number)

    def finalize(self, invoice: Books, day: date | None = None) -> Books:
        """Finalize a draft, today unless another day is given."""
        self.do(invoices.finalize_invoice, invoice.invoice_id, today=day or self.today)
        return invoice

    def invoice(self, cents: int = 10_000, **options: Any) -> Books:
        """A finalized invoice."""
        return self.finalize(self.draft(cents, **options))

    def exported(self, cents: int = 10_000, **options: Any) -> Books:
        """A finalized invoice that a cycle has exported."""
        invoice = self.invoice(cents, **options)
        assert self.cycle().outcome == "succeeded"
        assert self.in_quickbooks(invoice)
        return invoice

    def record_in_algapsa(self, invoice: Books, cents: int, **options: Any) -> str:
        """A payment that AlgaPSA itself recorded."""
        payment = payments.Payment(invoice.invoice_id, cents, self.today, **options)
        return self.do(payments.record_payment, payment)

    def state(self, invoice: Books) -> reading.InvoiceState:
        """How AlgaPSA shows the invoice."""
        return reading.invoice_state(self.owner, invoice.invoice_id)

    def payment_rows(self, invoice: Books) -> list[reading.PaymentRow]:
        """AlgaPSA's payment rows on the invoice, oldest first; of one instant, reversals first."""
        rows = reading.payment_rows(self.owner, invoice.invoice_id)
        return sorted(rows, key=lambda row: (row.created_at, row.amount))

    def rows(self, invoice: Books) -> list[int]:
        """The amounts of `payment_rows`."""
        return [row.amount for row in self.payment_rows(invoice)]

    # QuickBooks' people

    def in_quickbooks(self, invoice: Books) -> list[dict[str, Any]]:
        """The live QuickBooks invoices with this number."""
        found = self.quickbooks.list(self.company.realm, "Invoice")
        return [item for item in found if item.get("DocNumber") == invoice.number]

    def quickbooks_id(self, invoice: Books) -> str:
        """The id of the one QuickBooks invoice with this number."""
        [found] = self.in_quickbooks(invoice)
        return str(found["Id"])

    def pay(
        self,
        *parts: tuple[Books, str],
        total: str | None = None,
        client: int = 0,
        **options: Any,
    ) -> str:
        """A payment that a bookkeeper records in QuickBooks; returns its id."""
        made = self.quickbooks.record_payment(
            self.company.realm,
            self.company.customers[self.clients[client]],
            [(self.quickbooks_id(invoice), Decimal(amount)) for invoice, amount in parts],
            total=total,
            **options,
        )
        return str(made["Id"])

    def repay(self, payment: str, *parts: tuple[Books, str], **changes: Any) -> None:
        """A bookkeeper saves other lines on a payment; without parts its lines stay."""
        if not parts:
            self.quickbooks.edit(self.company.realm, "Payment", payment, **changes)
            return
        lines = [(self.quickbooks_id(invoice), Decimal(amount)) for invoice, amount in parts]
        self.quickbooks.edit_payment(self.company.realm, payment, lines, **changes)

    def history(
        self, cents: int = 10_000, *, client: int = 0, customer: str | None = None
    ) -> Books:
        """An invoice from before the sync that stands on both sides and is linked on neither."""
        day = self.today - timedelta(days=40)
        invoice = self.draft(cents, client=client, day=day)
        self.do(invoices.finalize_invoice, invoice.invoice_id, today=day)
        self.quickbooks.invoice(
            self.company.realm,
            customer or self.company.customers[self.clients[client]],
            [(self.company.item, Decimal(cents) / 100)],
            DocNumber=invoice.number,
            TxnDate=day.isoformat(),
        )
        return invoice

    def stands(self) -> dict[tuple[str, str], tuple[str, str]]:
        """Token and open amount of every transaction in QuickBooks: equal means untouched."""
        return {
            (entity, str(item.get("Id"))): (str(item.get("SyncToken")), str(item.get("Balance")))
            for entity in ("Invoice", "Payment", "CreditMemo")
            for item in self.quickbooks.list(self.company.realm, entity)
        }

    # The engine

    def receive(self) -> AppliedChanges:
        """A cycle that only receives: it ends well, goes forward and leaves QuickBooks alone."""
        before, cursor = self.stands(), self.cursor
        results, end = self.stages()
        assert end.outcome == "succeeded", end.sentence
        assert self.stands() == before
        assert self.cursor > cursor
        applied = results[Stage.APPLIED_CHANGES]
        assert isinstance(applied, AppliedChanges)
        return applied

    @property
    def cursor(self) -> datetime:
        """Up to where QuickBooks' changes are known."""
        with self.engine.ledger.connect() as connection:
            return connections.get(connection, self.company.realm).cursor

    def changes(self, entity: str = "Payment") -> dict[tuple[str, int], str]:
        """The state of every stored change, by object id and version."""
        table = inbound_changes.c
        query = sa.select(table.object_id, table.version, table.state).where(table.entity == entity)
        with self.engine.ledger.connect() as connection:
            return {(item, version): state for item, version, state in connection.execute(query)}

    def cycle(self, **options: Any) -> CycleEnd:
        """Run one cycle to its end."""
        return last_end(self.events(**options))

    def events(self, **options: Any) -> Iterator[StageOutcome | CycleEnd]:
        """The events of one cycle."""
        options.setdefault("trigger", "test")
        return run_cycle(self.engine, self.company.realm, **options)

    def stages(self) -> tuple[dict[Stage, StageResult], CycleEnd]:
        """Run one cycle; each stage's result and the end."""
        results: dict[Stage, StageResult] = {}
        for event in self.events():
            if isinstance(event, CycleEnd):
                return results, event
            results[event.stage] = event.result
        raise AssertionError("no end")

    def later(self, by: timedelta) -> None:
        """Move both clocks; the world goes on with a new engine, as after a restart."""
        self.quickbooks.advance(by)
        self.offset += by
        config = replace(
            self.engine.config, ledger_url=_offset(self.engine.config.ledger_url, self.offset)
        )
        self.reopen(config)

    def settings(self, **changes: Any) -> None:
        """Build the engine anew with changed QuickBooks settings."""
        config = self.engine.config
        quickbooks = replace(config.quickbooks, **changes)
        self.reopen(replace(config, quickbooks=quickbooks))

    def reopen(self, config: EngineConfig) -> None:
        """Build the engine anew, as after a restart."""
        self.engine.close()
        self.engine = open_world_engine(config, self.naps)

    def configure(self, **columns: Any) -> None:
        """Set columns of the connection."""
        with self.engine.ledger.begin() as connection:
            connections.update(connection, self.company.realm, **columns)

    def link(self, *rows: tuple[str, str, str], replace: bool = False) -> None:
        """Import links, as staff do."""
        lines = "".join(f"{','.join(row)}\n" for row in rows)
        text = f"kind,AlgaPSA id,QuickBooks id\n{lines}"
        import_links(self.engine, self.company.realm, text, replace=replace)

    def open(self) -> list[StoredException]:
        """The open exceptions."""
        with self.engine.ledger.connect() as connection:
            return exceptions.listed(connection, self.company.realm)

    def exception(self, title: str) -> StoredException:
        """The one open exception of this title."""
        [found] = [item for item in self.open() if item.title == title]
        return found

    def dismiss(self, title: str) -> None:
        """Judge the open exceptions of this title, as staff do."""
        numbers = [item.number for item in self.open() if item.title == title]
        statement = "UPDATE exceptions SET state = 'dismissed' WHERE number = ANY(:numbers)"
        self.in_ledger(statement, numbers=numbers)

    def in_ledger(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        """A statement on the ledger behind the engine's back; its rows."""
        with self.engine.ledger.begin() as connection:
            result = connection.execute(sa.text(statement), values)
            return [tuple(row) for row in result] if result.returns_rows else []

    def titles(self) -> list[str]:
        """The titles of the open exceptions, sorted."""
        return sorted(item.title for item in self.open())

    def operations(self) -> dict[str, str]:
        """The open operations' states by label."""
        with self.engine.ledger.connect() as connection:
            return {
                item.label: item.state
                for item in operations.open_ones(connection, self.company.realm)
            }

    def links(self, kind: str = "invoice") -> dict[str, str]:
        """AlgaPSA id to QuickBooks id of the live links."""
        with self.engine.ledger.connect() as connection:
            return links.ids(connection, self.company.realm, kind)

    def metered(self) -> int:
        """Metered calls since the last `forget`."""
        return self.quickbooks.metered_calls(self.company.realm)

    def forget(self) -> None:
        """Forget the sandbox's record of calls."""
        self.quickbooks.forget_calls(self.company.realm)

    def connect(self, company: Company, **options: Any) -> None:
        """Connect a company of this world."""
        wanted: dict[str, Any] = {
            "tenant": self.tenant,
            "realm": company.realm,
            "company_name": "Cedar Ridge IT",
            "time_zone": TIME_ZONE,
            "refresh_token": company.refresh_token,
            "go_live_date": self.today - timedelta(days=10),
        }
        connect_company(
            self.engine.ledger, self.engine.cipher, CompanyToConnect(**(wanted | options))
        )

    def link_everything(self) -> None:
        """Link the world's clients, service, region and terms in its company."""
        company = self.company
        self.link(
            *(("client", client, customer) for client, customer in company.customers.items()),
            ("service", self.service, company.item),
            ("tax_region", "US-WA", "TAX"),
            ("payment_term", "net_30", company.term),
            ("payment_term", "net_15", company.term),
        )


def open_world_engine(config: EngineConfig, naps: Naps) -> SyncEngine:
    """An engine whose waits take no time."""
    engine = SyncEngine(config, sleep=naps.sleep, monotonic=naps.monotonic)
    for name in _POOLS:
        _share_compiled(name, getattr(engine, name))
    return engine


# What speaks to a database, and the first of each that this worker opened.
_POOLS = ("ledger", "ledger_reads", "algapsa")
_FIRST: dict[str, sa.Engine] = {}


def _share_compiled(name: str, engine: sa.Engine) -> None:
    """Let SQLAlchemy compile a statement once per worker, not once per engine of every test.

    A process of production opens one engine, a test up to five: half a second of each was this.
    """
    first = _FIRST.setdefault(name, engine)
    # Compiled statements are kept under the dialect that compiled them.
    engine.dialect = engine.pool._dialect = first.dialect
    engine._compiled_cache = first._compiled_cache


def _offset(url: str, offset: timedelta) -> str:
    parsed = sa.make_url(url)
    kept = {key: value for key, value in parsed.query.items() if key != "options"}
    options = f"-c qbo_sync.clock_offset={offset.total_seconds()}s"
    shifted = parsed.set(query={**kept, "options": options})
    return shifted.render_as_string(hide_password=False)


def build_company(
    quickbooks: SandboxControl, clients: Sequence[str], names: Sequence[str], **switches: Any
) -> Company:
    """A QuickBooks company with a customer per client and one item."""
    switches.setdefault("custom_txn_numbers", True)
    made = quickbooks.create_realm("Cedar Ridge IT", **switches)
    item = quickbooks.item(made.realm, "Managed endpoint")
    customers = {
        client: str(quickbooks.customer(made.realm, name)["Id"])
        for client, name in zip(clients, names, strict=True)
    }
    [term, *_] = quickbooks.list(made.realm, "Term")
    return Company(made.realm, made.refresh_token, str(item["Id"]), str(term["Id"]), customers)


@pytest.fixture
def edition() -> str:
    """Which AlgaPSA the world has; a test overrides it by parameter."""
    return "community"


NAMES = ("Quarry Lane Dental", "Birch & Vale Law", "O'Dowd Freight")


@pytest.fixture
def bare_world(
    databases: Databases,
    fresh_database: Callable[..., str],
    sandbox: SandboxControl,
    edition: str,
) -> Iterator[World]:
    """A world whose company is not connected yet."""
    algapsa_url = fresh_database(edition)
    owner = databases.owner(algapsa_url)
    with owner.begin() as connection:
        tenant = tenants.create_tenant(connection, "Cedar Ridge IT")
        region = tenants.TaxRegion("US-WA", "Washington", Decimal("8.25"))
        tenants.create_tax_region(connection, tenant, region)
        clients = [
            tenants.create_client(connection, tenant, tenants.Client(name, email="ap@example.com"))
            for name in NAMES
        ]
        service = tenants.create_service(
            connection, tenant, tenants.Service("Managed endpoint", 10_000)
        )
    config = EngineConfig(
        ledger_url=fresh_database("ledger"),
        algapsa_url=as_engine_role(algapsa_url),
        secret_key=SECRET_KEY,
        quickbooks=QuickBooksSettings(
            api_base_url=sandbox.api_base,
            token_url=sandbox.token_url,
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
        ),
    )
    naps = Naps()
    world = World(
        quickbooks=sandbox,
        engine=open_world_engine(config, naps),
        owner=owner,
        tenant=tenant,
        clients=clients,
        service=service,
        company=build_company(sandbox, clients, NAMES),
        naps=naps,
    )
    yield world
    with suppress(sa.exc.SQLAlchemyError):
        world.engine.close()


@pytest.fixture
def world(bare_world: World) -> World:
    """A world whose company is connected and whose clients, service and terms are linked."""
    bare_world.connect(bare_world.company)
    bare_world.link_everything()
    return bare_world


@pytest.fixture
def many_currencies(bare_world: World) -> World:
    """A company that keeps euros besides dollars, with a fourth client that is billed in euros."""
    world = bare_world
    client = world.do(tenants.create_client, tenants.Client("Hafen Spedition", currency="EUR"))
    company = build_company(
        world.quickbooks, world.clients, NAMES, multicurrency=True, exchange_rates={"EUR": "1.08"}
    )
    customer = world.quickbooks.customer(
        company.realm, "Hafen Spedition", CurrencyRef={"value": "EUR"}
    )
    company.customers[client] = str(customer["Id"])
    world.clients.append(client)
    world.company = company
    world.connect(company)
    world.link_everything()
    return world


def utc(instant: datetime) -> datetime:
    """The instant in UTC."""
    return instant.astimezone(UTC)


@pytest.fixture
def spoil(
    world: World, postgres_server: EmbeddedServer
) -> Iterator[Callable[..., Callable[[], None]]]:
    """`spoil("Payment", id, Line=...)`: QuickBooks shows an object as its API would never make it.

    A value of None takes the field away. It is reported as changed now, or `at` an ISO time.
    Calling what is returned brings the object back as it was, with its old token.
    """
    dsn = postgres_server.dsn(f"test_{os.getpid()}_sandbox")
    database = sa.create_engine(dsn.replace("postgresql://", "postgresql+psycopg2://"))
    row = "realm = :realm AND entity = :entity AND id = :id"

    def store(key: dict[str, str], body: str, at: str) -> None:
        values = key | {"body": body, "at": at or world.quickbooks.now().isoformat()}
        with database.begin() as connection:
            connection.execute(
                sa.text(f"UPDATE object SET body = :body, updated = :at WHERE {row}"), values
            )

    def spoil(entity: str, identity: str, *, at: str = "", **fields: Any) -> Callable[[], None]:
        key = {"realm": world.company.realm, "entity": entity, "id": identity}
        with database.connect() as connection:
            query = sa.text(f"SELECT body FROM object WHERE {row}")
            body = connection.execute(query, key).scalar_one()
        changed = {**json.loads(body), **fields}
        kept = {name: value for name, value in changed.items() if value is not None}
        store(key, json.dumps(kept, default=float), at)
        return lambda: store(key, body, at)

    yield spoil
    database.dispose()
