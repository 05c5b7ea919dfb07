"""Names of an answer's members that more than one room reads."""

from __future__ import annotations

GENERATION = "features_generation"
"""In which generation of online features was looked up; absent where nothing was."""
