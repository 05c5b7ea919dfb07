"""``modelwright report``: where it writes, and what it says where it cannot."""

from __future__ import annotations

import shutil

import pytest


def test_a_version_trained_elsewhere_is_told(mw, project):
    """Where the facts of its report are not here, the message says where they are."""
    result = mw("report", "-p", project)
    assert result.code == 2 and "kept where a version is trained" in result.err


def test_a_card_cannot_be_printed(mw, project):
    """Two options that exclude each other are a mistake of usage."""
    result = mw("report", "-p", project, "--card", "--pdf")
    assert result.code == 2 and "Markdown" in result.err


def test_a_page_is_printed_by_the_installed_browser(tmp_path):
    """A PDF with the page's text comes out of a real Chromium."""
    from modelwright.cli.printing import print_page

    if not shutil.which("chromium"):
        pytest.skip("Chromium is not installed (scripts/system-packages installs it)")
    page = tmp_path / "a page.html"
    page.write_text("<!doctype html><title>t</title><p>Hello", encoding="utf-8")
    made = print_page(page, tmp_path / "a page.pdf")
    assert made.read_bytes().startswith(b"%PDF-")


def test_without_a_browser_it_says_what_to_install(tmp_path, monkeypatch):
    """The page stays; the message names the package."""
    from modelwright.cli.printing import CannotPrint, print_page

    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotPrint) as raised:
        print_page(tmp_path / "page.html", tmp_path / "page.pdf")
    assert "apt install chromium" in raised.value.instruction
