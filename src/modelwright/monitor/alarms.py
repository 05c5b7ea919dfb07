"""Alarms: raised once, with evidence, and cleared only after a calm time.

States of a subject (a feature's values, its missing share, a model's predictions, …)::

    quiet --signal--> raised --signal--> raised (nothing is told again)
                        |
                        +-- no signal for ``calm`` rows --> quiet (told as cleared)
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from modelwright.monitor.drift import Finding


class Alarm(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something changed, or has calmed down again.

    Attributes:
        name: The feature, or the model.
        topic: What about it: "values", "missing", "unseen", "predictions", "confidence", "errors".
        message: One sentence for a person.
        detectors: Who noticed: "window", "adwin", "page_hinkley".
        row: Row at which it was noticed, counted since the watch began.
        since: Row from which on things are different, as far as that can be told.
        time, since_time: When those rows came, if the watch was told times.
        cleared: Whether this says that the change is over.
        finding: The comparison with training, where there is one.
        examples: Rows that show it.
    """

    name: str
    topic: str
    message: str
    detectors: tuple[str, ...]
    row: int
    since: int
    time: datetime | None = None
    since_time: datetime | None = None
    cleared: bool = False
    finding: Finding | None = None
    examples: tuple[dict[str, Any], ...] = ()


class Standing(msgspec.Struct):
    """A raised alarm and the last row at which it was still signalled."""

    alarm: Alarm
    last: int


class AlarmBook(msgspec.Struct):
    """Which alarms stand. Its fields are its state, so it can be encoded as it is.

    Attributes:
        calm: Rows without a signal after which an alarm is cleared.
        standing: Raised alarms by "topic name".
    """

    calm: int
    standing: dict[str, Standing] = {}

    def stands(self, topic: str, name: str, row: int) -> bool:
        """Whether that alarm is raised already; being asked is a signal that keeps it up."""
        held = self.standing.get(f"{topic} {name}")
        if held is not None:
            held.last = row
        return held is not None

    def raise_(self, alarm: Alarm) -> None:
        """An alarm that does not stand yet."""
        self.standing[f"{alarm.topic} {alarm.name}"] = Standing(alarm=alarm, last=alarm.row)

    def amend(self, alarm: Alarm) -> None:
        """Put ``alarm`` in the place of the one that stands under its name."""
        self.standing[f"{alarm.topic} {alarm.name}"].alarm = alarm

    def clear(self, row: int, time: datetime | None) -> list[Alarm]:
        """Take back what has been calm long enough; the alarms taken back, as cleared ones."""
        calm = [key for key, held in self.standing.items() if row - held.last >= self.calm]
        return [self._cleared(self.standing.pop(key).alarm, row, time) for key in calm]

    def _cleared(self, alarm: Alarm, row: int, time: datetime | None) -> Alarm:
        over = "It has been as in training" if alarm.finding is not None else "It has not changed further"
        message = f"Over: {alarm.message} {over} for {self.calm:,} rows."
        return msgspec.structs.replace(alarm, cleared=True, row=row, time=time, examples=(), message=message)
