"""What can go wrong in training that a person can mend.

The path of a training: settings (``SettingsInvalid``) → tracking server (``TrackingUnavailable``) →
candidates, each on its own (``CandidateFailed`` is caught and reported in the leaderboard) → nobody
left (``TrainingFailed``).
"""

from __future__ import annotations

from modelwright.errors import ExitCode, ModelwrightError


class SettingsInvalid(ModelwrightError):
    """A candidate of the project file cannot be built as written."""

    code = ExitCode.PROJECT


class CandidateFailed(ModelwrightError):
    """One candidate could not be trained; the others go on."""

    code = ExitCode.TRAINING


class TrainingFailed(ModelwrightError):
    """No candidate could be trained, exported and proven."""

    code = ExitCode.TRAINING


class TrackingUnavailable(ModelwrightError):
    """The tracking server or database cannot be used."""

    code = ExitCode.UNAVAILABLE
