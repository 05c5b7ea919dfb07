"""The tests' own fixtures do what they say."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import psycopg
import pytest

from servers import PostgresServer


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
