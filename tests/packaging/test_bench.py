"""The benchmark harness: ratios, goals and the report, without measuring anything."""

from __future__ import annotations

import contextlib
import http.server
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import report
from bench.__main__ import NAMES, load
from bench.processes import cost, until_answer
from bench.rate import Asker
from bench.rows import Benchmark, Row

ROW = Row("it", 3.0, 2.0, "s", "the other", goal=1.6)


def test_a_goal_is_a_ratio_not_to_pass() -> None:
    """At most by default, at least where more is better, and met on the line itself."""
    assert ROW.ratio == 1.5
    assert ROW.holds
    assert not Row("it", 3.0, 2.0, "s", "the other", goal=1.4).holds
    assert Row("it", 3.0, 2.0, "1/s", "the other", goal=1.5, more_is_better=True).holds
    assert not Row("it", 3.0, 2.0, "1/s", "the other", goal=1.6, more_is_better=True).holds
    assert Row("it", 9.0, 2.0, "s", "the other").holds


def test_every_benchmark_can_be_loaded() -> None:
    """What ``make bench`` lists is there, with a heading of its own."""
    assert len({load(name).title for name in NAMES}) == len(NAMES)


def test_the_report_keeps_the_sections_of_other_benchmarks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Running one benchmark again replaces its own section, in place."""
    monkeypatch.setattr(report, "REPORT", tmp_path / "reference" / "benchmarks.md")
    one = Benchmark("One", "Somehow.", lambda folder, quick: [], ("pytest",))
    two = Benchmark("Two", r"With a \1 in it.", lambda folder, quick: [])
    report.write("one", one, [ROW])
    report.write("two", two, [ROW])
    report.write("one", one, [Row("it", 5.0, 2.0, "s", "the other", goal=1.6)])
    text = report.REPORT.read_text()
    assert text.startswith("# Benchmarks")
    assert [line for line in text.splitlines() if line.startswith("## ")] == ["## One", "## Two"]
    assert "| it | 5 s | the other: 2 s | 2.500 | at most 1.6 | **missed** |" in text
    assert "| it | 3 s | the other: 2 s | 1.500 | at most 1.6 | met |" in text


def test_memory_counts_a_process_with_its_children(tmp_path: Path) -> None:
    """A child that holds 64 MiB for a while shows up in its parent's cost."""
    child = "import time; held = bytearray(b'x') * (64 << 20); time.sleep(2)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    assert cost([sys.executable, "-c", parent], tmp_path).peak > 64 << 20


def test_a_command_that_fails_ends_the_benchmark_with_its_output(tmp_path: Path) -> None:
    """Nobody reads figures of something that did not work."""
    with pytest.raises(SystemExit, match=r"ended with 3:\nsaid why"):
        cost([sys.executable, "-c", "print('said why'); raise SystemExit(3)"], tmp_path)
    with pytest.raises(SystemExit, match="no answer:\nsaid why"):
        until_answer([sys.executable, "-c", "print('said why')"], 1, {}, tmp_path, limit=30)


@contextlib.contextmanager
def answering(status: int) -> Iterator[int]:
    """A server that gives everybody the same answer; its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def test_a_steady_rate_asks_as_often_as_it_says() -> None:
    """Every request that was due is asked and its answer awaited, however late."""
    with answering(200) as port, contextlib.closing(Asker(port, 3, ['{"a": 1}', "{}"])) as asker:
        asker.ask(200, 0.25)
    assert len(asker.latencies) == 50
    assert min(asker.latencies) > 0


def test_a_refused_request_ends_the_measurement() -> None:
    """Nobody measures how fast a server refuses."""
    with (
        answering(503) as port,
        contextlib.closing(Asker(port, 1, ["{}"])) as asker,
        pytest.raises(SystemExit, match="503"),
    ):
        asker.ask(100, 0.05)
