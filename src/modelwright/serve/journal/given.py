"""The journals' entries under ids that clients gave, found again without a scan."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from modelwright.serve.journal.entries import Entry, Note
from modelwright.serve.journal.reader import Tail, journals

_MOST = 50_000  # entries remembered; older ones are in the store, unless it is away for long


class Kept(NamedTuple):
    """What is on record under an id.

    Attributes:
        status: HTTP status of the answer or refusal.
        inputs: The row as it was logged; by column name where it was a list in order.
        reply: The JSON answer of this row, or of the error, as bytes.
        version: Who answered.
        latency: Seconds it took.
    """

    status: int
    inputs: Any
    reply: bytes
    version: int
    latency: float


class GivenIds:
    """Follows all journals of a host and remembers the entries whose id a client gave.

    It may be asked from several threads.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = Lock()
        self._tails: dict[Path, Tail] = {}
        self._kept: OrderedDict[tuple[str, str], Kept] = OrderedDict()

    def find(self, project: str, ids: Iterable[str]) -> dict[str, Kept]:
        """Those of ``ids`` that stand in a journal, or stood there lately."""
        with self._lock:
            self._catch_up()
            return {id: self._kept[project, id] for id in ids if (project, id) in self._kept}

    def _catch_up(self) -> None:
        present = journals(self._root)
        for directory in present:
            tail = self._tails.get(directory)
            if tail is None:
                tail = self._tails[directory] = Tail(directory)
            for item in tail.peek(most=1 << 60):
                if isinstance(item, Entry) and item.given:
                    self._keep(item, tail)
            tail.advance()
        for gone in self._tails.keys() - set(present):
            del self._tails[gone]

    def _keep(self, entry: Entry | Note, tail: Tail) -> None:
        assert isinstance(entry, Entry)  # noqa: S101 - the caller looked
        context = tail.contexts[entry.context]
        inputs = entry.inputs
        if isinstance(inputs, list) and len(inputs) == len(context.names):
            inputs = dict(zip(context.names, inputs, strict=True))
        kept = Kept(entry.status, inputs, entry.reply, context.version, entry.latency)
        self._kept.setdefault((context.project, entry.id), kept)  # the first one is what the store keeps
        while len(self._kept) > _MOST:
            self._kept.popitem(last=False)
