"""Requests with an id of the client's own: sent again, they get the same answer, and one row in the log.

An id is looked for in the journals of this host and then in the store (in this order: an entry leaves
its journal only when the store has it). While it is looked for and answered, it is locked, in this
process and between processes, so that of two equal requests at the same time one waits for the other.
With the database away what the journals know must do: predictions go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from time import monotonic
from typing import Any
from zlib import crc32

import msgspec

from modelwright.bundle.answers import Answer
from modelwright.errors import ModelwrightError
from modelwright.serve.asks import Ask
from modelwright.serve.errors import IdTaken, NotReady, ServeError
from modelwright.serve.journal.given import GivenIds, Kept
from modelwright.serve.store_access import StoreAccess
from modelwright.serve.wording import META, logged_inputs, piece_of

logger = logging.getLogger(__name__)

_SLOTS = 1 << 20
_RETRY = 0.002
_PATIENCE = 2.0  # seconds a prediction waits for the store
_FIRST_PATIENCE = 10.0  # and where it must be opened first
_PAUSE = 5.0  # seconds the store is not asked after it was away
_NO_ID = ""
_encode = msgspec.json.Encoder(order="sorted").encode
_encode_plain = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Repeated(ServeError):
    """A refusal that was given before."""

    def __init__(self, status: int, document: Mapping[str, Any]) -> None:
        super().__init__(
            str(document.get("error", "")),
            str(document.get("instruction", "")),
            problems=tuple(document.get("details", ())),
        )
        self.status = status


class SearchFailed(NotReady):
    """It cannot be told whether an id was used before."""

    def __init__(self) -> None:
        super().__init__(
            "Whether this id was used before cannot be told now.",
            "Try again in a moment; the server's own log says what failed.",
        )


class IdLocks:
    """Locks of ids: one holder in this process, and one process on this host.

    A lock is a byte of a file, so it is gone with the process, however that ends.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        self._held: dict[int, asyncio.Event] = {}

    async def take(self, ids: Iterable[str]) -> list[int]:
        """Take all, in one order so that nobody waits in a circle; for ``release``."""
        slots = sorted({crc32(id.encode()) % _SLOTS for id in ids})
        for slot in slots:
            while slot in self._held:
                await self._held[slot].wait()
            self._held[slot] = asyncio.Event()
            while not self._lock(slot):
                await asyncio.sleep(_RETRY)
        return slots

    def release(self, slots: Iterable[int]) -> None:
        """Let others have them."""
        for slot in slots:
            with contextlib.suppress(OSError):
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, slot)
            self._held.pop(slot).set()

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _lock(self, slot: int) -> bool:
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, slot)
        except (BlockingIOError, PermissionError):
            return False
        return True


