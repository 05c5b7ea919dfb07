"""Asks a server at a steady rate: ``python -m bench.rate PORT RATE CONNECTIONS SECONDS BODIES``.

wrk asks again as soon as it is answered, so a slow server is asked less and its worst seconds weigh
little. Here a request is due when it is due, and its latency counts from then on.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path

_HEAD = "POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: "
_PATIENCE = 10.0


@dataclass
class Connection:
    """A connection, the request under way on it, and what came of the answer."""

    socket: socket.socket
    due: float = 0.0
    heard: bytes = b""


class Asker:
    """Asks over so many connections, each request as soon as it is due and a connection is free.

    Args:
        port: Of 127.0.0.1.
        connections: How many.
        bodies: Sent in turn.
    """

    def __init__(self, port: int, connections: int, bodies: list[str]) -> None:
        self._requests = [f"{_HEAD}{len(body)}\r\n\r\n{body}".encode() for body in bodies]
        self._poll = select.epoll()
        self._all: dict[int, Connection] = {}
        for _ in range(connections):
            each = socket.create_connection(("127.0.0.1", port))
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._all[each.fileno()] = Connection(each)
            self._poll.register(each.fileno(), select.EPOLLIN)
        self._free = list(self._all.values())
        self.latencies: list[float] = []

    def ask(self, rate: float, seconds: float) -> None:
        """Ask, and wait for the last answer; ``latencies`` are in milliseconds.

        Raises:
            SystemExit: A request was refused, or not answered.
        """
        count = int(rate * seconds)
        begun = time.perf_counter()
        sent = 0
        while len(self.latencies) < count:
            now = time.perf_counter()
            while sent < count and self._free and begun + sent / rate <= now:
                self._send(self._free.pop(), begun + sent / rate, self._requests[sent % len(self._requests)])
                sent += 1
            if now - begun > seconds + _PATIENCE:
                raise SystemExit(f"{count - len(self.latencies)} requests were not answered.")
            # epoll waits whole milliseconds: the last one is spent looking at the clock
            rest = begun + sent / rate - now if sent < count and self._free else 0.05
            for handle, _ in self._poll.poll(max(0.0, int(rest * 1e3) - 1) / 1e3):
                self._hear(self._all[handle])

    def close(self) -> None:
        """Leave."""
        self._poll.close()
        for each in self._all.values():
            each.socket.close()

    def _send(self, connection: Connection, due: float, request: bytes) -> None:
        connection.due, connection.heard = due, b""
        connection.socket.sendall(request)

    def _hear(self, connection: Connection) -> None:
        data = connection.socket.recv(65536)
        connection.heard += data
        head, _, body = connection.heard.partition(b"\r\n\r\n")
        if not data or not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"A request was not answered: {connection.heard[:300]!r}")
        length = head.lower().rpartition(b"content-length:")[2].partition(b"\r\n")[0]
        if body and len(body) >= int(length):
            self.latencies.append((time.perf_counter() - connection.due) * 1e3)
            self._free.append(connection)


def main() -> None:
    """Ask, and print the latencies in milliseconds as JSON."""
    port, rate, connections, seconds = (float(each) for each in sys.argv[1:5])
    bodies = json.loads(Path(sys.argv[5]).read_text(encoding="utf-8"))
    with contextlib.closing(Asker(int(port), int(connections), bodies)) as asker:
        asker.ask(rate, seconds)
    print(json.dumps(asker.latencies))


if __name__ == "__main__":
    main()
