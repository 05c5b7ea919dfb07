"""A store copied into another database is the same store, and whatever ends a copy early leaves nothing."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, inspect, text

from modelwright.store import copying, migrations
from modelwright.store.contents import CONTENTS, CannotRead
from modelwright.store.copying import AtWork, ChangedMeanwhile, NotEmpty, copy_store
from modelwright.store.engine import SqlStore, open_store
from modelwright.store.errors import StoreNotWritable, StoreTooNew, StoreTooOld, StoreUnavailable
from modelwright.store.portable import CannotKeep
from modelwright.store.survey import survey
from modelwright.store.tables import events
from modelwright.store.tables import predictions as predictions_table
from modelwright.testing.factories import NOON, api_key, prediction, predictions, version

from .conftest import DATABASES, database_of
from .test_faults import disk_full_at
from .test_values import JSON, TEXT

MakeUrl = Callable[[], str]


@pytest.fixture
def file_url(tmp_path: Path) -> MakeUrl:
    """Addresses of SQLite files that are not there yet."""
    made = iter(range(1000))
    return lambda: f"sqlite:///{tmp_path / f'copy {next(made)}.db'}"


@pytest.fixture
def source(tmp_path: Path) -> str:
    """A SQLite store with rows in every table."""
    url = f"sqlite:///{tmp_path / 'source.db'}"
    with open_store(url) as store:
        fill(store)
    return url


@pytest.fixture(params=DATABASES)
def empty_url(request: pytest.FixtureRequest, file_url: MakeUrl) -> str:
    """An empty place of each kind."""
    return file_url() if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


def fill(store: SqlStore) -> None:
    """Something in each table, of two projects, with what differs between databases."""
    for project in ("iris", "fräud 'x'"):
        assert store.versions.reserve(project) == 1
        store.versions.add(version(project=project))
        store.releases.append(project, 1, reason="first\0", actor="ann")
        store.predictions.add(predictions(120, project=project))
        store.labels.add(project, "p000001", float("nan"), client="c")
        store.labels.add(project, "nobody", {"a": None})
        store.samples.add(project, {"a": 1.5, "b": "\0"}, "yes")
        store.jobs.add(project, trigger="person", reason="ünïcode")
        store.events.add(project, "note", "half \ud800", {"x": float("inf")})
        store.windows.add(window(project))
        store.states.put(project, "memory", '{"p": 0.1}')
        store.overrides.set(project, {"quality.f1": 0.9}, actor="ann", reason="why not")
        store.online.replace(project, ("a", "b"), {"k 1": (0.1 + 0.2, None), "k\0": (-0.0, "x")})
    store.keys.add(api_key())
    store.leases.acquire("monitors of iris", "a-host", seconds=0)
    store.ping()


def window(project: str):
    from modelwright.store.records import WindowRecord

    return WindowRecord(
        project=project,
        kind="drift",
        version=1,
        model="m",
        since=NOON,
        until=NOON,
        rows=9,
        data={"psi": 1e-7},
    )


def everything(url: str) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables but of leases, as the driver gives them."""
    database = database_of(url)
    with database.read() as connection:
        found = {
            table.name: sorted(map(repr, map(tuple, connection.execute(table.select()))))
            for table in CONTENTS
        }
    database.engine.dispose()
    found["mw_counters"] = [row for row in found["mw_counters"] if not row.startswith("('',")]
    return found


def is_untouched(url: str) -> bool:
    """Whether nothing of a store is at ``url``, not even a table."""
    if url.startswith("sqlite:///"):
        return not Path(url.removeprefix("sqlite:///")).exists()
    database = database_of(url)
    with database.read() as connection:
        names = inspect(connection).get_table_names()
    database.engine.dispose()
    return not names


