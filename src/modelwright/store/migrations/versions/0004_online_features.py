"""Online features: what is known of each key, a generation at a time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "mw_generations",
        sa.Column("sequence", SERIAL, sa.Identity(), nullable=False),
        sa.Column("project", KEY, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("as_of", sa.Text(), nullable=False),
        sa.Column("names", sa.Text(), nullable=False),
        sa.Column("keys", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("mw_generations_pk")),
        sqlite_autoincrement=True,
    )
    op.create_index("mw_generations_newest", "mw_generations", ["project", "live", "sequence"])
    op.create_table(
        "mw_online_features",
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("key", KEY, nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("generation", "key", name=op.f("mw_online_features_pk")),
    )


def downgrade() -> None:
    """Drop them, with all they hold."""
    op.drop_table("mw_online_features")
    op.drop_table("mw_generations")
