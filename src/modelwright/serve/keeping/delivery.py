"""Journals into the store, exactly once by prediction id.

The store refuses an id it has, so a group may be delivered again after any interruption; a segment is
removed only when all of it is there.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from modelwright.errors import ModelwrightError
from modelwright.serve.journal.entries import Context, Entry, Note
from modelwright.serve.journal.reader import Tail, journals, owner_is_dead, remove_journal
from modelwright.serve.keeping.request_log import RequestLog
from modelwright.serve.keeping.stores import Stores
from modelwright.serve.wording import META, meta_of
from modelwright.store.errors import StoreUnavailable
from modelwright.store.records import PredictionRecord

logger = logging.getLogger(__name__)

KEEPER_LOCK = "keeper.lock"
_LATE = timedelta(seconds=5)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_decode = msgspec.json.Decoder().decode


def take_lock(root: Path) -> int:
    """The lock of who delivers the journals under ``root``, as a file descriptor; -1 if somebody has it."""
    root.mkdir(parents=True, exist_ok=True)
    handle = os.open(root / KEEPER_LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return -1
    return handle


def record_of(entry: Entry, contexts: Mapping[int, Context]) -> PredictionRecord:
    """A journal's entry as the store keeps it."""
    context = contexts[entry.context]
    inputs = entry.inputs
    if isinstance(inputs, list) and len(inputs) == len(context.names):
        inputs = dict(zip(context.names, inputs, strict=True))
    outputs, warnings = _told(entry, context.version)
    return PredictionRecord(
        id=entry.id,
        project=context.project,
        version=context.version,
        time=_EPOCH + timedelta(microseconds=entry.time),
        status=entry.status,
        inputs=inputs,
        outputs=outputs,
        warnings=warnings,
        latency=entry.latency,
        client=entry.client,
        protocol=entry.protocol,
        role=context.role,
    )


def _told(entry: Entry, version: int) -> tuple[Any, tuple[Any, ...]]:
    """The answer in an entry's reply, and its warnings.

    An ordinary answer is passed on as the JSON it is: reading and writing it again would cost the keeper
    as much as all else of a row in Python.
    """
    reply = entry.reply
    end = b"%b}" % meta_of(entry.latency, entry.id, version)
    if entry.status == 200 and reply.endswith(end):
        return msgspec.Raw(reply[: -len(end)] + b"}"), ()
    members = _decode(reply)
    outputs = {key: value for key, value in members.items() if key not in META}
    return outputs, tuple(members.get("warnings", ()))


class _Late(msgspec.Struct):
    """Predictions of a project that were delivered long after they were answered."""

    rows: int
    since: datetime
    until: datetime


class Delivery:
    """Delivers all journals under a folder. One process at a time does: it holds a lock there.

    Args:
        root: The folder of the workers' journals.
        stores: Where to.
        files: Files that also get the predictions of a project, as JSON lines.
    """

    def __init__(self, root: Path, stores: Stores, files: Mapping[str, str] | None = None) -> None:
        self._root = root
        self._stores = stores
        self._tails: dict[Path, Tail] = {}
        self._lock = -1
        self._late: dict[str, _Late] = {}
        self._still_late = False
        self._files = {project: RequestLog(Path(file)) for project, file in (files or {}).items()}

    def holds_lock(self) -> bool:
        """Take the folder's lock if nobody has it."""
        if self._lock < 0:
            self._lock = take_lock(self._root)
        return self._lock >= 0

    def run_once(self, most: int = 5000) -> int:
        """Deliver what there is, at most ``most`` entries a journal; how many items went.

        Raises:
            StoreUnavailable: Nothing is lost; try again later.
        """
        self._still_late = False
        delivered = sum(self._deliver(directory, most) for directory in journals(self._root))
        if self._late and not self._still_late:
            self._tell_late()
        return delivered

    def close(self) -> None:
        """Let another keeper deliver."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _deliver(self, directory: Path, most: int) -> int:
        # Asked before reading: what a dead worker wrote is complete, so an empty read is the end of it.
        dead = owner_is_dead(directory)
        tail = self._tails.get(directory)
        if tail is None:
            tail = self._tails[directory] = Tail(directory, remove=True)
        items = tail.peek(most)
        if items:
            self._store_items(items, tail.contexts)
        tail.advance()
        if dead and not items:
            remove_journal(directory)
            del self._tails[directory]
        return len(items)

    def _store_items(self, items: Sequence[Entry | Note], contexts: Mapping[int, Context]) -> None:
        records: dict[tuple[str, str], PredictionRecord] = {}
        for item in items:
            if isinstance(item, Entry) and item.context not in contexts:
                self._set_aside(item, "Nothing in the journal says whose it is.")
            elif isinstance(item, Entry):
                record = record_of(item, contexts)
                records.setdefault((record.project, record.id), record)
        for project in {project for project, _ in records}:
            own = [record for record in records.values() if record.project == project]
            self._add(project, own)
            self._note_late(project, own)
            if project in self._files:
                self._files[project].write(own)
        # Events have no id to be told apart by, so they go last: what comes before them may be repeated.
        for item in items:
            if isinstance(item, Note):
                self._stores.of(item.project).events.add(item.project, item.kind, item.message, item.data)

    def _note_late(self, project: str, records: Sequence[PredictionRecord]) -> None:
        line = datetime.now(UTC) - _LATE
        times = [record.time for record in records if record.time < line]
        if not times:
            return
        self._still_late = True
        before = self._late.get(project, _Late(0, times[0], times[0]))
        since, until = min(before.since, *times), max(before.until, *times)
        self._late[project] = _Late(before.rows + len(times), since, until)

    def _tell_late(self) -> None:
        """When a backlog is delivered: the monitors may have read past the time of its rows."""
        for project, late in list(self._late.items()):
            self._stores.of(project).events.add(
                project,
                "delivered_late",
                f"{late.rows:,} predictions that were answered from {late.since:%Y-%m-%d %H:%M:%S} to "
                f"{late.until:%Y-%m-%d %H:%M:%S} UTC came late into the store.",
                {"rows": late.rows, "since": late.since.isoformat(), "until": late.until.isoformat()},
            )
            del self._late[project]

    def _add(self, project: str, records: Sequence[PredictionRecord]) -> None:
        """Store records; one the store will never take is set aside instead of stopping the rest."""
        try:
            self._stores.of(project).predictions.add(records)
        except StoreUnavailable:
            raise
        except ModelwrightError as error:
            if len(records) == 1:
                self._set_aside(records[0], str(error))
                return
            middle = len(records) // 2
            self._add(project, records[:middle])
            self._add(project, records[middle:])

    def _set_aside(self, record: PredictionRecord | Entry, why: str) -> None:
        logger.error("Prediction %s cannot be stored: %s", record.id, why)
        line = msgspec.json.encode({"error": why, "record": record}, enc_hook=repr)
        with (self._root / "set-aside.jsonl").open("ab") as file:
            file.write(line + b"\n")
            file.flush()
            os.fsync(file.fileno())
