"""The lock files: whole, in step with pyproject.toml, and silent about where packages come from."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCKS = ("build", "core", "train", "dev")
PYTHONS = ("3.11", "3.12", "3.13")
PIN = re.compile(
    r"[a-z0-9][a-z0-9._-]*(\[[a-z0-9,-]+\])?==[a-z0-9.+!]+( ; [a-z0-9_<>=!.'() -]+)? \\", re.IGNORECASE
)
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
VIA = re.compile(r"    #( via)?( {3})?( ?[A-Za-z0-9._-]+( \(pyproject\.toml(:[a-z]+)?\))?)?")


@pytest.fixture(scope="module")
def pyproject(repository: Path) -> dict[str, Any]:
    return tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))


def lines(repository: Path, lock: str) -> list[str]:
    return (repository / "requirements" / f"{lock}.lock").read_text(encoding="utf-8").splitlines()


def pins(repository: Path, lock: str) -> list[Requirement]:
    return [
        Requirement(line.rstrip(" \\")) for line in lines(repository, lock) if "==" in line and line[0] != " "
    ]


def group(pyproject: dict[str, Any], name: str) -> Iterator[str]:
    for entry in pyproject["dependency-groups"][name]:
        if isinstance(entry, str):
            yield entry
        else:
            yield from group(pyproject, entry["include-group"])


def asked_for(pyproject: dict[str, Any], lock: str) -> list[str]:
    """What pyproject.toml says that a lock must hold."""
    if lock == "build":
        return [*group(pyproject, "build"), *pyproject["build-system"]["requires"]]
    core, extras = pyproject["project"]["dependencies"], pyproject["project"]["optional-dependencies"]
    development = [extra for extra in extras if extra != "vision"]  # PyTorch: large, and of many builds
    chosen = {"core": [], "train": ["train", "parquet", "postgres"], "dev": development}[lock]
    wanted = [*core, *(requirement for extra in chosen for requirement in extras[extra])]
    return [*wanted, *group(pyproject, "dev")] if lock == "dev" else wanted


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_pins_hashes_and_names_and_nothing_else(repository: Path, lock: str) -> None:
    """No option, address, host or path fits the grammar every line follows."""
    odd = [
        line
        for line in lines(repository, lock)
        if not (PIN.fullmatch(line) or HASH.fullmatch(line) or VIA.fullmatch(line))
    ]
    assert odd == []


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_hashes(repository: Path, lock: str) -> None:
    """pip refuses a requirement without a hash, so none may lack one."""
    text = lines(repository, lock)
    assert pins(repository, lock)
    for line, following in pairwise(text):
        if PIN.fullmatch(line):
            assert HASH.fullmatch(following), line


@pytest.mark.parametrize("lock", LOCKS)
def test_a_name_has_one_version_on_each_python(repository: Path, lock: str) -> None:
    """Where a name is pinned twice, no Python sees both."""
    for python in PYTHONS:
        seen: dict[str, Requirement] = {}
        for pin in pins(repository, lock):
            if applies(pin, python):
                name = canonicalize_name(pin.name)
                assert name not in seen, (python, str(pin), str(seen.get(name)))
                seen[name] = pin


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("lock", LOCKS)
def test_what_pyproject_asks_for_is_locked(
    repository: Path, pyproject: dict[str, Any], lock: str, python: str
) -> None:
    """Each requirement of pyproject.toml is met by the pin for that Python."""
    locked = {canonicalize_name(pin.name): pin for pin in pins(repository, lock) if applies(pin, python)}
    for text in asked_for(pyproject, lock):
        wanted = Requirement(text)
        if not applies(wanted, python):
            continue
        pin = locked.get(canonicalize_name(wanted.name))
        assert pin is not None, f"{text} is not in {lock}.lock: run 'make lock'"
        version = str(pin.specifier).removeprefix("==")
        assert wanted.specifier.contains(version, prereleases=True), f"{text}: {lock}.lock has {version}"


def test_the_smaller_locks_are_parts_of_the_largest(repository: Path) -> None:
    """What is tested (dev) is what is served (core) and trained with (train)."""
    everything = {str(pin).split(" ; ")[0].split(";")[0] for pin in pins(repository, "dev")}
    for lock in ("build", "core", "train"):
        assert {str(pin).split(";")[0] for pin in pins(repository, lock)} <= everything


def test_the_serving_lock_has_none_of_the_training_parts(repository: Path) -> None:
    """A server's environment is small because these are not in it."""
    heavy = {"scikit-learn", "pandas", "pyarrow", "scipy", "mlflow", "dvc", "onnx", "skl2onnx", "matplotlib"}
    assert not heavy & {canonicalize_name(pin.name) for pin in pins(repository, "core")}


def applies(requirement: Requirement, python: str) -> bool:
    if requirement.marker is None:
        return True
    return requirement.marker.evaluate(
        {
            "python_version": python,
            "python_full_version": f"{python}.0",
            "sys_platform": "linux",
            "os_name": "posix",
            "platform_system": "Linux",
            "platform_machine": "x86_64",
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
        }
    )