def test_there_and_back_every_row_is_the_same(source, empty_url, file_url):
    """Of every table, with U+0000, NaN, infinities, surrogates and any name; the source stays as it was."""
    before = everything(source)
    assert all(before.values())
    there = copy_store(source, empty_url)
    back = file_url()
    again = copy_store(empty_url, back)
    assert (there.rows, there.digests) == (again.rows, again.digests)
    assert before == everything(source) == everything(empty_url) == everything(back)


def test_a_copy_is_a_store_to_work_on(source, empty_url):
    """It answers as the first does, and what it numbers goes on where the first was, also after deletions."""
    with open_store(source) as store:
        gone = store.events.add("iris", "note", "to be deleted")
    with sqlite3.connect(source.removeprefix("sqlite:///")) as raw:
        raw.execute("DELETE FROM mw_events WHERE sequence = ?", [gone.sequence])
    raw.close()
    copy_store(source, empty_url)
    with open_store(source) as first, open_store(empty_url) as second:
        assert second.versions.get("iris", 1) == first.versions.get("iris", 1)
        assert second.predictions.history("iris") == first.predictions.history("iris")
        assert second.online.all("iris") == first.online.all("iris")
        assert second.events.add("iris", "note", "next").sequence == gone.sequence + 1
        assert second.versions.reserve("iris") == 2
        assert second.predictions.add([prediction("p000001")]) == 0
        for append in (
            lambda store: store.labels.add("iris", "p000002", 1).sequence,
            lambda store: store.samples.add("iris", {}, 1).sequence,
            lambda store: store.windows.add(window("iris")).sequence,
            lambda store: store.releases.append("iris", 1, reason="r", actor="a").sequence,
            lambda store: store.online.replace("iris", ("a",), {"k": (1.0,)}).sequence,
        ):
            assert append(second) == append(first)
        first.ping()
        second.ping()


VALUES = st.tuples(JSON, TEXT, TEXT.filter(bool), st.integers(-(2**63), 2**63 - 1), st.floats(0, 1e308))


@given(values=st.lists(VALUES, min_size=4, max_size=12))
@settings(suppress_health_check=list(HealthCheck), max_examples=2)
def test_any_value_comes_through(postgres_server, tmp_path_factory, values):
    """Of whatever a client may send, under whatever name, to PostgreSQL and back."""
    folder = tmp_path_factory.mktemp("any")
    there = postgres_server.create_database()
    urls = [f"sqlite:///{folder / 'a.db'}", there, f"sqlite:///{folder / 'b.db'}"]
    with open_store(urls[0]) as store:
        for place, (inputs, client, project, _, latency) in enumerate(values):
            changes = {"inputs": inputs, "client": client, "project": project, "latency": latency}
            store.predictions.add([prediction(f"p{place}", **changes)])
            store.events.add(project, "note", client, {"x": inputs})
            store.states.put(project, client, client)
    with writing(urls[0]) as connection:
        for _, _, _, number, _ in values:
            row = {"project": "n", "time": number, "kind": "k", "message": "", "data": "{}"}
            connection.execute(insert(events).values(row))
    copy_store(urls[0], urls[1])
    copy_store(urls[1], urls[2])
    assert everything(urls[0]) == everything(urls[1]) == everything(urls[2])
    postgres_server.drop_database(there)


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("client", "'a' || char(0) || 'b'", "has a character U+0000 in it"),
        ("version", "5000000000", "is 5000000000, which is too large"),
        ("version", "'one'", "is 'one', which is not a whole number"),
        ("latency", "9e999", "is inf, which is no finite number"),
        ("inputs", "x'ff00'", "is b'\\xff\\x00', which is not text"),
    ],
)
def test_what_a_database_would_alter_is_refused_by_name(source, file_url, column, value, told):
    """Written by somebody else, since SQLite takes anything anywhere: the table, the row and the column."""
    with writing(source) as connection:
        connection.execute(text(f"UPDATE mw_predictions SET {column} = {value} WHERE id = 'p000007'"))
    with pytest.raises(CannotKeep) as raised:
        copy_store(source, to := file_url())
    assert f"{column} of mw_predictions (project " in raised.value.reason
    assert f"id 'p000007') {told}" in raised.value.reason
    assert is_untouched(to)


