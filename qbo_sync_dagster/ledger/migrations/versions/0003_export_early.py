"""Staff export what is dated before go-live, and follow QuickBooks' version of a payment"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BEFORE = (
    *("both_real", "not_from_algapsa", "refund_recorded", "re_dated"),
    *("accepted", "skip_client", "history"),
)
NEW = ("export_early", "followed")


def upgrade() -> None:
    _allow((*BEFORE, *NEW))


def downgrade() -> None:
    listed = ", ".join(f"'{kind}'" for kind in NEW)
    op.execute(f"DELETE FROM decisions WHERE kind IN ({listed})")
    _allow(BEFORE)


def _allow(kinds: tuple[str, ...]) -> None:
    name = op.f("ck_decisions_kind")
    op.drop_constraint(name, "decisions", type_="check")
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    op.create_check_constraint(name, "decisions", f"kind IN ({listed})")
