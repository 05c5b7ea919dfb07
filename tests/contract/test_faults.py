"""What people are told when a database is not as it should be, and that the store recovers by itself."""

from __future__ import annotations

import os
import resource
import sqlite3
import stat
import sys
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from modelwright.errors import ExitCode, MissingExtra
from modelwright.store import sqlite
from modelwright.store.engine import open_store
from modelwright.store.errors import StoreNotWritable, StoreUnavailable
from modelwright.testing.factories import prediction, predictions, version

from .conftest import database_of

NOBODY = 65534


@pytest.fixture
def file(tmp_path):
    return tmp_path / "store.db"


@contextmanager
def disk_full_at(size):
    """No file of this process may grow beyond ``size`` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def ordinary_user():
    """Without root's right to write anything."""
    root = os.geteuid() == 0
    if root:
        os.setegid(NOBODY)
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
            os.setegid(0)


def test_a_new_file_is_its_owners_only(tmp_path):
    """Inputs of predictions are nobody else's business; the folder is made, the log beside it too."""
    file = tmp_path / ".modelwright" / "store.db"
    with closing(open_store(path=file)) as store:
        store.ping()
        for name in ("store.db", "store.db-wal", "store.db-shm"):
            assert stat.S_IMODE((file.parent / name).stat().st_mode) == 0o600


def test_a_path_may_hold_any_character(tmp_path):
    """Percent signs, question marks, hashes and spaces are parts of a name."""
    for name in ("a b.db", "50%.db", "why?.db", "a#b.db", "%20.db", "日本.db"):
        with closing(open_store(path=tmp_path / name)) as store:
            store.ping()
        assert (tmp_path / name).is_file()


def test_a_relative_path_stays_the_same_file(tmp_path, monkeypatch):
    """Changing the working directory later does not change which file is meant."""
    monkeypatch.chdir(tmp_path)
    with closing(open_store("sqlite:///store.db")) as store:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        store.versions.add(version(1))
        assert store.versions.get("iris", 1)
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize(
    "content", [b"id,name\n1,a\n" * 100, b"\x00" * 5000, b"SQLite format 3\x00" + b"\xff" * 9000]
)
def test_a_file_that_is_no_database_is_told_and_left_alone(file, content):
    """Somebody's CSV at that path is not written over."""
    file.write_bytes(content)
    with pytest.raises(StoreUnavailable, match="damaged or is no store") as told:
        open_store(path=file)
    assert "move it aside" in told.value.instruction
    assert file.read_bytes() == content


def test_a_damaged_store_is_told(file):
    """Pages overwritten in the middle are noticed when they are read, in words."""
    with closing(open_store(path=file)) as store:
        store.predictions.add(predictions(3000))
    with file.open("r+b") as handle:
        handle.seek(8192)
        handle.write(b"\xa5" * (file.stat().st_size - 8192))
    with pytest.raises(StoreUnavailable, match="damaged"), closing(open_store(path=file)) as store:
        store.predictions.history("iris", limit=3000)


def test_a_place_where_no_file_can_be_is_told(tmp_path):
    """A folder, a folder that is a file, a missing folder: each has its own words."""
    with pytest.raises(StoreUnavailable, match="is a folder"):
        open_store(path=tmp_path)
    (tmp_path / "plain").write_text("")
    with pytest.raises(StoreUnavailable, match="its folder is a file"):
        open_store(path=tmp_path / "plain" / "store.db")
    with pytest.raises(StoreUnavailable, match="no such folder"):
        open_store(path=tmp_path / "a" / "b" / "store.db")
    with pytest.raises(StoreUnavailable, match="does not exist yet"):
        open_store(path=tmp_path / "store.db", migrate=False)
    assert not (tmp_path / "store.db").exists()


