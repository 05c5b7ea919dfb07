"""The truth for predictions, over a database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    TextClause,
    Update,
    delete,
    func,
    literal,
    select,
    text,
    tuple_,
    update,
)

from modelwright.store import clock, rows
from modelwright.store.codec import keep, micros, moment
from modelwright.store.database import Database
from modelwright.store.records import LabelOutcome, LabelRecord, Recorded, Truth
from modelwright.store.repositories.chunks import chunks
from modelwright.store.repositories.predictions import log_lock
from modelwright.store.tables import labels, predictions, releases
from modelwright.store.truths import counting, outcome

_BATCH = 1_000
"""Orphans deleted in one transaction."""


class SqlLabels:
    """``ports.Labels`` over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, project: str, prediction_id: str, target: Any, *, client: str = "") -> LabelRecord:
        """Append the label and mark its prediction, if it is there already, in one transaction."""
        place, id = keep(project), keep(prediction_id)
        with self._database.write() as connection:
            self._database.lock(connection, log_lock(place))
            told = _told(connection, place, [id]).get(id, [])
            known = id in _versions(connection, place, [id])
            became = outcome(told, target, client, known=known)
            row = rows.label_row(project, prediction_id, target, clock.now(), client=client, became=became)
            appended = labels.insert().values(row).returning(labels.c.sequence)
            sequence = connection.execute(appended).scalar_one()
            connection.execute(_mark(row["project"], [row["prediction_id"]]))
        return rows.label({**row, "sequence": sequence})

    def record(self, project: str, truths: Sequence[Truth], *, client: str = "") -> Sequence[Recorded]:
        """All in one transaction, alone with the project's log, so that no two join the same prediction."""
        place = keep(project)
        recorded: list[Recorded] = []
        with self._database.write() as connection:
            self._database.lock(connection, log_lock(place))
            now = clock.now()  # while nobody else may write, so that labels are in the order of their times
            live = connection.execute(_live(place)).scalar()
            for some in chunks(truths):
                ids = [keep(truth.prediction_id) for truth in some]
                told = _told(connection, place, ids)
                versions = _versions(connection, place, ids)
                new = []
                for truth in some:
                    id = keep(truth.prediction_id)
                    version = versions.get(id)
                    became = outcome(told.get(id, []), truth.target, client, known=version is not None)
                    late = became is LabelOutcome.JOINED and live is not None and version != live
                    recorded.append(Recorded(prediction_id=truth.prediction_id, outcome=became, late=late))
                    if became is not LabelOutcome.DUPLICATE:
                        new.append(
                            rows.label_row(
                                project, truth.prediction_id, truth.target, now, client=client, became=became
                            )
                        )
                if new:
                    connection.execute(labels.insert(), new)
                    connection.execute(_mark(place, [row["prediction_id"] for row in new]))
        return recorded

    def get(self, project: str, prediction_id: str) -> Sequence[LabelRecord]:
        """By sequence."""
        statement = (
            select(labels)
            .where(labels.c.project == keep(project), labels.c.prediction_id == keep(prediction_id))
            .order_by(labels.c.sequence)
        )
        with self._database.read() as connection:
            return [rows.label(row) for row in connection.execute(statement).mappings()]

    def latest(self, project: str, ids: Sequence[str]) -> Mapping[str, LabelRecord]:
        """Read all of them; which counts is for ``store.truths`` to say."""
        found: dict[str, list[LabelRecord]] = {}
        with self._database.read() as connection:
            for some in chunks([keep(id) for id in ids]):
                found |= _told(connection, keep(project), some)
        counts = {id: counting(told) for id, told in found.items()}
        return {label.prediction_id: label for label in counts.values() if label is not None}

    def count(self, project: str, *, since: datetime | None = None) -> int:
        """Counted in the index of the joined ones."""
        joined = (labels.c.project == keep(project), labels.c.joined.is_not(None))
        statement = select(func.count()).select_from(labels).where(*joined)
        if since is not None:
            statement = statement.where(labels.c.joined >= micros(since))
        with self._database.read() as connection:
            return int(connection.execute(statement).scalar_one())

    def joined(
        self, project: str, *, after: tuple[datetime, int] | None = None, limit: int = 1000
    ) -> Sequence[tuple[datetime, LabelRecord]]:
        """By (joined, sequence), rising, through the index of the joined ones."""
        statement = select(labels).where(labels.c.project == keep(project), labels.c.joined.is_not(None))
        if after is not None:
            time, sequence = after
            place = tuple_(literal(micros(time)), literal(sequence))
            statement = statement.where(tuple_(labels.c.joined, labels.c.sequence) > place)
        statement = statement.order_by(labels.c.joined, labels.c.sequence).limit(limit)
        with self._database.read() as connection:
            found = connection.execute(statement).mappings()
            return [(moment(row["joined"]), rows.label(row)) for row in found]

    def orphans(self, project: str, *, client: str | None = None) -> int:
        """Counted in the index of the orphans, which ``prune_orphans`` keeps small."""
        statement = select(func.count()).select_from(labels).where(*_waiting(project))
        if client is not None:
            statement = statement.where(labels.c.client == keep(client))
        with self._database.read() as connection:
            return int(connection.execute(statement).scalar_one())

    def prune_orphans(
        self, project: str, *, older_than: datetime | None = None, keep: int | None = None
    ) -> int:
        """Batch by batch, the oldest first, with what else was told of the same predictions."""
        gone = 0
        if older_than is not None:
            gone += self._delete_orphans(project, labels.c.received < micros(older_than))
        if keep is not None:
            newest = (
                select(labels.c.sequence)
                .where(*_waiting(project))
                .order_by(labels.c.sequence.desc())
                .offset(max(keep, 0))
                .limit(1)
            )
            with self._database.read() as connection:
                first_out = connection.execute(newest).scalar()
            if first_out is not None:
                gone += self._delete_orphans(project, labels.c.sequence <= first_out)
        return gone

    def _delete_orphans(self, project: str, condition: ColumnElement[bool]) -> int:
        oldest = (
            select(labels.c.prediction_id)
            .where(*_waiting(project), condition)
            .order_by(labels.c.sequence)
            .limit(_BATCH)
        )
        gone = 0
        while True:
            with self._database.write() as connection:
                self._database.lock(connection, log_lock(keep(project)))
                ids = connection.execute(oldest).scalars().all()
                if not ids:
                    return gone
                of_them = (labels.c.project == keep(project), labels.c.prediction_id.in_(ids))
                connection.execute(delete(labels).where(*of_them))
            gone += len(ids)


