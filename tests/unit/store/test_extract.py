"""Reading from other people's databases: streamed, read-only, and clear when it fails."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from modelwright.data.extract import read_query
from modelwright.data.faults import DataUnreadable
from modelwright.errors import ExitCode, MissingExtra
from modelwright.project.model import SqlSource
from modelwright.store.extract import ExtractFailed, SourceUnavailable, stream_rows


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A folder with a small SQLite database."""
    with sqlite3.connect(tmp_path / "my data.db") as connection:
        connection.execute("create table t (a integer, b text)")
        connection.executemany(
            "insert into t values (?, ?)", [(place, f"at 10:{place}") for place in range(25)]
        )
    connection.close()
    return tmp_path


URL = "sqlite:///my data.db"


def test_rows_come_in_portions(base: Path) -> None:
    """Names come with every portion, and portions are of the size asked for."""
    portions = list(stream_rows(URL, "select * from t order by a;", base=base, chunk=10))
    assert [len(rows) for _, rows in portions] == [10, 10, 5]
    assert portions[0][0] == ("a", "b")
    assert tuple(portions[2][1][-1]) == (24, "at 10:24")


def test_colons_and_percents_are_part_of_the_query(base: Path) -> None:
    """What looks like a parameter is text of the query."""
    query = "select a from t where b like 'at 10:1%' and b <> 'x::y'"
    assert sum(len(rows) for _, rows in stream_rows(URL, query, base=base)) == 11


def test_no_rows_still_have_names(base: Path) -> None:
    """A query that finds nothing gives one empty portion."""
    assert list(stream_rows(URL, "select a from t where a < 0", base=base)) == [(("a",), ())]


@pytest.mark.parametrize("query", ["delete from t", "drop table t", "insert into t values (1, 'x')"])
def test_sources_are_never_written(base: Path, query: str) -> None:
    """A statement that would change the source is refused by the database."""
    with pytest.raises(ExtractFailed):
        list(stream_rows(URL, query, base=base))
    assert sum(len(rows) for _, rows in stream_rows(URL, "select * from t", base=base)) == 25


def test_mistakes_are_worded(base: Path) -> None:
    """A wrong query, a missing file and a thing that is no address each say what is wrong."""
    with pytest.raises(ExtractFailed, match="no such column: nope"):
        list(stream_rows(URL, "select nope from t", base=base))
    with pytest.raises(ExtractFailed, match="no SQLite database"):
        list(stream_rows("sqlite:///gone.db", "select 1", base=base))
    assert not (base / "gone.db").exists()
    with pytest.raises(ExtractFailed, match="no database address"):
        list(stream_rows("shop.db", "select 1", base=base))
    with pytest.raises(ExtractFailed, match="No driver"):
        list(stream_rows("nodb://somewhere/x", "select 1", base=base))
    with pytest.raises((ExtractFailed, MissingExtra), match="pip install"):
        list(stream_rows("oracle://somewhere/x", "select 1", base=base))


def test_a_database_that_is_away_is_unavailable(base: Path) -> None:
    """No server there: another exit code than a wrong query, and no password in the message."""
    pytest.importorskip("psycopg", reason="the postgres extra is not installed")
    url = "postgresql://ann:s3cret@127.0.0.1:1/shop?connect_timeout=2"
    with pytest.raises(SourceUnavailable) as caught:
        list(stream_rows(url, "select 1", base=base))
    assert caught.value.code is ExitCode.UNAVAILABLE
    assert "s3cret" not in str(caught.value) + str(caught.value.details)


@pytest.mark.postgres
def test_postgresql_streams_and_is_not_written(postgres_url: str, base: Path) -> None:
    """A PostgreSQL query streams through a cursor on the server, read-only."""
    query = "select n as a, n::text || ':x' as b, n * 1.5 as c, now() as d from generate_series(1, 2500) n"
    portions = list(stream_rows(postgres_url, query, base=base, chunk=1000))
    assert [len(rows) for _, rows in portions] == [1000, 1000, 500]
    assert portions[0][1][0][1] == "1:x"
    with pytest.raises(ExtractFailed, match="refused"):
        list(stream_rows(postgres_url, "create table t as select 1", base=base))
    with pytest.raises(ExtractFailed, match="nope"):
        list(stream_rows(postgres_url, "select nope", base=base))


@pytest.mark.postgres
def test_a_query_that_is_given_up_gives_its_connection_back(postgres_url: str, base: Path) -> None:
    """Whoever stops half-way, for columns of one name, leaves no cursor and no connection to be collected."""
    query = "select n as a, n as a from generate_series(1, 100000) n"
    with pytest.raises(DataUnreadable, match="more than one column called 'a'") as caught:
        read_query(SqlSource(url=postgres_url, query=query), base)
    assert caught.traceback  # it holds the frames, and so whatever they left open
    others = "select count(*) from pg_stat_activity where datname = current_database()"
    with closing(stream_rows(postgres_url, others, base=base)) as portions:
        assert next(portions)[1][0][0] == 1
