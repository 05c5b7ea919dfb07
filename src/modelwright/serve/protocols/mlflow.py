"""MLflow's scoring protocol: ``POST /invocations`` (MLflow 3, ``mlflow.pyfunc.scoring_server``).

JSON with exactly one of ``dataframe_split``, ``dataframe_records``, ``instances`` and ``inputs``, and
perhaps ``params``; CSV with a header; Parquet. The answer is ``{"predictions": [...]}``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from modelwright.errors import ModelwrightError
from modelwright.schema.columns import TableSchema
from modelwright.serve.errors import BadBody, ServeError, Unsupported
from modelwright.serve.protocols import jsonbody, predict, tables
from modelwright.serve.protocols.call import (
    JSON,
    MOST_ROWS,
    Call,
    Outcome,
    Reply,
    Row,
    header_id,
    row_ids,
    rows_limited,
    rows_of_columns,
)
from modelwright.serve.protocols.media import media_type, only_utf8

SHAPES = ("dataframe_split", "dataframe_records", "instances", "inputs")
_BESIDE = frozenset({*SHAPES, "params"})
_encode = msgspec.json.Encoder().encode


class MlflowCall(Call, kw_only=True):
    """A call with what MLflow's ``params`` may ask for.

    Attributes:
        details: Answer each row as ``/predict`` does (``"params": {"details": true}``), not with the
            plain prediction. Other params are ignored, as MLflow does with those a model does not know.
    """

    details: bool = False


def read(
    body: bytes, headers: Mapping[str, str], schema: TableSchema, *, most_rows: int = MOST_ROWS
) -> MlflowCall:
    """The call in a body of ``/invocations``; arguments and errors as in ``predict.read``."""
    kind, parameters = media_type(headers, JSON)
    strict_type(parameters)
    if kind == JSON:
        return read_value(jsonbody.parse_object(body), headers, most_rows=most_rows)
    if kind == tables.CSV:
        rows = tables.read_csv(body, schema, most_rows=most_rows)
    elif kind == tables.PARQUET:
        rows = tables.read_parquet(body, most_rows=most_rows)
    else:
        raise Unsupported(
            f"A body of type {kind[:80]!r} is not read here.",
            f"Send {JSON}, {tables.CSV} or {tables.PARQUET}.",
        )
    return MlflowCall(rows=rows, ids=row_ids(header_id(headers), len(rows)))


def strict_type(parameters: Mapping[str, str]) -> None:
    """Refuse a charset that is not UTF-8, and what old clients say of the format (``format=pandas-split``).

    Raises:
        Unsupported: There is such a parameter.
    """
    only_utf8(parameters)
    others = sorted(set(parameters) - {"charset"})
    if others:
        raise Unsupported(
            f"The content type's parameter {others[0][:40]!r} is not known.",
            "Name the shape in the body: " + ", ".join(SHAPES) + ".",
        )


def read_value(
    value: dict[str, Any], headers: Mapping[str, str], *, most_rows: int = MOST_ROWS
) -> MlflowCall:
    """The call in a decoded body; see ``read``."""
    shapes = [name for name in SHAPES if name in value]
    if len(shapes) != 1:
        names = ", ".join(SHAPES)
        raise BadBody(
            f"The body must have exactly one of {names}; it has {' and '.join(shapes) or 'none'}.",
            kind="shape_missing" if not shapes else "shape_ambiguous",
        )
    shape = shapes[0]
    for name in value:
        if name not in _BESIDE:
            raise BadBody(
                f"{name[:100]!r} means nothing beside {shape!r}.",
                kind="extra_forbidden",
                loc=("body", name[:100]),
            )
    rows = _READERS[shape](value[shape], ("body", shape))
    rows_limited(len(rows), most_rows)
    return MlflowCall(
        rows=rows, ids=row_ids(header_id(headers), len(rows)), details=_details(value.get("params"))
    )


def _details(params: object) -> bool:
    if params is None:
        return False
    if not isinstance(params, dict):
        raise BadBody(
            f"The params must be an object, not {jsonbody.kind_of(params)}.",
            kind="dict_type",
            loc=("body", "params"),
        )
    details = params.get("details", False)
    if not isinstance(details, bool):
        raise BadBody("Must be true or false.", kind="bool_type", loc=("body", "params", "details"))
    return details


def _split(value: object, where: tuple[Any, ...]) -> list[Row]:
    if not isinstance(value, dict) or not isinstance(value.get("data"), list):
        raise BadBody("Must be an object with 'columns' and 'data'.", kind="split_type", loc=where)
    columns = value.get("columns")
    data = value["data"]
    for place, row in enumerate(data):
        if not isinstance(row, list):
            raise BadBody(
                f"A row must be a list of values, not {jsonbody.kind_of(row)}.",
                kind="row_type",
                loc=(*where, "data", place),
            )
    if columns is None:
        return list(data)
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        raise BadBody("Must be a list of column names.", kind="columns_type", loc=(*where, "columns"))
    if len(set(columns)) < len(columns):
        raise BadBody("A column's name stands twice.", kind="duplicate_key", loc=(*where, "columns"))
    for place, row in enumerate(data):
        if len(row) != len(columns):
            raise BadBody(
                f"The row has {len(row)} values for {len(columns)} columns.",
                kind="length_mismatch",
                loc=(*where, "data", place),
            )
    return [dict(zip(columns, row, strict=True)) for row in data]


def _records(value: object, where: tuple[Any, ...]) -> list[Row]:
    if not isinstance(value, list):
        raise BadBody(f"Must be a list of rows, not {jsonbody.kind_of(value)}.", kind="list_type", loc=where)
    for place, row in enumerate(value):
        if not isinstance(row, dict):
            raise BadBody(
                f"A record must be an object, not {jsonbody.kind_of(row)}.",
                kind="row_type",
                loc=(*where, place),
            )
    return list(value)


def _instances(value: object, where: tuple[Any, ...]) -> list[Row]:
    """Rows, each an object or the list of its values, in the schema's order (MLflow itself refuses these)."""
    if not isinstance(value, list):
        raise BadBody(f"Must be a list of rows, not {jsonbody.kind_of(value)}.", kind="list_type", loc=where)
    for place, row in enumerate(value):
        if not isinstance(row, dict | list):
            raise BadBody(
                f"A row must be an object or a list of values, not {jsonbody.kind_of(row)}.",
                kind="row_type",
                loc=(*where, place),
            )
    return list(value)


