"""A version's report as files: the facts, the page and the card, side by side."""

from __future__ import annotations

from pathlib import Path

from modelwright.files import write_whole
from modelwright.train.report.facts import WRITING, Facts, keep
from modelwright.train.report.page import card, page

PAGE = "report.html"
CARD = "model-card.md"


def write_report(found: Facts, folder: Path) -> None:
    """Write everything about a version into ``folder``, where its plots are.

    Raises:
        StorageFailure: It cannot be written.
    """
    keep(found, folder)
    write_whole(folder / PAGE, page(found, folder), WRITING)
    write_whole(folder / CARD, card(found), WRITING)
