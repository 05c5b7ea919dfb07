"""What the model sees of a passenger beyond the columns of the list.

``derive`` runs on one row at a time, the same code in training and in serving: its source is part of
the bundle. Plain Python, no imports beyond the standard library.
"""

import re

TITLES = {"Mr", "Mrs", "Miss", "Master"}
SAME_AS = {"Mlle": "Miss", "Ms": "Miss", "Mme": "Mrs"}


def derive(row, now):  # noqa: ARG001
    """The passenger's title, deck and family size in place of name and cabin."""
    name = row.pop("name", None) or ""
    cabin = row.pop("cabin", None) or ""
    found = re.search(r",\s*([A-Za-z ]+)\.", name)
    title = found.group(1).strip() if found else ""
    title = SAME_AS.get(title, title)
    row["title"] = title if title in TITLES or not title else "Rare"
    row["deck"] = cabin[:1].upper()
    row["family"] = 1 + (row.get("sibsp") or 0) + (row.get("parch") or 0)
    return row
