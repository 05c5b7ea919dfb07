"""The truth for predictions, over a database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select, update

from modelwright.store import clock, rows
from modelwright.store.codec import keep
from modelwright.store.database import Database
from modelwright.store.records import LabelRecord
from modelwright.store.repositories.chunks import chunks
from modelwright.store.repositories.predictions import log_lock
from modelwright.store.tables import labels, predictions


class SqlLabels:
    """``ports.Labels`` over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, project: str, prediction_id: str, target: Any, *, client: str = "") -> LabelRecord:
        """Append the label and mark its prediction, if it is there already, in one transaction."""
        row = rows.label_row(project, prediction_id, target, clock.now(), client)
        marked = (
            update(predictions)
            .where(
                predictions.c.project == row["project"],
                predictions.c.id == row["prediction_id"],
                predictions.c.labelled.is_(False),
            )
            .values(labelled=True)
        )
        with self._database.write() as connection:
            self._database.lock(connection, log_lock(row["project"]), shared=True)
            appended = labels.insert().values(row).returning(labels.c.sequence)
            sequence = connection.execute(appended).scalar_one()
            connection.execute(marked)
        return rows.label({**row, "sequence": sequence})

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
        """Read in order; a later one takes the place of an earlier."""
        found: dict[str, LabelRecord] = {}
        with self._database.read() as connection:
            for some in chunks([keep(id) for id in ids]):
                statement = (
                    select(labels)
                    .where(labels.c.project == keep(project), labels.c.prediction_id.in_(some))
                    .order_by(labels.c.sequence)
                )
                for row in connection.execute(statement).mappings():
                    record = rows.label(row)
                    found[record.prediction_id] = record
        return found

    def count(self, project: str) -> int:
        """Counted in the index."""
        statement = select(func.count()).select_from(labels).where(labels.c.project == keep(project))
        with self._database.read() as connection:
            return int(connection.execute(statement).scalar_one())