def test_text_that_is_no_text_is_told(source, file_url):
    """Bytes that are not UTF-8 stop the copy with the driver's words."""
    with writing(source) as connection:
        connection.execute(text("UPDATE mw_events SET message = CAST(x'ff' AS TEXT) WHERE sequence = 1"))
    with pytest.raises(CannotRead, match="rows of mw_events"):
        copy_store(source, to := file_url())
    assert is_untouched(to)


@contextmanager
def writing(url: str) -> Iterator:
    database = database_of(url)
    with database.write() as connection:
        yield connection
    database.engine.dispose()


def test_a_place_with_rows_is_refused_and_keeps_them(source, empty_url):
    """Naming what is there; tables without rows, and what a health check left, are no hindrance."""
    with open_store(empty_url) as store:
        store.ping()
    copy_store(source, empty_url)
    before = everything(empty_url)
    with pytest.raises(NotEmpty) as raised:
        copy_store(source, empty_url)
    assert "mw_predictions: 240 rows" in raised.value.details
    assert everything(empty_url) == before


def test_tables_of_others_do_not_matter(source, empty_url):
    """A database that MLflow or anybody else keeps tables in is as good as an empty one."""
    with writing(empty_url) as connection:
        connection.execute(text("CREATE TABLE jobs (id INTEGER)"))
        connection.execute(text("INSERT INTO jobs VALUES (1)"))
    copy_store(source, empty_url)
    assert everything(empty_url) == everything(source)


def test_another_release_s_tables_are_refused(source, empty_url, file_url, monkeypatch):
    """Newer ones on either side, and older ones at the source, which nobody may change."""
    with writing(source) as connection:
        connection.execute(text("UPDATE mw_schema SET version_num = '9999'"))
    with pytest.raises(StoreTooNew):
        copy_store(source, empty_url)
    assert is_untouched(empty_url)
    with writing(source) as connection:
        connection.execute(text("UPDATE mw_schema SET version_num = '0001'"))
    with pytest.raises(StoreTooOld):
        copy_store(source, empty_url)
    with open_store(empty_url):
        pass
    with writing(empty_url) as connection:
        connection.execute(text("UPDATE mw_schema SET version_num = '9999'"))
    other = file_url()
    with open_store(other) as store:
        store.events.add("iris", "note", "")
    with pytest.raises(StoreTooNew):
        copy_store(other, empty_url)


def test_a_store_at_work_is_not_copied(source, empty_url):
    """Who holds a lease is named; once it has run out, or was given back, the copy is made."""
    with open_store(source) as store:
        assert store.leases.acquire("monitors of fraud", "host-7", seconds=60)
        with pytest.raises(AtWork) as raised:
            copy_store(source, empty_url)
        assert raised.value.details[0].startswith("monitors of fraud: held by host-7, for 60 s more")
        assert is_untouched(empty_url)
        store.leases.release("monitors of fraud", "host-7")
    copy_store(source, empty_url)


def test_what_is_written_meanwhile_is_noticed(source, empty_url):
    """The copy is of one moment, so it comes to nothing where the source went on."""
    with open_store(source) as store:

        def told(share: float, step: str) -> None:
            if "Comparing" in step:
                store.predictions.add([prediction("later")])

        with pytest.raises(ChangedMeanwhile, match="mw_predictions"):
            copy_store(source, empty_url, told=told)
    assert is_untouched(empty_url)


def test_a_postgres_source_is_read_as_of_one_moment(source, postgres_url, file_url, monkeypatch):
    """What others commit while it is read is not in the copy: rows that belong together stay together."""
    copy_store(source, postgres_url)
    before = everything(postgres_url)
    monkeypatch.setattr(copying._Copy, "_refuse_changes", lambda *_: None)
    with open_store(postgres_url) as store:
        copy_store(
            postgres_url, to := file_url(), told=lambda *_: store.events.add("iris", "note", "now") and None
        )
    assert everything(to) == before


