"""A version's report as files: the facts, the page and the card, side by side."""

from __future__ import annotations

from pathlib import Path

from modelwright.errors import StorageFailure
from modelwright.train.report.facts import Facts, keep
from modelwright.train.report.page import card, page

PAGE = "report.html"
CARD = "model-card.md"


def write_report(found: Facts, folder: Path) -> None:
    """Write everything about a version into ``folder``, where its plots are.

    Raises:
        StorageFailure: It cannot be written.
    """
    keep(found, folder)
    write_text(page(found, folder), folder / PAGE)
    write_text(card(found), folder / CARD)


def write_text(text: str, path: Path) -> None:
    """Write a file whole.

    Raises:
        StorageFailure: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageFailure.from_os_error(error, "writing the report") from error
