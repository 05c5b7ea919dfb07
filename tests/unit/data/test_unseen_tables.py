"""Tables of many shapes go through the whole room: read, inferred, validated, split, profiled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet
import pytest

from modelwright.data.arrays import column_arrays, labelled_rows, target_values
from modelwright.data.infer import infer_schema
from modelwright.data.load import read_table
from modelwright.data.profile import profile
from modelwright.data.show import describe
from modelwright.data.split import Split, split
from modelwright.data.validate import validate
from modelwright.project.model import Data
from modelwright.schema.metrics import Task

NAMES = ("x {}", 'the "{}"', "größe.{}", "名前 {}", "a,b;{}", "{}\ttab", "it's {}", "{}%", "<{}>", "λ.{}")
TARGETS = ("label", 'tar"get. 目')


def made(rows: int, columns: int, target: str, task: Task, seed: int) -> pa.Table:
    """A table with every kind of column in turn, a tenth of the cells missing, under odd names."""
    rng = np.random.default_rng(seed)
    table: dict[str, pa.Array] = {}
    for place in range(columns):
        cells: np.ndarray
        match place % 6:
            case 0:
                cells = rng.normal(size=rows)
            case 1:
                cells = rng.integers(-5, 500, rows)
            case 2:
                cells = rng.choice(["red", "green", "Blau", "naïve", "x y"], rows)
            case 3:
                cells = rng.choice(["yes", "no"], rows)
            case 4:
                cells = (np.datetime64("2021-03-01") + rng.integers(0, 700, rows)).astype(str)
            case _:
                cells = rng.integers(0, 2, rows)
        gaps = rng.random(rows) < 0.1 if place % 2 else None
        table[NAMES[place % len(NAMES)].format(place)] = pa.array(cells, mask=gaps)
    classes = rng.choice(["good", "bad", "so-so"], rows)
    table[target] = pa.array(classes if task is Task.CLASSIFICATION else rng.normal(100, 20, rows))
    return pa.table(table)


def through(source: str, base: Path, target: str, task: Task) -> tuple[pa.Table, Split]:
    data = Data(source=source, target=target)
    loaded = read_table(source, base=base)
    inferred = infer_schema(loaded.table, data, {}, task)
    report = validate(loaded.table, inferred, data, task)
    report.raise_errors()
    table = labelled_rows(loaded.table, target)
    arrays = column_arrays(table, inferred.schema)
    assert inferred.schema.target is not None
    labels, y = target_values(table, inferred.schema.target, task)
    assert len(labels) == (3 if task is Task.CLASSIFICATION else 0)
    parted = split(table, arrays, data.split, y, task)
    assert profile(arrays, inferred.schema).rows == table.num_rows
    assert describe(loaded.table, inferred).rows == loaded.table.num_rows
    return loaded.table, parted


@pytest.mark.parametrize("task", [Task.CLASSIFICATION, Task.REGRESSION])
@pytest.mark.parametrize(("rows", "columns"), [(100, 2), (101, 13), (1000, 40), (3000, 199)])
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_table_never_seen_goes_through(
    tmp_path: Path, rows: int, columns: int, form: str, task: Task
) -> None:
    """Three to 200 columns of all kinds, gaps and odd names: nothing is lost, a fifth is held out."""
    target = TARGETS[columns % 2]
    table = made(rows, columns, target, task, seed=rows + columns)
    path = tmp_path / f"t.{form}"
    if form == "csv":
        pa_csv.write_csv(table, path)
    else:
        pa_parquet.write_table(table, path)
    read, parted = through(path.name, tmp_path, target, task)
    assert read.column_names == table.column_names
    assert read.num_rows == rows
    for name in table.column_names:
        assert read[name].null_count == table[name].null_count
    assert abs(len(parted.test) - rows * 0.2) <= 2


@pytest.mark.slow
def test_a_million_rows_go_through(tmp_path: Path) -> None:
    """A million rows are read, checked, split and profiled."""
    table = made(1_000_000, 6, "label", Task.CLASSIFICATION, seed=1)
    pa_csv.write_csv(table, tmp_path / "t.csv")
    _, parted = through("t.csv", tmp_path, "label", Task.CLASSIFICATION)
    assert len(parted.train) + len(parted.test) == 1_000_000
    assert abs(len(parted.test) - 200_000) <= 3