@pytest.mark.parametrize("share", [0.1, 0.9])
def test_an_interrupt_leaves_nothing(source, empty_url, share):
    """Ctrl+C while rows are copied or compared; the next copy begins anew and is whole."""

    def told(done: float, step: str) -> None:
        if done >= share:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_store(source, empty_url, told=told)
    assert is_untouched(empty_url)
    copy_store(source, empty_url)
    assert everything(empty_url) == everything(source)


def test_a_full_disk_leaves_nothing(source, file_url):
    """And says so."""
    with disk_full_at(100_000), pytest.raises(StoreNotWritable, match="full"):
        copy_store(source, to := file_url())
    assert is_untouched(to)
    copy_store(source, to)


def test_a_cut_connection_leaves_nothing(source, postgres_url):
    """A server that goes away mid-way is told as that; the next copy is whole."""
    admin = database_of(postgres_url)

    def told(done: float, step: str) -> None:
        if done > 0.3:
            with admin.write() as connection:
                connection.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE pid <> pg_backend_pid() AND datname = current_database()"
                    )
                )

    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        copy_store(source, postgres_url, told=told)
    admin.engine.dispose()
    assert is_untouched(postgres_url)
    copy_store(source, postgres_url)
    assert everything(postgres_url) == everything(source)


def test_a_folder_that_is_not_there_is_not_made(source, tmp_path):
    """It may be a slip of the keyboard."""
    with pytest.raises(StoreUnavailable, match="no such folder"):
        copy_store(source, f"sqlite:///{tmp_path / 'typo' / 'store.db'}")
    assert not (tmp_path / "typo").exists()


def test_a_file_that_is_no_database_is_left_alone(source, tmp_path):
    """Whatever somebody keeps in it."""
    notes = tmp_path / "notes.txt"
    notes.write_text("to be done\n" * 100)
    with pytest.raises(StoreUnavailable, match="damaged or is no store"):
        copy_store(source, f"sqlite:///{notes}")
    assert notes.read_text() == "to be done\n" * 100


def test_a_source_that_is_not_there_is_not_made(tmp_path, file_url):
    """Neither it nor the target."""
    with pytest.raises(StoreUnavailable, match="does not exist"):
        copy_store(f"sqlite:///{tmp_path / 'none.db'}", file_url())
    assert list(tmp_path.iterdir()) == []


def test_a_survey_tells_what_is_there(source, empty_url):
    """Rows and sizes by table, and of each project how much and of when, the same of both kinds."""
    copy_store(source, empty_url)
    found, other = survey(empty_url), survey(source)
    assert (found.revision, found.needs) == (migrations.HEAD, "")
    assert found.projects == other.projects
    first = next(each for each in found.projects if each.name == "iris")
    assert (first.versions, first.predictions, first.oldest) == (1, 120, NOON)
    rows = {table.name: table.rows for table in found.tables}
    assert rows[predictions_table.name] == 240
    assert found.bytes is not None and found.bytes >= sum(table.bytes or 0 for table in found.tables) > 0


_KILLED = """
import os, sys
from modelwright.store.copying import copy_store
copy_store(sys.argv[1], sys.argv[2], told=lambda share, _: share > 0.6 and os.kill(os.getpid(), 9))
"""


def test_a_killed_copy_leaves_no_store(source, empty_url):
    """Not even tables; the next copy begins anew and is whole."""
    path = os.pathsep.join(filter(None, sys.path))
    command = [sys.executable, "-c", _KILLED, source, empty_url]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, check=False)
    assert done.returncode == -signal.SIGKILL
    with pytest.raises(StoreTooOld, match="no tables"):
        survey(empty_url)
    copy_store(source, empty_url)
    assert everything(empty_url) == everything(source)
