"""A form made from the schema, an answer by the very path that clients' requests take, and why it is so."""

from __future__ import annotations

import asyncio
import base64
import json
import math
import shlex
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.datastructures import FormData, UploadFile

from modelwright.bundle.answers import label_names
from modelwright.schema.columns import Column, Kind, Scalar
from modelwright.serve.asks import Ask
from modelwright.serve.dashboard.house import House, Room
from modelwright.serve.dashboard.pages import Look
from modelwright.serve.deployment import Deployment
from modelwright.serve.errors import BadBody, NotReady
from modelwright.serve.wires import PREDICT

_NUMBERS = frozenset({Kind.NUMERIC, Kind.INTEGER})
_MOST_CHOICES = 200
_LONGEST_SHOWN = 2_000


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


async def row_of(form: FormData, deployment: Deployment) -> dict[str, Any]:
    """What was filled in, by column; an empty input is a missing value."""
    row: dict[str, Any] = {}
    for place, column in enumerate(deployment.inputs):
        value = form.get(f"field-{place}")
        if isinstance(value, UploadFile):
            data = await value.read()
            if data:
                row[column.name] = base64.b64encode(data).decode()
        elif isinstance(value, str) and value.strip():
            row[column.name] = _typed(value, column)
    return row


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


def snippets(url: str, room: Room, row: dict[str, Any], *, several: bool, keys: bool) -> dict[str, str]:
    """The same request for a shell, Python and JavaScript.

    Args:
        url: Of the server, as the browser knows it.
        room: Whose model.
        row: What is asked.
        several: Whether the server has several models, so that the path names one.
        keys: Whether credentials are needed.
    """
    row = {name: _brief(value) for name, value in row.items()}
    address = f"{url}/models/{room.name}/predict" if several else f"{url}/predict"
    body = json.dumps({"features": row}, ensure_ascii=False)
    nice = json.dumps({"features": row}, ensure_ascii=False, indent=2)
    python = _python({"features": row})
    header = ' \\\n  -H "X-API-Key: $MODELWRIGHT_KEY"' if keys else ""
    python_key = ', "X-API-Key": os.environ["MODELWRIGHT_KEY"]' if keys else ""
    script_key = ', "X-API-Key": key' if keys else ""
    return {
        "curl": (
            f"curl {shlex.quote(address)}{header} \\\n"
            f"  -H 'Content-Type: application/json' \\\n"
            f"  -d {shlex.quote(body)}"
        ),
        "Python": (
            f"import json{', os' if keys else ''}\nfrom urllib.request import Request, urlopen\n\n"
            f"row = {python}\n"
            f"request = Request(\n    {json.dumps(address)},\n    json.dumps(row).encode(),\n"
            f'    {{"Content-Type": "application/json"{python_key}}},\n)\n'
            f"print(json.load(urlopen(request)))"
        ),
        "JavaScript": (
            f'const response = await fetch({json.dumps(address)}, {{\n  method: "POST",\n'
            f'  headers: {{ "Content-Type": "application/json"{script_key} }},\n'
            f"  body: JSON.stringify({nice}),\n}});\nconsole.log(await response.json());"
        ),
    }


def _brief(value: Any) -> Any:
    """A value as an example shows it: of a file's bytes, the beginning."""
    long = isinstance(value, str) and len(value) > _LONGEST_SHOWN
    return f"{value[:40]}… ({len(value):,} characters)" if long else value


def _python(value: Any) -> str:
    import pprint

    return pprint.pformat(value, sort_dicts=False, width=88)


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
