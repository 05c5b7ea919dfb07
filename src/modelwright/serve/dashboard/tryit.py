"""A form made from the schema, an answer by the very path that clients' requests take, and why it is so."""

from __future__ import annotations

import asyncio
import base64
import json
import math
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.datastructures import FormData, UploadFile

from modelwright.bundle.answers import label_names
from modelwright.bundle.pictures import KINDS_IN_WORDS, MOST_BYTES
from modelwright.schema.columns import Column, Kind, Scalar
from modelwright.serve.asks import Ask
from modelwright.serve.dashboard.house import House, Room
from modelwright.serve.dashboard.pages import Look
from modelwright.serve.deployment import Deployment
from modelwright.serve.errors import BadBody, NotReady
from modelwright.serve.wires import PREDICT

_NUMBERS = frozenset({Kind.NUMERIC, Kind.INTEGER})
_MOST_CHOICES = 200
_UNNAMED = "picture.jpg"

LIMITS = {"most_bytes": MOST_BYTES, "image_kinds": KINDS_IN_WORDS}
"""What the form says of files."""


@dataclass(frozen=True, slots=True)
class Field:
    """One input of the form.

    Attributes:
        place: Its number in the schema, which names it in the form: a column may be called anything.
        column: What is known of the column.
        control: "number", "choice", "truth", "text", "words", "time" or "image".
        value: What it holds at first.
        choices: What may be chosen.
        low, high: The range of the training data, in words; "" if there is none.
    """

    place: int
    column: Column
    control: str
    value: str
    choices: tuple[str, ...] = ()
    low: str = ""
    high: str = ""

    @property
    def name(self) -> str:
        """Its name in the form."""
        return f"field-{self.place}"


def view(look: Look) -> dict[str, Any]:
    """The empty form, filled with the bundle's example."""
    deployment = look.room.deployment
    return {
        **LIMITS,
        "deployment": deployment,
        "fields": [] if deployment is None else fields(deployment),
        "models": [] if deployment is None else deployment.bundle.manifest.models,
        "label_names": []
        if deployment is None
        else [label_names(each) for each in deployment.bundle.manifest.models],
    }


def fields(deployment: Deployment, row: dict[str, Any] | None = None) -> list[Field]:
    """The inputs, with the values of ``row`` or of the bundle's example."""
    given = row if row is not None else example_row(deployment)
    return [_field(place, column, given) for place, column in enumerate(deployment.inputs)]


def example_row(deployment: Deployment) -> dict[str, Any]:
    """The row of the bundle's example, by column."""
    example = deployment.bundle.example
    request = example.get("request") if isinstance(example, dict) else None
    row = request.get("features") if isinstance(request, dict) else None
    return row if isinstance(row, dict) else {}


@dataclass(frozen=True, slots=True)
class Filled:
    """What was filled in.

    Attributes:
        row: By column; an empty input is a missing value.
        files: What the files of image columns are called.
    """

    row: dict[str, Any]
    files: dict[str, str]


async def filled_in(form: FormData, deployment: Deployment) -> Filled:
    """The row of a form."""
    row: dict[str, Any] = {}
    files: dict[str, str] = {}
    for place, column in enumerate(deployment.inputs):
        value = form.get(f"field-{place}")
        if isinstance(value, UploadFile):
            data = await value.read()
            if data:
                row[column.name] = base64.b64encode(data).decode()
                files[column.name] = value.filename or _UNNAMED
        elif isinstance(value, str) and value.strip():
            row[column.name] = _typed(value, column)
    return Filled(row, files)


def _typed(text: str, column: Column) -> Scalar:
    """A number where it reads as one; what does not is refused by the reader, in its words."""
    if column.kind not in _NUMBERS:
        return text
    try:
        number = float(text.replace(" ", "").replace("\u202f", ""))
    except ValueError:
        return text
    if not math.isfinite(number):
        return text
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a try.

    Attributes:
        status: As over HTTP.
        document: As over HTTP.
        row: What was asked.
    """

    status: int
    document: dict[str, Any]
    row: dict[str, Any]

    @property
    def answers(self) -> list[tuple[str, dict[str, Any]]]:
        """Each model's answer, by its name; "" where there is one."""
        if self.status >= 400:
            return []
        several = self.document.get("outputs")
        return list(several.items()) if isinstance(several, dict) else [("", self.document)]


async def ask(house: House, room: Room, row: dict[str, Any], client: str) -> Tried:
    """Have ``row`` answered as a request to ``/predict``: checked, logged, counted.

    Raises:
        NotReady: Nothing answers here.
        BadBody: The row cannot be sent.
    """
    try:
        body = json.dumps({"features": row}).encode()
    except (TypeError, ValueError) as error:
        raise BadBody(f"The form cannot be sent: {error}.") from error
    loop = asyncio.get_running_loop()
    replied: asyncio.Future[Ask] = loop.create_future()

    def done(answered: Ask) -> None:
        if not replied.done():
            replied.set_result(answered)

    asked = Ask(PREDICT, body, done, client)
    asked.name = room.name
    if not house.submit(asked):
        raise NotReady("No server answers here.", "Start one with: modelwright serve")
    answered = await replied
    assert answered.reply is not None  # noqa: S101 - it is set before ``done`` is called
    return Tried(answered.reply.status, msgspec.json.decode(answered.reply.body), row)


def _field(place: int, column: Column, given: dict[str, Any]) -> Field:
    value = given.get(column.name, column.example)
    text = "" if value is None else str(value)
    low = "" if column.observed_min is None else f"{column.observed_min:g}"
    high = "" if column.observed_max is None else f"{column.observed_max:g}"
    if column.kind in _NUMBERS:
        return Field(place, column, "number", text, low=low, high=high)
    if column.kind is Kind.BOOLEAN:
        spelled = column.categories if len(column.categories) == 2 else ("false", "true")
        shown = spelled[bool(value)] if isinstance(value, bool) else text
        return Field(place, column, "choice", shown, choices=tuple(spelled))
    if column.kind is Kind.CATEGORICAL and column.categories and len(column.categories) <= _MOST_CHOICES:
        return Field(place, column, "choice", text, choices=column.categories)
    if column.kind is Kind.TEXT:
        return Field(place, column, "words", text)
    if column.kind is Kind.IMAGE:
        return Field(place, column, "image", "")
    return Field(place, column, "text", text)
