"""A prediction request on its way through the server, whatever protocol brought it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from modelwright.serve.protocols.call import Call, Reply

if TYPE_CHECKING:
    from modelwright.bundle.answers import Answer
    from modelwright.serve.deployment import Deployment
    from modelwright.serve.errors import ServeError
    from modelwright.serve.journal.given import Kept
    from modelwright.serve.quick import Values

Done = Callable[["Ask"], None]


class Wire(Protocol):
    """How a protocol says rows, answers and errors."""

    name: str
    """What the log calls it."""

    def read(self, ask: Ask, deployment: Deployment, most_rows: int) -> None:
        """Set ``ask.values`` or ``ask.call``, and ``ask.given``.

        Raises:
            ServeError: The body is none of this protocol's.
        """

    def reply(self, ask: Ask) -> Reply:
        """What answers ``ask``."""

    def refusal(self, ask: Ask, error: ServeError) -> Reply:
        """What refuses ``ask``."""


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
        carried: What that row has of the training data's other columns.
        call: What was asked for, where it did not.
        given: The client's id of each row; empty where it gave none.
        answers, warnings, pieces, ids: One a row, once answered.
        error: Why it was refused.
        generation: Of the features in which was looked up; 0 for none.
        version: Who answered.
        checked: The client's ids were looked up.
        kept: What is on record under them, by the row's place.
        repeated: It was answered before; the log has it.
        reply: What goes back.
    """

    # Defaults are the class's: most requests never touch most of them, and this is made for each.
    deployment: Deployment | None = None
    values: Values | None = None
    carried: Mapping[str, Any] = MappingProxyType({})
    call: Call | None = None
    given: Sequence[str | None] = ()
    answers: Sequence[Answer | dict[str, Answer]] = ()
    warnings: Sequence[Sequence[Any]] = ()
    pieces: Sequence[bytes] = ()
    ids: Sequence[str] = ()
    latency = 0.0
    generation = 0
    version = 0
    kept: Mapping[int, Kept] = MappingProxyType({})
    error: ServeError | None = None
    checked = False
    repeated = False
    reply: Reply | None = None
    name = ""
    wanted = ""
    headers: Mapping[str, str] = MappingProxyType({})

    def __init__(self, wire: Wire, body: bytes | bytearray, done: Done, client: str = "") -> None:
        self.wire = wire
        self.body = body
        self.done = done
        self.client = client
        self.received = perf_counter()

    @property
    def rows(self) -> Sequence[Any]:
        """The rows that ``bundle.rows`` reads."""
        return self.call.rows if self.call is not None else ()

    @property
    def sent(self) -> Sequence[Any]:
        """The rows as the log keeps them."""
        values = self.values
        if values is None:
            keep = None if self.deployment is None else self.deployment.row_log
            return self.rows if keep is None else [keep(row) for row in self.rows]
        if not self.carried or self.deployment is None:
            return (values,)
        return ({**dict(zip(self.deployment.inputs.names, values, strict=True)), **self.carried},)

    @property
    def told(self) -> dict[str, str]:
        """What the server's log says of the request beside what happened (``extra``)."""
        given = self.headers.get("x-request-id") or next((id for id in self.given if id is not None), "")
        return {"request_id": self.ids[0] if self.ids else given, "protocol": self.wire.name}

    def refuse(self, error: ServeError) -> None:
        """End it with ``error``; its words follow when it is settled."""
        self.error = error
        self.answers = ()
