"""Counts by minute and hour, and what the log is searched by."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from modelwright.store import rows
from modelwright.store.summaries import Counted, Key, answer_of, summarise

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_BATCH = 5_000


def upgrade() -> None:
    """Make the table and the indices, and count what is in the log: about a minute for ten million rows."""
    op.create_table(
        "mw_summaries",
        sa.Column("project", KEY, nullable=False),
        sa.Column("span", sa.Integer(), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("role", KEY, nullable=False),
        sa.Column("answered", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.Column("warned", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("latency", sa.Text(), nullable=False),
        sa.Column("answers", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("project", "span", "start", "version", "role", name=op.f("mw_summaries_pk")),
    )
    op.add_column("mw_predictions", sa.Column("answer", KEY, nullable=True))
    _count()
    op.create_index("mw_predictions_by_answer", "mw_predictions", ["project", "answer", "time", "id"])
    for name, which in (("refused", "status >= 400"), ("warned", "warnings <> '[]'")):
        op.create_index(
            f"mw_predictions_{name}",
            "mw_predictions",
            ["project", "time", "id"],
            sqlite_where=sa.text(which),
            postgresql_where=sa.text(which),
        )


def downgrade() -> None:
    """Drop them."""
    for name in ("by_answer", "refused", "warned"):
        op.drop_index(f"mw_predictions_{name}", "mw_predictions")
    with op.batch_alter_table("mw_predictions") as batch:
        batch.drop_column("answer")
    op.drop_table("mw_summaries")


def _count() -> None:
    """Read the log once, in the order of its key, a batch at a time."""
    connection = op.get_bind()
    log, counts = _log(), _counts()
    found: dict[Key, Counted] = {}
    after = ("", "")
    while True:
        place = sa.tuple_(log.c.project, log.c.id)
        some = (
            connection.execute(
                sa.select(log)
                .where(place > sa.tuple_(sa.literal(after[0]), sa.literal(after[1])))
                .order_by(log.c.project, log.c.id)
                .limit(_BATCH)
            )
            .mappings()
            .all()
        )
        if not some:
            break
        after = (some[-1]["project"], some[-1]["id"])
        records = [rows.prediction(row) for row in some]
        for key, counted in summarise(records).items():
            found.setdefault(key, Counted()).add(counted)
        answered = [
            {"of_project": row["project"], "of_id": row["id"], "new": answer}
            for row, record in zip(some, records, strict=True)
            if record.status < 400 and (answer := answer_of(record.outputs)) is not None
        ]
        if answered:
            connection.execute(
                sa.update(log)
                .where(log.c.project == sa.bindparam("of_project"), log.c.id == sa.bindparam("of_id"))
                .values(answer=sa.bindparam("new")),
                answered,
            )
    for key, counted in found.items():
        connection.execute(counts.insert().values(rows.summary_row(key, counted)))


def _log() -> Any:
    names = ("project", "id", "version", "time", "status", "inputs", "outputs", "warnings", "latency")
    return sa.table("mw_predictions", *map(sa.column, (*names, "client", "protocol", "role", "answer")))


def _counts() -> Any:
    names = ("project", "span", "start", "version", "role", "answered", "refused", "failed", "warned")
    return sa.table("mw_summaries", *map(sa.column, (*names, "seconds", "latency", "answers")))
