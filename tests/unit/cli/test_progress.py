"""Bars: how far, how long still, and drawn on a terminal only."""

from __future__ import annotations

import gzip
import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from modelwright.cli.estimate import FILE, Estimate, recall, remember
from modelwright.cli.progress import Count, told
from modelwright.cli.reading import counted, watched
from modelwright.train.progress import Stage
from tracked import SOURCE


class Clock:
    """Goes when told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_time_left_follows_the_pace(clock):
    """What took so long so far takes as long for the rest; before there is a pace nothing is claimed."""
    count = Count(clock)
    assert (count.share(), count.left()) == (None, None)
    count.reset(200)
    clock.now = 10
    assert count.left() is None
    count.at(50)
    assert (count.share(), count.left()) == (0.25, 30)
    count.reset()
    assert count.share() is None


@pytest.mark.parametrize(
    ("done", "gone", "words"),
    [(50, 10, "25 %  0:30 left"), (0, 72, "1:12"), (1, 199.5 * 60, "3:19:30"), (200, 8, "100 %  0:00 left")],
)
def test_time_is_told_in_words(clock, done, gone, words):
    """With a share where it is known, else the time gone by."""
    count = Count(clock)
    count.reset(200)
    count.at(done)
    clock.now = gone
    assert told(count, gone) == words


def play(estimate: Estimate, clock: Clock, seconds: dict[str, float]) -> list[float | None]:
    """A training in which each step and candidate takes so long; what was left at its beginning."""
    left = [estimate.left()]
    clock.now += seconds["start"]
    for stage in Stage:
        estimate.stage(stage)
        left.append(estimate.left())
        if stage is not Stage.TRAIN:
            clock.now += seconds[stage.value]
            continue
        names = [name for name in seconds if name.startswith("candidate ")]
        estimate.candidates([name.removeprefix("candidate ") for name in names])
        for name in names:
            estimate.started(name.removeprefix("candidate "))
            clock.now += seconds[name]
            estimate.finished(name.removeprefix("candidate "))
            left.append(estimate.left())
    return left


SECONDS = {"start": 2.0, **{stage.value: 3.0 for stage in Stage}, "candidate a": 5.0, "candidate b": 15.0}
SECONDS[Stage.TRAIN.value] = 20.0


def test_a_second_training_knows_its_end(clock, tmp_path):
    """What the last one took is kept, and tells the next one's time left to the second."""
    first = Estimate({}, clock)
    assert play(first, clock, SECONDS)[0] is None  # nobody knows how long a first training takes
    remember(tmp_path, first.measured())
    assert recall(tmp_path) == SECONDS
    whole = 2 + 7 * 3 + 20
    second = Estimate(recall(tmp_path), clock)
    left = play(second, clock, SECONDS)
    assert left[:3] == [whole, whole - 2, whole - 5]
    assert second.share() == pytest.approx(1.0)


def test_a_search_tells_the_rest_of_its_trials(clock):
    """Half of the trials done takes as long again, and the candidates behind it as long as those before."""
    estimate = Estimate({}, clock)
    estimate.stage(Stage.TRAIN)
    estimate.candidates(["a", "b", "c"])
    estimate.started("a")
    assert estimate.left() is None
    clock.now = 10
    estimate.finished("a")
    estimate.started("b")
    clock.now = 14
    estimate.tried(0.5)
    assert estimate.left() == 4 + 10 + 3 * 1.0


@pytest.mark.parametrize("kept", ["", "[1]", '{"a": "x", "b": -1}', "\x00"])
def test_what_cannot_be_read_is_no_estimate(tmp_path, kept):
    """A damaged file of durations costs the time left, not the training."""
    (tmp_path / FILE).write_text(kept)
    assert recall(tmp_path) == {}
    assert recall(tmp_path / "gone") == {}
    remember(tmp_path / "gone", {"a": 1.0})


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_tells_how_far_it_is_read(tmp_path, packed):
    """Up to its end, also where it is packed; by rows where those are known."""
    path = tmp_path / "rows"
    data = b"".join(b"%d,%d\n" % (n, n * n) for n in range(20_000))
    path.write_bytes(gzip.compress(data) if packed else data)
    heard: list[tuple[float, float]] = []

    def hear(done: float, total: float) -> None:
        heard.append((done, total))

    with gzip.open(path) if packed else path.open("rb") as stream:
        assert sum(1 for _ in watched(iter(stream), stream, hear)) == 20_000
    assert {total for _, total in heard} == {path.stat().st_size}
    shares = [done / total for done, total in heard]
    assert shares == sorted(shares)
    assert shares[-1] > 0.9
    assert list(watched(iter("ab"), io.BytesIO(b"ab"), hear)) == ["a", "b"]
    heard.clear()
    assert len(list(counted(iter(range(1000)), 1000, hear))) == 1000
    assert heard[-1] == (768, 1000)


SCRIPT = """
import sys, time
from modelwright.cli import progress
from modelwright.cli.terminal import Terminal
progress.MOMENT = 0.0
terminal = Terminal(quiet="quiet" in sys.argv)
with progress.working(terminal, "Reading [b]rows[/b]", 4) as work:
    for done in range(4):
        work.at(done)
        time.sleep(0.1)
    terminal.say("above the bar")
    time.sleep(0.3)
print("result")
"""


def run_on_terminal(*words: str, **environment: str) -> tuple[bytes, bytes]:
    """What the script writes to its standard output, a pipe, and to its standard error, a terminal."""
    master, slave = pty.openpty()
    env = {**os.environ, "PYTHONPATH": str(SOURCE), "TERM": "xterm", "COLUMNS": "80", **environment}
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *words], stdout=subprocess.PIPE, stderr=slave, env=env
    )
    os.close(slave)
    drawn = b""
    with process:
        while True:
            try:
                data = os.read(master, 65536)
            except OSError:  # Linux tells the end of a terminal so
                break
            if not data:
                break
            drawn += data
        assert process.stdout is not None
        out = process.stdout.read()
    os.close(master)
    assert process.returncode == 0, drawn
    return out, drawn


def test_a_terminal_gets_a_bar_and_a_pipe_gets_the_result():
    """Drawn where a person looks, taken away at the end; the result goes where it was sent."""
    out, drawn = run_on_terminal()
    assert out == b"result\n"
    assert b"Reading [b]rows[/b]" in drawn
    assert b"left" in drawn
    assert b"above the bar" in drawn
    assert drawn.count(b"\x1b[?25l") == drawn.count(b"\x1b[?25h") == 1  # the cursor is given back


@pytest.mark.parametrize(("words", "environment"), [(["quiet"], {}), ([], {"TERM": "dumb"})])
def test_nobody_gets_a_bar_who_cannot_want_one(words, environment):
    """Neither with --quiet nor on a terminal that cannot draw a line again."""
    assert b"Reading" not in run_on_terminal(*words, **environment)[1]


def test_no_color_means_none():
    """With NO_COLOR a bar moves without colours."""
    drawn = run_on_terminal(NO_COLOR="1")[1]
    assert b"Reading" in drawn
    assert b"\x1b[3" not in drawn
    assert b"\x1b[38" not in drawn


def test_a_pipe_gets_no_bar(tmp_path: Path):
    """Standard error into a file holds what was said, and nothing drawn."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == (b"result\n", b"above the bar\n")
