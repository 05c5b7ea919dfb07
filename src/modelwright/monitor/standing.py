"""What the monitors see now, as one small document: for gauges, triggers, the dashboard and the rollout.

The monitors put it into the store under ``LIVE`` whenever it changes; everybody else only reads it.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from modelwright.schema.metrics import Metric
from modelwright.store.codec import unpack
from modelwright.store.ports import Store

LIVE = "live"


class StandingAlarm(msgspec.Struct, frozen=True, kw_only=True):
    """An alarm that was raised and is not over.

    Attributes:
        kind: Of its event: "drift", "alarm" or "quality".
        topic, name: What about what, as in the event's data.
        message: A sentence.
        version: Of the model that was watched.
        raised: When.
        since: When what it tells of began, as far as that is known.
    """

    kind: str
    topic: str
    name: str
    message: str
    version: int
    raised: datetime
    since: datetime | None = None


class DriftView(msgspec.Struct, frozen=True, kw_only=True):
    """How far the newest window is from training.

    Attributes:
        rows, until: Of the window.
        features, predictions: Net PSI by name.
        drifted: Names of the features that moved far enough to matter.
    """

    version: int
    rows: int
    until: datetime
    features: dict[str, float] = {}
    predictions: dict[str, float] = {}
    drifted: tuple[str, ...] = ()


class QualityView(msgspec.Struct, frozen=True, kw_only=True):
    """How good a model of a version is on its newest labelled predictions.

    Attributes:
        rows, window: Labelled rows there are, and that make a whole window.
        metrics: With 95 % intervals.
        estimate: The same for the newest rows, labelled or not, estimated from confidences.
        labelled, predictions: How many of the predictions have their label.
        below: Metrics that are beyond their floor for a whole window, with their whole interval.
    """

    version: int
    model: str
    rows: int
    window: int
    until: datetime
    metrics: dict[str, Metric]
    estimate: dict[str, Metric] = {}
    labelled: int = 0
    predictions: int = 0
    below: tuple[str, ...] = ()

    @property
    def full(self) -> bool:
        """Whether there is a whole window."""
        return self.rows >= self.window


class LiveView(msgspec.Struct, frozen=True, kw_only=True):
    """All of it.

    Attributes:
        updated: When it was written.
        version: The one that answers.
        read: Up to when the log was read.
        rows, skipped: Predictions looked at, and those left out because too many came.
    """

    updated: datetime
    version: int
    read: datetime | None = None
    rows: int = 0
    skipped: int = 0
    drift: DriftView | None = None
    quality: tuple[QualityView, ...] = ()
    alarms: tuple[StandingAlarm, ...] = ()


def live_view(store: Store, project: str) -> LiveView | None:
    """What the monitors saw last; ``None`` before they began, or from another release of the program."""
    text = store.states.get(project, LIVE)
    if text is None:
        return None
    try:
        return msgspec.convert(unpack(text), LiveView)
    except (msgspec.ValidationError, ValueError):
        return None
