"""What staff chose to export although it is dated before go-live"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BEFORE = (
    *("both_real", "not_from_algapsa", "refund_recorded", "re_dated"),
    *("accepted", "skip_client", "history"),
)
NEW = "export_early"


def upgrade() -> None:
    _allow((*BEFORE, NEW))


def downgrade() -> None:
    op.execute(f"DELETE FROM decisions WHERE kind = '{NEW}'")
    _allow(BEFORE)


def _allow(kinds: tuple[str, ...]) -> None:
    name = op.f("ck_decisions_kind")
    op.drop_constraint(name, "decisions", type_="check")
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    op.create_check_constraint(name, "decisions", f"kind IN ({listed})")
