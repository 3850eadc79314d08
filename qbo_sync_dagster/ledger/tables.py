"""The ledger's tables, as SQLAlchemy Core metadata.

Constraints that keep a promise stand here, in the database, and not only in code. Migrations
create them; a test holds the two against each other.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    }
)


def _instant(name: str, *, nullable: bool = False) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _now(name: str) -> sa.Column[datetime]:
    return sa.Column(
        name, sa.DateTime(timezone=True), nullable=False, server_default=sa.text("ledger_now()")
    )


def _realm(*, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(
        "realm",
        sa.Text,
        sa.ForeignKey("connections.realm", ondelete="CASCADE"),
        primary_key=primary_key,
        nullable=False,
    )


def _one_of(column: str, *values: str) -> sa.CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=column)


connections = sa.Table(
    "connections",
    metadata,
    sa.Column("realm", sa.Text, primary_key=True),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("company", sa.Text, nullable=False, unique=True),
    sa.Column("company_name", sa.Text, nullable=False),
    sa.Column("time_zone", sa.Text, nullable=False),
    sa.Column("go_live_date", sa.Date, nullable=False),
    sa.Column("is_default", sa.Boolean, nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default="connected"),
    _now("connected_at"),
    _instant("cursor"),
    sa.Column("auto_sync", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("create_customers", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("default_item", sa.Text),
    sa.Column("deposit_account", sa.Text),
    sa.Column("default_class", sa.Text),
    sa.Column("default_department", sa.Text),
    sa.Column("default_tax_code", sa.Text),
    sa.Column("default_term", sa.Text),
    sa.Column("accepted_cents", sa.Integer, nullable=False, server_default="0"),
    sa.Column("assignee", sa.Text, nullable=False, server_default="accounting administrator"),
    # Encrypted: the addresses of mail, Slack and the like carry passwords.
    sa.Column("notification_targets", sa.LargeBinary),
    sa.Column("preferences", JSONB),
    _instant("preferences_read_at", nullable=True),
    _one_of("state", "connected", "reconnect", "disconnected"),
)
# An invoice without a stated home goes to the default company, so a tenant has exactly one.
sa.Index(
    "uq_connections_default",
    connections.c.tenant,
    unique=True,
    postgresql_where=connections.c.is_default,
)

# Apart from `connections`: a refresh holds this row's lock while the cycle renews its lease.
connection_tokens = sa.Table(
    "connection_tokens",
    metadata,
    _realm(primary_key=True),
    sa.Column("access_token", sa.LargeBinary),
    _instant("access_expires_at", nullable=True),
    sa.Column("refresh_token", sa.LargeBinary, nullable=False),
    _instant("refresh_expires_at", nullable=True),
    _now("stored_at"),
)

leases = sa.Table(
    "leases",
    metadata,
    _realm(primary_key=True),
    sa.Column("epoch", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("holder", sa.Text),
    _instant("expires_at", nullable=True),
)

cycles = sa.Table(
    "cycles",
    metadata,
    sa.Column("cycle_id", sa.BigInteger, sa.Identity(), primary_key=True),
    _realm(),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("trigger", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text),
    sa.Column("outcome", sa.Text, nullable=False, server_default="running"),
    _now("started_at"),
    _instant("finished_at", nullable=True),
    _instant("cursor_before", nullable=True),
    _instant("cursor_after", nullable=True),
    sa.Column("counts", JSONB, nullable=False, server_default="{}"),
    sa.Column("calls", JSONB, nullable=False, server_default="{}"),
    sa.Column("summary", sa.Text, nullable=False, server_default=""),
    sa.Column("problem", sa.Text),
    # What does not stop a cycle, but somebody should know.
    sa.Column("warnings", JSONB, nullable=False, server_default="[]"),
    _one_of("outcome", "running", "succeeded", "failed", "aborted", "died"),
    sa.Index("ix_cycles_realm_started", "realm", "started_at"),
)

inbound_changes = sa.Table(
    "inbound_changes",
    metadata,
    sa.Column("change_id", sa.BigInteger, sa.Identity(), primary_key=True),
    _realm(),
    sa.Column("entity", sa.Text, nullable=False),
    sa.Column("object_id", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("deleted", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("state", sa.Text, nullable=False, server_default="received"),
    _instant("updated_at", nullable=True),
    sa.Column("payload", JSONB, nullable=False),
    _now("received_at"),
    _instant("settled_at", nullable=True),
    _one_of("state", "received", "applied", "known", "foreign", "parked"),
    sa.UniqueConstraint("realm", "entity", "object_id", "version", "deleted"),
)
sa.Index(
    "ix_inbound_changes_unsettled",
    inbound_changes.c.realm,
    inbound_changes.c.entity,
    postgresql_where=inbound_changes.c.state.in_(["received", "parked"]),
)

LINK_KINDS = (
    *("client", "service", "tax_region", "payment_term"),
    *("invoice", "credit_memo", "payment", "credit_application"),
)

links = sa.Table(
    "links",
    metadata,
    sa.Column("link_id", sa.BigInteger, sa.Identity(), primary_key=True),
    _realm(),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("algapsa_id", sa.Text, nullable=False),
    sa.Column("quickbooks_id", sa.Text, nullable=False),
    sa.Column("generation", sa.Integer, nullable=False, server_default="1"),
    sa.Column("state", sa.Text, nullable=False, server_default="live"),
    sa.Column("origin", sa.Text, nullable=False),
    # What both sides last agreed on, and what QuickBooks showed last, in the same shape.
    sa.Column("snapshot", JSONB(none_as_null=True)),
    sa.Column("shown", JSONB(none_as_null=True)),
    sa.Column("fingerprint", sa.Text),
    sa.Column("sync_token", sa.BigInteger),
    sa.Column("payment_ids", JSONB, nullable=False, server_default="[]"),
    # Of a payment: the AlgaPSA invoice that it pays.
    sa.Column("invoice_id", sa.Text),
    sa.Column("drift", JSONB(none_as_null=True)),
    sa.Column("difference_minor", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("accepted_minor", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("mirrored", sa.Boolean, nullable=False, server_default=sa.false()),
    # Whether the payments from before the link were paired on both sides.
    sa.Column("payments_paired", sa.Boolean, nullable=False, server_default=sa.false()),
    _now("linked_at"),
    _now("shown_at"),
    # "accepted": QuickBooks' void or deletion was accepted; never exported again, still linked.
    # "replaced": the object was deleted, and staff chose to have the document created anew.
    _one_of("state", "live", "closed", "accepted", "replaced"),
    _one_of("kind", *LINK_KINDS),
    _one_of("origin", "exported", "imported", "adopted", "applied", "matched", "paired"),
)
sa.Index(
    "uq_links_algapsa",
    links.c.realm,
    links.c.kind,
    links.c.algapsa_id,
    unique=True,
    postgresql_where=links.c.state == "live",
)
# Several services may share one item, several regions one tax code, several uses of a credit note
# one payment that applies it; documents and clients may not: a second link to the same object would
# count one sale twice.
sa.Index(
    "uq_links_quickbooks",
    links.c.realm,
    links.c.kind,
    links.c.quickbooks_id,
    unique=True,
    postgresql_where=sa.and_(
        links.c.state == "live",
        links.c.kind.in_(["client", "invoice", "credit_memo"]),
    ),
)
# One cheque in QuickBooks may pay several invoices; AlgaPSA keeps a payment per invoice.
sa.Index(
    "uq_links_payment",
    links.c.realm,
    links.c.quickbooks_id,
    links.c.invoice_id,
    unique=True,
    postgresql_where=sa.and_(links.c.state == "live", links.c.kind == "payment"),
    postgresql_nulls_not_distinct=True,
)
sa.Index(
    "ix_links_invoice",
    links.c.realm,
    links.c.invoice_id,
    postgresql_where=links.c.kind == "payment",
)

sa.Index(
    "ix_links_closed",
    links.c.realm,
    links.c.kind,
    links.c.algapsa_id,
    postgresql_where=links.c.state == "closed",
)
sa.Index(
    "ix_links_retired",
    links.c.realm,
    links.c.state,
    links.c.algapsa_id,
    postgresql_where=links.c.state.in_(["accepted", "replaced"]),
)
# Documents are gone through page by page in every cycle, however many there are.
sa.Index(
    "ix_links_live",
    links.c.realm,
    links.c.kind,
    links.c.link_id,
    postgresql_where=links.c.state == "live",
)

document_homes = sa.Table(
    "document_homes",
    metadata,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("invoice_id", sa.Text, primary_key=True),
    # No foreign key: that a forgotten company had this document keeps it from another one.
    sa.Column("realm", sa.Text, nullable=False),
    _now("set_at"),
    sa.Index("ix_document_homes_realm", "realm"),
)

OPERATION_KINDS = (
    *("create_customer", "export_invoice", "export_credit_memo", "update_document"),
    *("void_document", "apply_credit", "remove_credit", "push_payment", "change_payment"),
)
OPEN_OPERATION_STATES = ("queued", "posting", "held", "errored")

operations = sa.Table(
    "operations",
    metadata,
    sa.Column("operation_id", sa.BigInteger, sa.Identity(), primary_key=True),
    _realm(),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("record_id", sa.Text, nullable=False),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default="queued"),
    sa.Column("generation", sa.Integer, nullable=False, server_default="1"),
    sa.Column("attempt", sa.Integer, nullable=False, server_default="1"),
    sa.Column("faults", sa.Integer, nullable=False, server_default="0"),
    sa.Column("fingerprint", sa.Text),
    _instant("next_attempt_at", nullable=True),
    sa.Column("reason", sa.Text),
    sa.Column("reason_code", sa.Text),
    # What staff decided about this one send, such as another date.
    sa.Column("detail", JSONB, nullable=False, server_default="{}"),
    _now("queued_at"),
    _now("changed_at"),
    _one_of("kind", *OPERATION_KINDS),
    _one_of("state", *OPEN_OPERATION_STATES, "done", "cancelled"),
    sa.Index("ix_operations_record", "realm", "record_id"),
)
sa.Index(
    "uq_operations_open",
    operations.c.realm,
    operations.c.kind,
    operations.c.record_id,
    unique=True,
    postgresql_where=operations.c.state.in_(OPEN_OPERATION_STATES),
)

sa.Index(
    "ix_operations_open",
    operations.c.realm,
    operations.c.kind,
    operations.c.operation_id,
    postgresql_where=operations.c.state.in_(OPEN_OPERATION_STATES),
)

postings = sa.Table(
    "postings",
    metadata,
    sa.Column("posting_id", sa.BigInteger, sa.Identity(), primary_key=True),
    _realm(),
    sa.Column(
        "operation_id",
        sa.BigInteger,
        sa.ForeignKey("operations.operation_id", ondelete="CASCADE"),
        nullable=False,
    ),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("batch_id", sa.Text),
    sa.Column("item_id", sa.Text),
    sa.Column("position", sa.Integer, nullable=False, server_default="0"),
    sa.Column("entity", sa.Text, nullable=False),
    sa.Column("verb", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    # What identifies the object when only QuickBooks knows whether it exists.
    sa.Column("identity", JSONB, nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default="sent"),
    _now("first_sent_at"),
    _now("sent_at"),
    _instant("answered_at", nullable=True),
    sa.Column("code", sa.Text),
    sa.Column("detail", sa.Text),
    sa.Column("intuit_tid", sa.Text),
    sa.Column("quickbooks_id", sa.Text),
    sa.UniqueConstraint("realm", "request_id"),
    sa.Index("ix_postings_operation", "operation_id"),
    _one_of("state", "sent", "done", "refused", "absent", "orphan"),
)
sa.Index(
    "uq_postings_unanswered",
    postings.c.operation_id,
    unique=True,
    postgresql_where=postings.c.state == "sent",
)
sa.Index(
    "ix_postings_unanswered_realm",
    postings.c.realm,
    postgresql_where=postings.c.state == "sent",
)

exceptions = sa.Table(
    "exceptions",
    metadata,
    sa.Column("number", sa.BigInteger, sa.Identity(), primary_key=True),
    _realm(),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("record", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default="open"),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("what_happened", sa.Text, nullable=False),
    sa.Column("how_to_resolve", sa.Text, nullable=False),
    sa.Column("records", JSONB, nullable=False, server_default="[]"),
    sa.Column("amounts", JSONB, nullable=False, server_default="{}"),
    sa.Column("actions", JSONB, nullable=False, server_default="[]"),
    sa.Column("version", sa.Text, nullable=False, server_default=""),
    _now("first_seen"),
    _now("last_seen"),
    sa.Column("count", sa.Integer, nullable=False, server_default="1"),
    sa.Column("assignee", sa.Text, nullable=False),
    _instant("closed_at", nullable=True),
    sa.Column("closed_by", sa.Text),
    sa.Column("close_reason", sa.Text),
    _one_of("state", "open", "resolved", "dismissed"),
)
sa.Index(
    "uq_exceptions_open",
    exceptions.c.realm,
    exceptions.c.kind,
    exceptions.c.record,
    unique=True,
    postgresql_where=exceptions.c.state == "open",
)

sync_requests = sa.Table(
    "sync_requests",
    metadata,
    sa.Column("request_id", sa.BigInteger, sa.Identity(), primary_key=True),
    _realm(),
    sa.Column("requested_by", sa.Text, nullable=False),
    _now("requested_at"),
    sa.Column("fulfilled_by", sa.BigInteger, sa.ForeignKey("cycles.cycle_id", ondelete="SET NULL")),
    _instant("fulfilled_at", nullable=True),
)
sa.Index(
    "ix_sync_requests_open",
    sync_requests.c.realm,
    postgresql_where=sync_requests.c.fulfilled_at.is_(None),
)

# Neither refers to the company: a log that goes with what it is about proves nothing.
audit_heads = sa.Table(
    "audit_heads",
    metadata,
    sa.Column("realm", sa.Text, primary_key=True),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
)

audit_log = sa.Table(
    "audit_log",
    metadata,
    sa.Column("realm", sa.Text, primary_key=True),
    sa.Column("sequence", sa.BigInteger, primary_key=True),
    _now("at"),
    sa.Column("side", sa.Text, nullable=False),
    sa.Column("effect", sa.Text, nullable=False),
    sa.Column("record", sa.Text, nullable=False),
    sa.Column("before", JSONB),
    sa.Column("after", JSONB),
    sa.Column("request_id", sa.Text),
    sa.Column("intuit_tid", sa.Text),
    sa.Column("previous_digest", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    _one_of("side", "algapsa", "quickbooks", "ledger"),
)

# What staff decided about a record, kept for as long as the record lives.
decisions = sa.Table(
    "decisions",
    metadata,
    sa.Column("decision_id", sa.BigInteger, sa.Identity(), primary_key=True),
    _realm(),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("record", sa.Text, nullable=False),
    sa.Column("counterpart", sa.Text, nullable=False, server_default=""),
    sa.Column("amount_minor", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("detail", JSONB, nullable=False, server_default="{}"),
    sa.Column("decided_by", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    _now("decided_at"),
    sa.UniqueConstraint("realm", "kind", "record", "counterpart"),
    _one_of(
        "kind",
        *("both_real", "not_from_algapsa", "refund_recorded", "re_dated"),
        *("accepted", "skip_client", "history", "export_early", "followed"),
    ),
)

export_batches = sa.Table(
    "export_batches",
    metadata,
    sa.Column("batch_id", sa.BigInteger, sa.Identity(), primary_key=True),
    _realm(),
    sa.Column("selection", JSONB, nullable=False),
    sa.Column("invoice_ids", JSONB, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    _now("created_at"),
    _one_of("target", "quickbooks", "csv"),
)

# Notices that went out, so that a deadline or a new exception is announced once.
notices = sa.Table(
    "notices",
    metadata,
    _realm(primary_key=True),
    sa.Column("notice", sa.Text, primary_key=True),
    _now("sent_at"),
)
