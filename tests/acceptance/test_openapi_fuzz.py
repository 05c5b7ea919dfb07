"""The whole OpenAPI document against a real server, by a program that lives by such documents."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from serving import Server, iris_project

CHECKS = Path(__file__).with_name("schemathesis.toml")


@pytest.mark.slow
def test_every_operation_answers_as_the_document_says(tmp_path: Path) -> None:
    """Whatever is made of its schemas: what they allow is taken, what they do not is refused, as it says."""
    iris_project(tmp_path)
    program = Path(sys.executable).with_name("schemathesis")
    phases = ["--phases", "examples,coverage,fuzzing", "--max-examples", "20", "--no-color"]
    with Server("--workers", "1", cwd=tmp_path) as server:
        command = [str(program), "--config-file", str(CHECKS), "run", f"{server.url}/openapi.json", *phases]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, done.stdout[-5000:]
        assert "Traceback" not in server.log.read_text()
