"""Running the real program as a person would: as a process, in a project folder of its own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from modelwright.cli.main import main
from servers import free_port
from tracked import lay_tracking

REPOSITORY = Path(__file__).parents[2]
EXAMPLES = REPOSITORY / "examples"


@dataclass
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, parsed."""
        return json.loads(self.out)


def environment(**extra: str) -> dict[str, str]:
    """The caller's environment with this checkout importable, and nothing of ours set."""
    kept = {
        key: value for key, value in os.environ.items() if not key.startswith(("MODELWRIGHT_", "MLFLOW_"))
    }
    paths = [str(REPOSITORY / "src"), *filter(None, [kept.get("PYTHONPATH")])]
    return {**kept, "PYTHONPATH": os.pathsep.join(paths), "NO_COLOR": "1", "COLUMNS": "120", **extra}


def command(*arguments: str | Path) -> list[str]:
    """The command line of the program."""
    return [sys.executable, "-m", "modelwright", *map(str, arguments)]


def run(*arguments: str | Path, cwd: Path | None = None, timeout: float = 240, **extra: str) -> Result:
    """Run a command to its end."""
    done = subprocess.run(
        command(*arguments),
        cwd=cwd,
        env=environment(**extra),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def train(*arguments: str | Path, cwd: Path | None = None) -> Result:
    """Run a command that trains in this process: for what comes of it, not for how it starts or is stopped.

    Loading the libraries, and MLflow's making of its database, cost a small training more than all the
    rest: this process has loaded them, and a project's folder (the second argument) gets the database.
    """
    if Path(arguments[1], "project.yaml").is_file():
        lay_tracking(Path(arguments[1]) / ".modelwright")
    return here(*arguments, cwd=cwd)


def here(*arguments: str | Path, cwd: Path | None = None) -> Result:
    """Run a command in this process, with its environment."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with (
        contextlib.chdir(cwd or Path.cwd()),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = 0
        try:
            main([*map(str, arguments)])
        except SystemExit as ended:
            code = int(ended.code or 0)
    return Result(code, *(_written(stream) for stream in (out, err)))


def _written(stream: io.TextIOWrapper) -> str:
    stream.flush()
    return stream.buffer.getvalue().decode()  # type: ignore[attr-defined]


def example(name: str, into: Path) -> Path:
    """A copy of an example project, without anything an earlier run left in it."""
    leave = shutil.ignore_patterns(".modelwright", ".dvc", "*.dvc", ".dvcignore", "data", "__pycache__")
    return Path(shutil.copytree(EXAMPLES / name, into / name, ignore=leave))


def with_source(project: Path, source: str) -> None:
    """Let a project read other data: what a person does who changes ``data.source`` alone."""
    file = project / "project.yaml"
    text, places = re.subn(r"(?m)^  source: .*\n(?:    - .*\n)*", f"  source: {source}\n", file.read_text())
    assert places == 1, text
    file.write_text(text)


def post(url: str, body: Any, timeout: float = 10) -> tuple[int, Any]:
    """POST JSON; the status and the parsed answer, also of a refusal."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    return _fetch(request, timeout)


def get(url: str, timeout: float = 10) -> tuple[int, Any]:
    """GET JSON; the status and the parsed answer."""
    return _fetch(urllib.request.Request(url), timeout)


def _fetch(request: urllib.request.Request, timeout: float) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


@contextlib.contextmanager
def serving(
    *arguments: str | Path, cwd: Path | None = None, timeout: float = 240, **extra: str
) -> Iterator[Server]:
    """A command that ends in serving (``up`` or ``serve``), running until the block ends."""
    port = free_port()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(
            command(*arguments, "--port", str(port)),
            cwd=cwd,
            env=environment(**extra),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        server = Server(process, f"http://127.0.0.1:{port}", out, err)
        try:
            server.wait(timeout)
            yield server
        finally:
            server.stop()


@dataclass
class Server:
    """A served project."""

    process: subprocess.Popen[bytes]
    url: str
    out_file: IO[str]
    err_file: IO[str]

    @property
    def out(self) -> str:
        """What it has written to standard output so far."""
        return _content(self.out_file)

    @property
    def err(self) -> str:
        """What it has written to standard error so far."""
        return _content(self.err_file)

    def wait(self, timeout: float) -> None:
        """Return once it answers and has said so; fail with what it printed otherwise."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode}\n{self.out}\n{self.err}")
            if self.url in self.out:
                with contextlib.suppress(OSError):
                    status, _ = get(f"{self.url}/health/ready", timeout=2)
                    if status == 200:
                        return
            time.sleep(0.05)
        raise AssertionError(f"not ready after {timeout} s\n{self.out}\n{self.err}")

    def stop(self) -> None:
        """Tell it to end, and end it if it does not."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def _content(file: IO[str]) -> str:
    return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode(errors="replace")