def _inputs(value: object, where: tuple[Any, ...]) -> list[Row]:
    """Columns, each the list of its values (or one value: one row); or rows, as in ``instances``."""
    if not isinstance(value, dict):
        return _instances(value, where)
    if value and not any(isinstance(values, list | dict) for values in value.values()):
        return [value]
    columns: dict[str, list[Any]] = {}
    for name, values in value.items():
        if not isinstance(values, list):
            raise BadBody(
                f"A column must be a list of values, not {jsonbody.kind_of(values)}.",
                kind="list_type",
                loc=(*where, name[:100]),
            )
        columns[name] = _flat(values)
    return rows_of_columns(columns)


def _flat(values: list[Any]) -> list[Any]:
    """``[[1], [2]]``, a column as a tensor of shape [N, 1], is ``[1, 2]``."""
    if values and all(isinstance(item, list) and len(item) == 1 for item in values):
        return [item[0] for item in values]
    return values


_READERS = {
    "dataframe_split": _split,
    "dataframe_records": _records,
    "instances": _instances,
    "inputs": _inputs,
}


def render(call: Call, outcomes: Sequence[Outcome]) -> Reply:
    """``{"predictions": [...]}``: plain values, or for several models an object by model's name each."""
    if isinstance(call, MlflowCall) and call.details:
        return Reply(body=_encode({"predictions": [predict.document(outcome) for outcome in outcomes]}))
    return Reply(body=_encode({"predictions": [plain(outcome) for outcome in outcomes]}))


def plain(outcome: Outcome) -> Any:
    """A row's prediction alone; for several models, by model's name."""
    answers = outcome.answers
    if len(answers) == 1:
        return next(iter(answers.values())).prediction
    return {name: answer.prediction for name, answer in answers.items()}


_CODES = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    409: "RESOURCE_CONFLICT",
    413: "INVALID_PARAMETER_VALUE",
    429: "REQUEST_LIMIT_EXCEEDED",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def render_error(error: ModelwrightError) -> Reply:
    """``{"error_code", "message"}`` as MLflow's clients read it, never with a stack; 415 in plain text."""
    status = error.status if isinstance(error, ServeError) else 500
    headers = dict(error.headers) if isinstance(error, ServeError) else {}
    message = sentence(error)
    if status == 415:
        return Reply(
            body=message.encode(), content_type="text/plain; charset=utf-8", status=415, headers=headers
        )
    code = _CODES.get(status, "BAD_REQUEST" if status < 500 else "INTERNAL_ERROR")
    return Reply(body=_encode({"error_code": code, "message": message}), status=status, headers=headers)


def sentence(error: ModelwrightError, most: int = 3) -> str:
    """An error as one text, with its first details, for the protocols whose errors are one text."""
    text = str(error)
    problems = error.problems if isinstance(error, ServeError) else ()
    if problems:
        told = [_told(problem) for problem in problems[:most]]
        more = f"; and {len(problems) - most} more" if len(problems) > most else ""
        text = f"{text}: {'; '.join(told)}{more}"
    return text


def _told(problem: Mapping[str, Any]) -> str:
    place = ".".join(str(part) for part in problem.get("loc", ()))
    return f"{place}: {problem.get('msg', '')}" if place else str(problem.get("msg", ""))
