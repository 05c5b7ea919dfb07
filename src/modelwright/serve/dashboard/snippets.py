"""The request of a try, for a shell, Python and JavaScript: pasted, each of them asks the same.

What a file holds is not written out but read where the request is made; there a file of that name has to be.
"""

from __future__ import annotations

import json
import pprint
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelwright.serve.dashboard.house import Room

_LONGEST_SHOWN = 2_000


def snippets(
    url: str, room: Room, row: Mapping[str, Any], files: Mapping[str, str], *, several: bool, keys: bool
) -> dict[str, str]:
    """The same request in each language.

    Args:
        url: Of the server, as the browser knows it.
        room: Whose model.
        row: What is asked.
        files: What the files in it are called, by column.
        several: Whether the server has several models, so that the path names one.
        keys: Whether credentials are needed.
    """
    request = _Request(
        address=f"{url}/models/{room.name}/predict" if several else f"{url}/predict",
        row={name: _brief(value) for name, value in row.items() if name not in files},
        files=files,
        keys=keys,
    )
    return {"curl": request.shell(), "Python": request.python(), "JavaScript": request.javascript()}


@dataclass(frozen=True, slots=True)
class _Request:
    """What is asked where; ``row`` is without what is in files."""

    address: str
    row: dict[str, Any]
    files: Mapping[str, str]
    keys: bool

    def shell(self) -> str:
        header = ' \\\n  -H "X-API-Key: $MODELWRIGHT_KEY"' if self.keys else ""
        asked = f"curl {shlex.quote(self.address)}{header} \\\n  -H 'Content-Type: application/json' \\\n"
        if self.files:
            return f"{{ {'; '.join(self._printed())}; }} |\n  {asked}  --data-binary @-"
        return f"{asked}  -d {shlex.quote(json.dumps({'features': self.row}, ensure_ascii=False))}"

    def _printed(self) -> list[str]:
        """Commands that print the body, piece by piece."""
        open_text = json.dumps({"features": self.row}, ensure_ascii=False)[:-2]
        commands = []
        for place, (name, file) in enumerate(self.files.items()):
            comma = ", " if self.row or place else ""
            open_text += f'{comma}{json.dumps(name, ensure_ascii=False)}: "'
            commands += [
                f"printf %s {shlex.quote(open_text)}",
                f"base64 < {shlex.quote(_here(file))} | tr -d '\\n'",
            ]
            open_text = '"'
        return [*commands, f"printf %s {shlex.quote(open_text + '}}')}"]

    def python(self) -> str:
        key = ', "X-API-Key": os.environ["MODELWRIGHT_KEY"]' if self.keys else ""
        modules = ["base64"] * bool(self.files) + ["json"] + ["os"] * self.keys
        read = "".join(
            f"row[{name!r}] = base64.b64encode(open({file!r}, 'rb').read()).decode()\n"
            for name, file in self.files.items()
        )
        return (
            f"import {', '.join(modules)}\nfrom urllib.request import Request, urlopen\n\n"
            f"row = {pprint.pformat(self.row, sort_dicts=False, width=88)}\n{read}"
            f"request = Request(\n    {json.dumps(self.address)},\n"
            '    json.dumps({"features": row}).encode(),\n'
            f'    {{"Content-Type": "application/json"{key}}},\n)\n'
            "print(json.load(urlopen(request)))"
        )

    def javascript(self) -> str:
        key = ', "X-API-Key": key' if self.keys else ""
        read = "".join(
            f'row[{json.dumps(name)}] = (await readFile({json.dumps(file)})).toString("base64");\n'
            for name, file in self.files.items()
        )
        files = 'const { readFile } = await import("node:fs/promises");\n' if self.files else ""
        return (
            f"{files}const row = {json.dumps(self.row, ensure_ascii=False, indent=2)};\n{read}"
            f'const response = await fetch({json.dumps(self.address)}, {{\n  method: "POST",\n'
            f'  headers: {{ "Content-Type": "application/json"{key} }},\n'
            "  body: JSON.stringify({ features: row }),\n});\nconsole.log(await response.json());"
        )


def _here(file: str) -> str:
    """A file's name that no program takes for an option."""
    return f"./{file}" if file.startswith("-") else file


def _brief(value: Any) -> Any:
    """A value as an example shows it: of a very long one, the beginning."""
    long = isinstance(value, str) and len(value) > _LONGEST_SHOWN
    return f"{value[:40]}… ({len(value):,} characters)" if long else value
