"""The project's row function: what of its file is kept, and how it is run."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from bundles import objects
from modelwright.bundle.derive import Derive, DeriveFault, DeriveInvalid, python_rows, serving_source
from modelwright.schema.columns import Column, Kind, TableSchema

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FEATURES = '''
"""Features of the project."""
from __future__ import annotations
import math, json
import pandas as pd

LIMIT = 3
OTHER = pd.DataFrame

def helper(x):  # keeps its comment
    return min(x, LIMIT)

def build(raw):
    return pd.DataFrame(raw)

def derive(row, now):
    return {"x": math.floor(helper(row["x"]))}
'''


def test_only_what_derive_needs_goes_into_the_bundle() -> None:
    """Helpers, constants and imports it uses are kept; ``build`` and pandas stay behind."""
    source = serving_source(FEATURES)
    assert source is not None
    assert "pandas" not in source
    assert "# keeps its comment" in source
    assert Derive(source)({"x": 5.5}, NOW) == {"x": 3}


def test_a_file_without_derive_gives_none() -> None:
    """``build`` alone runs offline only."""
    assert serving_source("def build(raw):\n    return raw\n") is None


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def derive(row, now:\n", "cannot be read"),
        ("import pandas\ndef derive(row, now):\n    return pandas.DataFrame()", "'pandas'"),
        ("def derive(row, now):\n    from .other import x\n    return x", "serving does not have"),
    ],
)
def test_a_derive_that_serving_cannot_run_is_refused(source: str, said: str) -> None:
    """Before training, with the line."""
    with pytest.raises(DeriveInvalid, match=said):
        serving_source(source)


@pytest.mark.parametrize(("source", "said"), [("1 / 0", "ZeroDivisionError"), ("x = 1", "no function")])
def test_a_source_that_does_not_load_is_told(source: str, said: str) -> None:
    """An error of the project's, not a crash of ours."""
    with pytest.raises(DeriveInvalid, match=said):
        Derive(source)


def test_values_are_plain_python() -> None:
    """Numbers, whole numbers, booleans, text and aware moments; missing is None."""
    kinds = (Kind.NUMERIC, Kind.INTEGER, Kind.BOOLEAN, Kind.CATEGORICAL, Kind.DATETIME)
    schema = TableSchema(columns=tuple(Column(name=kind.value, kind=kind) for kind in kinds))
    columns = {
        "numeric": np.array([1.5, np.nan]),
        "integer": np.array([2.0, np.nan]),
        "boolean": np.array([1.0, np.nan]),
        "categorical": objects(["a", ""]),
        "datetime": np.array(["2024-01-02T03:04:05", "NaT"], dtype="datetime64[us]"),
    }
    first, second = python_rows(columns, schema)
    assert list(first.values()) == [1.5, 2, True, "a", datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)]
    assert [type(value) for value in first.values()] == [float, int, bool, str, datetime]
    assert set(second.values()) == {None}


def test_training_runs_the_same_function_and_names_the_row_that_fails() -> None:
    """Row by row over the table."""
    schema = TableSchema(columns=(Column(name="x", kind=Kind.NUMERIC),))
    derive = Derive("def derive(row, now):\n    return {'y': 1 / row['x']}")
    assert derive.rows({"x": np.array([1.0, 2.0])}, schema, NOW) == [{"y": 1.0}, {"y": 0.5}]
    with pytest.raises(DeriveFault, match=r"Row 1: .*ZeroDivisionError"):
        derive.rows({"x": np.array([1.0, 0.0])}, schema, NOW)


def test_a_row_is_what_derive_must_give() -> None:
    """Anything else is a fault that says so."""
    with pytest.raises(DeriveFault, match="type int instead of a row"):
        Derive("def derive(row, now):\n    return 5")({}, NOW)
