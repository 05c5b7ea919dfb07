"""What pydantic found wrong with a project file, in words that say what would be right."""

from __future__ import annotations

import types
from collections import defaultdict
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from modelwright.project.mistakes import did_you_mean, dotted, suggest
from modelwright.project.model import ProjectFile, Section
from modelwright.project.tree import Path_, Tree

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list, such as [a, b]",
    "model_type": "keys and values, indented below it",
    "model_attributes_type": "keys and values, indented below it",
    "dict_type": "keys and values, indented below it",
}
_TEXT_EXPECTED = "string_type"
_LIMITS = {"greater_than": "above {gt:g}", "greater_than_equal": "at least {ge:g}"}
_UPPER = {"less_than": "below {lt:g}", "less_than_equal": "at most {le:g}"}


def write_as_text(tree: Tree, error: ValidationError) -> bool:
    """Where text is needed and a number or a boolean stands, take it as it is spelt.

    So ``missing: [-999]``, ``labels: {0: no}`` and ``target: 2024`` mean what they say.

    Returns:
        Whether anything was changed, so that checking again makes sense.
    """
    changed = False
    for detail in error.errors(include_url=False):
        path, _, _ = locate(tree.data, detail["loc"])
        mark = tree.marks.get(path)
        value = detail["input"]
        takes_text = detail["type"] == _TEXT_EXPECTED and isinstance(value, bool | int | float)
        # null as an item of a list of words is the word
        takes_null = detail["type"] == _TEXT_EXPECTED and value is None and path and isinstance(path[-1], int)
        if mark is not None and mark.text and (takes_text or takes_null) and not _may_be_other(path):
            _put(tree.data, path, mark.text)
            changed = True
    return changed


def note(tree: Tree, error: ValidationError) -> None:
    """Add a mistake to the tree for everything that is wrong, one for each place."""
    by_place: dict[Path_, list[tuple[Path_, ErrorDetails]]] = defaultdict(list)
    for detail in error.errors(include_url=False):
        path, base, _ = locate(tree.data, detail["loc"])
        by_place[base].append((path, detail))
    for base, found in by_place.items():
        deeper = [(path, detail) for path, detail in found if path != base]
        for path, detail in deeper:
            _note_one(tree, path, [detail])
        if not deeper:
            _note_one(tree, base, [detail for _, detail in found])


def locate(data: Any, loc: tuple[str | int, ...]) -> tuple[Path_, Path_, bool]:
    """A place of pydantic's as a path in the file.

    Pydantic also names the branch of a union it tried; those names are no keys of the file.

    Returns:
        The path, the path at which a union was entered (the path itself, if none was), and whether
        one was.
    """
    path: list[str | int] = []
    base: Path_ | None = None
    for index, part in enumerate(loc):
        # a missing key has no value to go down to
        missing = index == len(loc) - 1 and isinstance(data, dict) and part in fields_at(tuple(path))
        if _leads_on(data, part):
            data = data[part]
        elif not missing:
            base = tuple(path) if base is None else base
            continue
        path.append(part)
    whole = tuple(path)
    return whole, whole if base is None else base, base is not None


def _leads_on(data: Any, part: str | int) -> bool:
    if isinstance(data, list):
        return isinstance(part, int) and part < len(data)
    return isinstance(data, dict) and part in data


def fields_at(path: Path_) -> dict[str, Any]:
    """The keys known at ``path`` of a project file; empty where any may stand."""
    kind: Any = ProjectFile
    for part in path:
        section = _section(kind)
        if section is not None and part in section.model_fields:
            kind = section.model_fields[str(part)].annotation
        else:
            kind = _inner(kind)
    section = _section(kind)
    return dict(section.model_fields) if section is not None else {}


def _branches(kind: Any) -> Iterator[Any]:
    """A type with annotations taken off and unions taken apart."""
    if get_origin(kind) is Annotated:
        yield from _branches(get_args(kind)[0])
    elif get_origin(kind) in (Union, types.UnionType):
        for branch in get_args(kind):
            yield from _branches(branch)
    else:
        yield kind


def _section(kind: Any) -> type[Section] | None:
    for branch in _branches(kind):
        if isinstance(branch, type) and issubclass(branch, Section):
            return branch
    return None


def _inner(kind: Any) -> Any:
    for branch in _branches(kind):
        if get_origin(branch) in (list, dict):
            return get_args(branch)[-1]
    return None


