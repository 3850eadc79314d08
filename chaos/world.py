"""The world that crashes happen in: AlgaPSA, one QuickBooks company, the ledger, and a clock.

Belongs here: building it, setting it back to a moment that was kept, and what people do in it.
Does not: which acts make a scene, and what must hold after a crash.
"""

from __future__ import annotations

import functools
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import sqlalchemy as sa
from cryptography.fernet import Fernet

from benchmarks.year.provider import Naps
from chaos.stores import Stores
from qbo_sync_dagster.actions.cases import Choice
from qbo_sync_dagster.actions.connecting import CompanyToConnect, connect_company
from qbo_sync_dagster.actions.linking import import_links
from qbo_sync_dagster.actions.resolving import Resolution, resolve
from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.ledger import connections, exceptions
from qbo_sync_dagster.ledger.exceptions import StoredException
from qbo_sync_dagster.quickbooks.settings import QuickBooksSettings
from qbo_sync_dagster.sandbox.algapsa import credit, invoices, payments, tenants
from qbo_sync_dagster.sandbox.algapsa.charges import Charge
from qbo_sync_dagster.sandbox.quickbooks.control import CLIENT_ID, CLIENT_SECRET, SandboxControl
from qbo_sync_dagster.sync.cycle import last_end, run_cycle
from qbo_sync_dagster.sync.engine import EngineConfig, SyncEngine
from qbo_sync_dagster.sync.outcome import CycleEnd

CLIENTS = ("Quarry Lane Dental", "Birch & Vale Law")
_SERVICE = "Managed endpoint"
_NET_30 = "3"

P = ParamSpec("P")
T = TypeVar("T")

# What a new engine does again in each child would take longer than its cycle: compiling each
# statement, and reading the certificates of the world's authorities for calls without TLS.
_COMPILED: dict[str, dict[Any, Any]] = {"ledger": {}, "reads": {}, "algapsa": {}}
ssl.create_default_context = cast("Any", functools.cache(ssl.create_default_context))


@dataclass
class World:
    """What a scene acts on. Amounts are cents."""

    stores: Stores
    quickbooks: SandboxControl
    config: EngineConfig
    tenant: str
    clients: list[str]
    service: str
    realm: str
    item: str
    customers: dict[str, str]
    go_live: date
    naps: Naps = field(default_factory=Naps)

    # The engine

    @contextmanager
    def engine(self) -> Iterator[SyncEngine]:
        """An engine as a new process has it, but for what takes time and keeps no state."""
        engine = SyncEngine(self.config, sleep=self.naps.sleep, monotonic=self.naps.monotonic)
        engine.ledger.update_execution_options(compiled_cache=_COMPILED["ledger"])
        engine.ledger_reads.update_execution_options(compiled_cache=_COMPILED["reads"])
        engine.algapsa.update_execution_options(compiled_cache=_COMPILED["algapsa"])
        with engine:
            yield engine

    def cycle(self) -> CycleEnd:
        """One cycle, to its end."""
        with self.engine() as engine:
            return last_end(run_cycle(engine, self.realm, trigger="chaos"))

    def open(self, kind: str = "") -> list[StoredException]:
        """What waits for staff."""
        with self.stores.ledger.connect() as connection:
            found = exceptions.listed(connection, self.realm)
        return [each for each in found if not kind or each.kind == kind]

    def settle(self, engine: SyncEngine, kind: str, action: Action, target: str = "") -> None:
        """Staff settle the open exceptions of a kind, as far as there are any left."""
        for found in self.open(kind):
            choice = Choice(found.number, "staff", "as the bank shows it")
            resolve(engine, Resolution(action, choice, target))

    def configure(self, **columns: object) -> None:
        """Set columns of the connection."""
        with self.stores.ledger.begin() as connection:
            connections.update(connection, self.realm, **columns)

    def link(self, *rows: tuple[str, str, str]) -> None:
        """Import links, as staff do."""
        with self.engine() as engine:
            import_links(engine, self.realm, "".join(f"{','.join(row)}\n" for row in rows))

    # The clock

    @property
    def today(self) -> date:
        """The date on the world's clock."""
        return self.stores.now().date()

    def later(self, by: timedelta) -> None:
        """Let time pass on both sides."""
        self.stores.set_clock(self.stores.now() + by)

    # AlgaPSA's people

    def do(
        self,
        act: Callable[Concatenate[sa.Connection, str, P], T],
        *args: P.args,
        **options: P.kwargs,
    ) -> T:
        """One of AlgaPSA's acts, in a transaction of its owner."""
        with self.stores.algapsa.begin() as connection:
            return act(connection, self.tenant, *args, **options)

    def draft(self, cents: int = 10_000, client: int = 0, **options: Any) -> str:  # noqa: ANN401
        """A draft invoice over one service, or a credit note if it is negative; its id."""
        charge = Charge(_SERVICE, cents, service_id=self.service)
        day = options.pop("day", self.today)
        wanted = invoices.InvoiceDraft(self.clients[client], day, (charge,), **options)
        return self.do(invoices.draft_invoice, wanted)

    def bill(self, cents: int = 10_000, client: int = 0, **options: Any) -> str:  # noqa: ANN401
        """A finalized invoice, or a credit note if it is negative; its id."""
        invoice = self.draft(cents, client, **options)
        self.do(invoices.finalize_invoice, invoice, today=self.today)
        return invoice

    def exported(self, cents: int = 10_000, client: int = 0) -> str:
        """A finalized invoice or credit note that stands in QuickBooks; its id."""
        invoice = self.bill(cents, client)
        self.cycle()
        return invoice

    def receive(self, invoice: str, cents: int, **options: Any) -> str:  # noqa: ANN401
        """A payment that AlgaPSA itself recorded; its id."""
        payment = payments.Payment(invoice, cents, self.today, reference="R 1", **options)
        return self.do(payments.record_payment, payment)

    def number(self, invoice: str) -> str:
        """What people know a document by."""
        query = sa.text("SELECT invoice_number FROM invoices WHERE invoice_id = :id")
        with self.stores.algapsa.connect() as connection:
            return str(connection.execute(query, {"id": invoice}).scalar_one())

    def apply_credit(self, invoice: str, cents: int | None = None) -> None:
        """Credit that AlgaPSA's people apply to the invoice."""
        self.do(credit.apply_credit, invoice, cents)

    # QuickBooks' people

    def shown(self, document: str, kind: str = "invoice") -> str:
        """QuickBooks' id of an exported document."""
        query = (
            "SELECT quickbooks_id FROM links"
            " WHERE kind = :kind AND algapsa_id = :id AND state = 'live'"
        )
        with self.stores.ledger.connect() as connection:
            found = connection.execute(sa.text(query), {"kind": kind, "id": document})
            return str(found.scalar_one())

    def linked(self, kind: str) -> list[str]:
        """AlgaPSA's ids of what stands in QuickBooks, in the order of linking."""
        query = (
            "SELECT algapsa_id FROM links WHERE kind = :kind AND state = 'live' ORDER BY link_id"
        )
        with self.stores.ledger.connect() as connection:
            return list(connection.execute(sa.text(query), {"kind": kind}).scalars())

    def objects(self, entity: str) -> list[dict[str, Any]]:
        """What stands in QuickBooks."""
        return self.quickbooks.list(self.realm, entity)

    def customer(self, client: int = 0) -> str:
        """QuickBooks' id of a client."""
        return self.customers[self.clients[client]]

    def pay(self, parts: Mapping[str, str], client: int = 0, **options: Any) -> str:  # noqa: ANN401
        """A payment that a bookkeeper records over AlgaPSA's invoices; its id."""
        lines = [(self.shown(invoice), Decimal(amount)) for invoice, amount in parts.items()]
        made = self.quickbooks.record_payment(self.realm, self.customer(client), lines, **options)
        return str(made["Id"])

    def repay(self, payment: str, parts: Mapping[str, str]) -> None:
        """A bookkeeper saves other lines on a payment."""
        lines = [(self.shown(invoice), Decimal(amount)) for invoice, amount in parts.items()]
        self.quickbooks.edit_payment(self.realm, payment, lines)

    def history(self, cents: int = 10_000, client: int = 0) -> tuple[str, str]:
        """An invoice from before the sync on both sides, linked on neither: both its ids."""
        day = self.go_live - timedelta(days=30)
        invoice = self.draft(cents, client, day=day)
        self.do(invoices.finalize_invoice, invoice, today=day)
        made = self.quickbooks.invoice(
            self.realm,
            self.customer(client),
            [(self.item, Decimal(cents) / 100)],
            DocNumber=self.number(invoice),
            TxnDate=day.isoformat(),
        )
        return invoice, str(made["Id"])


