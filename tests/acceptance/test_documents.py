"""What the documents tell a reader to type works, and prints what they show.

Blocks marked ``console`` hold commands after ``$`` and, below, what they print; ``…`` stands for
anything. A command that serves is left running while the rest of its document is executed.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from acceptance.program import EXAMPLES, REPOSITORY, environment, serving
from tracked import lay_tracking

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

DOCUMENTS = [
    "README.md",
    "examples/iris/README.md",
    "examples/fraud/README.md",
    "examples/products/README.md",
    "examples/titanic/README.md",
    "examples/cardholders/README.md",
]
DOCUMENTS += sorted(
    str(page.relative_to(REPOSITORY))
    for page in (REPOSITORY / "docs").rglob("*.md")
    if "```console" in page.read_text(encoding="utf-8")
)
_BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SERVES = re.compile(r"^modelwright (up|serve)\b(?!.*--no-serve)")
# What differs from run to run: times and places.
_VARIES = re.compile(
    r"^\[|^\d+  \w|^#|^Version \d+ accepted \(|^  curl|^  (bundle|report|experiment|try it) "
)


@dataclass
class Step:
    """A command with what a document says it prints."""

    line: str
    shown: str


def steps(document: Path) -> list[Step]:
    """The commands of a document, in order."""
    found: list[Step] = []
    for block in _BLOCK.findall(document.read_text(encoding="utf-8")):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(Step(line[2:], ""))
            elif found:
                found[-1].shown += line + "\n"
    return found


def assert_shown(shown: str, printed: str) -> None:
    """Every piece that the document shows stands in the output, in order."""
    place = 0
    for line in shown.splitlines():
        if not line.strip() or _VARIES.match(line):
            continue
        for piece in filter(None, (piece.strip() for piece in line.split("…"))):
            if re.fullmatch(r"[{}\[\]\",]+", piece):
                continue
            found = printed.find(piece, place)
            assert found >= 0, f"{piece!r} is not in:\n{printed}"
            place = found + len(piece)


@pytest.fixture
def bin_path(tmp_path: Path) -> str:
    """PATH on which ``modelwright`` and ``python`` are this checkout's."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "modelwright"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m modelwright "$@"\n')
    program.chmod(0o755)
    python = folder / "python"  # no link: an environment's Python finds its packages by its own place
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return f"{folder}:{environment()['PATH']}"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the examples as a fresh clone has them, and a table of one's own."""
    folder = tmp_path / "clone"
    leave = shutil.ignore_patterns(".modelwright", ".dvc", "*.dvc", ".dvcignore", "data", "__pycache__")
    shutil.copytree(EXAMPLES, folder / "examples", ignore=leave)
    rows = "\n".join(
        f"{i % 7},{'red' if i % 2 else 'blue'},{'yes' if i % 7 > 3 else 'no'}" for i in range(200)
    )
    own = folder / "own"
    own.mkdir()
    (own / "some.csv").write_text(f"size,color,label\n{rows}\n")
    for project in (own, *(folder / "examples").iterdir()):
        lay_tracking(project / ".modelwright")
    return folder


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_a_document_says_to_type_works(name, place, bin_path):
    """Each command of the document succeeds and prints what stands below it."""
    commands = steps(REPOSITORY / name)
    assert commands
    port = "5000"
    with contextlib.ExitStack() as running:
        for step in commands:
            cwd = place / "own" if " some.csv" in step.line else place
            if _SERVES.search(step.line):
                running.close()
                arguments = step.line.split()[1:]
                server = running.enter_context(serving(*arguments, cwd=cwd, PATH=bin_path))
                port = server.url.rpartition(":")[2]
                assert_shown(step.shown.replace(":5000", f":{port}"), server.err + server.out)
                continue
            line = step.line.replace(":5000", f":{port}")
            done = subprocess.run(
                ["bash", "-c", line], cwd=cwd, env=environment(PATH=bin_path), capture_output=True, text=True,
                stdin=subprocess.DEVNULL, timeout=240, check=False,
            )  # fmt: skip
            assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
            assert_shown(step.shown, done.stdout + done.stderr)


def test_make_run_is_the_main_job():
    """``make run`` is what the README says it is."""
    done = subprocess.run(["make", "-n", "run"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert "modelwright up examples/iris" in done.stdout


def test_the_project_file_in_the_readme_is_in_order(tmp_path):
    """The project file that the README shows has no mistake."""
    from modelwright.project.load import check

    (text,) = re.findall(
        r"^```yaml\n(.*?)^```", (REPOSITORY / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )
    (tmp_path / "project.yaml").write_text(text)
    assert check(tmp_path) == []