def _may_be_other(path: Path_) -> bool:
    """Whether the place takes text or something else, so that text must not be made of a number."""
    return path[-1:] in (("source",), ("timeout",), ("cooldown",), ("every",)) or path[-2:-1] == (
        "candidates",
    )


def _put(data: Any, path: Path_, value: str) -> None:
    for part in path[:-1]:
        data = data[part]
    data[path[-1]] = value


def _note_one(tree: Tree, path: Path_, details: list[ErrorDetails]) -> None:
    detail = details[0]
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        _note_unknown_key(tree, path)
    elif kind == "missing":
        tree.mistake(path, *_missing(path))
    elif kind in ("enum", "literal_error"):
        names = [name.strip("'") for name in str(context["expected"]).replace(" or ", ", ").split(", ")]
        tree.mistake(path, f"'{value}' is not known here.", did_you_mean(str(value), names), value)
    elif kind == "string_pattern_mismatch":
        tree.mistake(path, f"'{value}' cannot be a name.", _name_rule(str(value)), value)
    elif kind in _LIMITS or kind in _UPPER:
        limit = (_LIMITS | _UPPER)[kind].format(**context)
        tree.mistake(path, f"{value} is out of range.", f"It must be {limit}{_percent(kind, value)}.", value)
    else:
        _note_wrong_type(tree, path, details)


def _percent(kind: str, value: Any) -> str:
    if kind in _UPPER and isinstance(value, int | float) and 2 <= value <= 100:
        return f"; for {value:g} % write {value / 100:g}"
    return ""


def _note_wrong_type(tree: Tree, path: Path_, details: list[ErrorDetails]) -> None:
    value = details[0]["input"]
    expected = [_EXPECTED.get(detail["type"], detail["msg"]) for detail in details]
    wanted = " or ".join(dict.fromkeys(expected))
    tree.mistake(path, f"{_describe(value)} stands where {wanted} should.", _hint(path, value), value)


def _describe(value: Any) -> str:
    if isinstance(value, dict):
        return "A mapping"
    if isinstance(value, list):
        return "A list"
    if value is None:
        return "Nothing"
    return f"'{value}'"


def _hint(path: Path_, value: Any) -> str:
    if path[-1:] == ("data",) and isinstance(value, str):
        return f"Write: data: {{source: {value}}}"
    if path[-1:] == ("split",) and isinstance(value, int | float | str):
        return f"Write: split: {{test: {value}}}"
    if isinstance(value, str) and fields_at(path) == {} and path[-1:] in (("candidates",), ("drop",)):
        return f"Write: {path[-1]}: [{value}]"
    return ""


def _missing(path: Path_) -> tuple[str, str]:
    remedies: dict[Path_, str] = {
        ("name",): "Write for example: name: my-project",
        ("data",): "Write for example: data: {source: data/rows.csv, target: label}",
    }
    by_key = {
        "source": "Write for example: source: data/rows.csv",
        "query": "Write for example: query: select * from rows",
        "url": "Write for example: url: postgresql://user@host/db",
    }
    return "The key is missing.", remedies.get(path) or by_key.get(str(path[-1]), "")


def _name_rule(value: str) -> str:
    kept = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in value)
    better = "-".join(part for part in kept.split("-") if part)[:63].strip("-")
    rule = "Use 1 to 63 letters (a to z), digits, - and _, beginning and ending with a letter or digit"
    return f"{rule}, for example: {better}" if better else f"{rule}."


def _note_unknown_key(tree: Tree, path: Path_) -> None:
    key, known = str(path[-1]), list(fields_at(path[:-1]))
    elsewhere = [place for place in _places() if place[-1] == key]
    if suggest(key, known) is None and elsewhere:
        parent = dotted(elsewhere[0][:-1])
        remedy = f"It belongs in '{parent}'." if parent else "Indent it less: it belongs outermost."
    else:
        remedy = did_you_mean(key, known)
    tree.mistake(path, "There is no such key.", remedy, key)


def _places() -> Iterator[Path_]:
    """Every key of a project file that is known by name, outermost first."""
    level: list[tuple[Path_, type[Section]]] = [((), ProjectFile)]
    while level:
        below: list[tuple[Path_, type[Section]]] = []
        for path, section in level:
            for name, info in section.model_fields.items():
                yield (*path, name)
                inner = _section(info.annotation)
                if inner is not None:
                    below.append(((*path, name), inner))
        level = below
