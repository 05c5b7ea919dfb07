"""The tests' own fixtures do what they say."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from leftovers import leftovers
from servers import PostgresServer
from serving import eventually


@pytest.mark.postgres
def test_each_test_has_a_database_of_its_own(postgres_server: PostgresServer, postgres_url: str) -> None:
    """A database is real, empty, and not shared with the next one."""
    other = postgres_server.create_database()
    with psycopg.connect(postgres_url) as connection:
        connection.execute("create table t (x int)")
    with psycopg.connect(other) as connection:
        assert connection.execute("select to_regclass('t')").fetchone() == (None,)
    postgres_server.drop_database(other)


@pytest.mark.postgres
def test_a_server_keeps_its_data_and_port_over_a_restart(own_postgres_server: PostgresServer) -> None:
    """Stopping refuses connections; starting again brings the same data back at the same address."""
    url = own_postgres_server.create_database()
    with psycopg.connect(url) as connection:
        connection.execute("create table t as select 7 as x")
    own_postgres_server.stop()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    own_postgres_server.start()
    with psycopg.connect(url) as connection:
        assert connection.execute("select x from t").fetchone() == (7,)


def test_a_project_is_what_was_asked_for(tmp_project) -> None:
    """Settings become project.yaml, files land where they were named, git holds them all."""
    folder = tmp_project({"name": "a b", "task": "regression"}, {"data/é.csv": "x\n1\n"}, git=True)
    assert "task: regression" in (folder / "project.yaml").read_text()
    assert (folder / "data" / "é.csv").read_bytes() == b"x\n1\n"
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=folder, check=True, capture_output=True).stdout
    assert tracked.split(b"\0")[:2] == ["data/é.csv".encode(), b"project.yaml"]


def test_nothing_of_the_person_running_the_tests_gets_in() -> None:
    """Home is a folder of the test run's own and holds no configuration."""
    assert Path.home().name.startswith("modelwright-home-")
    assert not [name for name in os.environ if name.startswith("MODELWRIGHT_")]


@pytest.mark.skipif(sys.platform != "linux", reason="processes are found through /proc")
def test_what_is_left_running_is_found() -> None:
    """A program, also one that its parent left, a listening socket and a running event loop are named."""
    home = os.environ["HOME"]
    shell = subprocess.run(
        ["sh", "-c", "sleep 98765 >/dev/null 2>&1 & echo $!"], capture_output=True, text=True, check=True
    )
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        async def look() -> list[str]:
            return leftovers(home, seconds=0)

        found = asyncio.run(look())
    os.kill(int(shell.stdout), signal.SIGKILL)
    assert any("sleep 98765" in each for each in found)
    assert f"a listening socket on port {port}" in found
    assert any("event loop" in each for each in found)
    eventually(lambda: not any("sleep 98765" in each for each in leftovers(home, seconds=0)))