class Repeats:
    """Finds what was answered before under a client's id.

    Args:
        root: The folder of the journals.
        store: Where older predictions are.
    """

    def __init__(self, root: Path, store: StoreAccess) -> None:
        self._given = GivenIds(root)
        self._store = store
        self._locks = IdLocks(root / "ids.lock")
        self._tasks: set[asyncio.Task[None]] = set()
        self._ask_store_from = 0.0

    async def warm_up(self, projects: Iterable[str]) -> None:
        """Look once for an id that nobody gave, so that no request waits for imports and a connection."""
        for project in sorted(set(projects)):
            try:
                await asyncio.to_thread(self._given.find, project, [_NO_ID])
                await self._stored(project, [_NO_ID])
            except (ModelwrightError, OSError) as error:
                logger.debug("Ids of %s cannot be looked for yet: %s", project, error)

    def check(self, ask: Ask, go_on: Callable[[Ask], None], settle: Callable[[Ask], None]) -> None:
        """Go on with ``ask`` if its ids are new; else give it the reply on record and settle it."""
        task = asyncio.get_running_loop().create_task(self._check(ask, go_on, settle))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _check(self, ask: Ask, go_on: Callable[[Ask], None], settle: Callable[[Ask], None]) -> None:
        ids = [id for id in ask.given if id is not None]
        slots = await self._locks.take(ids)
        done = ask.done

        def unlock_and_send(answered: Ask) -> None:
            self._locks.release(slots)
            done(answered)

        ask.done = unlock_and_send
        try:
            found = await self._find(ask, ids)
            _apply(ask, found)
        except ServeError as error:
            ask.refuse(error)
            settle(ask)
            return
        # Whatever broke the search, whoever asked is not left waiting, and the lock not held.
        except Exception:
            logger.exception("The ids of a request could not be looked for", extra=ask.told)
            ask.refuse(SearchFailed())
            settle(ask)
            return
        except BaseException:  # cancelled, as the server ends
            self._locks.release(slots)
            ask.done = done
            raise
        ask.checked = True
        (settle if ask.repeated or ask.error is not None else go_on)(ask)

    async def _find(self, ask: Ask, ids: list[str]) -> dict[str, Kept]:
        assert ask.deployment is not None  # noqa: S101 - read() sets it
        project = ask.deployment.assigned.project
        found = await asyncio.to_thread(self._given.find, project, ids)
        missing = [id for id in ids if id not in found]
        if missing and monotonic() >= self._ask_store_from:
            patience = _PATIENCE if self._store.opened(project) else _FIRST_PATIENCE
            try:
                found |= await asyncio.wait_for(self._stored(project, missing), patience)
            except (NotReady, TimeoutError):
                self._ask_store_from = monotonic() + _PAUSE
                logger.warning("The store is away: ids of clients are looked for in the journals only")
        return found

    async def _stored(self, project: str, ids: list[str]) -> dict[str, Kept]:
        records = await self._store.call(project, lambda store: store.predictions.get_many(project, ids))
        kept: dict[str, Kept] = {}
        for id, record in records.items():
            reply = _encode_plain(record.outputs)
            if record.status == 200:
                warnings = msgspec.to_builtins(record.warnings)
                reply = piece_of(reply[1:-1], record.latency, id, record.version, warnings)
            kept[id] = Kept(record.status, record.inputs, reply, record.version, record.latency)
        return kept


def _apply(ask: Ask, found: Mapping[str, Kept]) -> None:
    """Give ``ask`` what is on record.

    Raises:
        IdTaken: It is on record for other input.
        Repeated: The refusal on record.
    """
    if not found:
        return
    rows = ask.sent
    assert ask.deployment is not None  # noqa: S101 - read() sets it
    names = ask.deployment.inputs.names
    on_record: dict[int, Kept] = {}
    for place, id in enumerate(ask.given):
        kept = found.get(id) if id is not None else None
        if kept is None or id is None:
            continue
        own = rows[place] if kept.status == 200 else logged_inputs(ask)
        if canonical(own, names) != canonical(kept.inputs, names):
            raise IdTaken(id)
        if kept.status != 200:
            ask.repeated = True
            ask.ids = [id]
            raise Repeated(kept.status, _decode(kept.reply))
        on_record[place] = kept
    ask.kept = on_record
    if len(on_record) == len(rows):
        _replay(ask)


def _replay(ask: Ask) -> None:
    kept = [ask.kept[place] for place in range(len(ask.kept))]
    ask.answers = [answer_of(each.reply) for each in kept]
    ask.pieces = [each.reply for each in kept]
    ask.warnings = [_decode(each.reply).get("warnings", ()) for each in kept]
    ask.ids = [str(id) for id in ask.given]
    ask.latency = kept[0].latency
    ask.version = kept[0].version
    ask.repeated = True
    ask.reply = ask.wire.reply(ask)


def answer_of(piece: bytes) -> Answer | dict[str, Answer]:
    """The answer in a row's reply."""
    document = _decode(piece)
    if "outputs" in document:
        return msgspec.convert(document["outputs"], dict[str, Answer])
    fields = {key: value for key, value in document.items() if key not in META}
    return msgspec.convert(fields, Answer)


def canonical(inputs: Any, names: tuple[str, ...]) -> bytes:
    """Equal for inputs that say the same: a list in order or by name, 1 or 1.0, null or absent."""
    if isinstance(inputs, list | tuple) and len(inputs) == len(names):
        inputs = dict(zip(names, inputs, strict=True))
    return _encode(_plain(inputs))


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return float(value) if abs(value) < 1 << 53 else str(value)
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items() if each is not None}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
