"""Links: this AlgaPSA record is that QuickBooks object, with what was last agreed on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.exc import IntegrityError

from qbo_sync_dagster.ledger.errors import DoubleLinkError
from qbo_sync_dagster.ledger.tables import document_homes, inbound_changes, links

# What AlgaPSA's invoices are linked as: its credit notes are invoices, too.
DOCUMENTS = ("invoice", "credit_memo")


@dataclass(frozen=True, slots=True)
class Link:
    """A link. `snapshot` is what both sides agreed on, `shown` what QuickBooks showed last.

    `fingerprint` is AlgaPSA's content at that agreement; `difference_minor` what QuickBooks' total
    exceeds AlgaPSA's by, `accepted_minor` the part of it that staff or a setting accepted.
    """

    link_id: int
    kind: str
    algapsa_id: str
    quickbooks_id: str
    generation: int
    state: str
    origin: str
    snapshot: dict[str, Any] | None
    shown: dict[str, Any] | None
    fingerprint: str | None
    sync_token: int | None
    payment_ids: list[str]
    drift: dict[str, Any] | None
    difference_minor: int
    accepted_minor: int
    mirrored: bool
    linked_at: datetime
    shown_at: datetime


@dataclass(frozen=True, slots=True)
class ExportedLink:
    """An invoice's link with AlgaPSA's content at the time of the agreement, and nothing else."""

    link_id: int
    algapsa_id: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Shown:
    """What QuickBooks shows of a linked object; without `shown` what it showed before stays."""

    link_id: int
    shown: dict[str, Any] | None
    sync_token: int
    payment_ids: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Its columns by name."""
        return {name: getattr(self, name) for name in Shown.__slots__}


@dataclass(frozen=True, slots=True)
class PaidInvoice:
    """An invoice's link as payments see it.

    `is_read` once its object was read and the payments from before the link were paired.
    """

    quickbooks_id: str
    algapsa_id: str
    difference_minor: int
    accepted_minor: int
    is_read: bool


@dataclass(frozen=True, slots=True)
class NewLink:
    """A link to make. Without `shown`, QuickBooks shows the snapshot.

    `invoice_id` is the AlgaPSA invoice of a payment: one cheque may pay several.
    """

    kind: str
    algapsa_id: str
    quickbooks_id: str
    origin: str
    snapshot: dict[str, Any] | None = None
    shown: dict[str, Any] | None = None
    fingerprint: str | None = None
    sync_token: int | None = None
    payment_ids: Sequence[str] = ()
    generation: int = 1
    difference_minor: int = 0
    accepted_minor: int = 0
    invoice_id: str | None = None


def add(connection: sa.Connection, realm: str, new: Sequence[NewLink]) -> None:
    """Make links. Raises DoubleLinkError if a record or object is linked to something else."""
    if not new:
        return
    rows = [
        {
            "realm": realm,
            "kind": link.kind,
            "algapsa_id": link.algapsa_id,
            "quickbooks_id": link.quickbooks_id,
            "origin": link.origin,
            "snapshot": link.snapshot,
            "shown": link.shown or link.snapshot,
            "fingerprint": link.fingerprint,
            "sync_token": link.sync_token,
            "payment_ids": list(link.payment_ids),
            "generation": link.generation,
            "difference_minor": link.difference_minor,
            "accepted_minor": link.accepted_minor,
            "invoice_id": link.invoice_id,
            # What we just created there has no payments from before.
            "payments_paired": link.origin == "exported" and link.snapshot is not None,
        }
        for link in new
    ]
    try:
        connection.execute(sa.insert(links), rows)
    except IntegrityError as error:
        raise DoubleLinkError(
            f"One of these {new[0].kind} records, or its QuickBooks object, is linked already."
        ) from error


def by_quickbooks_id(
    connection: sa.Connection, realm: str, kind: str, ids: Collection[str] | None = None
) -> dict[str, Link]:
    """Live links of a kind, by QuickBooks id; all of them, or those of the given ids."""
    return {link.quickbooks_id: link for link in _live(connection, realm, kind, "quickbooks", ids)}


