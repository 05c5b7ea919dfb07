"""``modelwright jobs``: retrainings, what started them, how far they are, what came of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from modelwright.cli.terminal import Terminal, plain_table
from modelwright.cli.verb import project_argument, verb
from modelwright.errors import ExitCode, ModelwrightError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelwright.store.ports import Store
    from modelwright.store.records import JobRecord


class NoSuchJob(ModelwrightError):
    """The id names no job of this project, or several."""

    code = ExitCode.USAGE


@verb(
    "jobs",
    examples=[
        ("modelwright jobs", "of the project here, newest first"),
        ("modelwright jobs --cancel 3f2a", "by the beginning of its id; one at work ends at once"),
        ("modelwright jobs examples/iris --json | jq '.[0].state'", "for scripts"),
    ],
)
@project_argument
@click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(1), metavar="N", help="How many to list."
)
@click.option("--cancel", metavar="ID", help="Cancel a job that has not ended.")
def command(terminal: Terminal, *, path: str | None, limit: int, cancel: str | None) -> None:
    """List a project's retrainings, or cancel one.

    A job is queued, training, judged (its version is trained and meets the champion, or waits for
    `modelwright approve`), and in the end promoted, rejected, failed or cancelled.
    """
    from modelwright.cli.context import open_project, opened_store

    project, settings = open_project(terminal, path)
    with opened_store(settings, create=False) as store:
        if cancel is not None:
            _cancel(store, project.name, cancel)
        jobs = [] if store is None else store.jobs.list(project.name, limit=limit)
        reasons = {} if store is None else _reasons(store, project.name)

    def show() -> None:
        if not jobs:
            terminal.say(f"Project '{project.name}' was never retrained.")
            return
        _print(terminal, jobs, reasons)

    terminal.result([_as_json(job, reasons.get(job.id, "")) for job in jobs], show)


def _cancel(store: Store | None, project: str, id: str) -> None:
    from modelwright.store.records import JobState

    jobs = [] if store is None else store.jobs.list(project, limit=10_000)
    found = [job for job in jobs if job.id.startswith(id)]
    if store is None or len(found) != 1:
        what = "No job" if not found else f"{len(found)} jobs"
        raise NoSuchJob(
            f"{what} of '{project}' begin{'s' if not found else ''} with '{id}'.", "See: modelwright jobs"
        )
    store.jobs.move(found[0].id, JobState.CANCELLED)
    store.events.add(
        project, "retrain_cancelled", f"Job {found[0].id} was cancelled by hand.", {"job": found[0].id}
    )


def _reasons(store: Store, project: str) -> dict[str, str]:
    """What came of each job, by its newest event."""
    from modelwright.monitor.due import WAITING
    from modelwright.monitor.releasing import REFUSED, ROLLOUT
    from modelwright.retrain.worker import FAILED

    found: dict[str, str] = {}
    for event in store.events.list(project, limit=1_000):
        if event.kind in {WAITING, ROLLOUT, REFUSED, FAILED, "promoted"}:
            found.setdefault(str(event.data.get("job", "")), event.message)
    return found


def _print(terminal: Terminal, jobs: Sequence[JobRecord], reasons: dict[str, str]) -> None:
    rows = [
        (
            job.id[:12],
            job.created.astimezone().strftime("%Y-%m-%d %H:%M"),
            f"{job.trigger}: {job.reason}",
            _state(job),
            "" if job.version is None else str(job.version),
            reasons.get(job.id, job.error),
        )
        for job in jobs
    ]
    titles = ("job", "asked for", "why", "state", "version", "outcome")
    terminal.table(plain_table(titles, rows, right=("version",)))


def _state(job: JobRecord) -> str:
    at_work = job.state.value == "training" and job.progress
    return f"{job.state.value} {job.progress:.0%}" if at_work else job.state.value


def _as_json(job: JobRecord, outcome: str) -> dict[str, Any]:
    return {
        "id": job.id,
        "state": job.state.value,
        "trigger": job.trigger,
        "reason": job.reason,
        "created": job.created.isoformat(),
        "updated": job.updated.isoformat(),
        "progress": job.progress,
        "version": job.version,
        "outcome": outcome or job.error,
    }
