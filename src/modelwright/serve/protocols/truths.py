"""How truths are written: the product's own JSON, CSV, JSON lines, and SageMaker's ground truth records.

A truth names its prediction and the target, ``{"prediction_id": …, "target": …}``; ``id``, ``label``
and ``actual`` are understood too. In CSV the header names the columns; with several models each has a
column. A ground truth record is what Amazon SageMaker's Model Monitor takes, a line a prediction::

    {"groundTruthData": {"data": "1", "encoding": "CSV"}, "eventMetadata": {"eventId": "…"}}
"""

from __future__ import annotations

import base64
import binascii
import csv
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from modelwright.serve.errors import BadBody, Unsupported, clip
from modelwright.serve.ids import LONGEST_OF_ROW, given_id
from modelwright.serve.protocols import jsonbody
from modelwright.serve.protocols.media import media_type, only_utf8
from modelwright.serve.protocols.tables import CSV

JSON = "application/json"
LINES = frozenset({"application/jsonlines", "application/x-ndjson", "application/x-jsonlines"})
TARGETS = ("target", "label", "actual")
IDS = ("prediction_id", "id")
_SAGEMAKER = "groundTruthData"


class Told(NamedTuple):
    """A truth as it was written.

    Attributes:
        id: Of the prediction.
        target: The truth.
        text: Whether it came as text, in which a number is written too.
        loc: Where the target stands.
    """

    id: str
    target: Any
    text: bool
    loc: tuple[Any, ...]


def read(body: bytes, headers: Mapping[str, str]) -> tuple[list[Told], bool]:
    """The truths of a request, and whether they were sent as several (if there be one).

    Raises:
        BadBody: It is not in the form it claims, or an item is no truth.
        Unsupported: Nobody here reads this form.
    """
    kind, parameters = media_type(headers, JSON)
    if kind == CSV:
        only_utf8(parameters)
        rows: list[Any] = list(csv_rows(_text(body).splitlines(keepends=True)))
        return [told(row, ("body", place), text=True) for place, row in enumerate(rows)], True
    if kind in LINES:
        return [
            told(jsonbody.parse(line), ("body", place))
            for place, line in enumerate(line for line in body.splitlines() if line.strip())
        ], True
    if kind != JSON and not kind.endswith("+json") and kind != "application/x-www-form-urlencoded":
        raise Unsupported(f"Truths are not read as {kind[:60]!r}.", f"Send {JSON}, {CSV} or JSON lines.")
    return _from_json(jsonbody.parse(body))


def told(item: Any, where: tuple[Any, ...], *, text: bool = False) -> Told:
    """One truth.

    Args:
        item: As it was written.
        where: Its place, for errors.
        text: Whether its values are all text.

    Raises:
        BadBody: It is none.
    """
    if not isinstance(item, dict):
        raise BadBody("Must be an object.", kind="dict_type", loc=where)
    if _SAGEMAKER in item:
        return _ground_truth(item, where)
    id = next((item[key] for key in IDS if item.get(key) not in (None, "")), None)
    if id is None:
        raise BadBody("The prediction's id is required.", kind="missing", loc=(*where, IDS[0]))
    key = next((key for key in TARGETS if key in item), None)
    if key is not None:
        return Told(given_id(id, longest=LONGEST_OF_ROW), item[key], text, (*where, key))
    others = {name: value for name, value in item.items() if name not in IDS}
    if text and others:  # a column a model
        return Told(given_id(id, longest=LONGEST_OF_ROW), others, text, where)
    raise BadBody("The truth is required.", kind="missing", loc=(*where, TARGETS[0]))


def csv_rows(lines: Iterable[str]) -> Iterator[dict[str, str]]:
    """The rows of a CSV with a header (RFC 4180), blank lines left out.

    Raises:
        BadBody: It is no CSV, its header names no id, or a line is longer or shorter than the header.
    """
    reader = csv.reader(lines, strict=True)
    try:
        header = [name.strip().removeprefix("\ufeff") for name in next(reader, [])]
        if not set(header) & set(IDS) or len(set(header)) < len(header):
            raise BadBody(
                f"The first line must name the columns, {IDS[0]} and {TARGETS[0]}, each once.",
                kind="csv_header",
            )
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                raise BadBody(
                    f"Line {reader.line_num} has {len(cells)} values; the header names {len(header)}.",
                    kind="csv_invalid",
                )
            yield dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise BadBody(f"Line {reader.line_num} is no CSV: {error}.", kind="csv_invalid") from None


def _from_json(document: Any) -> tuple[list[Told], bool]:
    if isinstance(document, list):
        items: Any = document
        where: tuple[Any, ...] = ("body",)
    elif isinstance(document, dict) and "feedback" in document:
        items, where = document["feedback"], ("body", "feedback")
    else:
        return [told(document, ("body",))], False
    if not isinstance(items, list) or not items:
        raise BadBody("Must be a list of truths, at least one.", kind="list_type", loc=where)
    return [told(item, (*where, place)) for place, item in enumerate(items)], True


def _ground_truth(item: dict[str, Any], where: tuple[Any, ...]) -> Told:
    """A record of SageMaker's; the inference id that the caller chose names the prediction."""
    data, about = item[_SAGEMAKER], item.get("eventMetadata")
    if not isinstance(data, dict) or not isinstance(data.get("data"), str) or not isinstance(about, dict):
        raise BadBody(
            "A ground truth record has groundTruthData.data, a text, and eventMetadata.",
            kind="ground_truth_invalid",
            loc=(*where, _SAGEMAKER),
        )
    id = about.get("inferenceId") or about.get("eventId")
    if id is None:
        raise BadBody("The event's id is required.", kind="missing", loc=(*where, "eventMetadata", "eventId"))
    place = (*where, _SAGEMAKER, "data")
    target, text = _decoded(data["data"], str(data.get("encoding", "CSV")).upper(), place)
    return Told(given_id(id, longest=LONGEST_OF_ROW), target, text, place)


def _decoded(data: str, encoding: str, where: tuple[Any, ...]) -> tuple[Any, bool]:
    try:
        if encoding == "BASE64":
            return base64.b64decode(data, validate=True).decode(), True
        if encoding == "JSON":
            return jsonbody.parse(data.encode()), False
        if encoding == "CSV":
            cells = next(csv.reader([data.strip()], strict=True), [])
            if len(cells) == 1:
                return cells[0].strip(), True
    except (binascii.Error, UnicodeDecodeError, csv.Error):
        pass
    raise BadBody(
        f"{clip(data)!r} is not one value in the encoding {clip(encoding)!r}.",
        kind="ground_truth_invalid",
        loc=where,
    )


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadBody(f"The body is not UTF-8 (byte {error.start}).") from None
