"""What every protocol's request comes down to, and what is said of a row in return."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from modelwright.bundle.answers import Answer
from modelwright.serve.errors import BadBody, TooLarge
from modelwright.serve.ids import given_id

MOST_ROWS = 10_000
JSON = "application/json"

Row = dict[str, Any] | list[Any]
"""One row: a mapping by column name, or the values in the order of the schema."""

REQUEST_ID = "x-request-id"


class Call(msgspec.Struct, kw_only=True):
    """Rows to be answered.

    Attributes:
        rows: At least one.
        ids: The client's own id of each row, ``None`` where it gave none; as long as ``rows``.
        single: The client sent one row as such and expects one answer, not a list of one.
    """

    rows: list[Row]
    ids: list[str | None]
    single: bool = False


class Outcome(msgspec.Struct, kw_only=True):
    """All there is to say of one answered row.

    Attributes:
        id: Prediction id.
        version: Version of the model that answered.
        answers: Each model's answer by its name, in the order of the bundle.
        latency: Seconds in the server.
        warnings: As ``bundle.rows`` worded them.
    """

    id: str
    version: int
    answers: dict[str, Answer]
    latency: float
    warnings: Sequence[Any] = ()


class Reply(msgspec.Struct, kw_only=True):
    """What goes back over the wire. Header names are lower-case."""

    body: bytes
    content_type: str = JSON
    status: int = 200
    headers: dict[str, str] = {}


def rows_limited(count: int, most: int) -> None:
    """Refuse no rows at all, and too many.

    Raises:
        BadBody: There is none.
        TooLarge: There are more than ``most``.
    """
    if not count:
        raise BadBody("There is no row in the request.", kind="too_short")
    if count > most:
        raise TooLarge(
            f"The request has {count} rows; at most {most} are answered at once.",
            "Send them in several requests.",
        )


def row_ids(given: object, count: int) -> list[str | None]:
    """The ids of ``count`` rows under a request's id: itself for one row, ``id.0``, ``id.1``… for more.

    Raises:
        BadId: ``given`` cannot be an id.
    """
    if given is None:
        return [None] * count
    checked = given_id(given)
    if count == 1:
        return [checked]
    return [f"{checked}.{place}" for place in range(count)]


def header_id(headers: Mapping[str, str]) -> str | None:
    """The id in ``X-Request-Id``, unchecked."""
    return headers.get(REQUEST_ID) or None


def request_id(given: object, headers: Mapping[str, str]) -> object:
    """The id in the body, else that of ``X-Request-Id``.

    A header that is none is refused in either case: logs and traces name the request by it.

    Raises:
        BadId: The header cannot be an id. The body's is not checked here.
    """
    told = header_id(headers)
    if told is not None:
        told = given_id(told, where=("header", REQUEST_ID))
    return told if given is None else given


def shown_columns(columns: Mapping[str, Sequence[Any]]) -> str:
    """How long each column is, for an error message, without quoting a thousand of them."""
    lengths = [f"{name!r}: {len(values)}" for name, values in list(columns.items())[:5]]
    return ", ".join(lengths) + (", …" if len(columns) > 5 else "")


def rows_of_columns(columns: Mapping[str, Sequence[Any]]) -> list[Row]:
    """Rows of columns that must be of one length.

    Raises:
        BadBody: They are not.
    """
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        raise BadBody(f"The columns are not equally long ({shown_columns(columns)}).", kind="length_mismatch")
    names = tuple(columns)
    return [dict(zip(names, values, strict=True)) for values in zip(*columns.values(), strict=True)]
