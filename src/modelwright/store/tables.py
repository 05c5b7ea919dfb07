"""The tables, as SQLAlchemy Core metadata. What a row means: ``records``; how it is written: ``rows``.

Names begin with ``mw_`` so that the tables can share a PostgreSQL database with others (MLflow has
tables called ``jobs`` and ``alembic_version``). Sequences only grow and are never given twice, also
after deletion. Every index that pages or filters the prediction log ends in (time, id), the order of
the pages; an id compares byte by byte on both engines (``COLLATE "C"`` on PostgreSQL, SQLite's own way).
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from modelwright.store.records import JobState, Verdict

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pk",
        "uq": "%(table_name)s_%(column_0_name)s_uq",
        "fk": "%(table_name)s_%(column_0_name)s_fk",
        "ck": "%(table_name)s_%(constraint_name)s_ck",
    }
)

_Key = Text().with_variant(Text(collation="C"), "postgresql")
_Serial = BigInteger().with_variant(Integer(), "sqlite")  # SQLite numbers only an INTEGER by itself


REFUSED = text("status >= 400")
"""Rows that were not answered. Written out, not bound: only so does an engine see that the index fits."""

WARNED = text("warnings <> '[]'")
"""Rows with a warning."""


def _one_of(column: str, values: type[Verdict] | type[JobState]) -> CheckConstraint:
    names = ", ".join(f"'{value.value}'" for value in values)
    return CheckConstraint(f"{column} IN ({names})", name=column)


def _sequence() -> Column[int]:
    return Column("sequence", _Serial, Identity(), primary_key=True)


counters = Table(
    "mw_counters",
    metadata,
    Column("project", _Key, nullable=False),
    Column("value", BigInteger, nullable=False),
    PrimaryKeyConstraint("project"),
)

versions = Table(
    "mw_versions",
    metadata,
    Column("project", _Key, nullable=False),
    Column("number", Integer, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("estimator", Text, nullable=False),
    Column("metric", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("fingerprint", _Key, nullable=False),
    Column("dataset_md5", Text, nullable=False),
    Column("git_commit", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("content_hash", Text, nullable=False),
    Column("bundle", Text, nullable=False),
    Column("metrics", Text, nullable=False),
    Column("parity", Text, nullable=False),
    Column("decision", Text, nullable=False),
    Column("leaderboard", Text, nullable=False),
    Column("environment", Text, nullable=False),
    PrimaryKeyConstraint("project", "number"),
    _one_of("verdict", Verdict),
    Index("mw_versions_by_fingerprint", "project", "fingerprint", "number"),
)

releases = Table(
    "mw_releases",
    metadata,
    _sequence(),
    Column("project", _Key, nullable=False),
    Column("version", Integer, nullable=False),
    Column("bundle", Text, nullable=False),
    Column("content_hash", Text, nullable=False),
    Column("released", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("settings", Text, nullable=False),
    ForeignKeyConstraint(["project", "version"], ["mw_versions.project", "mw_versions.number"]),
    Index("mw_releases_newest", "project", "sequence"),
    sqlite_autoincrement=True,
)

predictions = Table(
    "mw_predictions",
    metadata,
    Column("project", _Key, nullable=False),
    Column("id", _Key, nullable=False),
    Column("version", Integer, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("status", Integer, nullable=False),
    Column("labelled", Boolean, nullable=False),
    Column("inputs", Text, nullable=False),
    Column("outputs", Text, nullable=False),
    Column("warnings", Text, nullable=False),
    Column("latency", Double, nullable=False),
    Column("client", Text, nullable=False),
    Column("protocol", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("answer", _Key),  # the class or cluster that the first model answered, to search by
    PrimaryKeyConstraint("project", "id"),
    Index("mw_predictions_by_time", "project", "time", "id"),
    Index("mw_predictions_by_version", "project", "version", "time", "id"),
    Index("mw_predictions_by_labelled", "project", "labelled", "time", "id"),
    Index("mw_predictions_by_answer", "project", "answer", "time", "id"),
    Index("mw_predictions_refused", "project", "time", "id", sqlite_where=REFUSED, postgresql_where=REFUSED),
    Index("mw_predictions_warned", "project", "time", "id", sqlite_where=WARNED, postgresql_where=WARNED),
)

summaries = Table(
    "mw_summaries",
    metadata,
    Column("project", _Key, nullable=False),
    Column("span", Integer, nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    Column("role", _Key, nullable=False),
    Column("answered", BigInteger, nullable=False),
    Column("refused", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("warned", BigInteger, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("latency", Text, nullable=False),
    Column("answers", Text, nullable=False),
    PrimaryKeyConstraint("project", "span", "start", "version", "role"),
)

_JOINED = text("joined IS NOT NULL")
_ORPHAN = text("outcome = 'orphan'")

labels = Table(
    "mw_labels",
    metadata,
    _sequence(),
    Column("project", _Key, nullable=False),
    Column("prediction_id", _Key, nullable=False),  # no foreign key: a label may overtake its prediction
    Column("target", Text, nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("client", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("joined", BigInteger),  # when it met its prediction; the first label of a prediction only
    Index("mw_labels_by_prediction", "project", "prediction_id", "sequence"),
    Index(
        "mw_labels_joined", "project", "joined", "sequence", sqlite_where=_JOINED, postgresql_where=_JOINED
    ),
    Index("mw_labels_orphans", "project", "sequence", sqlite_where=_ORPHAN, postgresql_where=_ORPHAN),
    sqlite_autoincrement=True,
)

_UNUSED = text("used_by_version IS NULL")

samples = Table(
    "mw_samples",
    metadata,
    _sequence(),
    Column("project", _Key, nullable=False),
    Column("features", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("client", Text, nullable=False),
    Column("used_by_version", Integer),
    Index("mw_samples_unused", "project", "sequence", sqlite_where=_UNUSED, postgresql_where=_UNUSED),
    sqlite_autoincrement=True,
)

jobs = Table(
    "mw_jobs",
    metadata,
    _sequence(),
    Column("id", _Key, nullable=False),
    Column("project", _Key, nullable=False),
    Column("state", Text, nullable=False),
    Column("trigger", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("lease_owner", Text, nullable=False),
    Column("lease_until", BigInteger),  # for people, by the wall clock
    Column("lease_ends", BigInteger),  # what counts, by the lease clock
    Column("lease_length", BigInteger),
    Column("progress", Double, nullable=False),
    Column("version", Integer),
    Column("error", Text, nullable=False),
    Column("settings", Text, nullable=False),
    UniqueConstraint("id"),
    _one_of("state", JobState),
    Index("mw_jobs_by_state", "project", "state", "sequence"),
    Index("mw_jobs_newest", "project", "sequence"),
    sqlite_autoincrement=True,
)

events = Table(
    "mw_events",
    metadata,
    _sequence(),
    Column("project", _Key, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("kind", _Key, nullable=False),
    Column("message", Text, nullable=False),
    Column("data", Text, nullable=False),
    Index("mw_events_newest", "project", "sequence"),
    Index("mw_events_by_kind", "project", "kind", "sequence"),
    sqlite_autoincrement=True,
)

leases = Table(
    "mw_leases",
    metadata,
    Column("name", _Key, nullable=False),
    Column("owner", Text, nullable=False),
    Column("ends", BigInteger, nullable=False),
    Column("length", BigInteger, nullable=False),
    PrimaryKeyConstraint("name"),
)

windows = Table(
    "mw_windows",
    metadata,
    _sequence(),
    Column("project", _Key, nullable=False),
    Column("kind", _Key, nullable=False),
    Column("version", Integer, nullable=False),
    Column("model", Text, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("data", Text, nullable=False),
    Index("mw_windows_newest", "project", "sequence"),
    Index("mw_windows_by_kind", "project", "kind", "sequence"),
    sqlite_autoincrement=True,
)

states = Table(
    "mw_states",
    metadata,
    Column("project", _Key, nullable=False),
    Column("name", _Key, nullable=False),
    Column("text", Text, nullable=False),
    Column("updated", BigInteger, nullable=False),
    PrimaryKeyConstraint("project", "name"),
)

overrides = Table(
    "mw_overrides",
    metadata,
    Column("project", _Key, nullable=False),
    Column("name", _Key, nullable=False),
    Column("value", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("time", BigInteger, nullable=False),
    PrimaryKeyConstraint("project", "name"),
)

api_keys = Table(
    "mw_api_keys",
    metadata,
    Column("id", _Key, nullable=False),
    Column("name", _Key, nullable=False),
    Column("hash", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger),
    Column("revoked", BigInteger),
    PrimaryKeyConstraint("id"),
)

generations = Table(
    "mw_generations",
    metadata,
    _sequence(),
    Column("project", _Key, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("as_of", Text, nullable=False),
    Column("names", Text, nullable=False),
    Column("keys", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),
    Column("live", Boolean, nullable=False),
    Index("mw_generations_newest", "project", "live", "sequence"),
    sqlite_autoincrement=True,
)

online_features = Table(
    "mw_online_features",
    metadata,
    Column("generation", BigInteger, nullable=False),
    Column("key", _Key, nullable=False),
    Column("data", Text, nullable=False),
    PrimaryKeyConstraint("generation", "key"),
)
