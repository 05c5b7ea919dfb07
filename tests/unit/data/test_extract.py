"""Rows of a query become a typed table and a file that can be versioned."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pyarrow as pa
import pytest

from modelwright.data.faults import DataUnreadable
from modelwright.data.load import materialise, read_table
from modelwright.project.model import SqlSource


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with a SQLite database of 30,000 sales."""
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute('create table sales (id integer, "net amount" real, item text, mixed, late)')
        rows = (
            (
                place,
                place / 4,
                f"item {place % 3}",
                "x" if place == 9 else place,
                None if place < 25_000 else place,
            )
            for place in range(30_000)
        )
        connection.executemany("insert into sales values (?, ?, ?, ?, ?)", rows)
    connection.close()
    return tmp_path


def source(query: str = "select * from sales order by id") -> SqlSource:
    return SqlSource(url="sqlite:///shop.db", query=query)


def test_a_query_becomes_a_typed_table(shop: Path) -> None:
    """Types are those of the values, over all portions; a column of mixed types is text."""
    loaded = read_table(source(), base=shop)
    assert loaded.table.num_rows == 30_000
    assert loaded.table.schema.types == [pa.int64(), pa.float64(), pa.string(), pa.string(), pa.int64()]
    assert loaded.table["net amount"][3].as_py() == 0.75
    assert loaded.table["mixed"][9].as_py() == "x"
    assert (loaded.path, loaded.origin) == (None, "query at sqlite:///shop.db")


def test_a_query_is_materialised_the_same_each_time(shop: Path) -> None:
    """The extract is a Parquet file of the project, byte for byte the same for the same rows."""
    path = materialise(source(), project_dir=shop)
    assert path.parent == shop / "data"
    first = path.read_bytes()
    assert materialise(source(), project_dir=shop) == path
    assert path.read_bytes() == first
    assert read_table(source(), base=shop, materialised=path).table == read_table(source(), base=shop).table


def test_queries_without_use_are_worded(shop: Path) -> None:
    """No rows, or one name twice, says so."""
    with pytest.raises(DataUnreadable, match="no rows"):
        read_table(source("select * from sales where id < 0"), base=shop)
    with pytest.raises(DataUnreadable, match="'id'"):
        read_table(source("select a.id, b.id from sales a join sales b on a.id = b.id limit 3"), base=shop)
