"""Rollouts as rows: every mode's way, and that a kill anywhere changes nothing of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import msgspec
import pytest

from modelwright.bundle.read import BundleInvalid
from modelwright.monitor.beside import Beside
from modelwright.monitor.due import WAITING, being_brought_in
from modelwright.monitor.releasing import Phase, Pilot, Stage, rollout_jobs, stage_of, watched
from modelwright.monitor.rollout import CanaryPlan, Measure, Mode, Plan, Seen, ShadowPlan, Tally, WatchPlan
from modelwright.project.model import Retrain
from modelwright.schema.metrics import Metric, Task
from modelwright.store.records import JobState
from modelwright.testing import factories
from modelwright.testing.memory import MemoryStore

PLAN = Plan(
    mode=Mode.CANARY,
    models={"model": Measure(task=Task.CLASSIFICATION, metric="accuracy", margin=0.01)},
    shadow=ShadowPlan(seconds=10, labels=50, patience=100, errors=0.01),
    canary=CanaryPlan(
        shares=(0.05, 0.5, 1.0), seconds=10, answers=20, labels=20, by="client", errors=0.01, latency=2,
        patience=100,
    ),
    watch=WatchPlan(seconds=10, labels=20),
)  # fmt: skip


def beside(gain: float, rows: int = 100) -> Beside:
    """A comparison that is certain to a hundredth."""
    before = 0.9
    return Beside(
        metric="accuracy", rows=rows, gain=gain, low=gain - 0.005, high=gain + 0.005,
        challenger=Metric(before + gain, before + gain - 0.02, before + gain + 0.02),
        champion=Metric(before, before - 0.02, before + 0.02), below=gain < -0.02,
    )  # fmt: skip


GOOD = Seen(
    seconds=11, labels=100, models={"model": beside(0.0)}, challenger=Tally(answers=40, latency=0.001),
    champion=Tally(answers=40, latency=0.001),
)  # fmt: skip
BAD = msgspec.structs.replace(GOOD, models={"model": beside(-0.1)})


class World:
    """A project whose version 2 won its duel with version 1."""

    def __init__(self, mode: Mode) -> None:
        self.store = MemoryStore()
        for number in (1, 2):
            while self.store.versions.reserve("iris") < number:
                pass
            self.store.versions.add(factories.version(number))
        self.store.releases.append("iris", 1, reason="the first", actor="ann")
        self.seen: Callable[[Stage], Seen] = lambda stage: GOOD
        self.damaged: set[int] = set()
        self.job = self.won(2, mode)

    def won(self, version: int, mode: Mode, champion: int = 1) -> str:
        job = self.store.jobs.add("iris", trigger="manual", reason="test")
        self.store.jobs.take("iris", "w", seconds=60)
        self.store.jobs.move(job.id, JobState.JUDGED, version=version)
        plan = msgspec.structs.replace(PLAN, mode=mode)
        self.store.events.add(
            "iris", WAITING, "won",
            {"job": job.id, "version": version, "champion": champion, "for": mode.value,
             "plan": msgspec.to_builtins(plan)},
        )  # fmt: skip
        return job.id

    def pilot(self, store: Any = None) -> Pilot:
        return Pilot(store or self.store, "iris", see=lambda stage, _: self.seen(stage), sound=self.sound)

    def sound(self, version: int) -> None:
        if version in self.damaged:
            raise BundleInvalid(f"The bundle of version {version} is damaged.", "")

    def run(self, turns: int = 12, store: Any = None) -> None:
        for _ in range(turns):
            self.pilot(store).turn()

    @property
    def released(self) -> list[tuple[int, str]]:
        """What was released, oldest first: version, and what it did beside."""
        told = []
        for release in self.store.releases.list("iris")[::-1]:
            stage = stage_of(release)
            share = release.settings.get("canary", {}).get("share")
            told.append((release.version, "" if stage is None else f"{stage.phase} {share or ''}".strip()))
        return told

    @property
    def state(self) -> JobState:
        return self.store.jobs.get(self.job).state

    def kinds(self) -> list[str]:
        return [event.kind for event in self.store.events.list("iris")[::-1] if event.kind != WAITING]


@pytest.fixture
def canary() -> Iterator[World]:
    world = World(Mode.CANARY)
    with closing(world.store):
        yield world


def test_a_canary_grows_step_by_step_and_is_watched_when_it_answers_all(canary):
    """5, 50, 100 %, then it is the champion; after its watch it stays, and that is told once."""
    canary.run()
    assert canary.released == [
        (1, ""), (1, "canary 0.05"), (1, "canary 0.5"), (1, "canary 1.0"), (2, "watch")
    ]  # fmt: skip
    assert canary.state is JobState.PROMOTED
    assert canary.kinds() == ["rollout", "rollout", "rollout", "promoted", "rollout"]
    last = canary.store.events.list("iris")[0]
    assert last.message.startswith("Version 2 stays. accuracy 0.9 against 0.9 of the version before")


@pytest.mark.parametrize("phase", [Phase.CANARY, Phase.SHADOW])
def test_one_that_is_worse_on_live_rows_is_stopped_and_never_begun_again(phase):
    """The champion goes on alone, the job is refused, and the reason says by how much it was worse."""
    world = World(Mode(phase.value))
    world.seen = lambda stage: BAD
    world.run()
    assert [version for version, _ in world.released] == [1, 1, 1]
    assert world.released[-1] == (1, "")
    assert world.state is JobState.REJECTED
    assert "worse by 0.1, beyond the margin of 0.01" in world.store.jobs.get(world.job).error
    assert not being_brought_in(world.store, "iris")


def test_a_shadow_answers_on_the_side_until_it_is_judged():
    """It is not promoted before time and labels are there; then it is, with the numbers in the event."""
    world = World(Mode.SHADOW)
    world.seen = lambda stage: msgspec.structs.replace(GOOD, labels=49, models={})
    world.run(4)
    assert world.released[1:] == [(1, "shadow")]
    assert world.store.releases.current("iris").settings["shadow"] == {"version": 2}
    assert being_brought_in(world.store, "iris")
    world.seen = lambda stage: GOOD
    world.run(2)
    assert world.released[2:] == [(2, "watch")]
    (told, *_) = world.store.events.list("iris", kind="rollout")
    assert told.data["seen"]["models"]["model"]["rows"] == 100


def test_a_promotion_that_was_a_mistake_is_taken_back(canary):
    """In its watch the live metric falls below the old champion's interval: the old one answers again."""
    canary.seen = lambda stage: BAD if stage.phase is Phase.WATCH else GOOD
    canary.run()
    assert canary.released[-2:] == [(2, "watch"), (1, "")]
    back = canary.store.releases.current("iris")
    assert back.actor == f"watch:{canary.job}"
    (event,) = canary.store.events.list("iris", kind="rolled_back")
    assert event.data["release"] == back.sequence
    assert "accuracy 0.8 against 0.9" in event.message


