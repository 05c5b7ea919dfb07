"""Real servers for tests, started from programs the machine has, bound to 127.0.0.1 only."""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin")
PR_SET_PDEATHSIG = 1


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def postgres_programs() -> Path | None:
    """The folder of the newest PostgreSQL server programs here, or ``None``."""
    found = [
        folder
        for place in PLACES
        for folder in Path("/").glob(place.lstrip("/"))
        if (folder / "postgres").exists() and (folder / "initdb").exists()
    ]
    if found:
        return max(
            found, key=lambda folder: [int(part) for part in folder.parent.name.split(".") if part.isdigit()]
        )
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


class PostgresServer:
    """A PostgreSQL server of its own, in a folder of its own, that can be stopped and started again.

    PostgreSQL refuses to run as root, so there it runs as the user ``postgres`` or ``nobody``. It
    dies with the process that made it, and keeps nothing: data is not synced to disk.

    Attributes:
        port: Where it listens; the same after a restart.
    """

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._folder = Path(tempfile.mkdtemp(prefix="modelwright-postgres-"))
        self._owner = _unprivileged_user()
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def __enter__(self) -> Self:
        self._initialise()
        for attempt in range(3):
            self.port = free_port()
            try:
                self.start()
            except RuntimeError:  # somebody else took the port meanwhile
                if attempt == 2:
                    self.__exit__(None, None, None)
                    raise
            else:
                break
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def url(self, database: str = "postgres") -> str:
        """Address of one of its databases."""
        return f"postgresql://modelwright@127.0.0.1:{self.port}/{database}"

    def create_database(self) -> str:
        """Make an empty database and return its address."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Remove a database made by ``create_database``, also while somebody is still connected."""
        name = url.rpartition("/")[2]
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            RuntimeError: It did not come up; the message ends with what it logged.
        """
        quick = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=60"]
        command = [self._programs / "postgres", "-D", self._folder / "data", "-k", self._folder]
        command += ["-h", "127.0.0.1", "-p", str(self.port)]
        log = self._folder / "log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*command, *(part for setting in quick for part in ("-c", setting))],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - one prctl call, before any thread of ours
                **self._as_owner(),
            )
        deadline = time.monotonic() + 60
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                psycopg.connect(self.url(), connect_timeout=5).close()
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return
        self.stop(signal.SIGQUIT)
        raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text(errors='replace')[-2000:]}")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: at once but cleanly by default, ``SIGQUIT`` as a crash would."""
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _initialise(self) -> None:
        if self._owner is not None:
            shutil.chown(self._folder, self._owner)
        command = [self._programs / "initdb", "-D", self._folder / "data", "-U", "modelwright"]
        subprocess.run(
            [*command, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            **self._as_owner(),
        )

    def _as_owner(self) -> dict[str, object]:
        common: dict[str, object] = {
            "cwd": self._folder,
            "env": {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
        }
        if self._owner is None:
            return common
        account = pwd.getpwnam(self._owner)
        return common | {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _unprivileged_user() -> str | None:
    if os.geteuid() != 0:
        return None
    known = {account.pw_name for account in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)
