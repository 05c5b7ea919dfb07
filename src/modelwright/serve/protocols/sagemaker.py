"""Amazon SageMaker's wire: the container's ``/invocations``, the runtime's ``/endpoints/{name}/invocations``.

Reads header-less CSV in the schema's order (or with a header: the first line tells), JSON in MLflow's
and the product's own shapes, NumPy files without pickle, Parquet. Answers as JSON, or as CSV, JSON
lines or a NumPy array where ``Accept`` asks for it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from modelwright.errors import ModelwrightError
from modelwright.schema.columns import Scalar, TableSchema
from modelwright.serve.errors import ServeError, Unsupported
from modelwright.serve.protocols import jsonbody, mlflow, predict, tables
from modelwright.serve.protocols.call import JSON, MOST_ROWS, Call, Outcome, Reply, header_id, row_ids
from modelwright.serve.protocols.media import accepted, media_type, only_utf8

INFERENCE_ID = "x-amzn-sagemaker-inference-id"
CUSTOM_ATTRIBUTES = "x-amzn-sagemaker-custom-attributes"
VARIANT = "x-amzn-invoked-production-variant"
TARGET_VARIANT = "x-amzn-sagemaker-target-variant"
LINES = "application/jsonlines"

_OFFERS = (JSON, tables.CSV, LINES, tables.NPY)
_TABULAR = {
    tables.CSV: tables.read_csv,
    tables.NPY: tables.read_npy,
}
_encode = msgspec.json.Encoder().encode


class SageMakerCall(Call, kw_only=True):
    """A call with what the runtime's headers ask for.

    Attributes:
        accept: Content type of the answer.
        details: JSON answers each row as ``/predict`` does, not with the plain prediction.
        attributes: Custom attributes, opaque, sent back.
        variant: Production variant asked for.
    """

    accept: str = JSON
    details: bool = False
    attributes: str = ""
    variant: str = ""


def read(
    body: bytes, headers: Mapping[str, str], schema: TableSchema, *, most_rows: int = MOST_ROWS
) -> SageMakerCall:
    """The call in a body of ``/invocations``, whoever sent it; arguments and errors as in ``predict.read``.

    ``Inference-Id`` is the client's id; without it, the body's or ``X-Request-Id``.
    """
    accept = accepted(headers, _OFFERS)
    if accept is None:
        raise NotAcceptable(headers.get("accept", ""))
    call = _rows(body, headers, schema, most_rows)
    inference_id = headers.get(INFERENCE_ID)
    ids = row_ids(inference_id, len(call.rows)) if inference_id else call.ids
    return SageMakerCall(
        rows=call.rows,
        ids=ids,
        accept=accept,
        details=getattr(call, "details", False),
        attributes=headers.get(CUSTOM_ATTRIBUTES, ""),
        variant=headers.get(TARGET_VARIANT, ""),
    )


class NotAcceptable(ServeError):
    """The client accepts none of the content types an answer can have."""

    status = 406

    def __init__(self, accept: str) -> None:
        super().__init__(
            f"No answer of type {accept[:80]!r} can be given.", f"Accept one of {', '.join(_OFFERS)}."
        )


def _rows(body: bytes, headers: Mapping[str, str], schema: TableSchema, most_rows: int) -> Call:
    kind, parameters = media_type(headers, JSON)
    if kind == JSON:
        only_utf8(parameters)
        value = jsonbody.parse(body)
        if isinstance(value, dict) and any(shape in value for shape in mlflow.SHAPES):
            return mlflow.read_value(value, headers, most_rows=most_rows)
        return predict.read_value(value, headers, schema, most_rows=most_rows)
    if kind in _TABULAR:
        only_utf8(parameters)
        rows = _TABULAR[kind](body, schema, most_rows=most_rows)
    elif kind == tables.PARQUET:
        rows = tables.read_parquet(body, most_rows=most_rows)
    else:
        raise Unsupported(
            f"A body of type {kind[:80]!r} is not read here.",
            f"Send {JSON}, {tables.CSV}, {tables.NPY} or {tables.PARQUET}.",
        )
    return Call(rows=rows, ids=row_ids(header_id(headers), len(rows)))


def render(call: SageMakerCall, outcomes: Sequence[Outcome], *, variant: str = "AllTraffic") -> Reply:
    """The answer to ``call`` in the content type it accepts."""
    headers = {VARIANT: call.variant or variant}
    if call.attributes:
        headers[CUSTOM_ATTRIBUTES] = call.attributes
    if call.accept == JSON:
        document = predict.document if call.details else mlflow.plain
        body = _encode({"predictions": [document(outcome) for outcome in outcomes]})
    elif call.accept == LINES:
        body = b"".join(_encode(predict.document(outcome)) + b"\n" for outcome in outcomes)
    else:
        table = [_values(outcome) for outcome in outcomes]
        body = _csv(table) if call.accept == tables.CSV else _npy(table)
    kind = f"{tables.CSV}; charset=utf-8" if call.accept == tables.CSV else call.accept
    return Reply(body=body, content_type=kind, headers=headers)


def _values(outcome: Outcome) -> list[Scalar]:
    """One value a model."""
    return [answer.prediction for answer in outcome.answers.values()]


def _csv(table: Sequence[Sequence[Scalar]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(table)
    return text.getvalue().encode()


def _npy(table: Sequence[Sequence[Scalar]]) -> bytes:
    array = np.array([row[0] for row in table] if len(table[0]) == 1 else table)
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, allow_pickle=False)
    return stream.getvalue()


def render_error(error: ModelwrightError) -> Reply:
    """The runtime's ``ModelError``, 424, with the model's own status and words, or its other errors."""
    status = error.status if isinstance(error, ServeError) else 500
    headers = dict(error.headers) if isinstance(error, ServeError) else {}
    message = mlflow.sentence(error)
    kind = _KINDS.get(status)
    if kind is not None:
        document: dict[str, Any] = {"Message": message}
    else:
        kind = "ModelError"
        document = {
            "Message": f"Received client error ({status}) from model: {message}"
            if status < 500
            else f"Received server error ({status}) from model: {message}",
            "OriginalStatusCode": status,
            "OriginalMessage": predict.render_error(error).body.decode(),
            "LogStreamArn": "",
        }
        status = 424
    headers["x-amzn-errortype"] = kind
    return Reply(body=_encode(document), status=status, headers=headers)


_KINDS = {
    401: "AccessDeniedException",
    403: "AccessDeniedException",
    404: "ValidationError",
    429: "ThrottlingException",
    503: "ServiceUnavailable",
}
