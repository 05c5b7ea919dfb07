"""Which rows are held out: nothing on both sides, the same for the same seed, fair to the classes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from modelwright.data.rowhash import row_hashes
from modelwright.data.split import Split, SplitImpossible, split
from modelwright.project import model
from modelwright.schema.metrics import Task

TABLE = pa.table({"x": [0]})


def part(
    x: NDArray[np.float64], y: NDArray[np.int64] | None = None, table: pa.Table = TABLE, **settings: object
) -> Split:
    task = Task.CLUSTERING if y is None else Task.CLASSIFICATION
    return split(table, {"x": x}, model.Split(**settings), y, task)  # type: ignore[arg-type]


def sides(x: NDArray[np.float64], parted: Split) -> tuple[set[float], set[float]]:
    return set(x[parted.train].tolist()), set(x[parted.test].tolist())


@given(
    counts=st.lists(st.integers(3, 200), min_size=2, max_size=6),
    share=st.floats(0.05, 0.5),
    seed=st.integers(0, 2**32 - 1),
)
def test_each_class_gives_its_share(counts: list[int], share: float, seed: int) -> None:
    """Where all rows differ, each class's held-out rows are within one of its share, never none or all."""
    y = np.repeat(np.arange(len(counts)), counts)
    x = np.random.default_rng(0).normal(size=len(y))
    parted = part(x, y, test=share, seed=seed)
    held = np.bincount(y[parted.test], minlength=len(counts))
    for count, taken in zip(counts, held, strict=True):
        assert 1 <= taken < count
        assert abs(taken - count * share) <= 1
    assert len(parted.train) + len(parted.test) == len(y)
    assert not set(parted.train) & set(parted.test)


@given(
    values=st.lists(st.integers(0, 30), min_size=40, max_size=200), seed=st.integers(0, 99), data=st.data()
)
def test_repeated_rows_never_part(values: list[int], seed: int, data: st.DataObject) -> None:
    """Rows with one set of features are all on one side, also when their targets differ."""
    x = np.array(values + list(range(100, 140)), dtype=np.float64)
    y = np.array(data.draw(st.lists(st.integers(0, 1), min_size=len(x), max_size=len(x))))
    y[-40:] = np.arange(40) % 2
    parted = part(x, y, test=0.25, seed=seed)
    train, test = sides(x, parted)
    assert not train & test
    assert len(parted.train) + len(parted.test) == len(x)
    assert parted.duplicates == len(x) - len(set(x.tolist()))


@given(seed=st.integers(0, 2**32 - 1), order=st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(seed: int, order: object) -> None:
    """The same rows in another order are parted the same way."""
    x = np.random.default_rng(1).normal(size=120)
    y = np.arange(120) % 3
    shuffled = np.arange(120)
    np.random.default_rng(order.getrandbits(32)).shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = part(x, y, seed=seed), part(x[shuffled], y[shuffled], seed=seed)
    assert sides(x, one) == sides(x[shuffled], other)


def test_seeds_decide() -> None:
    """One seed always gives one split; another gives another."""
    x = np.random.default_rng(2).normal(size=500)
    assert part(x, seed=1).test.tolist() == part(x, seed=1).test.tolist()
    assert part(x, seed=1).test.tolist() != part(x, seed=2).test.tolist()
    assert len(part(x, test=0.3).test) == 150


def test_splits_stay_from_release_to_release() -> None:
    """The rows held out of a given table are fixed: a later release must not move them."""
    assert part(np.arange(20) / 2, test=0.25, seed=42).test.tolist() == FIXED


FIXED = [1, 2, 5, 7, 11]


def test_latest_rows_are_held_out() -> None:
    """By time, all held-out rows are later than all others; rows of one moment stay together."""
    days = [f"2024-01-{place // 5 + 1:02d}" for place in range(100)]
    parted = part(np.arange(100.0), None, pa.table({"day": days[::-1]}), by_time="day", test=0.23)
    assert parted.test.tolist() == list(range(25))
    assert parted.train.tolist() == list(range(25, 100))


def test_rows_repeated_over_time_are_left_out() -> None:
    """A row whose features are seen again later is in neither part, not in both."""
    x = np.arange(100.0)
    x[3] = x[99]
    parted = part(x, None, pa.table({"t": np.arange(100)}), by_time="t", test=0.2)
    assert parted.left_out.tolist() == [3]
    assert len(parted.train) == 79


@given(groups=st.lists(st.integers(0, 12), min_size=60, max_size=200), seed=st.integers(0, 99))
def test_groups_never_part(groups: list[int], seed: int) -> None:
    """By group, no group is on both sides, and neither side is empty."""
    groups[:3] = [0, 1, 2]
    names = np.array([f"g{group}" for group in groups])
    parted = part(np.arange(len(groups)) * 1.0, None, pa.table({"g": names}), by_group="g", seed=seed)
    assert not set(names[parted.train]) & set(names[parted.test])
    assert len(parted.test)
    assert len(parted.train)


def test_impossible_splits_are_worded() -> None:
    """Rows that are all alike, one group, one moment, a gap in time, or a class without training rows."""
    y = np.arange(40) % 2
    with pytest.raises(SplitImpossible, match="no rows to test"):
        part(np.zeros(40))
    with pytest.raises(SplitImpossible, match="Only 2 of 40 rows differ"):
        part(np.r_[np.zeros(39), 1.0])
    with pytest.raises(SplitImpossible, match="no rows"):
        part(np.arange(40.0), None, pa.table({"g": ["one"] * 40}), by_group="g")
    with pytest.raises(SplitImpossible, match="no rows"):
        part(np.arange(40.0), None, pa.table({"t": [7] * 40}), by_time="t")
    times = [None, *range(39)]
    with pytest.raises(SplitImpossible, match="row 1"):
        part(np.arange(40.0), y, pa.table({"t": times}), by_time="t")
    with pytest.raises(SplitImpossible, match="no row to learn from"):
        part(np.arange(40.0), np.sort(np.r_[y[:39], 2]), pa.table({"t": np.arange(40)}), by_time="t")


def test_row_hashes_tell_what_models_tell() -> None:
    """Equal float32 values, both zeros and all missing values are one; anything else differs."""
    near = np.array([0.1, np.float64(np.float32(0.1)), 0.0, -0.0, np.nan, -np.nan, 0.2])
    hashes = row_hashes([near])
    assert hashes[0] == hashes[1]
    assert hashes[2] == hashes[3]
    assert hashes[4] == hashes[5]
    assert len(set(hashes.tolist())) == 4
    words = np.array(["a", "b", "", "a"], dtype=object)
    both = row_hashes([words, np.array([1.0, 1.0, 1.0, 1.0])])
    assert both[0] == both[3]
    assert len(set(both.tolist())) == 3
