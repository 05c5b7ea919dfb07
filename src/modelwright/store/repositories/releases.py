"""The append-only list of champions, over a database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select

from modelwright.store import clock, rows
from modelwright.store.codec import keep
from modelwright.store.database import Database
from modelwright.store.errors import NotServable, UnknownVersion, refuse_superseded
from modelwright.store.records import ReleaseRecord, Verdict
from modelwright.store.tables import releases, versions


class SqlReleases:
    """``ports.Releases`` over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(
        self,
        project: str,
        version: int,
        *,
        reason: str,
        actor: str,
        settings: dict[str, Any] | None = None,
        after: int | None = None,
    ) -> ReleaseRecord:
        """Look at the version and append in one transaction.

        Releases of a project are appended one after the other, so that their sequence is the order in
        which they became visible.
        """
        of_project = versions.c.project == keep(project)
        with self._database.write() as connection:
            self._database.lock(connection, f"releases of {project!r}")
            if after is not None:
                newest = select(func.max(releases.c.sequence)).where(releases.c.project == keep(project))
                refuse_superseded(project, after, connection.execute(newest).scalar())
            found = (
                connection.execute(select(versions).where(of_project, versions.c.number == version))
                .mappings()
                .first()
            )
            if found is None:
                latest = connection.execute(select(func.max(versions.c.number)).where(of_project)).scalar()
                raise UnknownVersion(project, version, latest)
            record = rows.version(found)
            if record.decision.verdict is not Verdict.ACCEPTED:
                raise NotServable(project, version, record.decision.reasons)
            row = rows.release_row(
                ReleaseRecord(
                    sequence=0,
                    project=project,
                    version=version,
                    bundle=record.bundle,
                    content_hash=record.content_hash,
                    released=clock.now(),
                    reason=reason,
                    actor=actor,
                    settings=settings or {},
                )
            )
            statement = releases.insert().values(row).returning(releases.c.sequence)
            return rows.release({**row, "sequence": connection.execute(statement).scalar_one()})

    def current(self, project: str) -> ReleaseRecord | None:
        """The newest."""
        return next(iter(self.list(project, limit=1)), None)

    def list(self, project: str, *, limit: int = 100) -> Sequence[ReleaseRecord]:
        """By sequence, falling."""
        statement = (
            select(releases)
            .where(releases.c.project == keep(project))
            .order_by(releases.c.sequence.desc())
            .limit(limit)
        )
        with self._database.read() as connection:
            return [rows.release(row) for row in connection.execute(statement).mappings()]
