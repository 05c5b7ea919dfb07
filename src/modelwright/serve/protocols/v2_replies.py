"""The Open Inference Protocol V2: metadata, and answers and errors as tensors.

One model answers ``prediction``, ``prediction_name``, ``confidence``, ``probabilities`` (those of them
its task has) and ``prediction_id``; several models ``<model>.prediction`` and so on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from modelwright.bundle.answers import Answer, label_names
from modelwright.bundle.format import ModelEntry
from modelwright.errors import ModelwrightError
from modelwright.schema.columns import Column, Kind, Scalar, TableSchema
from modelwright.schema.metrics import Task
from modelwright.serve.errors import BadBody, ServeError
from modelwright.serve.protocols.call import Outcome, Reply
from modelwright.serve.protocols.mlflow import sentence
from modelwright.serve.protocols.tensors import BYTES, SIZE, to_binary
from modelwright.serve.protocols.v2 import HEADER_LENGTH, OCTETS, V2Call, Wanted

_encode = msgspec.json.Encoder().encode


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """An output tensor there is.

    Attributes:
        name: Its name.
        datatype: Of its values.
        width: Values a row, for a tensor of shape [rows, width]; ``None`` for shape [rows].
        labels: What the places of a row are called, where there is a width.
        values: A row's value or values, from its outcome.
    """

    name: str
    datatype: str
    values: Callable[[Outcome], Any]
    width: int | None = None
    labels: tuple[str, ...] = ()

    def describe(self) -> dict[str, Any]:
        """As the model's metadata lists it."""
        shape = [-1] if self.width is None else [-1, self.width]
        described: dict[str, Any] = {"name": self.name, "datatype": self.datatype, "shape": shape}
        if self.labels:
            described["parameters"] = {"labels": _labels(self.labels)}
        return described


def outputs_of(models: Sequence[ModelEntry]) -> tuple[Output, ...]:
    """All outputs of a bundle's models, ``prediction_id`` last."""
    outputs: list[Output] = []
    for entry in models:
        outputs.extend(_outputs(entry, "" if len(models) == 1 else f"{entry.name}."))
    outputs.append(Output(name="prediction_id", datatype=BYTES, values=lambda outcome: outcome.id))
    return tuple(outputs)


def _outputs(entry: ModelEntry, prefix: str) -> Iterable[Output]:
    def of(field: Callable[[Answer], Any]) -> Callable[[Outcome], Any]:
        return lambda outcome: field(outcome.answers[entry.name])

    datatype = _prediction_type(entry)
    as_text = datatype == BYTES
    yield Output(
        name=f"{prefix}prediction",
        datatype=datatype,
        values=of(lambda answer: str(answer.prediction) if as_text else answer.prediction),
    )
    names = label_names(entry)
    if names:
        yield Output(
            name=f"{prefix}prediction_name", datatype=BYTES, values=of(lambda answer: answer.prediction_name)
        )
    if entry.task is Task.CLASSIFICATION:
        yield Output(name=f"{prefix}confidence", datatype="FP32", values=of(lambda answer: answer.confidence))
        yield Output(
            name=f"{prefix}probabilities",
            datatype="FP32",
            width=len(names),
            labels=names,
            values=of(lambda answer: list((answer.probabilities or {}).values())),
        )


def _prediction_type(entry: ModelEntry) -> str:
    if entry.task is Task.REGRESSION:
        return "FP32"
    if entry.task is Task.CLUSTERING:
        return "INT64"
    kinds = {type(label) for label in entry.labels}
    largest = max((abs(label) for label in entry.labels if isinstance(label, int | float)), default=0)
    if kinds == {bool}:
        return "BOOL"
    if kinds == {int} and largest < 2**63:
        return "INT64"
    if kinds and kinds <= {int, float} and largest <= 2**53:
        return "FP64"
    return BYTES


def _labels(names: tuple[str, ...]) -> str:
    """Parameters hold plain values in this protocol, so a list is JSON text."""
    return _encode(names).decode()


