"""The documentation site: builds strictly, and needs nothing from anywhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built from this checkout."""
    folder = tmp_path_factory.mktemp("site")
    repository = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(folder)],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_of_the_menu_is_there(site: Path) -> None:
    """And the search has its index as a file, not behind a server."""
    for page in ("index", "tutorial/index", "howto/own-data", "reference/errors", "explanation/loop"):
        assert (site / f"{page}.html").is_file(), page
    assert (site / "search" / "search_index.js").is_file()


def test_the_search_works_from_a_disk(site: Path) -> None:
    """A word of the tutorial is found in pages opened as files, with no request to anywhere."""
    from playwright.sync_api import sync_playwright

    if not shutil.which("chromium"):
        pytest.skip("Chromium is not installed (scripts/system-packages installs it)")
    asked: list[str] = []
    with sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"],
        )
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.on("request", lambda request: asked.append(request.url))
        page.goto((site / "index.html").as_uri())
        page.get_by_label("Search", exact=True).first.click()
        page.keyboard.type("two terminals")
        page.locator(".md-search-result__link").first.wait_for(timeout=20_000)
        links = page.locator(".md-search-result__link")
        found = links.evaluate_all("links => links.map(link => link.href)")
        browser.close()
    assert any("tutorial/index.html" in link for link in found), found
    assert asked and all(url.startswith(("file:", "data:", "about:", "blob:")) for url in asked), asked


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    """No script, style, font or picture of any page has another host's address."""
    loads = re.compile(
        r"<(?:script|img|link|iframe)[^>]+?(?:src|href)=[\"']?((?:https?:)?//[^\"'\s>]+)", re.I
    )
    for page in site.rglob("*.html"):
        found = [
            address
            for address in loads.findall(page.read_text(encoding="utf-8"))
            if 'rel="canonical"' not in address
        ]
        assert not found, (page, found)
    for style in (site / "assets").rglob("*.css"):
        assert not re.search(r"url\([\"']?(https?:)?//", style.read_text(encoding="utf-8")), style
