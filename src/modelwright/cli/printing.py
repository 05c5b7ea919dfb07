"""A page printed to PDF by an installed Chromium."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from modelwright.errors import ExitCode, ModelwrightError

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_SECONDS = 60
# Nothing but the file itself: no extensions, no updates, no looking around in the network.
_FLAGS = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-pdf-header-footer",
)


class CannotPrint(ModelwrightError):
    """There is no browser to print with, or it failed."""

    code = ExitCode.USAGE


def print_page(page: Path, target: Path) -> Path:
    """Print an HTML file to ``target``.

    Raises:
        CannotPrint: No Chromium is installed, or it did not make the file.
    """
    browser = next((found for name in _BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        raise CannotPrint(
            f"No Chromium was found, so {page} was not printed to PDF.",
            "Install it (Debian: apt install chromium), or open the page in a browser and print it there.",
        )
    with tempfile.TemporaryDirectory(prefix="modelwright-print-") as profile:
        command = [browser, *_FLAGS, *_sandbox(), f"--user-data-dir={profile}"]
        command += [f"--print-to-pdf={target.resolve()}", page.resolve().as_uri()]
        try:
            done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CannotPrint(f"{browser} could not print {page}: {error}.", "Print it by hand.") from error
    if done.returncode or not target.is_file():
        last = done.stderr.decode(errors="replace").strip().splitlines()[-3:]
        raise CannotPrint(f"{browser} could not print {page}.", "Print it by hand.", details=last)
    return target


def _sandbox() -> tuple[str, ...]:
    """Chromium refuses its own sandbox to root; the page is ours and holds no script."""
    import os

    return ("--no-sandbox",) if os.geteuid() == 0 else ()
