"""How the tables came to be, step by step. ``REVISIONS`` tells where a database stands without Alembic."""

from __future__ import annotations

VERSION_TABLE = "mw_schema"
"""Where a database notes its revision; not Alembic's default name, which MLflow uses in its databases."""

REVISIONS = ("0001", "0002", "0003", "0004")
"""All revisions, oldest first, as the files in ``versions`` chain them."""

HEAD = REVISIONS[-1]
"""What this release needs."""
