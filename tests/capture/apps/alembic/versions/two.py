import sqlalchemy as sa
from alembic import op

revision, down_revision = "two", "one"


def upgrade() -> None:
    op.create_table(
        "entries",
        sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("account_id", sa.BigInteger, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("booked_at", sa.DateTime(timezone=True), server_default=sa.text("now()")),
        sa.Column("amount", sa.Numeric(12, 2), nullable=False),
    )
    op.create_index("entries_recent", "entries", ["account_id", sa.text("booked_at DESC")])
    op.drop_table("old_notes")


def downgrade() -> None:
    op.create_table("old_notes", sa.Column("id", sa.BigInteger, primary_key=True))
    op.drop_index("entries_recent")
    op.drop_table("entries")
