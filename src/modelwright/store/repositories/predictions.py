"""The log of answers, over a database. Made for tens of millions of rows: every query has its index."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    delete,
    false,
    func,
    literal,
    select,
    tuple_,
    update,
)

from modelwright.store import clock, rows
from modelwright.store.codec import keep, micros, restore
from modelwright.store.database import Database
from modelwright.store.errors import UnknownPrediction
from modelwright.store.records import LabelOutcome, PredictionRecord
from modelwright.store.repositories.chunks import chunks
from modelwright.store.repositories.summaries import count_in
from modelwright.store.summaries import HOUR
from modelwright.store.tables import REFUSED, WARNED, labels, predictions, summaries

_BATCH = 5_000
"""Rows deleted in one transaction: a few tens of milliseconds, then others may write."""


ORPHAN, JOINED = LabelOutcome.ORPHAN.value, LabelOutcome.JOINED.value

_Place = tuple[str, str]
"""Project and id, as stored."""


class SqlPredictions:
    """``ports.Predictions`` over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, records: Sequence[PredictionRecord]) -> int:
        """Insert what is new in one transaction, count it, and mark what was labelled ahead of its arrival.

        The lock keeps a label from being stored unseen between the two.
        """
        new: dict[_Place, dict[str, Any]] = {}
        by_place: dict[_Place, PredictionRecord] = {}
        by_project: dict[str, list[str]] = {}
        for record in records:
            row = {**rows.prediction_row(record), "labelled": False}
            if new.setdefault((row["project"], row["id"]), row) is row:
                by_place[row["project"], row["id"]] = record
                by_project.setdefault(row["project"], []).append(row["id"])
        with self._database.write() as connection:
            for project in sorted(by_project):  # always in the same order, so that no two wait for each other
                self._database.lock(connection, log_lock(project))
            fresh = self._insert(connection, new, by_project)
            if fresh:
                for project, ids in by_project.items():
                    _mark_labelled(connection, project, ids)
                count_in(self._database, connection, (by_place[place] for place in fresh))
        return len(fresh)

    def _insert(
        self,
        connection: Connection,
        new: Mapping[_Place, dict[str, Any]],
        by_project: Mapping[str, list[str]],
    ) -> list[_Place]:
        """Insert those that are not there yet; which these were. Nearly always it is all of them."""
        attempt = connection.begin_nested()
        if self._database.insert_new(connection, predictions, list(new.values())) == len(new):
            attempt.commit()
            return list(new)
        attempt.rollback()
        known = {
            (project, id)
            for project, ids in by_project.items()
            for some in chunks(ids)
            for id in connection.execute(_stored_ids(project, some)).scalars()
        }
        fresh = [place for place in new if place not in known]
        self._database.insert_new(connection, predictions, [new[place] for place in fresh])
        return fresh

    def get(self, project: str, id: str) -> PredictionRecord | None:
        """By its key."""
        return self.get_many(project, [id]).get(id)

    def get_many(self, project: str, ids: Sequence[str]) -> Mapping[str, PredictionRecord]:
        """By their keys."""
        found: dict[str, PredictionRecord] = {}
        with self._database.read() as connection:
            for some in chunks([keep(id) for id in ids]):
                statement = _of(project).where(predictions.c.id.in_(some))
                for row in connection.execute(statement).mappings():
                    record = rows.prediction(row)
                    found[record.id] = record
        return found

    def neighbours(self, project: str, id: str, *, limit: int = 20) -> Sequence[str]:
        """Two looks into the key's index: downwards from ``id``, and upwards."""
        stored, half = predictions.c.id, max(1, limit // 2)
        ids = select(stored).where(predictions.c.project == keep(project))
        below = ids.where(stored < keep(id)).order_by(stored.desc()).limit(half)
        above = ids.where(stored >= keep(id)).order_by(stored).limit(half)
        with self._database.read() as connection:
            before = connection.execute(below).scalars().all()
            after = connection.execute(above).scalars().all()
        return [restore(found) for found in (*before[::-1], *after)]

    def history(
        self,
        project: str,
        *,
        limit: int = 100,
        before: str | None = None,
        version: int | None = None,
        labelled: bool | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        answer: str | None = None,
        refused: bool = False,
        warned: bool = False,
    ) -> Sequence[PredictionRecord]:
        """By (time, id), falling, each page found through an index however far back it lies."""
        statement = history_query(
            project,
            version=version,
            labelled=labelled,
            since=since,
            until=until,
            answer=answer,
            refused=refused,
            warned=warned,
        )
        narrowed = labelled is not None or answer is not None or refused or warned
        with self._database.read() as connection:
            if before is not None:
                statement = statement.where(_older_than(connection, project, before))
            if version is not None and narrowed:
                statement = statement.where(_while_it_answered(connection, project, version))
            return [rows.prediction(row) for row in connection.execute(statement.limit(limit)).mappings()]

    def following(
        self,
        project: str,
        *,
        after: tuple[datetime, str] | None = None,
        until: datetime | None = None,
        limit: int = 1000,
    ) -> Sequence[PredictionRecord]:
        """By (time, id), rising, through the index."""
        statement = following_query(project, after=after, until=until).limit(limit)
        with self._database.read() as connection:
            return [rows.prediction(row) for row in connection.execute(statement).mappings()]

    def count(self, project: str, *, version: int | None = None, since: datetime | None = None) -> int:
        """Counted in the index, not in the table."""
        statement = (
            select(func.count()).select_from(predictions).where(predictions.c.project == keep(project))
        )
        if version is not None:
            statement = statement.where(predictions.c.version == version)
        if since is not None:
            statement = statement.where(predictions.c.time >= micros(since))
        with self._database.read() as connection:
            return int(connection.execute(statement).scalar_one())

    def prune(
        self,
        project: str,
        *,
        older_than: datetime | None = None,
        keep: int | None = None,
        told: Callable[[int], None] | None = None,
    ) -> int:
        """Find the oldest that stays, then delete from the oldest on, a batch a transaction."""
        conditions = [] if older_than is None else [predictions.c.time < micros(older_than)]
        last = None if keep is None else self._last_kept(project, keep)
        gone = 0
        for condition in conditions if last is None else [*conditions, last]:
            for batch in self._delete_while(project, condition):
                gone += batch
                if told is not None:
                    told(gone)
        return gone

    def _last_kept(self, project: str, count: int) -> ColumnElement[bool] | None:
        """The condition for being beyond the newest ``count``, or None if there are no more than that."""
        order = tuple_(predictions.c.time, predictions.c.id)
        newest = (
            select(predictions.c.time, predictions.c.id)
            .where(predictions.c.project == keep(project))
            .order_by(predictions.c.time.desc(), predictions.c.id.desc())
            .offset(max(count, 0))
            .limit(1)
        )
        with self._database.read() as connection:
            first_out = connection.execute(newest).first()
        if first_out is None:
            return None
        return order <= tuple_(literal(first_out.time), literal(first_out.id))

    def _delete_while(self, project: str, condition: ColumnElement[bool]) -> Iterator[int]:
        """Delete batch after batch; how many each time."""
        oldest = (
            select(predictions.c.id)
            .where(predictions.c.project == keep(project), condition)
            .order_by(predictions.c.time, predictions.c.id)
            .limit(_BATCH)
        )
        while True:
            with self._database.write() as connection:
                self._database.lock(connection, log_lock(keep(project)))
                ids = connection.execute(oldest).scalars().all()
                if not ids:
                    return
                for table, column in ((predictions, predictions.c.id), (labels, labels.c.prediction_id)):
                    connection.execute(delete(table).where(table.c.project == keep(project), column.in_(ids)))
            yield len(ids)


def history_query(
    project: str,
    *,
    version: int | None = None,
    labelled: bool | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    answer: str | None = None,
    refused: bool = False,
    warned: bool = False,
) -> Select[Any]:
    """The newest predictions first, narrowed by what is given."""
    statement = _of(project).order_by(predictions.c.time.desc(), predictions.c.id.desc())
    if version is not None:
        statement = statement.where(predictions.c.version == version)
    if labelled is not None:
        # compared with a value, not "labelled IS 1": only that is found in SQLite's index
        statement = statement.where(predictions.c.labelled == literal(labelled))
    if since is not None:
        statement = statement.where(predictions.c.time >= micros(since))
    if until is not None:
        statement = statement.where(predictions.c.time < micros(until))
    if answer is not None:
        statement = statement.where(predictions.c.answer == keep(answer))
    if refused:
        statement = statement.where(REFUSED)
    if warned:
        statement = statement.where(WARNED)
    return statement


def following_query(
    project: str, *, after: tuple[datetime, str] | None = None, until: datetime | None = None
) -> Select[Any]:
    """The oldest predictions first, from a place in the log on."""
    statement = _of(project).order_by(predictions.c.time, predictions.c.id)
    if after is not None:
        time, id = after
        place = tuple_(literal(micros(time)), literal(keep(id)))
        statement = statement.where(tuple_(predictions.c.time, predictions.c.id) > place)
    if until is not None:
        statement = statement.where(predictions.c.time < micros(until))
    return statement


def log_lock(project: str) -> str:
    """The lock that predictions and labels take, so that neither misses the other."""
    return f"log of {project!r}"


def _stored_ids(project: str, ids: Sequence[str]) -> Select[Any]:
    return select(predictions.c.id).where(predictions.c.project == project, predictions.c.id.in_(ids))


def _of(project: str) -> Select[Any]:
    return select(predictions).where(predictions.c.project == keep(project))


def _older_than(connection: Connection, project: str, id: str) -> ColumnElement[bool]:
    of_id = (predictions.c.project == keep(project), predictions.c.id == keep(id))
    time = connection.execute(select(predictions.c.time).where(*of_id)).scalar()
    if time is None:
        raise UnknownPrediction(project, id)
    return tuple_(predictions.c.time, predictions.c.id) < tuple_(literal(time), literal(keep(id)))


def _while_it_answered(connection: Connection, project: str, version: int) -> ColumnElement[bool]:
    """The hours in which the counts know of ``version``; they know of every row in the log.

    Several conditions are answered from one's index: without this, all newer rows that fit the other
    would be looked at before the first one of an old version.
    """
    hours = select(func.min(summaries.c.start), func.max(summaries.c.start)).where(
        summaries.c.project == keep(project), summaries.c.span == HOUR, summaries.c.version == version
    )
    first, last = connection.execute(hours).one()
    if first is None:
        return false()
    return and_(
        predictions.c.time >= literal(first * 1_000_000),
        predictions.c.time < literal((last + HOUR) * 1_000_000),
    )


def _mark_labelled(connection: Connection, project: str, ids: Sequence[str]) -> None:
    for some in chunks(ids):
        early = select(labels.c.prediction_id).where(
            labels.c.project == project, labels.c.prediction_id.in_(some)
        )
        found = connection.execute(early.distinct()).scalars().all()
        if found:
            waited = (
                labels.c.project == project,
                labels.c.prediction_id.in_(found),
                labels.c.outcome == ORPHAN,
            )
            connection.execute(
                update(labels).where(*waited).values(outcome=JOINED, joined=micros(clock.now()))
            )
            connection.execute(
                update(predictions)
                .where(predictions.c.project == project, predictions.c.id.in_(found))
                .values(labelled=True)
            )
