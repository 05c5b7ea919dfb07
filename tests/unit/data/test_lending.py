"""Streams lent to a parser with threads: nothing of them is left there when the reading is over."""

from __future__ import annotations

import gc
import io

import pyarrow as pa
import pyarrow.csv as pc_csv
import pytest

from modelwright.data import lending
from modelwright.data.lending import lent

ROWS = b"a,b\n" + b"1,2\n" * 200_000


class Source(io.BytesIO):
    """A file in memory."""


def blocks() -> int:
    """How many lent blocks and streams are alive."""
    return sum(isinstance(each, lending._Lent) for each in gc.get_objects())


@pytest.mark.parametrize("size", [1 << 12, 1 << 20])
def test_a_parser_gives_everything_back(size: int) -> None:
    """What it read is whole, and no thread of it holds the stream afterwards."""
    with lent(Source(ROWS)) as stream:
        reader = pc_csv.open_csv(stream(), read_options=pc_csv.ReadOptions(block_size=size))
        rows = reader.read_all().num_rows
        del reader
    assert (rows, blocks()) == (200_000, 0)


def test_also_when_it_stumbles() -> None:
    """Though the exception's frames held the parser."""

    def parse() -> None:
        with lent(Source(ROWS + b"1\n" + ROWS)) as stream:
            reader = pc_csv.open_csv(stream(), read_options=pc_csv.ReadOptions(block_size=1 << 12))
            reader.read_all()

    with pytest.raises(pa.ArrowInvalid, match="Expected 2 columns"):
        parse()
    assert blocks() == 0


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever keeps the stream for good is not waited for for good."""
    monkeypatch.setattr(lending, "_PATIENCE", 0.01)
    with lent(Source(b"x")) as stream:
        kept = stream()
    assert kept.read() == b"x"
