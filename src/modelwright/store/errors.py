"""What can go wrong with a store, in words a person can act on.

``StoreUnavailable`` and its kin are about the database (not there, not ours, too new, full); the
others about what was asked of it. The words of a driver go into ``details``, never alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from modelwright.errors import ExitCode, ModelwrightError
from modelwright.schema.urls import mask_url


class StoreUnavailable(ModelwrightError):
    """The database cannot be reached, opened or used. The address is shown without its password."""

    code = ExitCode.UNAVAILABLE

    def __init__(self, where: str, what: str, instruction: str, *, details: Sequence[str] = ()) -> None:
        super().__init__(
            f"The store {mask_url(where)} {what}",
            instruction,
            details=[mask_url(line) for line in details],
        )


class StoreNotWritable(StoreUnavailable):
    """The database is there but nothing can be written: full disk, read-only file, missing right."""

    code = ExitCode.STORAGE


class StoreTooNew(StoreUnavailable):
    """A newer release has changed the tables in a way this release does not know."""

    def __init__(self, where: str, revision: str) -> None:
        super().__init__(
            where,
            f"was set up by a newer release of Modelwright (its tables are at revision {revision}).",
            "Upgrade this installation: pip install --upgrade modelwright",
        )


class StoreTooOld(StoreUnavailable):
    """The tables are missing or of an older release, and bringing them up was not asked for."""

    def __init__(self, where: str, revision: str | None, wanted: str) -> None:
        at = f"has its tables at revision {revision}" if revision else "has no tables of Modelwright yet"
        super().__init__(
            where,
            f"{at}; this release needs revision {wanted}.",
            "Open it once with a command that may change it, such as: modelwright versions",
        )


class UnknownVersion(ModelwrightError):
    """A version that the project does not have."""

    code = ExitCode.USAGE

    def __init__(self, project: str, number: int, latest: int | None) -> None:
        has = f"its newest version is {latest}" if latest else "it has no version yet"
        super().__init__(
            f"Project '{project}' has no version {number}; {has}.",
            "See which ones there are with: modelwright versions",
        )


class NotServable(ModelwrightError):
    """A version that the gate rejected, so it may never become champion."""

    code = ExitCode.REJECTED

    def __init__(self, project: str, number: int, reasons: Sequence[str]) -> None:
        super().__init__(
            f"Version {number} of project '{project}' was rejected by the gate and cannot be served.",
            "Promote an accepted version, or train a better one.",
            details=reasons,
        )


class Superseded(ModelwrightError):
    """A release was decided upon one that is not the newest any more."""

    code = ExitCode.BUSY

    def __init__(self, project: str, sequence: int, newest: int | None) -> None:
        super().__init__(
            f"What is live of '{project}' changed while this was decided (release {newest or 0} came after "
            f"{sequence}).",
            "Nothing was changed; look at modelwright history, and decide again.",
        )


def refuse_superseded(project: str, after: int, newest: int | None) -> None:
    """Raise ``Superseded`` unless ``after`` is the newest release."""
    if newest != after:
        raise Superseded(project, after, newest)


class Duplicate(ModelwrightError):
    """Something of that name or number is stored already; what is stored stays as it is."""

    code = ExitCode.BUSY

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is stored already.", "Nothing was changed; use another number or name.")


class Unstorable(ModelwrightError):
    """A value that no store can keep: a name that is too long, a time without a zone, not JSON."""

    code = ExitCode.DATA


class UnknownPrediction(ModelwrightError):
    """A prediction id that is not in the log, or not any more."""

    code = ExitCode.USAGE

    def __init__(self, project: str, id: str) -> None:
        super().__init__(
            f"Project '{project}' has no prediction '{id}' in its log (any more).",
            "Ask again without 'before' to start from the newest prediction.",
        )


class UnknownJob(ModelwrightError):
    """A job id that is not in the store."""

    code = ExitCode.USAGE

    def __init__(self, id: str) -> None:
        super().__init__(f"There is no retraining job '{id}'.", "Check the id: it was given by the trigger.")


class IllegalMove(ModelwrightError):
    """A change of a job's state that its present state does not allow."""

    code = ExitCode.USAGE

    def __init__(self, id: str, state: str, wanted: str, legal: Sequence[str]) -> None:
        now = f"it may become {' or '.join(legal)}" if legal else "that is its last state"
        super().__init__(
            f"Retraining job '{id}' is {state} and cannot become {wanted}: {now}.",
            "Look at the job again; another process may have moved it.",
        )
