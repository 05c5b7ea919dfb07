"""The reference of errors: every deliberate error there is, by its exit status."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from http import HTTPStatus

import modelwright
from modelwright.cli.reference.commands import MEANINGS
from modelwright.errors import ModelwrightError
from modelwright.serve.errors import ServeError

# The last three need PyTorch and define no errors.
_SKIPPED = ("__main__", "migrations", "testing", "vision.augment", "vision.child", "vision.network")

_NEWER = {413: "Content Too Large", 422: "Unprocessable Content"}  # Python 3.13 took RFC 9110's names


def page() -> str:
    """The whole page, Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Errors"
    yield ""
    yield (
        "Every error says what is wrong and what to do. A command ends with the status of its error; with "
        "`--debug` it shows where in the code it arose. Errors of the server come as JSON, "
        '`{"error": …, "instruction": …}`, with an HTTP status: see [the server](server.md).'
    )
    every = sorted(_errors(), key=lambda found: (found.__name__, found.__module__))
    for code in sorted({found.code for found in every}):
        yield from _table(
            f"Status {int(code)}",
            f"{MEANINGS[code][0].upper()}{MEANINGS[code][1:]}.",
            [found for found in every if found.code is code and not issubclass(found, ServeError)],
        )
    for status in sorted({found.status for found in every if issubclass(found, ServeError)}):
        yield from _table(
            f"HTTP {status}",
            f"{_NEWER.get(status, HTTPStatus(status).phrase)}.",
            [found for found in every if issubclass(found, ServeError) and found.status == status],
        )


def _table(title: str, words: str, found: Sequence[type[ModelwrightError]]) -> Iterator[str]:
    if not found:
        return
    yield from ("", f"## {title}", "", words, "", "| error | when |", "| --- | --- |")
    for error in found:
        when = " ".join((error.__doc__ or "").split("\n\n")[0].split())
        yield f"| `{error.__name__}` | {when} |"


def _errors() -> Iterator[type[ModelwrightError]]:
    for module in pkgutil.walk_packages(modelwright.__path__, "modelwright."):
        if not any(part in module.name for part in _SKIPPED):
            importlib.import_module(module.name)
    waiting, seen = [ModelwrightError], set()
    while waiting:
        for found in waiting.pop().__subclasses__():
            if found not in seen:
                seen.add(found)
                waiting.append(found)
                if found.__module__.startswith("modelwright.") and not found.__name__.startswith("_"):
                    yield found