def test_a_harder_world_takes_nobody_back(canary):
    """Where the version before does as badly on the same rows, the new one stays."""
    harder = beside(0.0)
    canary.seen = lambda stage: msgspec.structs.replace(GOOD, models={"model": harder})
    canary.run()
    assert canary.store.releases.current("iris").version == 2


def test_a_person_is_never_overruled(canary):
    """What somebody releases or cancels in between ends the rollout, and the decision upon the old state."""
    canary.run(1)
    canary.store.releases.append("iris", 1, reason="stop it", actor="ann")
    canary.run()
    assert canary.released == [(1, ""), (1, "canary 0.05"), (1, "")]
    assert "ann ended its rollout: stop it" in canary.store.jobs.get(canary.job).error
    other = World(Mode.CANARY)
    other.run(1)
    other.store.jobs.move(other.job, JobState.CANCELLED)
    other.run()
    assert other.released == [(1, ""), (1, "canary 0.05"), (1, "")]


def test_a_version_that_won_against_a_former_champion_is_not_begun(canary):
    """Its duel was with another; the job is refused and says so."""
    canary.store.versions.add(factories.version(3))
    canary.store.releases.append("iris", 3, reason="by hand", actor="ann")
    canary.run()
    assert canary.released == [(1, ""), (3, "")]
    assert "won against version 1, and version 3 answers by now" in canary.store.jobs.get(canary.job).error


def test_one_rollout_at_a_time(canary):
    """Of two that wait the newer one is begun and the older one refused."""
    canary.store.versions.add(factories.version(3))
    newer = canary.won(3, Mode.CANARY)
    canary.run(1)
    assert stage_of(canary.store.releases.current("iris")).job == newer
    assert canary.state is JobState.REJECTED
    assert [job.id for job, _ in rollout_jobs(canary.store, "iris")] == [newer]


