"""The audit log outlives its company: forgetting one deletes no row of it"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES = ("audit_heads", "audit_log")


def upgrade() -> None:
    for table in TABLES:
        op.drop_constraint(op.f(f"fk_{table}_realm_connections"), table, type_="foreignkey")


def downgrade() -> None:
    for table in TABLES:
        # The key would refuse the logs of forgotten companies.
        op.execute(f"DELETE FROM {table} WHERE realm NOT IN (SELECT realm FROM connections)")
        op.create_foreign_key(
            op.f(f"fk_{table}_realm_connections"),
            table,
            "connections",
            ["realm"],
            ["realm"],
            ondelete="CASCADE",
        )
