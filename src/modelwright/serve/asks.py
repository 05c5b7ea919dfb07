"""A prediction request on its way through the server, whatever protocol brought it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

from modelwright.serve.protocols.call import Call, Reply

if TYPE_CHECKING:
    from modelwright.bundle.answers import Answer
    from modelwright.serve.deployment import Deployment
    from modelwright.serve.errors import ServeError
    from modelwright.serve.journal.given import Kept
    from modelwright.serve.quick import Values
    from modelwright.serve.wires import Wire

Done = Callable[["Ask"], None]


class Ask:
    """One request.

    Attributes:
        wire: Its protocol.
        body: The bytes sent.
        done: Called once, in the event loop, when ``reply`` is set and the log has it.
        name: The deployment it is for; "" for the first.
        wanted: The version it is for; "" for the one that is live.
        client: Who asks: the key's name, or the address.
        headers: Those a protocol looks at, names in lower case.
        received: When, by ``time.perf_counter``.
        deployment: Who answers.
        values: The row, where the quick reader took it.
        call: What was asked for, where it did not.
        given: The client's id of each row; empty where it gave none.
        answers, warnings, pieces, ids: One a row, once answered.
        error: Why it was refused.
        version: Who answered.
        checked: The client's ids were looked up.
        kept: What is on record under them, by the row's place.
        repeated: It was answered before; the log has it.
        reply: What goes back.
    """

    __slots__ = (
        "answers",
        "body",
        "call",
        "checked",
        "client",
        "deployment",
        "done",
        "error",
        "given",
        "headers",
        "ids",
        "kept",
        "latency",
        "name",
        "pieces",
        "received",
        "repeated",
        "reply",
        "values",
        "version",
        "wanted",
        "warnings",
        "wire",
    )

    def __init__(
        self,
        wire: Wire,
        body: bytes | bytearray,
        done: Done,
        *,
        name: str = "",
        wanted: str = "",
        client: str = "",
        headers: Mapping[str, str] | None = None,
        received: float = 0.0,
    ) -> None:
        self.wire = wire
        self.body = body
        self.done = done
        self.name = name
        self.wanted = wanted
        self.client = client
        self.headers: Mapping[str, str] = headers or {}
        self.received = received or perf_counter()
        self.deployment: Deployment | None = None
        self.values: Values | None = None
        self.call: Call | None = None
        self.given: Sequence[str | None] = ()
        self.answers: Sequence[Answer | dict[str, Answer]] = ()
        self.warnings: Sequence[Sequence[Any]] = ()
        self.pieces: list[bytes] = []
        self.ids: list[str] = []
        self.latency = 0.0
        self.version = 0
        self.kept: dict[int, Kept] = {}
        self.error: ServeError | None = None
        self.checked = False
        self.repeated = False
        self.reply: Reply | None = None

    @property
    def rows(self) -> Sequence[Any]:
        """The rows that ``bundle.rows`` reads."""
        return self.call.rows if self.call is not None else ()

    def refuse(self, error: ServeError) -> None:
        """End it with ``error``; its words follow when it is settled."""
        self.error = error
        self.answers = ()