def by_algapsa_id(
    connection: sa.Connection, realm: str, kind: str, ids: Collection[str] | None = None
) -> dict[str, Link]:
    """Live links of a kind, by AlgaPSA id; all of them, or those of the given ids."""
    return {link.algapsa_id: link for link in _live(connection, realm, kind, "algapsa", ids)}


def documents(
    connection: sa.Connection, realm: str, invoice_ids: Collection[str]
) -> dict[str, Link]:
    """Live links of these invoices and credit notes of AlgaPSA, by its id."""
    found = [_live(connection, realm, kind, "algapsa", invoice_ids) for kind in DOCUMENTS]
    return {link.algapsa_id: link for links_of_kind in found for link in links_of_kind}


def shown_payments(
    connection: sa.Connection, realm: str, quickbooks_ids: Collection[str]
) -> dict[str, set[str]]:
    """The payments that these linked QuickBooks invoices showed last, by QuickBooks id."""
    rows = connection.execute(
        sa.select(links.c.quickbooks_id, links.c.payment_ids).where(
            links.c.realm == realm,
            links.c.kind == "invoice",
            links.c.state == "live",
            links.c.quickbooks_id == sa.any_(sa.literal(list(quickbooks_ids), sa.ARRAY(sa.Text))),
        )
    )
    return {quickbooks_id: set(payment_ids) for quickbooks_id, payment_ids in rows}


def paid_invoices(
    connection: sa.Connection, realm: str, quickbooks_ids: Collection[str]
) -> dict[str, PaidInvoice]:
    """The live links of these QuickBooks invoices, by QuickBooks id."""
    columns = [links.c[name] for name in PaidInvoice.__slots__ if name != "is_read"]
    rows = connection.execute(
        sa.select(*columns, links.c.snapshot.is_not(None) & links.c.payments_paired).where(
            links.c.realm == realm,
            links.c.kind == "invoice",
            links.c.state == "live",
            links.c.quickbooks_id == sa.any_(sa.literal(list(quickbooks_ids), sa.ARRAY(sa.Text))),
        )
    )
    return {row[0]: PaidInvoice(*row) for row in rows}


def ids(connection: sa.Connection, realm: str, kind: str) -> dict[str, str]:
    """AlgaPSA id to QuickBooks id of every live link of a kind; cheap."""
    rows = connection.execute(
        sa.select(links.c.algapsa_id, links.c.quickbooks_id).where(
            links.c.realm == realm, links.c.kind == kind, links.c.state == "live"
        )
    )
    return dict(rows.tuples().all())


def clients_without_customer(connection: sa.Connection, realm: str) -> set[str]:
    """AlgaPSA ids of linked clients whose customer QuickBooks showed as inactive or deleted."""
    rows = connection.execute(
        sa.select(links.c.algapsa_id).where(
            links.c.realm == realm,
            links.c.kind == "client",
            links.c.state == "live",
            links.c.shown["active"].astext == "false",
        )
    )
    return set(rows.scalars())


def payments_shown(connection: sa.Connection, realm: str) -> set[str]:
    """QuickBooks ids of the payments that the live linked invoices showed last."""
    shown = sa.func.jsonb_array_elements_text(links.c.payment_ids)
    rows = connection.execute(
        sa.select(shown).where(
            links.c.realm == realm, links.c.kind == "invoice", links.c.state == "live"
        )
    )
    return set(rows.scalars())


def ever_linked(
    connection: sa.Connection, tenant_realms: Collection[str], invoice_ids: Collection[str]
) -> set[str]:
    """Those of the invoices that have, or had and accepted the loss of, an object."""
    of_state = [
        sa.select(links.c.algapsa_id).where(
            links.c.realm.in_(tenant_realms),
            links.c.kind.in_(DOCUMENTS),
            links.c.state == state,
            links.c.algapsa_id == sa.any_(sa.literal(list(invoice_ids), sa.ARRAY(sa.Text))),
        )
        # Each state has an index of its own.
        for state in ("live", "closed", "accepted")
    ]
    return set(connection.execute(sa.union_all(*of_state)).scalars())


