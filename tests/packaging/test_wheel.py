"""What is in the wheel that people install."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import modelwright


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> zipfile.Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, repository]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return zipfile.Path(built)


def members(wheel: zipfile.Path) -> set[str]:
    return {name for name in wheel.root.namelist() if not name.endswith("/")}


def metadata(wheel: zipfile.Path) -> str:
    (name,) = (name for name in members(wheel) if name.endswith(".dist-info/METADATA"))
    return wheel.root.read(name).decode()


def test_it_holds_the_package_and_nothing_else(wheel: zipfile.Path) -> None:
    """No tests, data, examples or caches travel with it."""
    tops = {name.partition("/")[0] for name in members(wheel)}
    assert tops == {"modelwright", f"modelwright-{modelwright.__version__}.dist-info"}
    assert not [
        name for name in members(wheel) if "__pycache__" in name or name.endswith((".csv", ".onnx", ".db"))
    ]


def test_every_file_of_the_package_is_in_it(repository: Path, wheel: zipfile.Path) -> None:
    """Migrations, templates and the type marker too, not only modules."""
    source = repository / "src"
    there = {
        path.relative_to(source).as_posix()
        for path in (source / "modelwright").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert "modelwright/py.typed" in there
    assert there <= members(wheel)


def test_the_examples_travel_without_data(wheel: zipfile.Path) -> None:
    """``modelwright new`` finds them there."""
    inside = {name.removeprefix("modelwright/examples/") for name in members(wheel) if "/examples/" in name}
    assert {"iris/project.yaml", "iris/ci.sh", "fraud/make_data.py", "titanic/features.py"} <= inside
    assert not [name for name in inside if "/data/" in name or "/.modelwright/" in name]


def test_its_metadata_says_what_the_project_says(wheel: zipfile.Path) -> None:
    """Version, licence, Pythons and the command."""
    told = Parser().parsestr(metadata(wheel))
    assert told["Version"] == modelwright.__version__
    assert told["License-Expression"] == "Apache-2.0"
    assert told["License-File"] == "LICENSE"
    assert told["Requires-Python"] == "<3.14,>=3.11"
    assert told.get_payload().startswith("# Modelwright")
    (points,) = (name for name in members(wheel) if name.endswith("entry_points.txt"))
    assert "modelwright = modelwright.cli.main:main" in wheel.root.read(points).decode()
