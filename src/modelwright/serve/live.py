"""What is live on this host: a small file the keeper replaces and every worker watches.

A file and not a message, so that a worker that starts later, or outlives the keeper, finds it there.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from modelwright.files import write_whole


class Challenger(msgspec.Struct, frozen=True, kw_only=True):
    """A version that answers beside the champion.

    Attributes:
        version: Which.
        bundle: Where its bundle lies.
        share: Canary: of all clients, or requests, how many it answers (0 to 1).
        by: Canary: what is shared out, "client" or "request".
    """

    version: int
    bundle: str
    share: float = 0.0
    by: str = "client"


class Assigned(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker is told to serve under a name.

    Attributes:
        name: The name in routes; the project's.
        project: The project.
        version: The version released.
        bundle: Where its bundle lies.
        content_hash: Of the bundle, to tell a re-released number apart.
        sequence: Number of the release; 0 for a bundle that was named on the command line.
        released: When, UTC.
        shadow: Answers the same requests on the side; logged, never returned.
        canary: Answers a share of the clients.
        images: Folder where images that clients send are kept; empty for none.
    """

    name: str
    project: str
    version: int
    bundle: str
    content_hash: str = ""
    sequence: int = 0
    released: datetime | None = None
    shadow: Challenger | None = None
    canary: Challenger | None = None
    images: str = ""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[Assigned, ...]).decode


def publish(path: Path, assigned: tuple[Assigned, ...]) -> None:
    """Replace the file at once.

    Raises:
        StorageFailure: The disk refused.
    """
    # The folder is this run's alone: nobody asks for it after a power cut.
    write_whole(path, _encode(assigned), "saying what is live", durable=False)


class LiveFile:
    """Watches the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None

    def changed(self) -> tuple[Assigned, ...] | None:
        """What is live, if that was written since the last call; ``None`` if not."""
        try:
            found = self._path.stat()
            stamp = (found.st_mtime_ns, found.st_ino)
            if stamp == self._seen:
                return None
            content = self._path.read_bytes()
        except FileNotFoundError:
            return None
        self._seen = stamp
        return _decode(content)