def replaced(connection: sa.Connection, realm: str, invoice_ids: Collection[str]) -> set[str]:
    """Those of the documents that staff chose to have created anew."""
    rows = connection.execute(
        sa.select(links.c.algapsa_id).where(
            links.c.realm == realm,
            links.c.state == "replaced",
            links.c.algapsa_id == sa.any_(sa.literal(list(invoice_ids), sa.ARRAY(sa.Text))),
        )
    )
    return set(rows.scalars())


def update(connection: sa.Connection, link_id: int, **values: object) -> None:
    """Set columns of one link.

    Where less of a total difference is accepted than before, the invoice's payments are planned
    anew: what the difference named of them until now is AlgaPSA's to take.
    """
    accepted = values.get("accepted_minor")
    if isinstance(accepted, int):
        _plan_payments_anew(connection, link_id, accepted)
    connection.execute(sa.update(links).where(links.c.link_id == link_id).values(**values))


def _plan_payments_anew(connection: sa.Connection, link_id: int, accepted_minor: int) -> None:
    paid = (
        sa.select(links.c.realm, sa.func.jsonb_array_elements_text(links.c.payment_ids).label("id"))
        .where(links.c.link_id == link_id, links.c.accepted_minor > accepted_minor)
        .subquery()
    )
    newer = inbound_changes.alias("newer")
    # Parked, not received: a change that has been applied once is not logged a second time.
    connection.execute(
        sa.update(inbound_changes)
        .where(
            inbound_changes.c.realm == paid.c.realm,
            inbound_changes.c.entity == "Payment",
            inbound_changes.c.object_id == paid.c.id,
            inbound_changes.c.state == "applied",
            ~sa.exists().where(
                newer.c.realm == inbound_changes.c.realm,
                newer.c.entity == inbound_changes.c.entity,
                newer.c.object_id == inbound_changes.c.object_id,
                newer.c.change_id != inbound_changes.c.change_id,
                sa.or_(newer.c.version > inbound_changes.c.version, newer.c.deleted),
            ),
        )
        .values(state="parked")
    )


def show(connection: sa.Connection, seen: Collection[Shown]) -> None:
    """Remember what QuickBooks shows of linked objects now, one `Shown` a link."""
    if not seen:
        return
    given = sa.func.jsonb_to_recordset(sa.literal([each.as_json() for each in seen], JSONB))
    new = given.table_valued(
        sa.column("link_id", sa.BigInteger),
        sa.column("shown", JSONB),
        sa.column("sync_token", sa.BigInteger),
        sa.column("payment_ids", JSONB),
    ).render_derived(with_types=True)
    connection.execute(
        sa.update(links)
        .where(links.c.link_id == new.c.link_id)
        .values(
            shown=sa.func.coalesce(new.c.shown, links.c.shown),
            sync_token=new.c.sync_token,
            payment_ids=new.c.payment_ids,
            shown_at=sa.text("ledger_now()"),
        )
    )


def moved(connection: sa.Connection, realm: str) -> list[Link]:
    """Live document links whose object no longer looks as agreed, or did not when last judged."""
    rows = connection.execute(
        sa.select(*_columns()).where(
            links.c.realm == realm,
            links.c.kind.in_(DOCUMENTS),
            links.c.state == "live",
            sa.or_(links.c.shown.is_distinct_from(links.c.snapshot), links.c.drift.is_not(None)),
        )
    )
    return [Link(*row) for row in rows]


def exported(
    connection: sa.Connection, realm: str, *, after: int, limit: int
) -> list[ExportedLink]:
    """Live document links that have been agreed on, in the order they were made, `after` one."""
    rows = connection.execute(
        sa.select(links.c.link_id, links.c.algapsa_id, links.c.fingerprint)
        .where(
            links.c.realm == realm,
            links.c.kind.in_(DOCUMENTS),
            links.c.state == "live",
            links.c.fingerprint.is_not(None),
            links.c.snapshot.is_not(None),
            links.c.link_id > after,
        )
        .order_by(links.c.link_id)
        .limit(limit)
    )
    return [ExportedLink(*row) for row in rows]


def incomplete(connection: sa.Connection, realm: str) -> list[Link]:
    """Live document links whose object nobody has read yet."""
    rows = connection.execute(
        sa.select(*_columns()).where(
            links.c.realm == realm,
            links.c.kind.in_(DOCUMENTS),
            links.c.state == "live",
            links.c.snapshot.is_(None),
        )
    )
    return [Link(*row) for row in rows]


