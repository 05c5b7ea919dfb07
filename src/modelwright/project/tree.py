"""A project file's YAML as plain values, each with the line it stands on, and what is wrong with it.

The words of YAML 1.2 apply: only ``true`` and ``false`` are booleans (``no``, ``on`` and ``NO`` are
text), ``1e-3`` is a number, ``12:30`` and dates are text. Keys are taken as written.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from modelwright.project.mistakes import Mistake, dotted, show

Path_ = tuple[str | int, ...]
_MOST_BYTES = 1_000_000
_MOST_NODES = 100_000
_PREFIX = "tag:yaml.org,2002:"


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the implicit types of YAML 1.2's core schema."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}


_INTEGER = re.compile(r"[-+]?[0-9]+$|0o[0-7]+$|0x[0-9a-fA-F]+$")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$|[-+]?\.(?:inf|Inf|INF)$|\.(?:nan|NaN|NAN)$"
)
_BOOLEAN = re.compile(r"(?:true|True|TRUE|false|False|FALSE)$")
_NULL = re.compile(r"(?:~|null|Null|NULL|)$")
for _tag, _pattern, _first in (
    ("bool", _BOOLEAN, "tTfF"),
    ("int", _INTEGER, "-+0123456789"),
    ("float", _FLOAT, "-+.0123456789"),
    ("null", _NULL, ["~", "n", "N", ""]),
):
    _Loader.add_implicit_resolver(_PREFIX + _tag, _pattern, list(_first))


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a value stands and how it was spelt (``None`` for lists and mappings)."""

    line: int
    text: str | None


@dataclass(slots=True)
class Tree:
    """The values of a file, their marks by path, and the mistakes found on the way."""

    file: Path
    data: Any = None
    marks: dict[Path_, Mark] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def line(self, path: Path_) -> int:
        """Line of the value at ``path``, or of the nearest thing around it."""
        while path and path not in self.marks:
            path = path[:-1]
        return self.marks[path].line if path in self.marks else 1

    def mistake(self, path: Path_, problem: str, remedy: str = "", value: object = "") -> None:
        """Note a mistake at ``path``."""
        self.mistakes.append(Mistake(self.file, self.line(path), dotted(path), show(value), problem, remedy))


def parse(file: Path, content: bytes) -> Tree:
    """Read a project file's bytes; mistakes of spelling end up in the tree, none is raised."""
    tree = Tree(file)
    text = _decode(tree, content)
    if text is None:
        return tree
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        _note_syntax(tree, text, error)
    except RecursionError:
        tree.mistake((), "The file is nested too deeply.", "A project file needs five levels at most.")
    else:
        if not isinstance(node, yaml.MappingNode):
            tree.mistake(
                (),
                "The file must be keys and values (name, data, train, …).",
                "Start with: name: my-project",
                "" if node is None else getattr(node, "value", ""),
            )
        else:
            tree.data = _Builder(tree).build(node, ())
    return tree


def _decode(tree: Tree, content: bytes) -> str | None:
    if len(content) > _MOST_BYTES:
        tree.mistake((), f"The file has {len(content):,} bytes: this is no project file.")
        return None
    if b"\x00" in content:
        tree.mistake((), "The file is binary, not text.", "Is this a data file? Name it as data.source.")
        return None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = content[error.start]
        tree.mistakes.append(
            Mistake(
                tree.file, line, "", "", f"Byte 0x{byte:02x} is not UTF-8.", "Save the file as UTF-8 text."
            )
        )
        return None


_REMEDIES = (
    (
        "mapping values are not allowed",
        "Check the indentation, and put text that has a colon in it in quotes.",
    ),
    ("could not find expected ':'", "A key needs a colon and a space after it: 'key: value'."),
    ("expected <block end>", "Check the indentation of this line and the one before."),
    ("did not find expected", "Check the indentation, and that every bracket and quote is closed."),
    ("cannot start any token", "Put the text in quotes."),
    ("found unexpected end of stream", "A quote or bracket is not closed."),
    ("expected ',' or", "A bracket is not closed, or a comma is missing."),
    ("expected a single document", "Keep one project per file: remove the line '---' and what follows."),
    ("found undefined alias", "Put text that starts with * in quotes."),
    ("unacceptable character", "Remove the control character."),
)


