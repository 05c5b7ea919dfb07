"""The pages of docs/reference that are written from the code itself."""

from __future__ import annotations

from collections.abc import Callable

from modelwright.cli.reference import commands, errors, metrics, project_file

PAGES: dict[str, Callable[[], str]] = {
    "cli": commands.page,
    "errors": errors.page,
    "metrics": metrics.page,
    "project-file": project_file.page,
}
"""By the name of the file under docs/reference, without ``.md``."""
