"""A served project that is given new rows retrains by itself, swaps, and can be taken back."""

from __future__ import annotations

import shutil
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sklearn.datasets import load_iris

from acceptance.program import example, get, post, run, serving, train
from serving import eventually

pytestmark = pytest.mark.slow
until = partial(eventually, seconds=240, every=0.2)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """The iris project with its first version."""
    project = example("iris", tmp_path_factory.mktemp("retrain"))
    first = train("up", project, "--no-serve", "--json")
    assert first.code == 0, first.err
    return project


@pytest.fixture
def iris(trained, tmp_path) -> Path:
    """A copy for each test: a retraining that one asked for would hold up another's by its cooldown."""
    return Path(shutil.copytree(trained, tmp_path / "iris"))


def flowers(count: int) -> list[dict[str, Any]]:
    """Measured flowers, a little off the known ones, with their true species."""
    data = load_iris()
    return [
        {"features": (data.data[row] + 0.05).round(2).tolist(), "target": int(data.target[row])}
        for row in (17 * number % 150 for number in range(count))
    ]


def test_ten_samples_over_http_make_a_new_version_answer(iris):
    """After ten POSTs the service retrains, duels, swaps without a failed request, and can be taken back."""
    with serving("serve", iris) as server:

        def version() -> int:
            status, answer = post(f"{server.url}/predict", {"features": [5.1, 3.5, 1.4, 0.2]})
            assert status == 200, answer
            return int(answer["model_version"])

        assert version() == 1
        for number, flower in enumerate(flowers(10), start=1):
            status, answer = post(f"{server.url}/add_training_data", flower)
            assert status == 201, answer
            assert (answer["retrain_threshold"], answer["new_samples_pending"] <= number) == (10, True)
        until(lambda: version() == 2, "the swap to version 2")
        (job,) = until(
            lambda: [j for j in run("jobs", iris, "--json").json if j["state"] == "promoted"], "a job"
        )
        assert (job["trigger"], job["version"]) == ("new_samples", 2)
        assert "neither learned from" in job["outcome"]
        _, metrics = get(f"{server.url}/metrics")
        assert metrics["new_samples_pending"] == 0
        begun = time.monotonic()
        back = run("rollback", "-p", iris, "--reason", "to see it work", "--json")
        took = time.monotonic() - begun
        assert back.json == {"project": "iris", "version": 1, "previous": 2, "reason": "to see it work"}
        until(lambda: version() == 1, "the way back")
        assert took < 30
    assert run("versions", iris, "--json").json[0]["verdict"] == "accepted"


def test_asking_again_without_anything_new_is_refused_with_the_reason(iris):
    """A retraining by hand on the same rows trains nothing, and the job says why."""
    with serving("serve", iris) as server:
        before = len(run("versions", iris, "--json").json)
        status, answer = post(f"{server.url}/trigger_retrain", {"reason": "curious"})
        assert status == 202, answer

        def ended() -> Any:
            return next(
                (j for j in run("jobs", iris, "--json").json
                 if j["id"] == answer["job_id"] and j["state"] == "rejected"), None,
            )  # fmt: skip

        job = until(ended, "the refusal")
    assert "Nothing is new" in job["outcome"]
    assert len(run("versions", iris, "--json").json) == before
