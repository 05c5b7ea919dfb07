"""The documentation page in a real browser."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from serving import IRIS, Server, release, write_iris_bundle

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=5000",
    "--dump-dom",
]


@pytest.mark.slow
def test_a_browser_shows_a_form_for_the_model(tmp_path: Path) -> None:
    """A field for each column, an example filled in, and every route to try."""
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("chromium is not installed (apt-get install chromium)")
    (tmp_path / "project.yaml").write_text("name: iris\ndata: {source: 'sklearn:iris', target: species}\n")
    work_dir = tmp_path / ".modelwright"
    release(work_dir, 1, write_iris_bundle(work_dir / "bundles" / "v1"))
    with Server(cwd=tmp_path) as server:
        command = [browser, *FLAGS, f"--user-data-dir={tmp_path / 'browser'}", f"{server.url}/docs"]
        page = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    assert "<title>iris · version 1</title>" in page
    for name in IRIS:
        assert f"<span>{name}</span>" in page
    assert page.count("<details>") >= 5
    assert "could not be made" not in page
