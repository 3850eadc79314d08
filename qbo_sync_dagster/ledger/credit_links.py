"""Credit links: this application of AlgaPSA's credit is that payment in QuickBooks.

Pushed ones were made by us; matched and paired ones were applied by both sides by themselves. One
payment may answer to several applications.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from qbo_sync_dagster.domain.credits import CreditParts
from qbo_sync_dagster.ledger.errors import DoubleLinkError
from qbo_sync_dagster.ledger.tables import links

PUSHED_ORIGINS = ("exported", "adopted")
_KIND = "credit_application"
_STANDS = ("live", "accepted")


@dataclass(frozen=True, slots=True)
class CreditLink:
    """A link of a credit application; `key` is the application's.

    `snapshot` is what AlgaPSA applied and `shown` what the QuickBooks payment applies for it, which
    may take from another note of the client. A paired one from before the sync may have neither.
    """

    link_id: int
    key: str
    payment_id: str
    state: str
    origin: str
    generation: int
    snapshot: dict[str, Any] | None
    shown: dict[str, Any] | None

    @property
    def is_pushed(self) -> bool:
        """Whether we made the QuickBooks payment."""
        return self.origin in PUSHED_ORIGINS

    @property
    def in_quickbooks(self) -> CreditParts | None:
        """What the payment applies for it."""
        return CreditParts.from_json(self.shown) if self.shown else None


@dataclass(frozen=True, slots=True)
class NewCreditLink:
    """A link to make."""

    key: str
    payment_id: str
    origin: str
    in_algapsa: CreditParts
    in_quickbooks: CreditParts
    generation: int = 1


def add(connection: sa.Connection, realm: str, new: Sequence[NewCreditLink]) -> None:
    """Make links. Raises DoubleLinkError if an application has one already."""
    if not new:
        return
    rows = [
        {
            "realm": realm,
            "kind": _KIND,
            "algapsa_id": link.key,
            "quickbooks_id": link.payment_id,
            "origin": link.origin,
            "generation": link.generation,
            "snapshot": link.in_algapsa.as_json(),
            "shown": link.in_quickbooks.as_json(),
        }
        for link in new
    ]
    try:
        connection.execute(sa.insert(links), rows)
    except IntegrityError as error:
        raise DoubleLinkError("One of these credit applications is linked already.") from error


def standing(connection: sa.Connection, realm: str) -> list[CreditLink]:
    """Every link that stands, accepted losses included."""
    return _links(connection, realm, links.c.state.in_(_STANDS))


def of_payments(
    connection: sa.Connection, realm: str, payment_ids: Collection[str]
) -> list[CreditLink]:
    """The links that stand of these QuickBooks payments, accepted losses included."""
    wanted = sa.literal(sorted(set(payment_ids)), sa.ARRAY(sa.Text))
    return _links(
        connection, realm, links.c.quickbooks_id == sa.any_(wanted), links.c.state.in_(_STANDS)
    )


def of_keys(connection: sa.Connection, realm: str, keys: Collection[str]) -> dict[str, CreditLink]:
    """The links that stand of these applications, by key."""
    wanted = sa.literal(sorted(set(keys)), sa.ARRAY(sa.Text))
    found = _links(
        connection, realm, links.c.algapsa_id == sa.any_(wanted), links.c.state.in_(_STANDS)
    )
    return {link.key: link for link in found}


def close(connection: sa.Connection, link_ids: Collection[int]) -> None:
    """The payment carries these applications no more."""
    connection.execute(
        sa.update(links).where(links.c.link_id.in_(list(link_ids))).values(state="closed")
    )


def _links(
    connection: sa.Connection, realm: str, *where: sa.ColumnElement[bool]
) -> list[CreditLink]:
    rows = connection.execute(
        sa.select(
            links.c.link_id,
            links.c.algapsa_id,
            links.c.quickbooks_id,
            links.c.state,
            links.c.origin,
            links.c.generation,
            links.c.snapshot,
            links.c.shown,
        )
        .where(links.c.realm == realm, links.c.kind == _KIND, *where)
        .order_by(links.c.link_id)
    )
    return [CreditLink(*row) for row in rows]
