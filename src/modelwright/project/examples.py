"""The example projects that come with the package, and a person's own project begun from one.

In a checkout they lie in ``examples/``; the wheel carries them inside the package, without data.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from modelwright.errors import ExitCode, ModelwrightError, StorageFailure
from modelwright.project.load import FILE
from modelwright.project.mistakes import did_you_mean
from modelwright.project.write import AlreadyThere

_PACKAGE = Path(__file__).resolve().parents[1]
_MADE = frozenset(
    {".modelwright", ".dvc", ".dvcignore", "data", "logs", "__pycache__", "mlruns", "predictions_log.txt"}
)
# A source beside this repository: another project's folder has other neighbours.
_BESIDE = re.compile(r"^ *- \.\./.*\n", re.MULTILINE)
_TEXT = frozenset({".md", ".yaml", ".yml", ".py", ".sh", ".toml", ".ipynb", ""})


class UnknownExample(ModelwrightError):
    """There is no example of that name."""

    code = ExitCode.USAGE


def examples() -> dict[str, Path]:
    """The examples by name."""
    inside = _PACKAGE / "examples"
    root = inside if inside.is_dir() else _PACKAGE.parents[1] / "examples"
    if not root.is_dir():
        return {}
    return {path.name: path for path in sorted(root.iterdir()) if (path / FILE).is_file()}


def begin_like(directory: Path, name: str, like: str) -> list[Path]:
    """Begin the project ``name`` in ``directory`` as a copy of the example ``like``; the files written.

    What an example's runs made, and its data, is not copied.

    Raises:
        UnknownExample: There is none of that name.
        AlreadyThere: The folder holds something.
        StorageFailure: It cannot be written.
    """
    known = examples()
    if like not in known:
        raise UnknownExample(f"There is no example '{like}'.", did_you_mean(like, known))
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise AlreadyThere(f"{directory} is there already and not empty.", "Choose another name.")
    written = []
    try:
        for source in sorted(known[like].rglob("*")):
            inner = source.relative_to(known[like])
            if not source.is_file() or _MADE & set(inner.parts) or source.suffix == ".dvc":
                continue
            target = directory / inner
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
            if source.suffix in _TEXT:
                _rename(target, name, like, directory.name)
            written.append(target)
    except OSError as error:
        raise StorageFailure.from_os_error(error, f"writing the project to {directory}") from error
    return written


def _rename(path: Path, name: str, like: str, folder: str) -> None:
    """Put the project's own name where the example's stands as a name or a path."""
    text = path.read_text(encoding="utf-8")
    changed = text.replace(f"examples/{like}", folder).replace(
        "the folder that holds `examples/`", "the folder above"
    )
    if path.name == FILE:
        changed = changed.replace(f"\nname: {like}\n", f"\nname: {name}\n", 1)
        changed = _BESIDE.sub("", changed)
    if changed != text:
        path.write_text(changed, encoding="utf-8")