@pytest.mark.parametrize("mode", [Mode.CANARY, Mode.SHADOW])
def test_a_rollout_waits_until_the_watch_of_the_champion_is_over(canary, mode):
    """The watch goes on to its end; only then the next is brought in, and it was told that it waits."""
    canary.seen = lambda stage: Seen(seconds=1) if stage.phase is Phase.WATCH else GOOD
    canary.run()
    assert canary.released[-1] == (2, "watch")
    canary.store.versions.add(factories.version(3))
    newer = canary.won(3, mode, champion=2)
    canary.run(3)
    assert canary.released[-1] == (2, "watch"), "it began before the watch was over"
    told = [event for event in canary.store.events.list("iris", kind="rollout") if "waits_for" in event.data]
    assert len(told) == 1 and told[0].data["job"] == newer
    assert told[0].message.startswith(
        "The rollout of version 3 waits. Version 2, which it won against, is still"
    )
    canary.seen = lambda stage: GOOD
    canary.run(1)
    assert "Version 2 stays." in canary.store.events.list("iris", kind="rollout")[0].message
    assert stage_of(canary.store.releases.current("iris")).job == newer


def test_a_rollout_that_waited_for_a_champion_that_is_taken_back_is_not_begun(canary):
    """The champion fails its watch: it is taken back as if nobody had waited, and the next is refused."""
    canary.seen = lambda stage: Seen(seconds=1) if stage.phase is Phase.WATCH else GOOD
    canary.run()
    canary.store.versions.add(factories.version(3))
    newer = canary.won(3, Mode.CANARY, champion=2)
    canary.run(2)
    canary.seen = lambda stage: BAD
    canary.run()
    assert canary.released[-2:] == [(2, "watch"), (1, "")]
    assert "won against version 2, and version 1 answers by now" in canary.store.jobs.get(newer).error


def test_a_damaged_bundle_is_not_promoted(canary):
    """The rollout ends with the reason, and the champion stays."""
    canary.damaged = {2}
    canary.run()
    assert canary.released[-1] == (1, "")
    assert "damaged" in canary.store.jobs.get(canary.job).error


def test_no_watch_is_asked_for_where_the_project_says_so():
    """``watch: false`` promotes without one; neither is a version watched against itself."""
    plan = msgspec.structs.replace(PLAN, watch=None)
    assert watched(plan, job="j", version=2, before=1) == {}
    assert watched(PLAN, job="j", version=1, before=1) == {}
    assert Retrain.model_validate({"watch": False}).watch is False


class Killed(BaseException):
    """Stands for SIGKILL."""


class Dying:
    """A store whose process dies at its n-th write, before or after it."""

    WRITES = frozenset({"append", "add", "move"})

    def __init__(self, store: Any, at: int, *, after: bool) -> None:
        self._store, self._left, self._after = store, at, after

    def __getattr__(self, name: str) -> Any:
        repository = getattr(self._store, name)
        outer = self

        class Repository:
            def __getattr__(self, method: str) -> Any:
                real = getattr(repository, method)
                return outer.dying(real) if method in Dying.WRITES else real

        return Repository()

    def dying(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            self._left -= 1
            if self._left == 0 and not self._after:
                raise Killed
            result = real(*arguments, **named)
            if self._left == 0:
                raise Killed
            return result

        return call


WAYS: dict[str, tuple[Mode, Callable[[Stage], Seen]]] = {
    "canary": (Mode.CANARY, lambda stage: GOOD),
    "shadow": (Mode.SHADOW, lambda stage: GOOD),
    "stopped": (Mode.CANARY, lambda stage: BAD if stage.step == 1 else GOOD),
    "taken back": (Mode.SHADOW, lambda stage: BAD if stage.phase is Phase.WATCH else GOOD),
}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("way", WAYS)
def test_killed_at_any_write_the_rollout_ends_as_if_it_had_not_been(way, after):
    """Before or after each row of each way: the same releases, the same end, nothing told or done twice."""
    mode, seen = WAYS[way]

    def whole(at: int) -> tuple[Any, ...]:
        world = World(mode)
        world.seen = seen
        dying = Dying(world.store, at, after=after)
        died = False
        try:
            world.run(store=dying)
        except Killed:
            died = True
        world.run()
        found = (world.released, world.state, sorted(world.kinds()))
        world.store.close()
        return died, found

    _, undisturbed = whole(0)
    at = 1
    while True:
        died, found = whole(at)
        assert found == undisturbed, at
        if not died:
            break
        at += 1
    assert at > 5
