"""An event that somebody should hear of, and how it is worded for each kind of receiver."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from modelwright.store.records import EventRecord

KINDS = (
    "drift",
    "quality",
    "alarm",
    "release_refused",
    "rolled_back",
    "promoted",
    "retrain_failed",
    "retrain_refused",
    "retrain_waiting",
)
"""Kinds of events that are told unless a setting names others."""

_TEXT = 2_000
_SLACK = 2_900  # of the 3,000 characters that a section of Slack's may have
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """Something to be told.

    Attributes:
        id: Names it for whoever receives it twice: "project-sequence".
        sequence: Of the event.
        project: Whose.
        kind: Of the event.
        key: What it is about: the same key again is the same alarm.
        message: A sentence.
        time: When it happened, UTC.
        data: The evidence.
        repeats: How often the same was noted and not told since it was told last.
    """

    id: str
    sequence: int
    project: str
    kind: str
    key: str
    message: str
    time: datetime
    data: dict[str, Any]
    repeats: int = 0

    @property
    def subject(self) -> str:
        """One line, as a mail's subject."""
        line = " ".join(self.message.split())
        return f"[{self.project}] {self.kind}: {line if len(line) <= 120 else line[:119] + '…'}"

    @property
    def text(self) -> str:
        """All a person needs, as plain text."""
        lines = [_cut(self.message, _TEXT), "", f"Project: {self.project}", f"What: {self.kind}"]
        lines += [f"When: {self.time.strftime('%Y-%m-%d %H:%M:%S')} UTC"]
        if self.repeats:
            lines.append(f"Noted {self.repeats} more times since this was told last.")
        lines += [f"{name}: {_cut(_plain(value), 200)}" for name, value in list(self.data.items())[:20]]
        return "\n".join(lines) + "\n"

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "id": self.id,
            "project": self.project,
            "kind": self.kind,
            "key": self.key,
            "message": self.message,
            "time": self.time.isoformat(),
            "repeats": self.repeats,
            "data": self.data,
        }

    def slack(self) -> dict[str, Any]:
        """As Slack's incoming webhooks take it, and the chats that are compatible with them."""
        told = _cut(self.message, _SLACK).translate(_ESCAPES)
        about = f"{self.kind} · {self.time.strftime('%Y-%m-%d %H:%M:%S')} UTC"
        if self.repeats:
            about += f" · noted {self.repeats} more times since"
        return {
            "text": self.subject.translate(_ESCAPES),
            "blocks": [
                {"type": "section", "text": {"type": "mrkdwn", "text": f"*{self.project}*\n{told}"[:3000]}},
                {"type": "context", "elements": [{"type": "mrkdwn", "text": about.translate(_ESCAPES)}]},
            ],
        }


def notice_of(event: EventRecord, *, repeats: int = 0) -> Notice:
    """The notice of an event.

    Two events are about the same thing if their data has the same ``key``, or else the same ``topic``
    and ``name``; without these, if they say the same.
    """
    data = event.data
    about = data.get("key") or "/".join(str(data[part]) for part in ("topic", "name") if part in data)
    return Notice(
        id=f"{event.project}-{event.sequence}",
        sequence=event.sequence,
        project=event.project,
        kind=event.kind,
        key=f"{event.kind}:{_cut(str(about or event.message), 300)}",
        message=event.message,
        time=event.time,
        data=data,
        repeats=repeats,
    )


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value, enc_hook=repr).decode(errors="replace")


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
