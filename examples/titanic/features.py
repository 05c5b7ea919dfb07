"""What the model sees of a passenger beyond the columns of the list.

``derive`` runs on one row at a time, the same code in training and in serving: its source is part of
the bundle. Plain Python, no imports beyond the standard library.
"""

import re

TITLES = {"Mr", "Mrs", "Miss", "Master"}
DECKS = set("ABCDEF")
SAME_AS = {"Mlle": "Miss", "Ms": "Miss", "Mme": "Mrs"}


def derive(row, now):  # noqa: ARG001
    """Title, deck and family size in place of name and cabin; gaps are told, and what is rare is "Rare"."""
    name = row.pop("name", None) or ""
    cabin = row.pop("cabin", None) or ""
    found = re.search(r",\s*([A-Za-z ]+)\.", name)
    title = found.group(1).strip() if found else ""
    title = SAME_AS.get(title, title)
    row["title"] = title if title in TITLES or not title else "Rare"
    deck = cabin[:1].upper()
    row["deck"] = deck if deck in DECKS or not deck else "Rare"
    row["cabin_missing"] = int(not cabin)
    row["age_missing"] = int(row.get("age") is None)
    row["family"] = 1 + (row.get("sibsp") or 0) + (row.get("parch") or 0)
    return row
