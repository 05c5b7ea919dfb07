"""What was probably meant by a path where there is nothing."""

from __future__ import annotations

import difflib
import os
from pathlib import Path


def remedy(path: Path, otherwise: str = "Check the path.") -> str:
    """What to do about ``path``, which is not there: a sentence.

    Args:
        path: As the person wrote it.
        otherwise: To be said where nothing near has a similar name.
    """
    folder = path.parent
    try:
        there = sorted(entry.name for entry in os.scandir(folder))
    except FileNotFoundError:
        return f"There is no folder {folder} either: check the path."
    except OSError:
        return otherwise
    near = _near(path.name, [name for name in there if not name.startswith(".")])
    if not near:
        return otherwise
    return "Did you mean " + " or ".join(f"'{name}'" for name in near) + "?"


def _near(name: str, there: list[str]) -> list[str]:
    """Up to three names like ``name``; those that only end otherwise before all others."""
    if not name:
        return []
    stem = Path(name.strip()).stem.casefold()
    same = [each for each in there if Path(each).stem.casefold() == stem]
    folded = {each.casefold(): each for each in there}
    close = difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.7)
    return (same or [folded[each] for each in close])[:3]
