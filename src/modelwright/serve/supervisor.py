"""The parent: holds the sockets, keeps workers, keeper and monitors running, passes signals on.

It imports next to nothing and does no work of its own, so that it does not fail. A worker's listening
socket stays open here: while a dead worker is started again, its new connections wait and are not
refused.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from modelwright.errors import ExitCode, ModelwrightError, StorageFailure
from modelwright.serve.errors import CannotListen, ServerFailed
from modelwright.serve.settings import Child, ServeSettings, Word

logger = logging.getLogger(__name__)

_BACK_OFF = (0.1, 10.0)  # first and longest wait before a child is started again
_STEADY = 30.0  # a child that lived so long starts again at once
_START_SECONDS = 120.0
_GRACE = 5.0  # beyond the drain time, before children are killed

Ready = Callable[[str, dict[str, int], str], None]
"""Told once all are ready: the address, the version served under each name, the first one's bundle."""


class ChildFailed(ModelwrightError):
    """A child's own words for why it could not start."""

    def __init__(self, word: Word) -> None:
        super().__init__(word.reason, word.instruction, details=word.details)
        self.code = ExitCode(word.code) if word.code in set(ExitCode) else ExitCode.UNEXPECTED


class Process:
    """A child that is to run all the time."""

    def __init__(self, role: str, slot: int, listener: socket.socket | None) -> None:
        self.role = role
        self.slot = slot
        self.listener = listener
        self.process: subprocess.Popen[bytes] | None = None
        self.words = -1
        self.heard = b""
        self.ready = False
        self.started = 0.0
        self.deaths = 0
        self.due = 0.0

    def alive(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.poll() is None


def wait_after(deaths: int) -> float:
    """Seconds until a child that died ``deaths`` times, each after a short life, is started again."""
    first, longest = _BACK_OFF
    return 0.0 if deaths <= 1 else min(longest, first * 2.0 ** min(deaths - 2, 30))


class Supervisor:
    """Runs a server until it is told to stop.

    Args:
        settings: How to serve.
    """

    def __init__(self, settings: ServeSettings) -> None:
        self.settings = settings
        self._selector = selectors.DefaultSelector()
        self._life_read, self._life_write = os.pipe()
        self._stopping = False
        self._told = False
        self._failure: ModelwrightError | None = None
        self._versions: dict[str, int] = {}
        self._bundle = ""
        self._processes: list[Process] = []
        self._later = [Process("monitor", 0, None)] if settings.monitor else []

    def run(self, on_ready: Ready | None = None) -> int:
        """Serve; blocks until SIGTERM or SIGINT.

        Raises:
            CannotListen: The address cannot be bound.
            ModelwrightError: A child said why it could not start.
        """
        sockets = listen(self.settings.host, self.settings.port, self.settings.workers)
        address = _address(self.settings, sockets[0])
        run_dir, lock = _make_run_dir(Path(self.settings.work_dir))
        self._processes = [Process("keeper", 0, None)]
        self._processes += [Process("worker", slot, each) for slot, each in enumerate(sockets)]
        try:
            with self._signals():
                self._serve(run_dir, address, on_ready)
        finally:
            self._stop_all(run_dir)
            for each in sockets:
                each.close()
            self._selector.close()
            os.close(self._life_read)
            shutil.rmtree(run_dir, ignore_errors=True)
            os.close(lock)
        if self._failure is not None:
            raise self._failure
        return 0

    def _serve(self, run_dir: Path, address: str, on_ready: Ready | None) -> None:
        for each in self._processes:
            self._start(each, run_dir)
        deadline = time.monotonic() + _START_SECONDS
        while not self._stopping:
            self._listen(0.5 if self._told else 0.05)
            if not self._told and all(each.ready for each in self._processes):
                self._told = True
                if on_ready is not None:
                    on_ready(address, self._versions, self._bundle)
                self._start_later(run_dir)
            if not self._told:
                self._check_start(deadline)
            else:
                self._revive(run_dir)

    def _start_later(self, run_dir: Path) -> None:
        """Start what a first answer does not wait for."""
        for each in self._later:
            self._start(each, run_dir)
            self._processes.append(each)

    def _check_start(self, deadline: float) -> None:
        """A server that cannot start ends; only one that ran is kept alive."""
        dead = [each for each in self._processes if not each.alive()]
        if dead or time.monotonic() > deadline:
            self._listen(0)  # its last words
            what = f"The {dead[0].role} ended" if dead else "The server was not ready"
            self._failure = self._failure or ServerFailed(
                f"{what} before anything could be served.", "What it wrote above says why."
            )
        if self._failure is not None:
            self._stopping = True

    def _revive(self, run_dir: Path) -> None:
        now = time.monotonic()
        for each in self._processes:
            if each.alive():
                continue
            if not each.due:
                each.deaths = 1 if now - each.started > _STEADY else each.deaths + 1
                wait = wait_after(each.deaths)
                each.due = now + wait
                code = each.process.returncode if each.process else None
                again = f"in {wait:.1f} s" if wait else "at once"
                logger.error(
                    "The %s %d ended (%s); it is started again %s", each.role, each.slot, code, again
                )
            if now >= each.due:
                self._start(each, run_dir)

    def _start(self, each: Process, run_dir: Path) -> None:
        self._forget_words(each)
        words, status = os.pipe()
        listener = each.listener.fileno() if each.listener is not None else -1
        child = Child(
            settings=self.settings,
            role=each.role,
            slot=each.slot,
            listener=listener,
            status=status,
            life=self._life_read,
            run_dir=str(run_dir),
        )
        kept = [fd for fd in (listener, status, self._life_read) if fd >= 0]
        process = subprocess.Popen(
            [sys.executable, "-m", "modelwright.serve.child", each.role],  # the role is for people's eyes
            stdin=subprocess.PIPE,
            stdout=sys.stderr.fileno() if hasattr(sys.stderr, "fileno") else None,
            pass_fds=kept,
            env=_environment(),
            start_new_session=True,  # Ctrl+C reaches this process only, which then drains the others
        )
        os.close(status)
        assert process.stdin is not None  # noqa: S101 - asked for above
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(msgspec.json.encode(child) + b"\n")
            process.stdin.close()
        each.process, each.words, each.heard = process, words, b""
        each.started, each.due, each.ready = time.monotonic(), 0.0, False
        os.set_blocking(words, False)
        self._selector.register(words, selectors.EVENT_READ, each)

    def _listen(self, seconds: float) -> None:
        """Hear what children say, for a while."""
        for key, _ in self._selector.select(seconds):
            each = key.data
            if not isinstance(each, Process):
                with contextlib.suppress(BlockingIOError):
                    os.read(key.fd, 512)  # the signal's wake-up
                continue
            with contextlib.suppress(BlockingIOError):
                data = os.read(each.words, 65536)
                if not data:
                    self._forget_words(each)
                    continue
                *lines, each.heard = (each.heard + data).split(b"\n")
                for line in lines:
                    self._hear(each, msgspec.json.decode(line, type=Word))

    def _hear(self, each: Process, word: Word) -> None:
        if word.state == "ready":
            each.ready = True
            self._versions.update(word.versions)
            self._bundle = word.bundle or self._bundle
        elif self._failure is None:
            self._failure = ChildFailed(word)

    def _forget_words(self, each: Process) -> None:
        if each.words >= 0:
            self._selector.unregister(each.words)
            os.close(each.words)
            each.words = -1

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT stop, SIGHUP looks at the releases again."""
        read, write = os.pipe()
        for handle in (read, write):
            os.set_blocking(handle, False)
        before = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        handlers = {
            number: signal.signal(number, handler)
            for number, handler in (
                (signal.SIGTERM, self._stop),
                (signal.SIGINT, self._stop),
                (signal.SIGHUP, self._pass_on),
            )
        }
        self._selector.register(read, selectors.EVENT_READ, None)
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(before)
            self._selector.unregister(read)
            os.close(read)
            os.close(write)

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _pass_on(self, number: int, _frame: object) -> None:
        for each in self._processes:
            if each.alive() and each.process is not None:
                each.process.send_signal(number)

    def _stop_all(self, run_dir: Path) -> None:
        """Drain the workers, then let the keeper deliver what they left, also if it died a moment ago."""
        keeper, *workers = self._processes
        if self._told and not keeper.alive():
            self._start(keeper, run_dir)
        for group in (workers, [keeper]):
            _end([each.process for each in group if each.process], self.settings.drain_seconds + _GRACE)
        os.close(self._life_write)
        for each in self._processes:
            self._forget_words(each)


def _end(processes: list[subprocess.Popen[bytes]], seconds: float) -> None:
    for process in processes:
        if process.poll() is None:
            process.terminate()
    end = time.monotonic() + seconds
    for process in processes:
        try:
            process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def listen(host: str, port: int, count: int) -> list[socket.socket]:
    """Sockets that share an address, one for each worker; the system spreads connections over them.

    Raises:
        CannotListen: The address is taken, or not this machine's.
    """
    sockets: list[socket.socket] = []
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        _refuse_taken(family, address, port)
        for _ in range(count):
            each = socket.socket(family, kind, protocol)
            sockets.append(each)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if sockets[0] is not each:
                address = sockets[0].getsockname()
            each.bind(address)
        for each in sockets:
            each.listen(2048)
            each.set_inheritable(True)
    except OSError as error:
        for each in sockets:
            each.close()
        raise CannotListen(host, port, error) from error
    return sockets


def _refuse_taken(family: int, address: tuple[object, ...], port: int) -> None:
    """Find out that another server has the port: with SO_REUSEPORT both would get some connections."""
    if port == 0:
        return
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        probe.listen(1)


def _address(settings: ServeSettings, listener: socket.socket) -> str:
    host = settings.host
    scheme = "https" if settings.certificate else "http"
    port = listener.getsockname()[1]
    shown = "127.0.0.1" if host in {"0.0.0.0", "::", ""} else host  # noqa: S104 - compared, not bound
    return f"{scheme}://{f'[{shown}]' if ':' in shown else shown}:{port}"


def _make_run_dir(work_dir: Path) -> tuple[Path, int]:
    """A folder for this run, and the lock on it; those of runs that were killed are removed."""
    try:
        runs = work_dir / "run"
        runs.mkdir(parents=True, exist_ok=True)
        with _locked(runs):
            for left in runs.iterdir():
                _remove_left(left)
            run_dir = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=runs))
            lock = os.open(run_dir, os.O_RDONLY | os.O_CLOEXEC)
            fcntl.flock(lock, fcntl.LOCK_EX)
        return run_dir, lock
    except OSError as error:
        raise StorageFailure.from_os_error(error, "starting the server") from error


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """The folder, to oneself."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _remove_left(folder: Path) -> None:
    """Remove a run's folder if its supervisor is gone."""
    with contextlib.suppress(OSError):  # it is another's, or in use: let it lie
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(handle)


def _environment() -> dict[str, str]:
    """Children find the package where this process did, and numpy's own threads stay away."""
    source = str(Path(__file__).parents[2])
    path = os.environ.get("PYTHONPATH", "")
    parts = [source, *[part for part in path.split(os.pathsep) if part and part != source]]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(parts),
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
