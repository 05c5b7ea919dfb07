"""Streams lent to a parser with threads: nothing of them is left there when the reading is over."""

from __future__ import annotations

import contextlib
import gc
import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc_csv
import pytest

from modelwright.data import lending
from modelwright.data.delimited import read_delimited
from modelwright.data.faults import DataUnreadable
from modelwright.data.lending import lend

ROWS = b"a,b\n" + b"1,2\n" * 200_000


class Source(io.BytesIO):
    """A file in memory."""


def streams() -> int:
    """How many lent streams are alive."""
    return sum(isinstance(each, lending._Lent) for each in gc.get_objects())


def read(stream: Any, size: int) -> int:
    """How many rows a parser with threads finds."""
    reader = pc_csv.open_csv(stream, read_options=pc_csv.ReadOptions(block_size=size))
    return reader.read_all().num_rows


@pytest.fixture(autouse=True)
def waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """So long that a test which waits in vain would be ended."""
    monkeypatch.setattr(lending, "_PATIENCE", 3600.0)


@pytest.mark.parametrize("size", [1 << 12, 1 << 20])
def test_a_parser_gives_everything_back(size: int) -> None:
    """What it read is whole, and no thread of it holds the stream afterwards."""
    assert lend(Source(ROWS), lambda stream: read(stream, size)) == 200_000
    assert streams() == 0


def test_also_when_it_stumbles() -> None:
    """Though the exception's frames held the parser: nobody waits for them."""
    with pytest.raises(pa.ArrowInvalid, match="Expected 2 columns") as caught:
        lend(Source(ROWS + b"1\n" + ROWS), lambda stream: read(stream, 1 << 12))
    assert caught.value is not None
    assert streams() == 0


@pytest.mark.parametrize("wrong", [b"1,\xe9\n", b"1,\0\n", b"1\n", b"1.5,x\n"])
def test_damage_and_surprises_in_a_table_cost_no_patience(tmp_path: Path, wrong: bytes) -> None:
    """Each way to refuse a file, and to begin again with other types, lets go of it at once."""
    file = tmp_path / "rows.csv"
    file.write_bytes(ROWS + wrong + ROWS[4:])
    with contextlib.suppress(DataUnreadable):
        read_delimited(file, ["NA"])
    assert streams() == 0


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever keeps the stream for good is not waited for for good."""
    monkeypatch.setattr(lending, "_PATIENCE", 0.01)
    assert lend(Source(b"x"), lambda stream: stream).read() == b"x"
