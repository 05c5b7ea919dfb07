"""The description of a table that ``data show`` prints."""

from __future__ import annotations

import msgspec
import pyarrow as pa

from modelwright.data.infer import infer_schema
from modelwright.data.show import Description, describe
from modelwright.project.model import Data
from modelwright.schema.metrics import Task


def described(table: pa.Table, **data: object) -> Description:
    settings = Data(source="t.csv", **data)  # type: ignore[arg-type]
    return describe(table, infer_schema(table, settings, {}, Task.CLASSIFICATION), {"c": {"NA": 3}})


TABLE = pa.table(
    {
        "k": [f"k{place}" for place in range(60)],
        "x": [place / 4 if place % 3 else None for place in range(60)],
        "c": ["a", "b", "a", None] * 15,
        "d": [f"2024-01-{place % 28 + 1:02d}" for place in range(60)],
        "l": [[1]] * 60,
        "y": [0, 1, 1] * 20,
    }
)


def test_every_column_is_described_in_order() -> None:
    """Each column says its kind, its role, and why it is left out."""
    columns = described(TABLE, target="y").columns
    assert [(column.name, column.kind, column.role) for column in columns] == [
        ("k", "identifier", "ignored"),
        ("x", "numeric", "feature"),
        ("c", "categorical", "feature"),
        ("d", "datetime", "feature"),
        ("l", "nested", "ignored"),
        ("y", "integer", "target"),
    ]
    assert columns[0].why
    assert columns[0].example == "k0"


def test_numbers_have_range_and_histogram() -> None:
    """A number's range, mean, missing share and sixteen bars that hold every filled row."""
    x = described(TABLE, target="y").columns[1]
    assert (x.low, x.high, x.missing) == (0.25, 14.75, 20)
    assert x.missing_share == 20 / 60
    assert len(x.histogram) == 16
    assert sum(x.histogram) == 40


def test_categories_are_counted() -> None:
    """Categories come with their counts, also those of the target; spellings of missing are shown."""
    columns = described(TABLE, target="y").columns
    assert columns[2].categories == (("a", 30), ("b", 15))
    assert (columns[2].missing, columns[2].spellings) == (15, {"NA": 3})
    assert columns[5].categories == (("1", 40), ("0", 20))


def test_dates_have_a_range() -> None:
    """A date column's range is written as dates."""
    d = described(TABLE, target="y").columns[3]
    assert (d.low, d.high) == ("2024-01-01T00:00:00Z", "2024-01-28T00:00:00Z")


def test_a_description_is_json() -> None:
    """Programs get the same description as people."""
    found = described(TABLE, target="y")
    assert msgspec.json.decode(msgspec.json.encode(found), type=Description) == found


def test_extreme_numbers_are_described() -> None:
    """Neither endless nor huge values, nor a range of one step of a float, break the description."""
    table = pa.table(
        {"far": [1e308, -1e308, float("inf"), 1.0] * 5, "near": [1.0, 1.0000000000000002, 1.0, 1.0] * 5}
    )
    far, near = described(table).columns
    assert (far.low, far.high, sum(far.histogram)) == (1.0, 1.0, 5)
    assert sum(near.histogram) == 20
