"""What a keeper knows of a rollout's step, from a real log, real labels and real bundles."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.tree import DecisionTreeClassifier

from modelwright.bundle.read import BundleInvalid
from modelwright.monitor.releasing import Phase, Stage, settings_of
from modelwright.serve.keeping.evidence import Evidence
from modelwright.store.engine import SqlStore, open_store
from modelwright.store.records import PredictionRecord, ReleaseRecord
from serving import IRIS, release, write_iris_bundle, write_numeric_bundle
from unit.monitor.test_releasing import PLAN

DATA = load_iris()
START = datetime.now(UTC) - timedelta(minutes=5)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory) -> Path:
    """Version 1 is a good forest; version 2 tells two of the species apart."""
    work_dir = tmp_path_factory.mktemp("bundles")
    release(work_dir, 2, write_numeric_bundle(
        work_dir / "bundles" / "v2", DecisionTreeClassifier(max_depth=1), IRIS, DATA.data, DATA.target,
        number=2, labels=(0, 1, 2),
    ))  # fmt: skip
    release(work_dir, 1, write_iris_bundle(work_dir / "bundles" / "v1"))
    return work_dir


@dataclass
class Rolling:
    """A project in which version 2 is brought in beside version 1."""

    store: SqlStore
    work_dir: Path

    def enter(self, phase: Phase, **changes: object) -> tuple[Stage, ReleaseRecord]:
        stage = Stage(phase=phase, job="j", version=2, before=1, began=START, plan=PLAN)
        stage = msgspec.structs.replace(stage, **changes)
        version = 2 if phase is Phase.WATCH else 1
        return stage, self.store.releases.append(
            "iris", version, reason="x", actor="rollout:j", settings=settings_of(stage)
        )

    def answer(
        self, count: int, version: int, *, label: bool = True, shadowed: int = 0, status: int = 200
    ) -> None:
        """Log answers of a version that was right, with their truths; so many were shadowed."""
        for place in range(count):
            row = 7 * place % 150
            id = f"v{version}-{status}-{place}"
            record = PredictionRecord(
                id=id, project="iris", version=version, time=START + timedelta(seconds=place), status=status,
                inputs=dict(zip(IRIS, DATA.data[row].tolist(), strict=True)), latency=0.001 * (1 + place % 2),
                outputs={"prediction": int(DATA.target[row])}, role="champion" if version == 1 else "canary",
            )  # fmt: skip
            beside = msgspec.structs.replace(
                record, id=f"{id}~v2", version=2, role="challenger", outputs={"prediction": 0}
            )
            self.store.predictions.add([record, *([beside] if place < shadowed else [])])
            if label:
                self.store.labels.add("iris", id, int(DATA.target[row]))


@pytest.fixture
def rolling(bundles: Path, tmp_path: Path) -> Iterator[Rolling]:
    work_dir = Path(shutil.copytree(bundles, tmp_path / "work"))
    with open_store(f"sqlite:///{work_dir / 'store.db'}") as store:
        yield Rolling(store, work_dir)


def test_a_canarys_rows_are_put_to_both(rolling):
    """Rows that one version answered are answered by the other from its bundle: both are measured alike."""
    rolling.answer(30, 1)
    rolling.answer(12, 2)
    stage, entered = rolling.enter(Phase.CANARY, began=START)
    seen = Evidence(rolling.store, "iris", rolling.work_dir)(
        stage, msgspec.structs.replace(entered, released=START)
    )
    assert (seen.challenger.answers, seen.champion.answers, seen.labels) == (12, 30, 42)
    assert seen.champion.latency == pytest.approx(0.002)
    found = seen.models["model"]
    assert found.rows == 40  # twice the 20 that a look is at
    assert found.champion.value == 1.0
    assert found.challenger.value < 0.9
    assert found.below and found.high < 0


def test_a_shadow_is_judged_by_what_it_said(rolling):
    """Only rows that it answered on the side count, and its own answers, not new ones."""
    rolling.answer(80, 1, shadowed=60)
    stage, entered = rolling.enter(Phase.SHADOW)
    seen = Evidence(rolling.store, "iris", rolling.work_dir)(stage, entered)
    assert (seen.labels, seen.challenger.answers, seen.champion.answers) == (60, 60, 80)
    truth = [int(DATA.target[7 * place % 150]) for place in range(60)]
    assert seen.models["model"].challenger.value == pytest.approx(np.mean(np.array(truth) == 0))


def test_a_canarys_failures_are_counted(rolling):
    """Faults of the server are its own; a client's mistakes are nobody's."""
    rolling.answer(10, 2, label=False)
    rolling.answer(4, 2, label=False, status=500)
    rolling.answer(3, 2, label=False, status=400)
    stage, entered = rolling.enter(Phase.CANARY)
    seen = Evidence(rolling.store, "iris", rolling.work_dir)(
        stage, msgspec.structs.replace(entered, released=START)
    )
    assert (seen.challenger.answers, seen.challenger.failed) == (17, 4)


def test_a_watch_compares_with_the_version_before_on_the_same_rows(rolling):
    """Nobody asks the old champion any more; its bundle says what it would have answered."""
    rolling.answer(25, 2)
    stage, entered = rolling.enter(Phase.WATCH)
    evidence = Evidence(rolling.store, "iris", rolling.work_dir)
    seen = evidence(stage, entered)
    assert (seen.labels, seen.models["model"].rows) == (25, 20)
    assert evidence(stage, entered).models is seen.models  # not compared again
    rolling.answer(40, 2, status=200)
    assert evidence(stage, entered).models["model"].rows == 40


def test_a_bundle_that_is_gone_compares_nothing_and_is_not_sound(rolling):
    """The watch goes on without a comparison, and the version before is not put back."""
    rolling.answer(25, 2)
    shutil.rmtree(rolling.work_dir / "bundles" / "v1")
    stage, entered = rolling.enter(Phase.WATCH)
    evidence = Evidence(rolling.store, "iris", rolling.work_dir)
    assert evidence(stage, entered).models == {}
    with pytest.raises(BundleInvalid):
        evidence.sound(1)
    evidence.sound(2)
