"""Windows, monitors' states, thresholds set at run time, and what became of each label."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

_JOINED = sa.text("joined IS NOT NULL")
_ORPHAN = sa.text("outcome = 'orphan'")

# The first label of a prediction joined it; a later one by the same client, or by an operator, corrected it.
_FIRST = """
    (SELECT min(first.sequence) FROM mw_labels AS first
     WHERE first.project = mw_labels.project AND first.prediction_id = mw_labels.prediction_id)
"""
_OUTCOMES = f"""
    UPDATE mw_labels SET outcome = CASE
        WHEN sequence <> {_FIRST} AND (
            client LIKE 'operator:%'
            OR client = (SELECT one.client FROM mw_labels AS one WHERE one.sequence = {_FIRST})
        ) THEN 'corrected'
        WHEN sequence <> {_FIRST} THEN 'contradicting'
        WHEN EXISTS (SELECT 1 FROM mw_predictions AS log
                     WHERE log.project = mw_labels.project AND log.id = mw_labels.prediction_id) THEN 'joined'
        ELSE 'orphan' END
"""  # noqa: S608 - constants


def upgrade() -> None:
    """Make the tables; say of the labels that are there what became of them."""
    _windows()
    _states()
    _overrides()
    op.add_column("mw_labels", sa.Column("outcome", sa.Text(), nullable=False, server_default="joined"))
    op.add_column("mw_labels", sa.Column("joined", sa.BigInteger(), nullable=True))
    op.execute(_OUTCOMES)
    op.execute("UPDATE mw_labels SET joined = received WHERE outcome = 'joined'")
    with op.batch_alter_table("mw_labels") as table:
        table.alter_column("outcome", server_default=None, existing_type=sa.Text(), existing_nullable=False)
    for name, columns, condition in (
        ("mw_labels_joined", ["project", "joined", "sequence"], _JOINED),
        ("mw_labels_orphans", ["project", "sequence"], _ORPHAN),
    ):
        op.create_index(name, "mw_labels", columns, sqlite_where=condition, postgresql_where=condition)


def downgrade() -> None:
    """Drop them, with all they hold."""
    for name in ("mw_labels_orphans", "mw_labels_joined"):
        op.drop_index(name, "mw_labels")
    with op.batch_alter_table("mw_labels") as table:
        table.drop_column("joined")
        table.drop_column("outcome")
    for name in ("mw_overrides", "mw_states", "mw_windows"):
        op.drop_table(name)


def _windows() -> None:
    op.create_table(
        "mw_windows",
        sa.Column("sequence", SERIAL, sa.Identity(), nullable=False),
        sa.Column("project", KEY, nullable=False),
        sa.Column("kind", KEY, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("mw_windows_pk")),
        sqlite_autoincrement=True,
    )
    op.create_index("mw_windows_by_kind", "mw_windows", ["project", "kind", "sequence"])
    op.create_index("mw_windows_newest", "mw_windows", ["project", "sequence"])


def _states() -> None:
    op.create_table(
        "mw_states",
        sa.Column("project", KEY, nullable=False),
        sa.Column("name", KEY, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project", "name", name=op.f("mw_states_pk")),
    )


def _overrides() -> None:
    op.create_table(
        "mw_overrides",
        sa.Column("project", KEY, nullable=False),
        sa.Column("name", KEY, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project", "name", name=op.f("mw_overrides_pk")),
    )
