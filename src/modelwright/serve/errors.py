"""What the server refuses, with which status, in one JSON shape.

A request meets them in this order::

    limits (408, 413, 431, 503) → who asks (401, 403, 429) → route (404, 405)
      → body (400, 415, 422 never) → id (400, 409) → rows (400) → log (503) → answer

Every error, whatever the route, is ``{"error": sentence, "details": [...], "instruction": sentence}``
without the keys that are empty. The protocols of others word it in their own shape (``wires``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from modelwright.errors import ExitCode, ModelwrightError


class ServeError(ModelwrightError):
    """A request that is refused.

    Attributes:
        status: The HTTP status.
        problems: Machine-readable details, ``{loc, msg, type, input}`` each.
        headers: Response headers that belong to it.
    """

    status = 500
    code = ExitCode.UNEXPECTED

    def __init__(
        self,
        reason: str,
        instruction: str = "",
        *,
        problems: tuple[Mapping[str, Any], ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(reason, instruction)
        self.problems = problems
        self.headers = dict(headers or {})


class BadBody(ServeError):
    """The body is no prediction request."""

    status = 400

    def __init__(
        self,
        message: str,
        *,
        kind: str = "json_invalid",
        loc: tuple[Any, ...] = ("body",),
        given: object = None,
    ) -> None:
        super().__init__(
            "Input validation failed",
            problems=({"loc": list(loc), "msg": message, "type": kind, "input": clip(given)},),
        )


class InvalidRows(ServeError):
    """The rows were read and do not fit the schema."""

    status = 400

    def __init__(self, problems: tuple[Mapping[str, Any], ...]) -> None:
        super().__init__("Input validation failed", problems=problems)


class NotTakenUp(ServeError):
    """Rows sent for training would be of no use."""

    status = 409

    def __init__(self, why: str) -> None:
        super().__init__(
            f"Rows that are sent would not be trained on. {why}",
            "Add them to the project's data; then POST /trigger_retrain, or run: modelwright train",
        )


class TooManyWaiting(ServeError):
    """One client has sent more than may wait."""

    status = 429

    def __init__(self, most: int, what: str) -> None:
        super().__init__(
            f"Already {most} of this client's {what}; no more are kept.",
            "Send again when some of them have been taken up.",
            headers={"retry-after": "60"},
        )


class BadId(BadBody):
    """The client's id cannot be one."""

    def __init__(self, value: object, where: tuple[str, ...] = ("body", "id")) -> None:
        super().__init__(
            "An id is 1 to 128 printable ASCII characters without spaces, quotes and slashes,"
            " or a whole number.",
            kind="id_invalid",
            loc=where,
        )
        self.problems[0]["input"] = clip(value)  # type: ignore[index]


class IdTaken(ServeError):
    """The client's id belongs to another request."""

    status = 409

    def __init__(self, given: str) -> None:
        super().__init__(
            f"The id {given!r} was used before, for other input.",
            "Send the same body to get the same answer again, or use a new id.",
        )


class TooLarge(ServeError):
    """More bytes or rows than the server takes."""

    status = 413


class Unsupported(ServeError):
    """A content type nobody here reads."""

    status = 415


class NotFound(ServeError):
    """There is no such thing here."""

    status = 404


class NotServed(NotFound):
    """A version that is not live."""

    def __init__(self, name: str, live: int, wanted: str) -> None:
        super().__init__(f"Version {clip(wanted)} of '{name}' is not served; version {live} is.")


class NotReady(ServeError):
    """No model is loaded, or the log cannot be written: nothing may be answered."""

    status = 503

    def __init__(self, reason: str, instruction: str = "", *, retry_after: int = 1) -> None:
        super().__init__(reason, instruction, headers={"retry-after": str(retry_after)})


class ModelFailed(ServeError):
    """A model, or the project's own code, failed on rows that validated."""

    status = 500

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The model '{name}' failed on this input.",
            "The server's log says more; the request is recorded.",
        )


class ServerFault(ServeError):
    """A fault of the server's own, in one request."""

    status = 500

    def __init__(self) -> None:
        super().__init__("The server failed on this request; its log says more.")


class StoreAway(NotReady):
    """The database cannot be used now; predictions go on without it."""

    def __init__(self) -> None:
        super().__init__(
            "The database cannot be reached or written now.",
            "Predictions go on and are delivered later; try this again in a moment.",
            retry_after=5,
        )


class CannotListen(ModelwrightError):
    """The address cannot be bound."""

    code = ExitCode.UNAVAILABLE

    def __init__(self, host: str, port: int, error: OSError) -> None:
        super().__init__(
            f"Cannot listen on {host}:{port}: {error.strerror or error}.",
            "Choose another port with --port (0 takes any free one), or stop what uses this one.",
        )


class NothingToServe(ModelwrightError):
    """A project has no released version yet."""

    code = ExitCode.PROJECT

    def __init__(self, project: str) -> None:
        super().__init__(
            f"Project '{project}' has no released version to serve.",
            "Train one with 'modelwright up', or release one with 'modelwright promote'.",
        )


class ServerFailed(ModelwrightError):
    """The server's processes ended before they were ready."""

    code = ExitCode.UNAVAILABLE


def error_document(error: ModelwrightError) -> dict[str, Any]:
    """The JSON of an error, without secrets, paths or stacks."""
    document: dict[str, Any] = {"error": error.reason}
    if isinstance(error, ServeError) and error.problems:
        document["details"] = list(error.problems)
    if error.instruction:
        document["instruction"] = error.instruction
    return document


def clip(value: object, most: int = 200) -> object:
    """``value`` short enough to be sent back in an error; what is nested and long becomes text."""
    if isinstance(value, str):
        return value if len(value) <= most else value[:most] + "…"
    if value is None or isinstance(value, bool | int | float):
        return value
    encoded = msgspec.json.encode(value, enc_hook=repr)
    text = encoded.decode(errors="replace")
    return msgspec.json.decode(encoded) if len(text) <= most else text[:most] + "…"
