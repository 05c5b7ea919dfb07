"""Which cells of a text file count as missing: one list for training and for answering."""

from __future__ import annotations

SPELLINGS = (
    "?",
    "NA",
    "N/A",
    "n/a",
    "na",
    "#N/A",
    "#NA",
    "<NA>",
    "NaN",
    "nan",
    "NAN",
    "-NaN",
    "-nan",
    "NULL",
    "Null",
    "null",
    "NaT",
)
"""Missing wherever they stand, unless the project says otherwise (``data.missing``)."""

AMONG_NUMBERS = (*SPELLINGS, "None", "none", "-", "--", ".")
"""Missing in a column of numbers."""
