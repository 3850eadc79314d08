"""The ledger of connections, changes, links, operations and exceptions"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


LEDGER_NOW = """
CREATE FUNCTION ledger_now() RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT now()
        + coalesce(nullif(current_setting('qbo_sync.clock_offset', true), ''), '0')::interval
$$
"""


def upgrade() -> None:
    op.execute(LEDGER_NOW)
    op.create_table(
        "connections",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("company", sa.Text(), nullable=False),
        sa.Column("company_name", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("go_live_date", sa.Date(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), server_default="connected", nullable=False),
        sa.Column(
            "connected_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ledger_now()"),
            nullable=False,
        ),
        sa.Column("cursor", sa.DateTime(timezone=True), nullable=False),
        sa.Column("auto_sync", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column(
            "create_customers", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
        sa.Column("default_item", sa.Text(), nullable=True),
        sa.Column("deposit_account", sa.Text(), nullable=True),
        sa.Column("default_class", sa.Text(), nullable=True),
        sa.Column("default_department", sa.Text(), nullable=True),
        sa.Column("accepted_cents", sa.Integer(), server_default="0", nullable=False),
        sa.Column("assignee", sa.Text(), server_default="accounting administrator", nullable=False),
        sa.Column("preferences", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("preferences_read_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('connected', 'reconnect', 'disconnected')", name=op.f("ck_connections_state")
        ),
        sa.PrimaryKeyConstraint("realm", name=op.f("pk_connections")),
        sa.UniqueConstraint("company", name=op.f("uq_connections_company")),
    )
    op.create_index(
        "uq_connections_default",
        "connections",
        ["tenant"],
        unique=True,
        postgresql_where="is_default",
    )
    op.create_table(
        "audit_heads",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["realm"],
            ["connections.realm"],
            name=op.f("fk_audit_heads_realm_connections"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("realm", name=op.f("pk_audit_heads")),
    )
    op.create_table(
        "audit_log",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("ledger_now()"), nullable=False
        ),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("effect", sa.Text(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("before", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("after", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("intuit_tid", sa.Text(), nullable=True),
        sa.Column("previous_digest", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "side IN ('algapsa', 'quickbooks', 'ledger')", name=op.f("ck_audit_log_side")
        ),
        sa.ForeignKeyConstraint(
            ["realm"],
            ["connections.realm"],
            name=op.f("fk_audit_log_realm_connections"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("realm", "sequence", name=op.f("pk_audit_log")),
    )
    op.create_table(
        "connection_tokens",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("access_token", sa.LargeBinary(), nullable=True),
        sa.Column("access_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refresh_token", sa.LargeBinary(), nullable=False),
        sa.Column("refresh_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "stored_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ledger_now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["realm"],
            ["connections.realm"],
            name=op.f("fk_connection_tokens_realm_connections"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("realm", name=op.f("pk_connection_tokens")),
    )
    op.create_table(
        "cycles",
        sa.Column("cycle_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), server_default="running", nullable=False),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ledger_now()"),
            nullable=False,
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cursor_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cursor_after", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "counts", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False
        ),
        sa.Column(
            "calls", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False
        ),
        sa.Column("summary", sa.Text(), server_default="", nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "outcome IN ('running', 'succeeded', 'failed', 'aborted', 'died')",
            name=op.f("ck_cycles_outcome"),
        ),
        sa.ForeignKeyConstraint(
            ["realm"],
            ["connections.realm"],
            name=op.f("fk_cycles_realm_connections"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("cycle_id", name=op.f("pk_cycles")),
    )
    op.create_index("ix_cycles_realm_started", "cycles", ["realm", "started_at"], unique=False)
    op.create_table(
        "document_homes",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column(
            "set_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ledger_now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["realm"],
            ["connections.realm"],
            name=op.f("fk_document_homes_realm_connections"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant", "invoice_id", name=op.f("pk_document_homes")),
    )
    op.create_index("ix_document_homes_realm", "document_homes", ["realm"], unique=False)
    op.create_table(
        "exceptions",
        sa.Column("number", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("what_happened", sa.Text(), nullable=False),
        sa.Column("how_to_resolve", sa.Text(), nullable=False),
        sa.Column(
            "records", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False
        ),
        sa.Column(
            "amounts", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False
        ),
        sa.Column(
            "actions", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False
        ),
        sa.Column("version", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "first_seen",
            sa.DateTime(timezone=True),
            server_default=sa.text("ledger_now()"),
            nullable=False,
        ),
        sa.Column(
            "last_seen",
            sa.DateTime(timezone=True),
            server_default=sa.text("ledger_now()"),
            nullable=False,
        ),
        sa.Column("count", sa.Integer(), server_default="1", nullable=False),
        sa.Column("assignee", sa.Text(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.Column("close_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('open', 'resolved', 'dismissed')", name=op.f("ck_exceptions_state")
        ),
        sa.ForeignKeyConstraint(
            ["realm"],
            ["connections.realm"],
            name=op.f("fk_exceptions_realm_connections"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_exceptions")),
    )
    op.create_index(
        "uq_exceptions_open",
        "exceptions",
        ["realm", "kind", "record"],
        unique=True,
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "inbound_changes",
        sa.Column("change_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("deleted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("state", sa.Text(), server_default="received", nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "received_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ledger_now()"),
            nullable=False,
        ),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('received', 'applied', 'known', 'foreign', 'parked')",
            name=op.f("ck_inbound_changes_state"),
        ),
        sa.ForeignKeyConstraint(
            ["realm"],
            ["connections.realm"],
            name=op.f("fk_inbound_changes_realm_connections"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("change_id", name=op.f("pk_inbound_changes")),
        sa.UniqueConstraint(
            "realm",
            "entity",
            "object_id",
            "version",
            "deleted",
            name=op.f("uq_inbound_changes_realm_entity_object_id_version_deleted"),
        ),
    )
    op.create_index(
        "ix_inbound_changes_unsettled",
        "inbound_changes",
        ["realm", "entity"],
        unique=False,
        postgresql_where=sa.text("state IN ('received', 'parked')"),
    )
    op.create_table(
        "leases",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["realm"],
            ["connections.realm"],
            name=op.f("fk_leases_realm_connections"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("realm", name=op.f("pk_leases")),
    )
    op.create_table(
        "links",
        sa.Column("link_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("algapsa_id", sa.Text(), nullable=False),
        sa.Column("quickbooks_id", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), server_default="1", nullable=False),
        sa.Column("state", sa.Text(), server_default="live", nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("snapshot", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("shown", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("fingerprint", sa.Text(), nullable=True),
        sa.Column("sync_token", sa.BigInteger(), nullable=True),
        sa.Column(
            "payment_ids",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="[]",
            nullable=False,
        ),
        sa.Column("drift", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("difference_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("accepted_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("mirrored", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "linked_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ledger_now()"),
            nullable=False,
        ),
        sa.Column(
            "shown_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ledger_now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "kind IN ('client', 'service', 'tax_region', 'payment_term', 'invoice', 'payment')",
            name=op.f("ck_links_kind"),
        ),
        sa.CheckConstraint(
            "origin IN ('exported', 'imported', 'adopted', 'applied')", name=op.f("ck_links_origin")
        ),
        sa.CheckConstraint("state IN ('live', 'closed')", name=op.f("ck_links_state")),
        sa.ForeignKeyConstraint(
            ["realm"],
            ["connections.realm"],
            name=op.f("fk_links_realm_connections"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("link_id", name=op.f("pk_links")),
    )
    op.create_index(
        "uq_links_algapsa",
        "links",
        ["realm", "kind", "algapsa_id"],
        unique=True,
        postgresql_where=sa.text("state = 'live'"),
    )
    op.create_index(
        "ix_links_closed",
        "links",
        ["realm", "kind", "algapsa_id"],
        unique=False,
        postgresql_where=sa.text("state = 'closed'"),
    )
    op.create_index(
        "ix_links_live",
        "links",
        ["realm", "kind", "link_id"],
        unique=False,
        postgresql_where=sa.text("state = 'live'"),
    )
    op.create_index(
        "uq_links_quickbooks",
        "links",
        ["realm", "kind", "quickbooks_id"],
        unique=True,
        postgresql_where=sa.text("state = 'live' AND kind IN ('client', 'invoice', 'payment')"),
    )
    op.create_table(
        "operations",
        sa.Column("operation_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="queued", nullable=False),
        sa.Column("generation", sa.Integer(), server_default="1", nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="1", nullable=False),
        sa.Column("faults", sa.Integer(), server_default="0", nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=True),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("reason_code", sa.Text(), nullable=True),
        sa.Column(
            "queued_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ledger_now()"),
            nullable=False,
        ),
        sa.Column(
            "changed_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ledger_now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "kind IN ('create_customer', 'export_invoice')", name=op.f("ck_operations_kind")
        ),
        sa.CheckConstraint(
            "state IN ('queued', 'posting', 'held', 'errored', 'done', 'cancelled')",
            name=op.f("ck_operations_state"),
        ),
        sa.ForeignKeyConstraint(
            ["realm"],
            ["connections.realm"],
            name=op.f("fk_operations_realm_connections"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("operation_id", name=op.f("pk_operations")),
    )
    op.create_index("ix_operations_record", "operations", ["realm", "record_id"], unique=False)
    op.create_index(
        "ix_operations_open",
        "operations",
        ["realm", "kind", "operation_id"],
        unique=False,
        postgresql_where=sa.text("state IN ('queued', 'posting', 'held', 'errored')"),
    )
    op.create_index(
        "uq_operations_open",
        "operations",
        ["realm", "kind", "record_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('queued', 'posting', 'held', 'errored')"),
    )
    op.create_table(
        "postings",
        sa.Column("posting_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("operation_id", sa.BigInteger(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("batch_id", sa.Text(), nullable=True),
        sa.Column("item_id", sa.Text(), nullable=True),
        sa.Column("position", sa.Integer(), server_default="0", nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("verb", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("identity", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), server_default="sent", nullable=False),
        sa.Column(
            "first_sent_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ledger_now()"),
            nullable=False,
        ),
        sa.Column(
            "sent_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ledger_now()"),
            nullable=False,
        ),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("intuit_tid", sa.Text(), nullable=True),
        sa.Column("quickbooks_id", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('sent', 'done', 'refused', 'absent', 'orphan')",
            name=op.f("ck_postings_state"),
        ),
        sa.ForeignKeyConstraint(
            ["operation_id"],
            ["operations.operation_id"],
            name=op.f("fk_postings_operation_id_operations"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["realm"],
            ["connections.realm"],
            name=op.f("fk_postings_realm_connections"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("posting_id", name=op.f("pk_postings")),
        sa.UniqueConstraint("realm", "request_id", name=op.f("uq_postings_realm_request_id")),
    )
    op.create_index(
        "ix_postings_unanswered_realm",
        "postings",
        ["realm"],
        unique=False,
        postgresql_where=sa.text("state = 'sent'"),
    )
    op.create_index("ix_postings_operation", "postings", ["operation_id"], unique=False)
    op.create_index(
        "uq_postings_unanswered",
        "postings",
        ["operation_id"],
        unique=True,
        postgresql_where=sa.text("state = 'sent'"),
    )
    op.create_table(
        "sync_requests",
        sa.Column("request_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column(
            "requested_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("ledger_now()"),
            nullable=False,
        ),
        sa.Column("fulfilled_by", sa.BigInteger(), nullable=True),
        sa.Column("fulfilled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["fulfilled_by"],
            ["cycles.cycle_id"],
            name=op.f("fk_sync_requests_fulfilled_by_cycles"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["realm"],
            ["connections.realm"],
            name=op.f("fk_sync_requests_realm_connections"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_sync_requests")),
    )
    op.create_index(
        "ix_sync_requests_open",
        "sync_requests",
        ["realm"],
        unique=False,
        postgresql_where=sa.text("fulfilled_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index(
        "ix_sync_requests_open",
        table_name="sync_requests",
        postgresql_where=sa.text("fulfilled_at IS NULL"),
    )
    op.drop_table("sync_requests")
    op.drop_index(
        "uq_postings_unanswered", table_name="postings", postgresql_where=sa.text("state = 'sent'")
    )
    op.drop_index(
        "ix_postings_unanswered_realm",
        table_name="postings",
        postgresql_where=sa.text("state = 'sent'"),
    )
    op.drop_index("ix_postings_operation", table_name="postings")
    op.drop_table("postings")
    op.drop_index(
        "ix_operations_open",
        table_name="operations",
        postgresql_where=sa.text("state IN ('queued', 'posting', 'held', 'errored')"),
    )
    op.drop_index(
        "uq_operations_open",
        table_name="operations",
        postgresql_where=sa.text("state IN ('queued', 'posting', 'held', 'errored')"),
    )
    op.drop_index("ix_operations_record", table_name="operations")
    op.drop_table("operations")
    op.drop_index(
        "ix_links_closed", table_name="links", postgresql_where=sa.text("state = 'closed'")
    )
    op.drop_index("ix_links_live", table_name="links", postgresql_where=sa.text("state = 'live'"))
    op.drop_index(
        "uq_links_quickbooks",
        table_name="links",
        postgresql_where=sa.text("state = 'live' AND kind IN ('client', 'invoice', 'payment')"),
    )
    op.drop_index(
        "uq_links_algapsa", table_name="links", postgresql_where=sa.text("state = 'live'")
    )
    op.drop_table("links")
    op.drop_table("leases")
    op.drop_index(
        "ix_inbound_changes_unsettled",
        table_name="inbound_changes",
        postgresql_where=sa.text("state IN ('received', 'parked')"),
    )
    op.drop_table("inbound_changes")
    op.drop_index(
        "uq_exceptions_open", table_name="exceptions", postgresql_where=sa.text("state = 'open'")
    )
    op.drop_table("exceptions")
    op.drop_index("ix_document_homes_realm", table_name="document_homes")
    op.drop_table("document_homes")
    op.drop_index("ix_cycles_realm_started", table_name="cycles")
    op.drop_table("cycles")
    op.drop_table("connection_tokens")
    op.drop_table("audit_log")
    op.drop_table("audit_heads")
    op.drop_index("uq_connections_default", table_name="connections", postgresql_where="is_default")
    op.drop_table("connections")
    op.execute("DROP FUNCTION ledger_now()")