def _waiting(project: str) -> tuple[ColumnElement[bool], TextClause]:
    # as text, not a parameter: only so an engine knows that the partial index holds them
    return labels.c.project == keep(project), text("outcome = 'orphan'")


def _told(connection: Connection, project: str, ids: Sequence[str]) -> dict[str, list[LabelRecord]]:
    """The labels of each of ``ids`` (as stored), oldest first."""
    statement = (
        select(labels)
        .where(labels.c.project == project, labels.c.prediction_id.in_(ids))
        .order_by(labels.c.sequence)
    )
    found: dict[str, list[LabelRecord]] = {}
    for row in connection.execute(statement).mappings():
        found.setdefault(row["prediction_id"], []).append(rows.label(row))
    return found


def _versions(connection: Connection, project: str, ids: Sequence[str]) -> dict[str, int]:
    """Which version answered, by prediction id, of those in the log."""
    statement = select(predictions.c.id, predictions.c.version).where(
        predictions.c.project == project, predictions.c.id.in_(ids)
    )
    return {row.id: row.version for row in connection.execute(statement)}


def _live(project: str) -> Select[Any]:
    return (
        select(releases.c.version)
        .where(releases.c.project == project)
        .order_by(releases.c.sequence.desc())
        .limit(1)
    )


def _mark(project: str, ids: Sequence[str]) -> Update:
    return (
        update(predictions)
        .where(predictions.c.project == project, predictions.c.id.in_(ids), predictions.c.labelled.is_(False))
        .values(labelled=True)
    )
