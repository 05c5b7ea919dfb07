"""``python -m modelwright.retrain.child``: one job in a process of its own, at low priority.

What it is told stands on its standard input, one line of JSON; the input stays open while the worker
lives, so a killed worker takes its training with it and nobody trains unseen. What it tells the
worker are JSON lines on its standard output: ``{"progress": 0.4}``, and ``{"failed": …}`` at the end
of a job that failed. Everything else that libraries print goes to standard error.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

from modelwright.errors import ExitCode, ModelwrightError
from modelwright.project.load import load
from modelwright.project.settings import resolve
from modelwright.serve.priority import insist, spare_a_core, step_back
from modelwright.store.engine import open_store
from modelwright.train.progress import Stage

NICENESS = 10
_SHARES = {
    Stage.READ: 0.02,
    Stage.VERSION: 0.04,
    Stage.CHECK: 0.06,
    Stage.ENCODE: 0.08,
    Stage.TRAIN: 0.1,
    Stage.JUDGE: 0.8,
    Stage.TRACK: 0.82,
    Stage.WRITE: 0.88,
}
_TRAINED = (0.1, 0.8)


class Told:
    """A training's progress as a share of the whole job, told to the worker."""

    def __init__(self, tell: Callable[[dict[str, Any]], None]) -> None:
        self._tell = tell
        self._all = 1
        self._done = 0

    def stage(self, stage: Stage, note: str = "") -> None:
        """Tell the share at which it begins."""
        del note
        self._tell({"progress": _SHARES.get(stage, 0.0), "stage": stage.value})

    def note(self, message: str) -> None:
        """Say nothing: the version's decision holds it."""

    def candidates(self, names: Sequence[str]) -> None:
        """Share the training out."""
        self._all, self._done = max(1, len(names)), 0

    def candidate_started(self, name: str) -> None:
        """Say nothing."""

    def trial(self, name: str, number: int, total: int, best: float | None) -> None:
        """Tell the share within the candidate's."""
        del name, best
        self._at(self._done + 0.9 * number / max(1, total))

    def candidate_finished(self, name: str, row: dict[str, Any]) -> None:
        """Tell the share."""
        del name, row
        self._done += 1
        self._at(float(self._done))

    def _at(self, done: float) -> None:
        first, last = _TRAINED
        self._tell({"progress": round(first + (last - first) * done / self._all, 4)})


def main() -> int:
    """Do the job that standard input names; the exit code is that of the error, or 0."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    step_back(NICENESS)
    spare_a_core()
    told = json.loads(sys.stdin.readline())
    threading.Thread(target=_die_with_worker, daemon=True).start()
    threading.Thread(target=insist, args=(NICENESS // 2,), daemon=True).start()

    def tell(word: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # the worker is gone, and this process in a moment too
            answers.write(json.dumps(word) + "\n")
            answers.flush()

    try:
        _work(told, tell)
    except ModelwrightError as error:
        tell({"failed": str(error)})
        return int(error.code) or int(ExitCode.UNEXPECTED)
    # A fault of ours ends this job, with its words where a person looks for them, and no other.
    except Exception as error:
        tell({"failed": f"{type(error).__name__}: {error}"})
        raise
    return 0


def _die_with_worker() -> None:
    sys.stdin.read()
    os._exit(int(ExitCode.INTERRUPTED))


def _work(told: dict[str, Any], tell: Callable[[dict[str, Any]], None]) -> None:
    from modelwright.retrain.steps import JobLost, run_job  # loads the training libraries

    project = load(told["project"])
    settings = resolve(project, flags={"work_dir": told["work_dir"]})
    with open_store(told["store_url"]) as store:
        job = store.jobs.get(told["job"])
        if job is None:
            raise JobLost(f"There is no job {told['job']}.")

        def still_mine() -> bool:
            return store.jobs.renew(job.id, told["owner"], seconds=told["lease_seconds"])

        run_job(project, settings, store, job, progress=Told(tell), still_mine=still_mine)


if __name__ == "__main__":
    sys.exit(main())