def test_a_place_that_cannot_be_written_is_told():
    """A read-only folder refuses a new store; a read-only file can be opened no further than reading."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        with ordinary_user(), pytest.raises(StoreNotWritable, match="Permission denied") as told:
            open_store(path=folder / "store.db")
        assert told.value.code is ExitCode.STORAGE
        open_store(path=folder / "store.db").close()
        (folder / "store.db").chmod(0o444)
        with (
            ordinary_user(),
            pytest.raises(StoreUnavailable),
            closing(open_store(path=folder / "store.db")) as store,
        ):
            store.ping()


def test_a_removed_file_is_noticed(file):
    """SQLite would write on into the deleted file; the store says that it is gone."""
    with closing(open_store(path=file)) as store:
        store.versions.add(version(1))
        for name in ("store.db", "store.db-wal", "store.db-shm"):
            (file.parent / name).unlink()
        with pytest.raises(StoreUnavailable, match="was removed"):
            store.versions.add(version(2))
        with pytest.raises(StoreUnavailable):
            store.ping()
        assert not file.exists()
        with closing(open_store(path=file)) as another:
            another.versions.add(version(3))
            assert store.versions.latest("iris") == version(3)


def test_a_locked_file_is_told_after_a_while(file, monkeypatch):
    """Reading goes on; writing waits, then names the cause; it works once the other has finished."""
    monkeypatch.setattr(sqlite, "PATIENCE", 0.2)
    with (
        closing(open_store(path=file)) as store,
        closing(sqlite3.connect(file, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        assert store.versions.reserve is not None
        assert store.versions.latest("iris") is None
        with pytest.raises(StoreUnavailable, match="locked by another program"):
            store.versions.reserve("iris")
        other.execute("ROLLBACK")
        assert store.versions.reserve("iris") == 1


def test_a_full_disk_is_told_and_nothing_is_half_written(file):
    """A batch that does not fit is not there at all, and the same batch goes in once there is room."""
    rows = predictions(2000)
    with closing(open_store(path=file)) as store:
        store.predictions.add([prediction("before")])
        with disk_full_at(100_000):
            with pytest.raises(StoreNotWritable, match="disk is full") as told:
                store.predictions.add(rows)
            assert store.predictions.count("iris") == 1
        assert told.value.code is ExitCode.STORAGE
        assert store.predictions.add(rows) == 2000
        store.ping()


def test_a_full_disk_at_the_first_opening_is_told(file):
    """The tables do not fit; later they do."""
    with disk_full_at(8192), pytest.raises(StoreNotWritable, match="disk is full"):
        open_store(path=file)
    open_store(path=file).close()


def test_missing_tables_are_told(url):
    """Somebody dropped a table: the store says so instead of speaking SQL."""
    with closing(open_store(url)) as store:
        database = database_of(url)
        with database.write() as connection:
            connection.execute(text("DROP TABLE mw_events"))
        database.engine.dispose()
        with pytest.raises(StoreUnavailable, match=r"lacks a table|no store of Modelwright"):
            store.events.list("iris")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:s3cret@127.0.0.1:1/db",
        "postgres://ann:s3cret@127.0.0.1:1/db",
        "postgresql+psycopg2://ann:s3cret@127.0.0.1:1/db?password=s3cret",
        "postgresql://ann:s3cret@no-such-host.invalid/db",
    ],
)
def test_a_server_that_is_not_there_is_told_without_the_password(url):
    """The address is shown with the password masked, in every line."""
    with pytest.raises(StoreUnavailable, match="cannot be reached") as told:
        open_store(url)
    shown = "\n".join([str(told.value), *told.value.details])
    assert "s3cret" not in shown
    assert "ann:***@" in shown
    assert told.value.code is ExitCode.UNAVAILABLE


@pytest.mark.parametrize(
    "url", ["mysql://ann:s3cret@h/db", "postgresql://ann:s3cret@h:port/db", "ann:s3cret", "sqlite://"]
)
def test_an_address_of_another_kind_is_told(url):
    """What cannot be a store's address comes with examples of what can."""
    with pytest.raises(StoreUnavailable) as told:
        open_store(url)
    assert "sqlite:///path/to/file.db" in told.value.instruction
    assert "://ann:s3cret" not in str(told.value)


def test_no_address_at_all_is_a_mistake_of_the_caller():
    """Neither url nor path: there is no default place."""
    with pytest.raises(ValueError, match="url or a path"):
        open_store()


def test_a_missing_driver_names_the_extra(monkeypatch):
    """PostgreSQL without psycopg says what to install."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtra, match=r"pip install 'modelwright\[postgres\]'"):
        open_store("postgresql://ann@127.0.0.1:1/db")


@pytest.mark.postgres
def test_a_missing_database_is_told(postgres_server):
    """The server's own words are among the details."""
    with pytest.raises(StoreUnavailable, match="cannot be reached") as told:
        open_store(postgres_server.url("nowhere"))
    assert any('database "nowhere" does not exist' in line for line in told.value.details)


@pytest.mark.postgres
def test_a_user_without_rights_is_told(postgres_url):
    """Neither a user who may not make tables nor a read-only server ends in SQL."""
    name = postgres_url.rpartition("/")[2]
    database = database_of(postgres_url)
    with database.write() as connection:
        connection.execute(text(f"CREATE ROLE guest_{name} LOGIN"))
    try:
        with pytest.raises(StoreNotWritable, match="does not let this user write"):
            open_store(postgres_url.replace("modelwright@", f"guest_{name}@"))
        open_store(postgres_url).close()
        with database.write() as connection:
            connection.execute(text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'))
        with closing(open_store(postgres_url)) as store:
            assert store.versions.latest("iris") is None
            with pytest.raises(StoreNotWritable):
                store.ping()
    finally:
        with database.write() as connection:
            connection.execute(text(f"DROP ROLE guest_{name}"))
        database.engine.dispose()


@pytest.mark.postgres
def test_a_stopped_server_is_found_again(own_postgres_server):
    """While it is away that is told; once it is back the same store works, and nothing is lost."""
    with closing(open_store(own_postgres_server.create_database())) as store:
        store.versions.add(version(1))
        own_postgres_server.stop()
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="cannot be reached"):
                store.versions.latest("iris")
        with pytest.raises(StoreUnavailable):
            store.predictions.add([prediction("a")])
        own_postgres_server.start()
        assert store.versions.latest("iris") == version(1)
        assert store.predictions.add([prediction("a")]) == 1
        store.ping()
