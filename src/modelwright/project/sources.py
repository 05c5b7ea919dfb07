"""The words in which a project file names its data, and which of several sources is taken.

``data.source`` may be a list: the first one that is there is taken. So an example reads real data
where somebody has them, and rows that its own generator makes where nobody has.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from modelwright.project.tree import Path_, Tree

SAMPLE = "sklearn:"
SYNTHETIC = "synthetic:"
MADE = Path("data", "synthetic.csv")
"""What a generator named as ``synthetic:SCRIPT`` writes, in the project's folder."""


def is_path(source: str) -> bool:
    """Whether a source is a file or folder, rather than a set with a name, a generator or an address."""
    return "://" not in source and not source.startswith((SAMPLE, SYNTHETIC))


def choose(tree: Tree) -> None:
    """Put one source in the place of each list of them."""
    for path in _places(tree.data):
        section = _at(tree.data, path)
        if isinstance(section, dict) and isinstance(section.get("source"), list):
            section["source"] = _chosen(tree, (*path, "source"), section["source"])


def _places(data: Any) -> list[Path_]:
    models = data.get("models") if isinstance(data, Mapping) else None
    names = list(models) if isinstance(models, Mapping) else []
    return [("data",), *(("models", name, "data") for name in names)]


def _at(data: Any, path: Path_) -> Any:
    for part in path:
        data = data.get(part) if isinstance(data, Mapping) else None
    return data


def _chosen(tree: Tree, path: Path_, given: list[Any]) -> Any:
    """The first source that is there; the last one, where none is."""
    if not given:
        tree.mistake(path, "The list names no source.", "Write for example: [data/real.csv, data/other.csv]")
        return ""
    for place, source in enumerate(given):
        if not isinstance(source, str | Mapping):
            tree.mistake((*path, place), "This is no source.", "Name a file, or a url with a query.", source)
            return ""
    return next((source for source in given if _is_there(source, tree.file.parent)), given[-1])


def settled(text: str, chosen: str) -> str:
    """A project file that names the source ``chosen`` where it has a list of them, all else as it is.

    Args:
        text: Of a project file that is in order.
        chosen: One of the list.
    """
    node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    for key in ("data", "source"):
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        node = next((value for name, value in pairs if name.value == key), None)
    if not isinstance(node, yaml.SequenceNode):
        return text
    start, end = node.start_mark.index, node.end_mark.index
    if node.flow_style:
        return f"{text[:start]}[{json.dumps(chosen)}]{text[end:]}"
    # The end of a block is where the next key begins.
    return f"{text[:start]}- {json.dumps(chosen)}\n{' ' * node.end_mark.column}{text[end:]}"


def _is_there(source: Any, directory: Path) -> bool:
    """Whether a source can be read; of what is no file that is found out when it is."""
    if not isinstance(source, str) or not is_path(source):
        return True
    path = directory / Path(source).expanduser()
    return path.exists() or path.with_name(f"{path.name}.dvc").is_file()
