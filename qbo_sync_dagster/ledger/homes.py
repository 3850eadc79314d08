"""Moving a document's home: which company it belongs to, decided anew before anything was sent.

Making a first home belongs to `links`, with whoever queues or links a document.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from qbo_sync_dagster.ledger.tables import (
    OPEN_OPERATION_STATES,
    connections,
    document_homes,
    links,
    operations,
    postings,
)

_DOCUMENTS = ("invoice", "credit_memo")


def locked(connection: sa.Connection, tenant: str, invoice_id: str, otherwise: str) -> str:
    """The document's home, unchanged by others until the transaction ends; `otherwise` is made it
    where it had none.

    Whoever queues a document holds its home, too, so that after this its queue is complete.
    """
    row = {"tenant": tenant, "invoice_id": invoice_id, "realm": otherwise}
    connection.execute(insert(document_homes).values(row).on_conflict_do_nothing())
    home: str = connection.execute(
        sa.select(document_homes.c.realm)
        .where(document_homes.c.tenant == tenant, document_homes.c.invoice_id == invoice_id)
        .with_for_update()
    ).scalar_one()
    return home


def move(connection: sa.Connection, tenant: str, invoice_id: str, to: str) -> None:
    """Give a document another home."""
    connection.execute(
        sa.update(document_homes)
        .where(document_homes.c.tenant == tenant, document_homes.c.invoice_id == invoice_id)
        .values(realm=to, set_at=sa.text("ledger_now()"))
    )


def linked_in(connection: sa.Connection, tenant: str, invoice_id: str) -> str | None:
    """The company in which the document has, or had, an object; None if there is none."""
    query = sa.select(links.c.realm).where(
        links.c.realm.in_(_realms(tenant)),
        links.c.kind.in_(_DOCUMENTS),
        links.c.algapsa_id == invoice_id,
    )
    return connection.execute(query.limit(1)).scalar_one_or_none()


def posted_in(connection: sa.Connection, tenant: str, invoice_id: str) -> str | None:
    """The company to which something of the document was sent; None if nothing ever was.

    Nothing more is sent before the transaction ends.
    """
    connection.execute(
        sa.select(operations.c.operation_id)
        .where(*_of_document(tenant, invoice_id), operations.c.state.in_(OPEN_OPERATION_STATES))
        .order_by(operations.c.operation_id)
        .with_for_update()
    )
    sent = sa.exists().where(postings.c.operation_id == operations.c.operation_id)
    query = sa.select(operations.c.realm).where(*_of_document(tenant, invoice_id), sent)
    return connection.execute(query.limit(1)).scalar_one_or_none()


def cancel_elsewhere(
    connection: sa.Connection, tenant: str, invoice_id: str, home: str, kinds: Collection[str]
) -> Sequence[str]:
    """Withdraw the document's open operations in other companies; the companies concerned."""
    rows = connection.execute(
        sa.update(operations)
        .where(
            *_of_document(tenant, invoice_id),
            operations.c.realm != home,
            operations.c.kind.in_(kinds),
            operations.c.state.in_(OPEN_OPERATION_STATES),
        )
        .values(
            state="cancelled",
            reason="moved to another company",
            changed_at=sa.text("ledger_now()"),
        )
        .returning(operations.c.realm)
    )
    return sorted(set(rows.scalars()))


def _of_document(tenant: str, invoice_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (operations.c.realm.in_(_realms(tenant)), operations.c.record_id == invoice_id)


def _realms(tenant: str) -> sa.Select[tuple[str]]:
    return sa.select(connections.c.realm).where(connections.c.tenant == tenant)