def _note_syntax(tree: Tree, text: str, error: yaml.YAMLError) -> None:
    tabs = [number for number, line in enumerate(text.splitlines(), 1) if re.match(r" *\t", line)]
    if tabs:
        for number in tabs:
            tree.mistakes.append(
                Mistake(tree.file, number, "", "", "The line is indented with a tab.", "Use spaces.")
            )
        return
    line, problem = _place(text, error)
    remedy = next((say for words, say in _REMEDIES if words in problem), "Check the line and the one before.")
    tree.mistakes.append(Mistake(tree.file, line, "", "", f"This is not YAML: {problem}.", remedy))


def _place(text: str, error: yaml.YAMLError) -> tuple[int, str]:
    if isinstance(error, yaml.reader.ReaderError):
        return text.count("\n", 0, error.position) + 1, "unacceptable character"
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "it cannot be understood"
        if "expected a single document" in (error.context or ""):
            problem = error.context or problem
        return (mark.line + 1 if mark else 1), problem
    return 1, str(error)


class _Builder:
    """Turns nodes into values, noting marks, keys given twice, and what YAML allows but we do not."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._open: set[int] = set()
        self._count = 0
        self._constructor = yaml.constructor.SafeConstructor()

    def build(self, node: yaml.Node, path: Path_) -> Any:
        """The value of ``node``."""
        text = node.value if isinstance(node, yaml.ScalarNode) else None
        self._tree.marks.setdefault(path, Mark(node.start_mark.line + 1, text))
        self._count += 1
        if id(node) in self._open or self._count > _MOST_NODES:
            if self._count <= _MOST_NODES + 1:
                self._tree.mistake(path, "An alias (*name) repeats too much.", "Write the value out.")
            return None
        self._open.add(id(node))
        try:
            return self._value(node, path)
        finally:
            self._open.discard(id(node))

    def _value(self, node: yaml.Node, path: Path_) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path_) -> dict[Hashable, Any]:
        values: dict[Hashable, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._tree.mistake(path, "A key must be a word.", "Put the key in quotes.")
                continue
            key = key_node.value
            inner = (*path, key)
            if inner in self._tree.marks:
                first = self._tree.marks[inner].line
                line = key_node.start_mark.line + 1
                self._tree.mistakes.append(
                    Mistake(
                        self._tree.file,
                        line,
                        dotted(inner),
                        "",
                        f"The key is given twice (first on line {first}).",
                        "Keep one of them.",
                    )
                )
                continue
            self._tree.marks[inner] = Mark(
                key_node.start_mark.line + 1,
                value_node.value if isinstance(value_node, yaml.ScalarNode) else None,
            )
            values[self._key(key_node, path)] = self.build(value_node, inner)
        return values

    def _key(self, node: yaml.ScalarNode, path: Path_) -> Hashable:
        """The key's text; inside a candidate's setting (``{class_weight: {0: 1}}``) its value."""
        inside_setting = "candidates" in path and len(path) - path.index("candidates") > 3
        if not inside_setting:
            return str(node.value)
        value = self._scalar(node, path)
        return value if isinstance(value, Hashable) else str(node.value)

    def _scalar(self, node: yaml.Node, path: Path_) -> Any:
        kind = node.tag.removeprefix(_PREFIX)
        if kind == "bool":
            return str(node.value).lower() == "true"
        if kind == "int":
            return _integer(str(node.value))
        if kind == "float":
            return float(str(node.value).lower().replace(".inf", "inf").replace(".nan", "nan"))
        if kind == "null":
            return None
        if kind != "str":
            self._tree.mistake(path, f"The tag '{node.tag}' is not allowed.", "Remove it.", node.value)
        return str(node.value)


def _integer(text: str) -> int | str:
    try:
        return int(text, 0 if text[:2] in ("0x", "0o") else 10)
    except ValueError:  # more digits than Python reads
        return text
