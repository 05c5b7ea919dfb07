"""The one error base, and the exit codes a shell sees.

An error is a sentence about what is wrong (``reason``) and a sentence about what to do
(``instruction``). Each room defines its own subclasses beside the code that raises them; the
command line prints them in one place (``cli.main``), the server maps them to a status in one place
(``serve.errors``). Nothing here knows of either.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum


class ExitCode(IntEnum):
    """What a command's exit status means."""

    OK = 0
    UNEXPECTED = 1  # a fault of ours: please report
    USAGE = 2  # the command line itself was wrong
    PROJECT = 3  # the project file or the settings are wrong
    DATA = 4  # the data cannot be read or does not validate
    REJECTED = 5  # the gate refused the new version; what was live stays live
    BUNDLE = 6  # a bundle is damaged, unknown or of another format
    UNAVAILABLE = 7  # a database, tracking server or port cannot be used
    MISSING_EXTRA = 8  # an optional part is not installed
    BUSY = 9  # another command is at work in the same project
    STORAGE = 10  # the disk is full or the place is not writable
    TRAINING = 11  # no candidate could be trained
    DRIFT = 12  # the rows are distributed otherwise than the training data
    QUALITY = 13  # a running service answers worse than it has to
    INTERRUPTED = 130


class ModelwrightError(Exception):
    """What every deliberate error of this package derives from.

    Attributes:
        reason: What is wrong, one sentence, naming the file, column or value concerned.
        instruction: What the person can do about it.
        details: Further lines (each offending row, each mistake of a file), already worded.
        code: The exit code of a command that ends with this error.
    """

    code: ExitCode = ExitCode.UNEXPECTED

    def __init__(self, reason: str, instruction: str = "", *, details: Sequence[str] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.instruction = instruction
        self.details = tuple(details)

    def __str__(self) -> str:
        return f"{self.reason} {self.instruction}".strip()


class MissingExtra(ModelwrightError):
    """An optional part of the product is needed and not installed."""

    code = ExitCode.MISSING_EXTRA

    def __init__(self, module: str, extra: str) -> None:
        super().__init__(
            f"This needs the Python package '{module}', which is not installed.",
            f"Install it with: pip install 'modelwright[{extra}]'",
        )


class StorageFailure(ModelwrightError):
    """A file could not be written: full disk, read-only place, missing permission."""

    code = ExitCode.STORAGE

    @classmethod
    def from_os_error(cls, error: OSError, doing: str) -> StorageFailure:
        """Word an ``OSError`` that happened while ``doing`` something ("writing the bundle")."""
        where = f" ({error.filename})" if error.filename else ""
        return cls(
            f"The disk refused while {doing}: {error.strerror or error}{where}.",
            "Free some space or make the folder writable, then run the command again; "
            "nothing half-written was left in use.",
        )


class Busy(ModelwrightError):
    """Another command holds the project's lock."""

    code = ExitCode.BUSY
