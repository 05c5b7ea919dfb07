"""Find a project, read its file, and tell every mistake in it at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from modelwright.project import rules, sources, wording
from modelwright.project.mistakes import Mistake, ProjectInvalid, ProjectNotFound, dotted
from modelwright.project.model import ProjectFile
from modelwright.project.nearby import remedy
from modelwright.project.tree import Tree, parse

FILE = "project.yaml"
FEATURES = "features.py"
WORKING = ".modelwright"
_START = (
    "Start one with: modelwright init NAME  (or, from a data file: modelwright up data.csv --target COLUMN)"
)


@dataclass(frozen=True, slots=True)
class Project:
    """A project that is in order.

    Attributes:
        file: Its file, typed.
        path: Where the file is, absolute.
        directory: The folder it is in; relative paths of the file start there.
        working: Where Modelwright keeps what it makes, unless a setting says otherwise.
        features_path: The project's ``features.py``, if it has one.
        lines: Line of every key the file gives, by dotted key.
    """

    file: ProjectFile
    path: Path
    directory: Path
    working: Path
    features_path: Path | None
    lines: Mapping[str, int]

    @property
    def name(self) -> str:
        """Its name."""
        return self.file.name

    def resolve(self, source: str) -> Path:
        """A path of the project file, absolute."""
        return (self.directory / Path(source).expanduser()).resolve()

    def with_source(self, source: str) -> Project:
        """The same project over other data: a path (from here, not from the project), or as in the file."""
        place = str(Path(source).expanduser().absolute()) if sources.is_path(source) else source
        data = self.file.data.model_copy(update={"source": place})
        return replace(self, file=self.file.model_copy(update={"data": data}))


def find(path: Path | str | None = None) -> Path:
    """The project file at ``path`` (the file, or its folder), or here or in a folder above.

    Raises:
        ProjectNotFound: There is none.
    """
    if path is None:
        here = Path.cwd()
        for folder in (here, *here.parents):
            if (folder / FILE).is_file():
                return folder / FILE
        raise ProjectNotFound(f"There is no {FILE} in {here} or above it.", _how_to_go_on(here))
    given = Path(path).expanduser()
    if given.is_dir():
        if (given / FILE).is_file():
            return (given / FILE).absolute()
        raise ProjectNotFound(
            f"There is no {FILE} in the folder {given.absolute()}.",
            _how_to_go_on(given),
        )
    if not given.exists():
        raise ProjectNotFound(f"There is no file or folder {given}.", remedy(given))
    if given.suffix.lower() not in (".yaml", ".yml"):
        raise ProjectNotFound(
            f"{given} is not a project file.",
            f"Name a folder with a {FILE}, or the file itself. From a data file, a project is made by: "
            f"modelwright up '{given}' --target COLUMN",
        )
    return given.absolute()


def load(path: Path | str | None = None) -> Project:
    """The project at ``path`` (see ``find``).

    Raises:
        ProjectNotFound: There is none.
        ProjectInvalid: Its file has mistakes; it carries all of them.
    """
    file = find(path)
    tree, parsed = _check(file)
    if parsed is None:
        raise ProjectInvalid(_in_order(tree.mistakes))
    directory = file.parent.resolve()
    features = directory / FEATURES
    return Project(
        file=parsed,
        path=directory / file.name,
        directory=directory,
        working=directory / WORKING,
        features_path=features if features.is_file() else None,
        lines={dotted(place): mark.line for place, mark in tree.marks.items() if place},
    )


def check(path: Path | str | None = None) -> list[Mistake]:
    """Every mistake in the project file at ``path``, in the order of its lines; empty if it is in order.

    Raises:
        ProjectNotFound: There is no such file.
    """
    return _in_order(_check(find(path))[0].mistakes)


def _check(file: Path) -> tuple[Tree, ProjectFile | None]:
    try:
        content = file.read_bytes()
    except OSError as error:
        tree = Tree(file)
        tree.mistakes.append(
            Mistake(
                file,
                0,
                "",
                "",
                f"The file cannot be read: {error.strerror}.",
                "Check that it is a file and that you may read it.",
            )
        )
        return tree, None
    tree = parse(file, content)
    if tree.data is None:
        return tree, None
    tree.data = _without_empty(tree.data)
    sources.choose(tree)
    parsed = _validate(tree)
    rules.apply(tree)
    return tree, None if tree.mistakes else parsed


def _validate(tree: Tree) -> ProjectFile | None:
    for attempt in range(3):
        try:
            return ProjectFile.model_validate(tree.data)
        except ValidationError as error:
            # a union tells of its branches one after the other: text for numbers may take two turns
            if attempt == 2 or not wording.write_as_text(tree, error):
                wording.note(tree, error)
                return None
    return None


def _without_empty(data: Any, *, setting: bool = False) -> Any:
    """``data`` without keys that have no value, as where all of a section is commented out.

    A candidate with nothing after its colon has no settings.
    """
    if isinstance(data, dict) and not setting:
        return {
            key: _without_empty(value, setting=key == "candidates")
            for key, value in data.items()
            if value is not None
        }
    if isinstance(data, list) and setting:
        return [
            {name: {} if value is None else value for name, value in item.items()}
            if isinstance(item, dict)
            else item
            for item in data
        ]
    return data


def _in_order(mistakes: list[Mistake]) -> list[Mistake]:
    return sorted(dict.fromkeys(mistakes), key=lambda mistake: (mistake.line, mistake.key))


def _how_to_go_on(folder: Path) -> str:
    """What to do in a folder without a project."""
    return " ".join(filter(None, (_projects(folder), _nearby(folder)))) or _START


def _projects(folder: Path) -> str:
    """Which projects there are a folder below, for whoever stands a folder too high."""
    try:
        found = sorted(path.parent.name for path in folder.glob(f"[!.]*/{FILE}"))
    except OSError:
        return ""
    if not found:
        return ""
    listed = ", ".join(f"'{name}'" for name in found[:8]) + (", …" if len(found) > 8 else "")
    there = f"There is one in the folder {listed}" if len(found) == 1 else f"There are some in {listed}"
    return f"{there}: name it, with -p where the verb takes a file or rows, too."


def _nearby(folder: Path) -> str:
    """What to do where the folder has something that was probably meant."""
    if (folder / "project.yml").is_file():
        return f"There is a project.yml: rename it to {FILE}."
    try:
        data = sorted(path.name for path in folder.iterdir() if path.suffix in (".csv", ".tsv", ".parquet"))
    except OSError:
        return ""
    if data:
        return f"Make one from the data file there: modelwright up '{data[0]}' --target COLUMN"
    return ""
