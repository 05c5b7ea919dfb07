"""The protocols as the engine uses them: one codec each, and our own with its shortcut."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from modelwright.bundle.answers import Answer
from modelwright.schema.columns import TableSchema
from modelwright.serve.asks import Ask
from modelwright.serve.deployment import Deployment
from modelwright.serve.errors import ServeError, error_document
from modelwright.serve.protocols import predict
from modelwright.serve.protocols.call import Call, Outcome, Reply, header_id, row_ids

_encode = msgspec.json.Encoder().encode


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


class PredictWire:
    """``/predict``: the quick reader first, and replies put together from what the log keeps."""

    name = "predict"

    def read(self, ask: Ask, deployment: Deployment, most_rows: int) -> None:
        """See ``Wire``."""
        if deployment.quick is not None and (found := deployment.quick.read(ask.body)) is not None:
            ask.values, given = found
            if given is None:
                given = header_id(ask.headers)
            if given is not None:
                ask.given = row_ids(given, 1)
            return
        take_call(ask, predict.read(bytes(ask.body), ask.headers, deployment.inputs, most_rows=most_rows))

    def reply(self, ask: Ask) -> Reply:
        """See ``Wire``."""
        if ask.call is None or ask.call.single:
            return Reply(body=ask.pieces[0])
        return Reply(body=b'{"predictions":[' + b",".join(ask.pieces) + b"]}")

    def refusal(self, ask: Ask, error: ServeError) -> Reply:
        """See ``Wire``; with the id under which the refusal is in the log."""
        document = error_document(error)
        if ask.ids:
            document["prediction_id"] = ask.ids[0]
        return Reply(body=_encode(document), status=error.status, headers=dict(error.headers))


class CodecWire:
    """A protocol of somebody else's, by its codec's functions."""

    def __init__(
        self,
        name: str,
        read: Callable[[bytes, Mapping[str, str], TableSchema, int], Call],
        render: Callable[[Ask, Call, Sequence[Outcome]], Reply],
        render_error: Callable[[ServeError], Reply],
    ) -> None:
        self.name = name
        self._read = read
        self._render = render
        self._render_error = render_error

    def read(self, ask: Ask, deployment: Deployment, most_rows: int) -> None:
        """See ``Wire``."""
        take_call(ask, self._read(bytes(ask.body), ask.headers, deployment.inputs, most_rows))

    def reply(self, ask: Ask) -> Reply:
        """See ``Wire``."""
        assert ask.call is not None  # noqa: S101 - read() sets it
        return self._render(ask, ask.call, outcomes(ask))

    def refusal(self, ask: Ask, error: ServeError) -> Reply:  # noqa: ARG002 - the others word it by it
        """See ``Wire``."""
        return self._render_error(error)


def take_call(ask: Ask, call: Call) -> None:
    """Let ``ask`` be what ``call`` says."""
    ask.call = call
    if any(given is not None for given in call.ids):
        ask.given = call.ids


def outcomes(ask: Ask) -> list[Outcome]:
    """All that is to say of each row of an answered ask."""
    deployment = ask.deployment
    assert deployment is not None  # noqa: S101 - an answered ask has one
    only = deployment.models[0]
    return [
        Outcome(
            id=ask.ids[place],
            version=deployment.version,
            answers={only: answer} if isinstance(answer, Answer) else answer,
            latency=ask.latency,
            warnings=ask.warnings[place] if ask.warnings else (),
        )
        for place, answer in enumerate(ask.answers)
    ]