def unpaired(connection: sa.Connection, realm: str, limit: int = 500) -> list[Link]:
    """Live invoice links that were read, and whose earlier payments nobody has paired yet."""
    rows = connection.execute(
        sa.select(*_columns())
        .where(
            links.c.realm == realm,
            links.c.kind == "invoice",
            links.c.state == "live",
            links.c.snapshot.is_not(None),
            ~links.c.payments_paired,
        )
        .order_by(links.c.link_id)
        .limit(limit)
    )
    return [Link(*row) for row in rows]


def mark_paired(connection: sa.Connection, link_ids: Collection[int]) -> None:
    """Note that the payments from before these links were paired, or listed for staff."""
    connection.execute(
        sa.update(links).where(links.c.link_id.in_(list(link_ids))).values(payments_paired=True)
    )


def with_open_difference(connection: sa.Connection, realm: str) -> list[Link]:
    """Live document links whose two totals differ by an amount nobody has accepted."""
    rows = connection.execute(
        sa.select(*_columns()).where(
            links.c.realm == realm,
            links.c.kind.in_(DOCUMENTS),
            links.c.state == "live",
            links.c.difference_minor != links.c.accepted_minor,
        )
    )
    return [Link(*row) for row in rows]


def unmirrored(connection: sa.Connection, realm: str, limit: int = 1000) -> list[Link]:
    """Live document links that AlgaPSA has not been told of yet."""
    rows = connection.execute(
        sa.select(*_columns())
        .where(
            links.c.realm == realm,
            links.c.kind.in_(DOCUMENTS),
            links.c.state == "live",
            ~links.c.mirrored,
        )
        .order_by(links.c.link_id)
        .limit(limit)
    )
    return [Link(*row) for row in rows]


def mark_mirrored(connection: sa.Connection, link_ids: Collection[int]) -> None:
    """Note that AlgaPSA knows these links."""
    connection.execute(
        sa.update(links).where(links.c.link_id.in_(list(link_ids))).values(mirrored=True)
    )


def set_home(
    connection: sa.Connection, tenant: str, realm: str, invoice_ids: Collection[str]
) -> set[str]:
    """Make `realm` the home of documents that have none; returns those whose home it is now."""
    wanted = sorted(set(invoice_ids))
    if not wanted:
        return set()
    rows = [{"tenant": tenant, "invoice_id": invoice_id, "realm": realm} for invoice_id in wanted]
    connection.execute(insert(document_homes).on_conflict_do_nothing(), rows)
    # Held until the transaction ends: moved meanwhile, the document would be queued in two.
    rows_now = connection.execute(_homes(tenant, wanted).with_for_update(read=True))
    return {invoice_id for invoice_id, home in rows_now if home == realm}


def homes(
    connection: sa.Connection, tenant: str, invoice_ids: Collection[str] | None = None
) -> dict[str, str]:
    """The realm each document belongs to; documents without a home are not in it."""
    return dict(connection.execute(_homes(tenant, invoice_ids)).tuples().all())


def _homes(tenant: str, invoice_ids: Collection[str] | None) -> sa.Select[tuple[str, str]]:
    query = sa.select(document_homes.c.invoice_id, document_homes.c.realm).where(
        document_homes.c.tenant == tenant
    )
    if invoice_ids is not None:
        wanted = sa.literal(list(invoice_ids), sa.ARRAY(sa.Text))
        query = query.where(document_homes.c.invoice_id == sa.any_(wanted))
    return query


def _columns() -> list[sa.Column[Any]]:
    return [links.c[name] for name in Link.__slots__]


def _live(
    connection: sa.Connection, realm: str, kind: str, side: str, ids: Collection[str] | None
) -> list[Link]:
    query = sa.select(*_columns()).where(
        links.c.realm == realm, links.c.kind == kind, links.c.state == "live"
    )
    if ids is not None:
        wanted = sa.literal(list(ids), sa.ARRAY(sa.Text))
        query = query.where(links.c[f"{side}_id"] == sa.any_(wanted))
    return [Link(*row) for row in connection.execute(query)]
