"""Running the product as a person does, and watching what it costs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

EVERY = 0.1  # seconds between looks at the memory of a process tree


def modelwright(*arguments: str | Path) -> list[str]:
    """The command line that runs the product: the installed program, or the module where there is none."""
    program = Path(sys.executable).with_name("modelwright")
    start = [str(program)] if program.exists() else [sys.executable, "-m", "modelwright"]
    return [*start, *(str(argument) for argument in arguments)]


def environment() -> dict[str, str]:
    """This environment without the product's settings, and with bytecode kept as on anybody's machine."""
    dropped = ("MODELWRIGHT_", "MLFLOW_", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if not name.startswith(dropped)}


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def on_cores(count: int) -> Iterator[None]:
    """Let this process, and so everything it starts meanwhile, use ``count`` cores only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@dataclass(frozen=True)
class Cost:
    """What a command took: seconds on the clock, and bytes of memory at its peak with all its children."""

    seconds: float
    peak: int


def cost(command: Sequence[str], folder: Path) -> Cost:
    """Run a command to its end and measure it.

    Memory is the proportional set size, summed over the process and its descendants: pages they
    share count once.

    Raises:
        SystemExit: The command failed; its output has been shown.
    """
    peak = 0
    output = folder / "output.log"
    begun = time.perf_counter()
    with output.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment()
        )
        done = threading.Event()

        def watch() -> None:
            nonlocal peak
            while not done.wait(EVERY):
                peak = max(peak, tree_memory(process.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        status = process.wait()
        seconds = time.perf_counter() - begun
        done.set()
        watcher.join()
    if status != 0:
        raise SystemExit(
            f"{' '.join(command)} ended with {status}:\n{output.read_text(errors='replace')[-4000:]}"
        )
    return Cost(seconds, peak)


def tree_memory(pid: int) -> int:
    """Proportional set size of a process and its descendants, in bytes; 0 for what is gone."""
    total = 0
    with contextlib.suppress(OSError):
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        total += next(int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:"))
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                total += sum(tree_memory(int(child)) for child in (task / "children").read_text().split())
    return total


def until_answer(
    command: Sequence[str], port: int, body: dict[str, object], folder: Path, limit: float
) -> float:
    """Start a server, wait for its first answer to ``POST /predict``, stop it; seconds until the answer.

    Raises:
        SystemExit: It ended, refused the request, or took longer than ``limit`` seconds.
    """
    output = folder / "output.log"
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/predict", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    begun = time.perf_counter()
    with output.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment()
        )
        try:
            while time.perf_counter() - begun < limit and process.poll() is None:
                try:
                    with urllib.request.urlopen(request, timeout=5) as answer:
                        answer.read()
                        return time.perf_counter() - begun
                except urllib.error.HTTPError as error:
                    raise SystemExit(f"POST /predict: {error}: {error.read().decode()}") from None
                except OSError:
                    time.sleep(0.005)
        finally:
            _stop(process)
    raise SystemExit(f"{' '.join(command)} gave no answer:\n{output.read_text(errors='replace')[-4000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