def build_world(
    stores: Stores, quickbooks: SandboxControl, *, custom_txn_numbers: bool = True
) -> World:
    """A connected company whose clients, service and terms are linked."""
    stores.set_clock(datetime.now(UTC))
    with stores.algapsa.begin() as connection:
        tenant = tenants.create_tenant(connection, "Cedar Ridge IT")
        named = [tenants.Client(name, email="ap@example.com") for name in CLIENTS]
        clients = tenants.create_clients(connection, tenant, named)
        service = tenants.create_service(connection, tenant, tenants.Service(_SERVICE, 10_000))
    # Intuit lets a replaced refresh token live on for up to a day. Where it ended at once, a crash
    # between the answer and its storing would need a reconnect, whatever the engine did.
    company = quickbooks.create_realm(
        "Cedar Ridge IT", custom_txn_numbers=custom_txn_numbers, rotate_always=False
    )
    item = str(quickbooks.item(company.realm, _SERVICE)["Id"])
    customers = {
        client: str(quickbooks.customer(company.realm, name)["Id"])
        for client, name in zip(clients, CLIENTS, strict=True)
    }
    world = World(
        stores,
        quickbooks,
        EngineConfig(
            ledger_url=stores.ledger_url,
            algapsa_url=stores.role_url,
            secret_key=Fernet.generate_key().decode(),
            quickbooks=QuickBooksSettings(
                quickbooks.api_base, quickbooks.token_url, CLIENT_ID, CLIENT_SECRET
            ),
        ),
        tenant,
        clients,
        service,
        company.realm,
        item,
        customers,
        stores.now().date() - timedelta(days=10),
    )
    _connect(world, company.refresh_token)
    return world


def _connect(world: World, refresh_token: str) -> None:
    wanted = CompanyToConnect(
        tenant=world.tenant,
        realm=world.realm,
        company_name="Cedar Ridge IT",
        time_zone="UTC",
        refresh_token=refresh_token,
        go_live_date=world.go_live,
    )
    with world.engine() as engine:
        connect_company(engine.ledger, engine.cipher, wanted)
    rows = [("client", client, customer) for client, customer in world.customers.items()]
    rows += [("service", world.service, world.item), ("payment_term", "net_30", _NET_30)]
    world.link(*rows)
