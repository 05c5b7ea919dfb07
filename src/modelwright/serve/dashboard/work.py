"""Retrainings: how far they are, what they said, and what came of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from modelwright.serve.dashboard.pages import Look
from modelwright.serve.dashboard.reading import hidden_event, open_work
from modelwright.serve.errors import NotFound, clip
from modelwright.store.records import JobRecord, JobState

_MOST = 100
_TAIL = 64 << 10

WORDS = {
    JobState.QUEUED: "waits for a worker",
    JobState.TRAINING: "is training",
    JobState.JUDGED: "is judged",
    JobState.PROMOTED: "was promoted",
    JobState.REJECTED: "was not promoted",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "was cancelled",
}


def view(look: Look) -> dict[str, Any]:
    """All of them, the newest first."""
    store, project = look.store, look.room.project
    return {
        "jobs": store.jobs.list(project, limit=_MOST),
        "waiting": {job.id for job in open_work(store, project).waiting},
        "words": WORDS,
        "pending": store.samples.pending(project),
    }


def one(look: Look) -> dict[str, Any]:
    """One of them with its log and its events."""
    store, project = look.store, look.room.project
    job = store.jobs.get(str(look.path["id"]))
    if job is None or job.project != project:
        raise NotFound(f"There is no retraining {clip(look.path['id'])!r}.")
    events = [
        event
        for event in store.events.list(project, limit=1_000)
        if event.data.get("job") == job.id and not hidden_event(event)
    ]
    return {
        "job": job,
        "words": WORDS,
        "events": events[::-1],
        "waiting": any(job.id == each.id for each in open_work(store, project).waiting),
        "cancellable": cancellable(job),
        "log": tail(look.room.work_dir, job.id),
    }


def cancellable(job: JobRecord) -> bool:
    """Whether a job may still be cancelled."""
    return job.state.may_become(JobState.CANCELLED)


def tail(work_dir: Path | None, job: str) -> str | None:
    """The end of what a job's process wrote, where that was on this machine."""
    if work_dir is None:
        return None
    path = work_dir / "retrain" / f"{job}.log"  # where the worker that does the job writes it
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            start = max(0, file.tell() - _TAIL)
            file.seek(start)
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return None
    return text if not start else "…" + text.partition("\n")[2]
