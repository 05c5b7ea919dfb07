"""The product's own protocol, ``POST /predict``.

Bodies of one row: ``{"features": [values] | row}``, ``{"input": row}``, the row itself, or the list of
its values; each object with an optional ``id``. Bodies of several: ``{"instances": [one of those, …]}``,
or a bare list of them. What stands under ``features``, ``input`` and ``instances`` is a list or an
object, which no cell is: so columns may have these names too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from modelwright.bundle.answers import Answer
from modelwright.errors import ModelwrightError
from modelwright.schema.columns import TableSchema
from modelwright.serve.errors import BadBody, ServeError, Unsupported, error_document
from modelwright.serve.ids import given_id
from modelwright.serve.protocols import jsonbody, multipart
from modelwright.serve.protocols.call import (
    JSON,
    MOST_ROWS,
    Call,
    Outcome,
    Reply,
    Row,
    header_id,
    request_id,
    row_ids,
    rows_limited,
)
from modelwright.serve.protocols.media import media_type, only_utf8

_WRAPPERS = ("features", "input")
_encode = msgspec.json.Encoder().encode


def read(body: bytes, headers: Mapping[str, str], schema: TableSchema, *, most_rows: int = MOST_ROWS) -> Call:
    """The call in a body of ``/predict``.

    Args:
        body: The whole body.
        headers: Request headers, names in lower case.
        schema: What a client sends.
        most_rows: More are refused.

    Raises:
        BadBody: It is no such body, or an id in it cannot be one.
        TooLarge: Too many rows.
        Unsupported: It is neither JSON nor a form.
    """
    kind, parameters = media_type(headers, JSON)
    if kind == "multipart/form-data":
        return of_row(multipart.read_row(body, parameters.get("boundary", "")), headers, schema)
    if kind != JSON and not kind.endswith("+json") and kind != "application/x-www-form-urlencoded":
        # ``curl -d`` says it sends a form whatever it sends; all else is a mistake worth telling.
        raise Unsupported(
            f"A body of type {kind[:80]!r} is not read here.",
            "Send application/json, or multipart/form-data for files.",
        )
    only_utf8(parameters)
    return read_value(jsonbody.parse(body), headers, schema, most_rows=most_rows)


def read_value(
    value: Any, headers: Mapping[str, str], schema: TableSchema, *, most_rows: int = MOST_ROWS
) -> Call:
    """The call in a decoded body; see ``read``."""
    if isinstance(value, dict):
        if isinstance(value.get("instances"), list):
            return _batch(value, headers, schema, most_rows)
        return of_row(value, headers, schema, most_rows)
    if isinstance(value, list):
        if any(isinstance(item, dict | list) for item in value):
            return _batch({"instances": value}, headers, schema, most_rows)
        if value:
            return Call(rows=[value], ids=row_ids(header_id(headers), 1), single=True)
        raise BadBody("There is no row in the request.", kind="too_short")
    raise BadBody(
        f"The body must be a JSON object or a list, not {jsonbody.kind_of(value)}.", kind="dict_type"
    )


def of_row(
    value: dict[str, Any], headers: Mapping[str, str], schema: TableSchema, most_rows: int = MOST_ROWS
) -> Call:
    """The call of one object: a row, wrapped or not; a wrapped list of rows is a batch."""
    wrapper = _wrapper(value)
    if wrapper is not None:
        inner = value[wrapper]
        if isinstance(inner, list) and any(isinstance(item, dict | list) for item in inner):
            _no_others(value, {wrapper, "id"}, ("body",))
            batch = {("instances" if key == wrapper else key): item for key, item in value.items()}
            return _batch(batch, headers, schema, most_rows)
    row, given = _one(value, schema, ("body",))
    return Call(rows=[row], ids=row_ids(request_id(given, headers), 1), single=True)


def _batch(value: dict[str, Any], headers: Mapping[str, str], schema: TableSchema, most_rows: int) -> Call:
    _no_others(value, {"instances", "id"}, ("body",))
    instances = value["instances"]
    rows_limited(len(instances), most_rows)
    ids = row_ids(request_id(value.get("id"), headers), len(instances))
    rows: list[Row] = []
    for place, item in enumerate(instances):
        where = ("body", "instances", place)
        if isinstance(item, list):
            rows.append(item)
            continue
        if not isinstance(item, dict):
            raise BadBody(
                f"A row must be an object or a list of values, not {jsonbody.kind_of(item)}.",
                kind="row_type",
                loc=where,
            )
        row, own = _one(item, schema, where)
        rows.append(row)
        if own is not None:
            ids[place] = given_id(own)
    _distinct(ids)
    return Call(rows=rows, ids=ids)


def _distinct(ids: list[str | None]) -> None:
    given = [own for own in ids if own is not None]
    if len(set(given)) == len(given):
        return
    seen: set[str] = set()
    for place, own in enumerate(ids):
        if own in seen:
            raise BadBody(
                f"The id {own!r} is given to two rows.", kind="id_duplicate", loc=("body", "instances", place)
            )
        if own is not None:
            seen.add(own)


def _wrapper(value: dict[str, Any]) -> str | None:
    for name in _WRAPPERS:
        if isinstance(value.get(name), list | dict):
            return name
    return None


def _one(value: dict[str, Any], schema: TableSchema, where: tuple[Any, ...]) -> tuple[Row, Any]:
    """A row and its id from an object that wraps it or is it."""
    wrapper = _wrapper(value)
    if wrapper is not None:
        _no_others(value, {wrapper, "id"}, where)
        inner: Row = value[wrapper]
        return inner, value.get("id")
    if "id" in value and "id" not in schema.names:
        if schema.identifier == "id" and not isinstance(value["id"], str):
            # The table's own number: rows sent again from the file are no repetitions of one request.
            return value, None
        row = dict(value)
        return row, row.pop("id")
    return value, None


def _no_others(value: dict[str, Any], known: set[str], where: tuple[Any, ...]) -> None:
    """A mistyped ``id`` must not silently cost a client its idempotence."""
    for name in value:
        if name not in known:
            raise BadBody(
                f"{name[:100]!r} means nothing beside {sorted(known - {'id'})[0]!r}; there may be an 'id'.",
                kind="extra_forbidden",
                loc=(*where, name[:100]),
            )


def document(outcome: Outcome) -> dict[str, Any]:
    """What one row answers, as JSON holds it."""
    answers = outcome.answers
    if len(answers) == 1:
        reply = _answer(next(iter(answers.values())))
    else:
        reply = {"outputs": {name: _answer(answer) for name, answer in answers.items()}}
        for name, answer in answers.items():
            reply.setdefault(name, answer.prediction)
    reply["latency"] = outcome.latency
    reply["prediction_id"] = outcome.id
    reply["model_version"] = outcome.version
    if outcome.warnings:
        reply["warnings"] = list(outcome.warnings)
    return reply


def _answer(answer: Answer) -> dict[str, Any]:
    reply: dict[str, Any] = {"prediction": answer.prediction}
    if answer.prediction_name is not None:
        reply["prediction_name"] = answer.prediction_name
    if answer.confidence is not None:
        reply["confidence"] = answer.confidence
    if answer.probabilities is not None:
        reply["probabilities"] = answer.probabilities
    if answer.score is not None:
        reply["score"] = answer.score
        reply["threshold"] = answer.threshold
    return reply


def render(call: Call, outcomes: Sequence[Outcome]) -> Reply:
    """The answer to ``call``: one object, or ``{"predictions": [objects]}`` for a batch."""
    if call.single:
        return Reply(body=_encode(document(outcomes[0])))
    return Reply(body=_encode({"predictions": [document(outcome) for outcome in outcomes]}))


def render_error(error: ModelwrightError) -> Reply:
    """An error in the product's own shape."""
    status = error.status if isinstance(error, ServeError) else 500
    headers = dict(error.headers) if isinstance(error, ServeError) else {}
    return Reply(body=_encode(error_document(error)), status=status, headers=headers)
