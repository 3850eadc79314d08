"""What staff decide, credit notes, voids and payments out, export batches, notices"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

LINK_KINDS = (
    *("client", "service", "tax_region", "payment_term"),
    *("invoice", "credit_memo", "payment", "credit_application"),
)
OPERATION_KINDS = (
    *("create_customer", "export_invoice", "export_credit_memo", "update_document"),
    *("void_document", "apply_credit", "remove_credit", "push_payment", "change_payment"),
)
DECISION_KINDS = (
    *("both_real", "not_from_algapsa", "refund_recorded", "re_dated"),
    *("accepted", "skip_client", "history"),
)
# (table, column): the values before and after.
VALUES = {
    ("links", "state"): (
        ("live", "closed"),
        ("live", "closed", "accepted", "replaced"),
    ),
    ("links", "kind"): (
        ("client", "service", "tax_region", "payment_term", "invoice", "payment"),
        LINK_KINDS,
    ),
    ("links", "origin"): (
        ("exported", "imported", "adopted", "applied"),
        ("exported", "imported", "adopted", "applied", "matched", "paired"),
    ),
    ("operations", "kind"): (("create_customer", "export_invoice"), OPERATION_KINDS),
}
HOME_OF = "fk_document_homes_realm_connections"
SHARED_NEVER_BEFORE = ("client", "invoice", "payment")
SHARED_NEVER = ("client", "invoice", "credit_memo")


def upgrade() -> None:
    for table, new in _new_columns():
        op.add_column(table, new)
    for (table, column), (_, after) in VALUES.items():
        _allow(table, column, after)
    _share_never(SHARED_NEVER)
    op.create_index(
        "uq_links_payment",
        "links",
        ["realm", "quickbooks_id", "invoice_id"],
        unique=True,
        postgresql_where=sa.text("state = 'live' AND kind = 'payment'"),
        postgresql_nulls_not_distinct=True,
    )
    op.create_index(
        "ix_links_invoice",
        "links",
        ["realm", "invoice_id"],
        postgresql_where=sa.text("kind = 'payment'"),
    )
    op.create_index(
        "ix_links_retired",
        "links",
        ["realm", "state", "algapsa_id"],
        postgresql_where=sa.text("state IN ('accepted', 'replaced')"),
    )
    # A company may be forgotten; that it had a document must outlive it.
    op.drop_constraint(HOME_OF, "document_homes", type_="foreignkey")
    op.create_table(
        "decisions",
        sa.Column("decision_id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("counterpart", sa.Text(), server_default="", nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("detail", JSONB(), server_default="{}", nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        _now("decided_at"),
        sa.CheckConstraint(_one_of("kind", DECISION_KINDS), name=op.f("ck_decisions_kind")),
        _of_connection("decisions"),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_decisions")),
        sa.UniqueConstraint(
            *("realm", "kind", "record", "counterpart"),
            name=op.f("uq_decisions_realm_kind_record_counterpart"),
        ),
    )
    op.create_table(
        "export_batches",
        sa.Column("batch_id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("selection", JSONB(), nullable=False),
        sa.Column("invoice_ids", JSONB(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        _now("created_at"),
        sa.CheckConstraint(
            _one_of("target", ("quickbooks", "csv")), name=op.f("ck_export_batches_target")
        ),
        _of_connection("export_batches"),
        sa.PrimaryKeyConstraint("batch_id", name=op.f("pk_export_batches")),
    )
    op.create_table(
        "notices",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("notice", sa.Text(), nullable=False),
        _now("sent_at"),
        _of_connection("notices"),
        sa.PrimaryKeyConstraint("realm", "notice", name=op.f("pk_notices")),
    )


def downgrade() -> None:
    for table in ("notices", "export_batches", "decisions"):
        op.drop_table(table)
    # What the older version cannot hold goes with it.
    for (table, column), (before, _) in VALUES.items():
        op.execute(f"DELETE FROM {table} WHERE NOT ({_one_of(column, before)})")
        _allow(table, column, before)
    for index in ("ix_links_retired", "ix_links_invoice", "uq_links_payment"):
        op.drop_index(index, table_name="links")
    _share_never(SHARED_NEVER_BEFORE)
    op.execute("DELETE FROM document_homes WHERE realm NOT IN (SELECT realm FROM connections)")
    op.create_foreign_key(
        HOME_OF, "document_homes", "connections", ["realm"], ["realm"], ondelete="CASCADE"
    )
    for table, new in _new_columns():
        op.drop_column(table, new.name)


def _new_columns() -> list[tuple[str, sa.Column[Any]]]:
    return [
        ("connections", sa.Column("default_tax_code", sa.Text())),
        ("connections", sa.Column("default_term", sa.Text())),
        ("connections", sa.Column("notification_targets", sa.LargeBinary())),
        ("links", sa.Column("invoice_id", sa.Text())),
        ("cycles", sa.Column("warnings", JSONB(), nullable=False, server_default="[]")),
        (
            "links",
            sa.Column(
                "payments_paired", sa.Boolean(), nullable=False, server_default=sa.text("false")
            ),
        ),
        ("operations", sa.Column("detail", JSONB(), nullable=False, server_default="{}")),
    ]


def _allow(table: str, column: str, values: tuple[str, ...]) -> None:
    name = op.f(f"ck_{table}_{column}")
    op.drop_constraint(name, table, type_="check")
    op.create_check_constraint(name, table, _one_of(column, values))


def _share_never(kinds: tuple[str, ...]) -> None:
    op.drop_index("uq_links_quickbooks", table_name="links")
    op.create_index(
        "uq_links_quickbooks",
        "links",
        ["realm", "kind", "quickbooks_id"],
        unique=True,
        postgresql_where=sa.text(f"state = 'live' AND {_one_of('kind', kinds)}"),
    )


def _one_of(column: str, values: tuple[str, ...]) -> str:
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({listed})"


def _now(name: str) -> sa.Column[Any]:
    return sa.Column(
        name,
        sa.DateTime(timezone=True),
        server_default=sa.text("ledger_now()"),
        nullable=False,
    )


def _of_connection(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["realm"],
        ["connections.realm"],
        name=op.f(f"fk_{table}_realm_connections"),
        ondelete="CASCADE",
    )
