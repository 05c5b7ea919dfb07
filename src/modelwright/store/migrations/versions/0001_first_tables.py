"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make them, those that others refer to first."""
    _api_keys()
    _counters()
    _events()
    _jobs()
    _labels()
    _leases()
    _predictions()
    _samples()
    _versions()
    _releases()


def downgrade() -> None:
    """Drop them, with all they hold."""
    for name in (
        "mw_releases",
        "mw_versions",
        "mw_samples",
        "mw_predictions",
        "mw_leases",
        "mw_labels",
        "mw_jobs",
        "mw_events",
        "mw_counters",
        "mw_api_keys",
    ):
        op.drop_table(name)


def _api_keys() -> None:
    op.create_table(
        "mw_api_keys",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", KEY, nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=True),
        sa.Column("revoked", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("mw_api_keys_pk")),
    )


def _counters() -> None:
    op.create_table(
        "mw_counters",
        sa.Column("project", KEY, nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project", name=op.f("mw_counters_pk")),
    )


def _events() -> None:
    op.create_table(
        "mw_events",
        sa.Column("sequence", SERIAL, sa.Identity(), nullable=False),
        sa.Column("project", KEY, nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("kind", KEY, nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("mw_events_pk")),
        sqlite_autoincrement=True,
    )
    op.create_index("mw_events_by_kind", "mw_events", ["project", "kind", "sequence"])
    op.create_index("mw_events_newest", "mw_events", ["project", "sequence"])


def _jobs() -> None:
    op.create_table(
        "mw_jobs",
        sa.Column("sequence", SERIAL, sa.Identity(), nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.Column("project", KEY, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("lease_ends", sa.BigInteger(), nullable=True),
        sa.Column("lease_length", sa.BigInteger(), nullable=True),
        sa.Column("progress", sa.Double(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "state IN ('queued', 'training', 'judged', 'promoted', 'rejected', 'failed', 'cancelled')",
            name=op.f("mw_jobs_state_ck"),
        ),
        sa.PrimaryKeyConstraint("sequence", name=op.f("mw_jobs_pk")),
        sa.UniqueConstraint("id", name=op.f("mw_jobs_id_uq")),
        sqlite_autoincrement=True,
    )
    op.create_index("mw_jobs_by_state", "mw_jobs", ["project", "state", "sequence"])
    op.create_index("mw_jobs_newest", "mw_jobs", ["project", "sequence"])


def _labels() -> None:
    op.create_table(
        "mw_labels",
        sa.Column("sequence", SERIAL, sa.Identity(), nullable=False),
        sa.Column("project", KEY, nullable=False),
        sa.Column("prediction_id", KEY, nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("mw_labels_pk")),
        sqlite_autoincrement=True,
    )
    op.create_index("mw_labels_by_prediction", "mw_labels", ["project", "prediction_id", "sequence"])


def _leases() -> None:
    op.create_table(
        "mw_leases",
        sa.Column("name", KEY, nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("ends", sa.BigInteger(), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("mw_leases_pk")),
    )


def _predictions() -> None:
    op.create_table(
        "mw_predictions",
        sa.Column("project", KEY, nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("labelled", sa.Boolean(), nullable=False),
        sa.Column("inputs", sa.Text(), nullable=False),
        sa.Column("outputs", sa.Text(), nullable=False),
        sa.Column("warnings", sa.Text(), nullable=False),
        sa.Column("latency", sa.Double(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("project", "id", name=op.f("mw_predictions_pk")),
    )
    op.create_index("mw_predictions_by_labelled", "mw_predictions", ["project", "labelled", "time", "id"])
    op.create_index("mw_predictions_by_time", "mw_predictions", ["project", "time", "id"])
    op.create_index("mw_predictions_by_version", "mw_predictions", ["project", "version", "time", "id"])


def _samples() -> None:
    op.create_table(
        "mw_samples",
        sa.Column("sequence", SERIAL, sa.Identity(), nullable=False),
        sa.Column("project", KEY, nullable=False),
        sa.Column("features", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("used_by_version", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("sequence", name=op.f("mw_samples_pk")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "mw_samples_unused",
        "mw_samples",
        ["project", "sequence"],
        sqlite_where=sa.text("used_by_version IS NULL"),
        postgresql_where=sa.text("used_by_version IS NULL"),
    )


def _versions() -> None:
    op.create_table(
        "mw_versions",
        sa.Column("project", KEY, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("estimator", sa.Text(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("fingerprint", KEY, nullable=False),
        sa.Column("dataset_md5", sa.Text(), nullable=False),
        sa.Column("git_commit", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("bundle", sa.Text(), nullable=False),
        sa.Column("metrics", sa.Text(), nullable=False),
        sa.Column("parity", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("leaderboard", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.CheckConstraint("verdict IN ('accepted', 'rejected')", name=op.f("mw_versions_verdict_ck")),
        sa.PrimaryKeyConstraint("project", "number", name=op.f("mw_versions_pk")),
    )
    op.create_index("mw_versions_by_fingerprint", "mw_versions", ["project", "fingerprint", "number"])


def _releases() -> None:
    op.create_table(
        "mw_releases",
        sa.Column("sequence", SERIAL, sa.Identity(), nullable=False),
        sa.Column("project", KEY, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("bundle", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("released", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project", "version"],
            ["mw_versions.project", "mw_versions.number"],
            name=op.f("mw_releases_project_fk"),
        ),
        sa.PrimaryKeyConstraint("sequence", name=op.f("mw_releases_pk")),
        sqlite_autoincrement=True,
    )
    op.create_index("mw_releases_newest", "mw_releases", ["project", "sequence"])
