"""The repository as a whole: documented, self-contained, and about nothing but itself."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import modelwright

# Somebody's home, where packages come from, and addresses a package manager writes into its lock.
OUTSIDE = (
    r"(?<![\w.$}])/(?:home|root|Users)/[\w.]",
    r"(?:extra-)?index[-_]url\s*[=:]",
    r"https?://[^\s/]+/(?:simple|packages)/",
    r'"resolved":\s*"http',
    r"BEGIN (?:RSA |EC |OPENSSH )?PRIVATE KEY",
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
LARGEST = 600 * 1024


@pytest.fixture(scope="module")
def tracked(repository: Path) -> list[Path]:
    if not (repository / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a git checkout, so what belongs to it is unknown")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=repository, check=True, capture_output=True).stdout
    return [path for name in listed.decode().split("\0") if name and (path := repository / name).is_file()]


def test_every_module_says_what_it_is(repository: Path) -> None:
    """Each module opens with a docstring; an empty ``__init__`` needs none."""
    silent = []
    for path in (repository / "src").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if text.strip() and ast.get_docstring(ast.parse(text)) is None:
            silent.append(path.relative_to(repository))
    assert silent == []


def test_nothing_names_a_machine_a_person_or_a_registry(repository: Path, tracked: list[Path]) -> None:
    """A clone works anywhere and tells nothing of where it was made."""
    found = []
    for path in tracked:
        if path == Path(__file__):
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for pattern in OUTSIDE:
            found += [f"{path.relative_to(repository)}: {hit.group()}" for hit in re.finditer(pattern, text)]
    assert found == []


def test_no_large_file_is_tracked(repository: Path, tracked: list[Path]) -> None:
    """Data stays out of the repository."""
    large = [path.relative_to(repository) for path in tracked if path.stat().st_size > LARGEST]
    assert large == []


def test_links_between_documents_lead_somewhere(repository: Path, tracked: list[Path]) -> None:
    """Every relative link of every Markdown file points at a file or folder that is there."""
    broken = []
    for path in tracked:
        if path.suffix != ".md":
            continue
        for target in LINK.findall(path.read_text(encoding="utf-8")):
            if "://" in target or target.startswith(("#", "mailto:")):
                continue
            if not (path.parent / target.partition("#")[0]).exists():
                broken.append(f"{path.relative_to(repository)}: {target}")
    assert broken == []


def test_the_licence_is_there(repository: Path) -> None:
    """Apache 2.0, in full."""
    text = (repository / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_changelog_knows_this_version(repository: Path) -> None:
    """A version is not released without a word about it."""
    text = (repository / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{modelwright.__version__}]" in text or "## [Unreleased]" in text


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_lists_its_targets(repository: Path) -> None:
    """A newcomer who types ``make`` learns what there is."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(
        ["make"], cwd=repository, capture_output=True, text=True, check=True, env=environment
    )
    for target in ("setup", "run", "test", "lint", "bench", "lock", "clean"):
        assert f"make {target} " in done.stdout


def test_the_right_python_is_found_behind_broken_ones(repository: Path, tmp_path: Path) -> None:
    """A shim that fails when run is passed over; a named Python that cannot do is refused in words."""
    broken = tmp_path / "python3"
    broken.write_text("#!/bin/sh\nexit 127\n")
    broken.chmod(0o755)
    (tmp_path / "python3.12").symlink_to(shutil.which("python3.12") or "/nonexistent")
    find = repository / "scripts" / "find-python"
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHON": ""}
    found = subprocess.run([find], env=environment, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert shutil.which(found.stdout.strip()) != str(broken)
    refused = subprocess.run(
        [find], env=environment | {"PYTHON": str(broken)}, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert "3.11, 3.12 or 3.13" in refused.stderr
