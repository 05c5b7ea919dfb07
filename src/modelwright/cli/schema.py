"""``modelwright schema``."""

from __future__ import annotations

from modelwright.cli.terminal import Terminal
from modelwright.cli.verb import verb


@verb(
    "schema",
    examples=[
        (
            "modelwright schema > project.schema.json",
            "an editor with YAML support then completes project.yaml",
        ),
        ("modelwright schema | jq '.[\"$defs\"].Train'", ""),
    ],
    as_json=False,
)
def command(terminal: Terminal) -> None:
    """Print the JSON Schema of the project file.

    Editors find it through a first line in project.yaml:

    \b
      # yaml-language-server: $schema=project.schema.json
    """
    from importlib.resources import files

    published = files("modelwright.project") / "project.schema.json"
    terminal.print(published.read_text(encoding="utf-8").rstrip())