def render(call: V2Call, outcomes: Sequence[Outcome], models: Sequence[ModelEntry], name: str) -> Reply:
    """The answer to ``call`` of the model served as ``name``.

    Raises:
        BadBody: An output is asked for that there is not (ask ``check_outputs`` before predicting).
    """
    known = {output.name: output for output in outputs_of(models)}
    wanted = call.wanted or tuple(Wanted(output, call.binary) for output in known)
    _check(wanted, known)
    described: list[dict[str, Any]] = []
    pieces: list[bytes] = []
    for one in wanted:
        tensor, piece = _tensor(known[one.name], outcomes, binary=one.binary)
        described.append(tensor)
        if piece is not None:
            pieces.append(piece)
    document: dict[str, Any] = {"model_name": name, "model_version": str(outcomes[0].version)}
    if call.echo is not None:
        document["id"] = call.echo
    warnings = [list(outcome.warnings) for outcome in outcomes]
    if any(warnings):
        document["parameters"] = {"warnings": _encode(warnings).decode()}
    document["outputs"] = described
    head = _encode(document)
    if not pieces:
        return Reply(body=head)
    return Reply(body=b"".join([head, *pieces]), content_type=OCTETS, headers={HEADER_LENGTH: str(len(head))})


def check_outputs(call: V2Call, models: Sequence[ModelEntry]) -> None:
    """Refuse a call for outputs there are not, before anything is predicted.

    Raises:
        BadBody: It names such an output.
    """
    _check(call.wanted, {output.name: output for output in outputs_of(models)})


def _check(wanted: Sequence[Wanted], known: Mapping[str, Output]) -> None:
    names = [one.name for one in wanted]
    for place, name in enumerate(names):
        where = ("body", "outputs", place, "name")
        if name not in known:
            raise BadBody(
                f"There is no output {name[:100]!r}; there are {', '.join(known)}.",
                kind="output_unknown",
                loc=where,
            )
        if name in names[:place]:
            raise BadBody(f"The output {name!r} is asked for twice.", kind="duplicate_key", loc=where)


def _tensor(
    output: Output, outcomes: Sequence[Outcome], *, binary: bool
) -> tuple[dict[str, Any], bytes | None]:
    rows = [output.values(outcome) for outcome in outcomes]
    shape = [len(rows)] if output.width is None else [len(rows), output.width]
    values = rows if output.width is None else [value for row in rows for value in row]
    parameters: dict[str, Scalar] = {"labels": _labels(output.labels)} if output.labels else {}
    tensor: dict[str, Any] = {"name": output.name, "shape": shape, "datatype": output.datatype}
    piece = None
    if binary:
        piece = to_binary(values, output.datatype)
        parameters[SIZE] = len(piece)
    if parameters:
        tensor["parameters"] = parameters
    if piece is None:
        tensor["data"] = values
    return tensor, piece


def render_error(error: ModelwrightError) -> Reply:
    """``{"error": sentence}``, the protocol's shape."""
    status = error.status if isinstance(error, ServeError) else 500
    headers = dict(error.headers) if isinstance(error, ServeError) else {}
    return Reply(body=_encode({"error": sentence(error)}), status=status, headers=headers)


def server_metadata(version: str) -> dict[str, Any]:
    """The document of ``GET /v2``."""
    return {"name": "modelwright", "version": version, "extensions": ["binary_tensor_data"]}


def model_metadata(
    name: str, versions: Sequence[int], schema: TableSchema, models: Sequence[ModelEntry]
) -> dict[str, Any]:
    """The document of ``GET /v2/models/{name}``: inputs by column, with -1 for any number of rows."""
    return {
        "name": name,
        "versions": [str(version) for version in versions],
        "platform": "onnx_onnxv1",
        "inputs": [
            {"name": column.name, "datatype": datatype_of(column), "shape": [-1]} for column in schema
        ],
        "outputs": [output.describe() for output in outputs_of(models)],
    }


def datatype_of(column: Column) -> str:
    """The datatype that carries a column without loss; NaN is the missing number."""
    if column.kind is Kind.NUMERIC or (column.kind is Kind.INTEGER and column.nullable):
        return "FP64"
    if column.kind is Kind.INTEGER:
        return "INT64"
    return "BOOL" if column.kind is Kind.BOOLEAN else BYTES


def repository_index(served: Iterable[tuple[str, int, str]]) -> list[dict[str, str]]:
    """The document of ``POST /v2/repository/index`` from (name, version, why it is not ready or "")."""
    return [
        {
            "name": name,
            "version": str(version),
            "state": "UNAVAILABLE" if reason else "READY",
            "reason": reason,
        }
        for name, version, reason in served
    ]


def live_document() -> dict[str, bool]:
    """The document of ``GET /v2/health/live``; clients go by the status."""
    return {"live": True}


def ready_document(ready: bool) -> dict[str, bool]:
    """The document of ``GET /v2/health/ready``; the specification names it both ways."""
    return {"live": True, "ready": ready}


def model_ready_document(name: str, ready: bool) -> dict[str, Any]:
    """The document of ``GET /v2/models/{name}/ready``."""
    return {"name": name, "ready": ready}
