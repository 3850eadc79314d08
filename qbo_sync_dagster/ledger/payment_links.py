"""Payment links: this AlgaPSA payment row is that QuickBooks payment.

Pushed ones were made by us from AlgaPSA's row; matched and paired ones were entered on both sides.
A QuickBooks payment may answer to one row per invoice that it pays.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from qbo_sync_dagster.ledger.errors import DoubleLinkError
from qbo_sync_dagster.ledger.tables import inbound_changes, links

PUSHED_ORIGINS = ("exported", "adopted")


@dataclass(frozen=True, slots=True)
class PaymentLink:
    """A link of a payment row. `invoice_id` is AlgaPSA's.

    Of a pushed payment `snapshot` and `shown` are views; of a matched one the snapshot holds the
    amounts of both sides at the time of the match. `accepted_minor` is what staff accepted that
    QuickBooks holds less.
    """

    link_id: int
    algapsa_id: str
    quickbooks_id: str
    invoice_id: str | None
    generation: int
    state: str
    origin: str
    snapshot: dict[str, Any] | None
    shown: dict[str, Any] | None
    sync_token: int | None
    drift: dict[str, Any] | None
    accepted_minor: int

    @property
    def is_pushed(self) -> bool:
        """Whether we made the QuickBooks payment."""
        return self.origin in PUSHED_ORIGINS

    @property
    def taken_before(self) -> int:
        """What AlgaPSA had taken back of its row, in minor units, when staff matched it."""
        return int((self.snapshot or {}).get("taken_before", 0))

    @property
    def is_live_there(self) -> bool:
        """Whether QuickBooks showed the payment last as neither void nor gone."""
        return bool((self.shown or {}).get("state", "live") == "live")


@dataclass(frozen=True, slots=True)
class NewPaymentLink:
    """A payment link to make."""

    algapsa_id: str
    quickbooks_id: str
    invoice_id: str
    origin: str
    snapshot: dict[str, Any]
    sync_token: int | None = None
    generation: int = 1


def add(connection: sa.Connection, realm: str, new: Sequence[NewPaymentLink]) -> None:
    """Make links. Raises DoubleLinkError if a row, or the payment on that invoice, has one."""
    rows = [
        {name: getattr(link, name) for name in NewPaymentLink.__slots__}
        | {"realm": realm, "kind": "payment", "shown": link.snapshot}
        for link in new
    ]
    if not rows:
        return
    try:
        connection.execute(sa.insert(links), rows)
    except IntegrityError as error:
        raise DoubleLinkError(
            "One of these payments is linked already, to another payment or on the same invoice."
        ) from error


def of_rows(connection: sa.Connection, realm: str, row_ids: Collection[str]) -> list[PaymentLink]:
    """The links of these AlgaPSA payment rows that still stand, accepted losses included."""
    return _links(
        connection,
        realm,
        _any(links.c.algapsa_id, row_ids),
        links.c.state.in_(["live", "accepted"]),
    )


def of_payments(
    connection: sa.Connection, realm: str, payment_ids: Collection[str], *, lock: bool = False
) -> list[PaymentLink]:
    """The live links of these QuickBooks payments; locked, they stay so in the transaction."""
    found = sa.and_(_any(links.c.quickbooks_id, payment_ids), links.c.state == "live")
    return _links(connection, realm, found, lock=lock)


def closed_of_payments(
    connection: sa.Connection, realm: str, payment_ids: Collection[str]
) -> list[PaymentLink]:
    """The closed links of these QuickBooks payments."""
    return _links(
        connection, realm, _any(links.c.quickbooks_id, payment_ids), links.c.state == "closed"
    )


def let_go_unread(connection: sa.Connection, realm: str) -> set[str]:
    """QuickBooks' own payments that lost their row in AlgaPSA and that no poll ever brought.

    They were paired as history, and nothing but a read brings them into the inbox.
    """
    is_in_inbox = sa.exists().where(
        inbound_changes.c.realm == links.c.realm,
        inbound_changes.c.entity == "Payment",
        inbound_changes.c.object_id == links.c.quickbooks_id,
    )
    rows = connection.execute(
        sa.select(links.c.quickbooks_id).where(
            links.c.realm == realm,
            links.c.kind == "payment",
            links.c.state == "closed",
            links.c.origin.not_in(PUSHED_ORIGINS),
            ~is_in_inbox,
        )
    )
    return set(rows.scalars())


def of_invoices(
    connection: sa.Connection, realm: str, invoice_ids: Collection[str]
) -> list[PaymentLink]:
    """The live payment links on these AlgaPSA invoices."""
    return _links(connection, realm, _any(links.c.invoice_id, invoice_ids), links.c.state == "live")


def live_page(
    connection: sa.Connection, realm: str, *, after: int, limit: int
) -> list[PaymentLink]:
    """Live payment links in the order in which they were made, behind the id `after`."""
    rows = connection.execute(
        sa.select(*[links.c[name] for name in PaymentLink.__slots__])
        .where(links.c.realm == realm, links.c.kind == "payment", links.c.state == "live")
        .where(links.c.link_id > after)
        .order_by(links.c.link_id)
        .limit(limit)
    )
    return [PaymentLink(*row) for row in rows]


def moved(connection: sa.Connection, realm: str) -> list[PaymentLink]:
    """Pushed payments that no longer look as agreed, or did not when they were last judged."""
    return _links(
        connection,
        realm,
        links.c.state == "live",
        links.c.origin.in_(PUSHED_ORIGINS),
        sa.or_(links.c.shown.is_distinct_from(links.c.snapshot), links.c.drift.is_not(None)),
    )


def show(
    connection: sa.Connection,
    realm: str,
    payment_ids: Collection[str],
    *,
    shown: dict[str, Any],
    sync_token: int,
) -> None:
    """Remember what QuickBooks shows of pushed payments now."""
    connection.execute(
        sa.update(links)
        .where(
            links.c.realm == realm,
            links.c.kind == "payment",
            links.c.state == "live",
            _any(links.c.quickbooks_id, payment_ids),
        )
        .values(shown=shown, sync_token=sync_token, shown_at=sa.text("ledger_now()"))
    )


def ever_linked(connection: sa.Connection, realm: str) -> set[str]:
    """Every QuickBooks payment that has, or had, a payment of AlgaPSA."""
    rows = connection.execute(
        sa.select(links.c.quickbooks_id).where(links.c.realm == realm, links.c.kind == "payment")
    )
    return set(rows.scalars())


def replaced_payments(connection: sa.Connection, realm: str, row_ids: Collection[str]) -> set[str]:
    """QuickBooks payments that these rows had before: gone there, and made again."""
    found = _links(connection, realm, _any(links.c.algapsa_id, row_ids), links.c.state == "closed")
    return {link.quickbooks_id for link in found}


def _links(
    connection: sa.Connection, realm: str, *where: sa.ColumnElement[bool], lock: bool = False
) -> list[PaymentLink]:
    query = (
        sa.select(*[links.c[name] for name in PaymentLink.__slots__])
        .where(links.c.realm == realm, links.c.kind == "payment", *where)
        .order_by(links.c.link_id)
    )
    rows = connection.execute(query.with_for_update() if lock else query)
    return [PaymentLink(*row) for row in rows]


def _any(column: sa.Column[Any], ids: Collection[str]) -> sa.ColumnElement[bool]:
    return column == sa.any_(sa.literal(sorted(set(ids)), sa.ARRAY(sa.Text)))
