"""Who is at the terminal, for the record."""

from __future__ import annotations


def actor() -> str:
    """The user's name, or "unknown" for a container's user that has none."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
