"""Requests, replies, and when to try again: all of the client that does no input or output."""

from __future__ import annotations

import base64
import math
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from modelwright.client.answers import Health
from modelwright.client.errors import InvalidInput, NotAllowed, Refused, UnexpectedAnswer, UnsendableRow

Cell = Any
Row = Mapping[str, Cell] | Sequence[Cell]

CHUNK = 1_000
RETRIED = frozenset({408, 425, 429, 502, 503, 504})
_FIRST_WAIT = 0.1
_LONGEST_WAIT = 10.0

T = TypeVar("T")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent."""

    method: str
    path: str
    body: bytes | None = None


def new_id() -> str:
    """A UUID version 7 (RFC 9562): of now, so that logs keep their order, and 74 random bits."""
    stamp = (time.time_ns() // 1_000_000) & ((1 << 48) - 1)
    number = stamp << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62)
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def plain(rows: Any) -> Any:
    """``rows`` as they are, or a pandas table or row as mappings."""
    if hasattr(rows, "to_dict") and hasattr(rows, "ndim"):
        return rows.to_dict("records") if rows.ndim == 2 else rows.to_dict()
    return rows


def is_batch(rows: object) -> bool:
    """Whether ``rows`` are several; one row is a mapping, or a sequence of cells."""
    if hasattr(rows, "ndim"):
        return int(rows.ndim) == 2
    return (
        isinstance(rows, Sequence)
        and not isinstance(rows, str | bytes)
        and all(
            isinstance(row, Mapping | list | tuple) or (hasattr(row, "ndim") and row.ndim) for row in rows
        )
    )


def predict_one(row: Row, id: str | None, model: str) -> Request:
    """The request for one row."""
    return _predict({"features": _row(row), "id": id or new_id()}, model)


def predict_many(rows: Sequence[Row], id: str | None, model: str) -> Iterator[Request]:
    """The requests for several rows, as many as it takes; each with an id of its own."""
    for place in range(0, len(rows), CHUNK):
        part = [_row(row) for row in rows[place : place + CHUNK]]
        whole = len(rows) <= CHUNK
        own = id if id is None or whole else f"{id}.{place // CHUNK}"
        yield _predict({"instances": part, "id": own or new_id()}, model)


def _predict(body: dict[str, Any], model: str) -> Request:
    path = f"models/{quote(model, safe='')}/predict" if model else "predict"
    return Request(method="POST", path=path, body=msgspec.json.encode(body))


def feedback(prediction_id: str, target: Any) -> Request:
    """The request that says what was true."""
    body = {"prediction_id": prediction_id, "target": _cell(target)}
    return Request(method="POST", path="feedback", body=msgspec.json.encode(body))


def feedback_many(truths: Mapping[str, Cell]) -> Iterator[Request]:
    """The requests that tell many truths, as many as it takes."""
    told = [{"prediction_id": id, "target": _cell(target)} for id, target in truths.items()]
    for place in range(0, len(told), CHUNK):
        body = {"feedback": told[place : place + CHUNK]}
        yield Request(method="POST", path="feedback", body=msgspec.json.encode(body))


def health() -> Request:
    """The request that asks how the server is."""
    return Request(method="GET", path="health")


def _row(row: Row) -> dict[str, Any] | list[Any]:
    if isinstance(row, Mapping):
        return {str(name): _cell(value) for name, value in row.items()}
    if isinstance(row, str | bytes):
        raise UnsendableRow(
            "A row is a mapping or a sequence of values, not a text.", "Send {column: value}."
        )
    return [_cell(value) for value in row]


def _cell(value: Any) -> Any:
    """``value`` as JSON can carry it: NumPy's scalars plain, NaN missing, bytes (images) as base64."""
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    if isinstance(value, float):
        if math.isinf(value):
            raise UnsendableRow(
                "A row holds infinity, which no model is asked about.", "Send None where it is missing."
            )
        return None if math.isnan(value) else value
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode("ascii")
    if hasattr(value, "isoformat"):
        return None if value != value else value.isoformat()  # noqa: PLR0124 - pandas' NaT
    raise UnsendableRow(
        f"A row holds a {type(value).__name__}, which cannot be sent.",
        "Send numbers, texts, dates, bytes or None.",
    )


def read(url: str, status: int, body: bytes, kind: type[T]) -> T:
    """A reply's body as ``kind``.

    Raises:
        Refused: The server refused; by status one of its kinds.
        UnexpectedAnswer: It is something else.
    """
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        document = None
    if status >= 400:
        raise _refusal(status, document)
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError:
        raise UnexpectedAnswer(url) from None


def read_health(url: str, status: int, body: bytes) -> Health:
    """The reply to ``health``; a server that is not ready says so, which is no error here."""
    try:
        document = msgspec.json.decode(body, type=dict[str, Any])
        said = str(document["status"])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError):
        if status >= 400:
            raise _refusal(status, None) from None
        raise UnexpectedAnswer(url) from None
    return Health(status == 200, said, document)


def _refusal(status: int, document: object) -> Refused:
    said = document if isinstance(document, dict) else {}
    problems = said.get("details")
    listed = [one for one in problems if isinstance(one, dict)] if isinstance(problems, list) else []
    kind = {400: InvalidInput, 401: NotAllowed, 403: NotAllowed}.get(status, Refused)
    reason = str(said.get("error") or "it does not say why.")
    return kind(status, reason, str(said.get("instruction") or ""), listed)


class Patience:
    """How often a request is tried, and how long to wait in between: longer each time, and not all alike.

    The waits are exponential with full jitter, so that clients that failed together do not come back
    together; ``Retry-After`` goes before them.
    """

    def __init__(self, attempts: int, random: Random | None = None) -> None:
        self.attempts = max(1, attempts)
        self.made = 0
        self._random = random or Random()  # noqa: S311 - only spreads requests

    def wait(self, status: int | None = None, retry_after: str = "") -> float | None:
        """Seconds until the next attempt, after one that got ``status`` or nothing; ``None`` to give up."""
        self.made += 1
        if self.made >= self.attempts or (status is not None and status not in RETRIED):
            return None
        if retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 6:
            asked = float(retry_after)
            return asked if asked <= _LONGEST_WAIT else None
        return self._random.uniform(0.0, min(_LONGEST_WAIT, _FIRST_WAIT * 2.0**self.made))


def base_url(url: str) -> str:
    """``url`` as the place under which the routes are.

    Raises:
        ValueError: It is none of http.
    """
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"a server's address starts with http:// or https://, not {url[:60]!r}")
    return url.rstrip("/") + "/"


def headers(api_key: str | None) -> dict[str, str]:
    """What every request says."""
    said = {"content-type": "application/json", "accept": "application/json"}
    if api_key:
        said["authorization"] = f"Bearer {api_key}"
    return said
