"""Write a project, from what was inferred of a data file or to be filled in; never over what is there."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TextIO

import yaml

from modelwright.errors import ExitCode, ModelwrightError, StorageFailure
from modelwright.project.load import FILE
from modelwright.project.sources import SAMPLE
from modelwright.schema.catalogue import CANDIDATES, METRICS
from modelwright.schema.metrics import Task

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*( [A-Za-z0-9_]+)*")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_ENDINGS = re.compile(r"(\.(csv|tsv|txt|json|jsonl|ndjson|parquet|gz))+$", re.IGNORECASE)


class AlreadyThere(ModelwrightError):
    """A file that would be written is there already."""

    code = ExitCode.USAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Inferred:
    """What was found out about a data file, as far as a project file says it.

    Attributes:
        source: As ``data.source`` will say it: relative to the project's folder where it lies inside.
        task: What to do.
        target: The column to predict; ``None`` for a clustering.
        id: The identifier, if one was found.
        drop: Columns to leave out, each with the reason in a few words.
        rows: Rows of the data.
        width: Columns of the data.
        labels: Distinct values of a classification's target, for the comment.
    """

    source: str
    task: Task
    target: str | None = None
    id: str | None = None
    drop: Mapping[str, str] = field(default_factory=dict)
    rows: int
    width: int
    labels: int | None = None


def slug(text: str) -> str:
    """A project name made of ``text`` (a file or folder name): ASCII letters, digits and dashes.

    "Käufe 2024.csv.gz" becomes "kaufe-2024"; where nothing is left, "project".
    """
    text = _ENDINGS.sub("", text).replace("ß", "ss")
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9_]+", plain)
    return "-".join(words)[:63].strip("-_") or "project"


def infer_file(directory: Path, inferred: Inferred, *, name: str | None = None) -> Path:
    """Write the project file of a data file into ``directory``; the path written.

    Raises:
        AlreadyThere: There is one already.
        StorageFailure: The folder cannot be written.
    """
    values = {
        "comment": _one_line(f"{inferred.source} ({_shape(inferred)})"),
        "name": quoted(name or slug(Path(inferred.source.removeprefix(SAMPLE)).name)),
        "task": inferred.task.value,
        "source": quoted(inferred.source),
        "columns": _columns(inferred),
        "candidates": ", ".join(CANDIDATES[inferred.task][:4]),
        "metric": next(iter(METRICS[inferred.task])),
    }
    path = directory / FILE
    _create(path, _template("inferred.yaml").substitute(values))
    return path


def start_project(directory: Path, name: str) -> list[Path]:
    """Write an empty project called ``name`` into ``directory``, made if needed; the paths written.

    Raises:
        AlreadyThere: One of its files is there already; then nothing is written.
        StorageFailure: The folder cannot be written.
    """
    templates = {
        FILE: "project.yaml",
        "README.md": "README.md",
        ".gitignore": "gitignore",
        "features.example.py": "features_example.py",
        "data/README.md": "data_README.md",
    }
    if directory.exists() and not directory.is_dir():
        raise AlreadyThere(f"{directory} is a file.", "Choose another name for the project's folder.")
    there = [place for place in templates if (directory / place).exists()]
    if there:
        raise AlreadyThere(
            f"The folder {directory} already has {', '.join(there)}.",
            "Choose another folder, or remove what is there.",
        )
    written = []
    for place, template in templates.items():
        _create(directory / place, _template(template).substitute(name=name))
        written.append(directory / place)
    return written


def quoted(text: str) -> str:
    """``text`` as a YAML scalar, quoted where it could be read as something else."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    quotes = yaml.safe_dump(text, default_style='"', allow_unicode=True, width=10**9)
    return str(quotes).strip()


def _shape(inferred: Inferred) -> str:
    shape = f"{inferred.rows:,} rows, {inferred.width} columns"
    return f"{shape}, {inferred.labels} labels" if inferred.labels else shape


def _columns(inferred: Inferred) -> str:
    lines = []
    if inferred.target is not None:
        lines.append(f"  target: {quoted(inferred.target)}")
    if inferred.id is not None:
        lines.append(f"  id: {quoted(inferred.id)}    # kept to trace rows, never a feature")
    if inferred.drop:
        lines.append("  drop:")
        lines += [f"    - {quoted(column)}    # {_one_line(why)}" for column, why in inferred.drop.items()]
    return "".join(f"{line}\n" for line in lines)


def _one_line(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _template(name: str) -> Template:
    return Template((files("modelwright.project") / "templates" / name).read_text(encoding="utf-8"))


def _create(path: Path, content: str) -> None:
    """Write a new file, whole or not at all."""
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True)
        with path.open("x", encoding="utf-8") as file:
            _fill(file, path, content)
    except OSError as error:
        if isinstance(error, FileExistsError) and path.exists():
            raise AlreadyThere(f"{path} is there already.", "Remove it, or use it as it is.") from None
        raise StorageFailure.from_os_error(error, f"writing {path.name}") from error


def _fill(file: TextIO, path: Path, content: str) -> None:
    try:
        file.write(content)
        file.flush()
    except OSError:
        path.unlink(missing_ok=True)
        raise
