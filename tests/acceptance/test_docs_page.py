"""The documentation page in a real browser."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import browser
from serving import IRIS, Server, iris_project

FLAGS = ("--headless", *browser.FLAGS, "--virtual-time-budget=5000", "--dump-dom")


@pytest.mark.slow
def test_a_browser_shows_a_form_for_the_model(tmp_path: Path) -> None:
    """A field for each column, an example filled in, and every route to try."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed (apt-get install chromium)")
    iris_project(tmp_path)
    with Server(cwd=tmp_path) as server:
        command = [chromium, *FLAGS, f"--user-data-dir={tmp_path / 'browser'}", f"{server.url}/docs"]
        page = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    assert "<title>iris · version 1</title>" in page
    for name in IRIS:
        assert f"<span>{name}</span>" in page
    assert page.count("<details>") >= 5
    assert "could not be made" not in page
