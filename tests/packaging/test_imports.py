"""What an import loads, seen from a fresh interpreter, and which room may import which."""

from __future__ import annotations

import json
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

TRAINING = {
    "dvc", "lightgbm", "matplotlib", "mlflow", "onnx", "onnxmltools", "optuna", "pandas", "river", "scipy",
    "skl2onnx", "sklearn", "torch", "xgboost",
}  # fmt: skip
SLOW_TO_LOAD = TRAINING | {
    "alembic", "fastapi", "jinja2", "numpy", "onnxruntime", "prometheus_client", "pyarrow", "pydantic",
    "rich", "sqlalchemy", "starlette", "uvicorn",
}  # fmt: skip
SERVING = ("serve", "store", "schema")
SERVING_MODULES = ("bundle.read", "bundle.format", "bundle.encode", "bundle.answers", "cli.main", "cli.serve")


def loaded_by(repository: Path, *modules: str) -> set[str]:
    """The top-level names a fresh interpreter has loaded after importing ``modules``."""
    code = (
        "import importlib, json, sys\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=os.environ | {"PYTHONPATH": str(repository / "src")},
        cwd=repository.anchor,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


def test_the_command_line_starts_without_what_is_slow_to_load(repository: Path) -> None:
    """``modelwright --help`` pays for click and nothing else: verbs load theirs when they run."""
    assert not loaded_by(repository, "modelwright.cli.main") & SLOW_TO_LOAD


def test_the_package_itself_loads_nothing(repository: Path) -> None:
    """Asking for the version costs nothing."""
    before = loaded_by(repository)
    assert loaded_by(repository, "modelwright") - before == {"modelwright"}


def test_serving_loads_no_training_library(repository: Path) -> None:
    """Every module a server can reach, loaded at once, leaves the training libraries alone."""
    import modelwright

    found = [
        module.name
        for module in pkgutil.walk_packages(modelwright.__path__, "modelwright.")
        # a migration's scripts are run by Alembic, which gives them their context
        if module.name.split(".")[1] in SERVING and ".migrations" not in module.name
    ]
    assert len(found) > len(SERVING)
    modules = [*found, *(f"modelwright.{name}" for name in SERVING_MODULES)]
    assert not loaded_by(repository, *modules) & TRAINING


@pytest.mark.parametrize(
    ("module", "spared"),
    [
        ("supervisor", {"numpy", "onnxruntime", "sqlalchemy", "starlette", "uvicorn"}),
        ("plan", {"numpy", "onnxruntime", "sqlalchemy", "starlette", "uvicorn"}),
        ("worker", {"alembic", "jinja2", "pydantic", "sqlalchemy", "yaml"}),
        ("keeping.opening", {"alembic", "jinja2", "numpy", "onnxruntime", "pydantic", "starlette", "yaml"}),
        ("keeping.keeper", {"alembic", "jinja2", "numpy", "onnxruntime", "starlette"}),
    ],
)
def test_a_servers_process_begins_without_what_it_may_never_need(
    repository: Path, module: str, spared: set[str]
) -> None:
    """A first answer waits for its imports, and every worker holds them."""
    assert not loaded_by(repository, "modelwright.serve.child", f"modelwright.serve.{module}") & spared


@pytest.mark.slow
def test_each_room_imports_only_what_lies_below_it(repository: Path) -> None:
    """The contracts in pyproject.toml hold."""
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        env=os.environ | {"PYTHONPATH": str(repository / "src")},
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
