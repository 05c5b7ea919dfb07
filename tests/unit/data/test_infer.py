"""What columns are taken for, and what the project may say instead."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.data.arrays import column_arrays, labelled_rows, target_labels, target_values
from modelwright.data.faults import ColumnMissing, ColumnNested
from modelwright.data.infer import Inferred, infer_schema
from modelwright.data.load import read_table
from modelwright.data.validate import validate
from modelwright.project.model import Data, Feature, Split
from modelwright.schema.columns import Column, Kind, TableSchema
from modelwright.schema.metrics import Task

ROWS = 60
WORDS = ["alpha", "beta", "gamma", "delta"]


def infer(
    table: pa.Table, target: str | None = None, task: Task = Task.CLASSIFICATION, **more: object
) -> Inferred:
    features = more.pop("features", {})
    return infer_schema(table, Data(source="t.csv", target=target, **more), features, task)  # type: ignore[arg-type]


def cycle(*values: object) -> list[object]:
    return [values[place % len(values)] for place in range(ROWS)]


def spread(make: object) -> list[str]:
    return [make(place) for place in range(ROWS)]  # type: ignore[operator]


KINDS: dict[str, tuple[list[object], Kind]] = {
    "decimals": ([place * 0.5 for place in range(ROWS)], Kind.NUMERIC),
    "whole decimals": (cycle(1.0, 2.0, 3.0), Kind.NUMERIC),
    "whole decimals with gaps": (cycle(1.0, 2.0, None), Kind.INTEGER),
    "integers": (cycle(1, 5, 9), Kind.INTEGER),
    "integers with gaps": (cycle(1, 5, None), Kind.INTEGER),
    "zeros and ones": (cycle(0, 1), Kind.INTEGER),
    "distinct decimals are no identifier": ([place / 7 for place in range(ROWS)], Kind.NUMERIC),
    "yes and no": (cycle("yes", "no", None), Kind.BOOLEAN),
    "True and False": (cycle("True", "False"), Kind.BOOLEAN),
    "booleans": (cycle(True, False), Kind.BOOLEAN),
    "words": (cycle(*WORDS), Kind.CATEGORICAL),
    "one word or nothing": (cycle("x", None), Kind.CATEGORICAL),
    "codes": (cycle("3+", "0", "1", "2"), Kind.CATEGORICAL),
    "sentences": (spread(lambda n: f"the {n} quick brown foxes of {n * 7}"), Kind.TEXT),
    "names": (spread(lambda n: f"Ann{n} Smith{n}"), Kind.TEXT),
    "ISO days": (spread(lambda n: f"2024-01-{n % 28 + 1:02d}"), Kind.DATETIME),
    "ISO moments": (spread(lambda n: f"2024-01-{n % 28 + 1:02d}T10:00:00+02:00"), Kind.DATETIME),
    "American moments": (spread(lambda n: f"01/{n % 28 + 1:02d}/2024 12:00:00 AM"), Kind.DATETIME),
    "German days": (spread(lambda n: f"{n % 28 + 1:02d}.01.2024"), Kind.DATETIME),
    "pictures": (spread(lambda n: f"images/{n}.JPG"), Kind.IMAGE),
    "uuids": (spread(lambda n: f"{n:08x}-0000-4000-8000-000000000000"), Kind.IDENTIFIER),
    "distinct codes": (spread(lambda n: f"K{n}"), Kind.IDENTIFIER),
    "a row counter": (list(range(ROWS)), Kind.IDENTIFIER),
    "one value": (cycle("x"), Kind.CONSTANT),
    "one number": (cycle(3), Kind.CONSTANT),
    "nothing": (cycle(None), Kind.CONSTANT),
}


@pytest.mark.parametrize("case", KINDS)
def test_kinds_are_told_from_the_cells(case: str) -> None:
    """Every kind is recognised by what the cells show, under a name that says nothing."""
    values, kind = KINDS[case]
    table = pa.table({"thing": pa.array(values), "other": cycle(0.5, 1.5)})
    inferred = infer(table)
    kinds = {column.name: column.kind for column in inferred.schema} | {
        item.name: item.kind for item in inferred.ignored
    }
    assert kinds["thing"] is kind


def test_named_identifiers_are_recognised() -> None:
    """Distinct whole numbers under a name such as ``id`` identify; under another they measure."""
    values = [place * 37 % 1000 + 5 for place in range(ROWS)]
    inferred = infer(pa.table({"customer_id": values, "weight": values}))
    assert inferred.schema.identifier == "customer_id"
    assert inferred.schema.names == ("weight",)


def test_saved_index_is_left_out(tmp_path: Path) -> None:
    """The nameless row numbers that programs write are no feature."""
    rows = "".join(f"{place},{place % 7}\n" for place in range(ROWS))
    (tmp_path / "t.csv").write_text(",x\n" + rows)
    inferred = infer(read_table("t.csv", base=tmp_path).table)
    assert inferred.schema.names == ("x",)
    assert inferred.ignored[0].reason == "index"


def test_ignored_columns_say_why() -> None:
    """What is left out is listed, with a reason."""
    table = pa.table(
        {
            "row": list(range(ROWS)), "same": cycle(1), "picture": cycle("a.png", "b.png"),
            "gone": cycle(1, 2), "list": cycle([1], [2]), "x": cycle(1, 2, 3), "key": cycle("a", "b"),
        }
    )  # fmt: skip
    inferred = infer(table, drop=["gone"], id="key")
    assert {item.name: item.reason for item in inferred.ignored} == {
        "row": "identifier", "same": "constant", "gone": "dropped", "list": "nested",
        "key": "id",
    }  # fmt: skip
    assert inferred.schema.identifier == "key"
    assert all(item.why for item in inferred.ignored)


def test_ranges_categories_and_gaps_are_observed() -> None:
    """A column knows its range, its categories, whether cells are missing, and an example."""
    table = pa.table(
        {"n": cycle(4, None, 9), "c": cycle("b", "a"), "d": spread(lambda n: f"2024-01-{n % 28 + 1:02d}"),
         "b": cycle("Yes", "No")}
    )  # fmt: skip
    schema = infer(table).schema
    n, c, d, b = schema.columns
    assert (n.observed_min, n.observed_max, n.nullable, n.example) == (4.0, 9.0, True, 4)
    assert (c.categories, c.nullable, c.example) == (("a", "b"), False, "b")
    assert (d.observed_min, d.example) == (1704067200.0, "2024-01-01T00:00:00Z")
    assert (b.categories, b.example) == (("No", "Yes"), True)


def test_the_project_overrides() -> None:
    """Kind, limits, categories and descriptions of the project file win over what was inferred."""
    features = {
        "grade": Feature(kind=Kind.CATEGORICAL, categories=["3", "1", "2"], strict=True),
        "flag": Feature(kind=Kind.BOOLEAN),
        "x": Feature(min=0, max=10, unit="kg", description="weight", nullable=True),
        "code": Feature(kind=Kind.IDENTIFIER),
    }
    table = pa.table(
        {"grade": cycle(1, 2), "flag": cycle(0, 1), "x": cycle(1.5, 2.5), "code": cycle("a", "b")}
    )
    inferred = infer(table, features=features)
    grade, flag, x = inferred.schema.columns
    assert (grade.kind, grade.categories, grade.strict) == (Kind.CATEGORICAL, ("1", "2", "3"), True)
    assert (flag.kind, flag.categories) == (Kind.BOOLEAN, ("0", "1"))
    assert (x.minimum, x.maximum, x.unit, x.description, x.nullable) == (0, 10, "kg", "weight", True)
    assert inferred.ignored[0].name == "code"
    arrays = column_arrays(table, inferred.schema)
    assert arrays["grade"][:2].tolist() == ["1", "2"]
    assert arrays["flag"][:2].tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"target": "Sepal Length"}, {"id": "nr"}, {"drop": ["nr"]}, {"features": {"nr": Feature()}},
        {"split": Split(by_time="nr")}, {"split": Split(by_group="nr")},
    ],
)  # fmt: skip
def test_absent_columns_are_named(wrong: dict[str, object]) -> None:
    """A column that the project names and the table lacks is an error that suggests near names."""
    table = pa.table({"sepal length": cycle(1, 2), "b": cycle(1, 2)})
    with pytest.raises(ColumnMissing) as caught:
        infer(table, **wrong)  # type: ignore[arg-type]
    if "target" in wrong:
        assert "'sepal length'" in caught.value.instruction
    assert "'sepal length'" in caught.value.details[0]


@pytest.mark.parametrize(
    "wrong", [{"target": "l"}, {"id": "l"}, {"features": {"l": Feature(kind=Kind.TEXT)}}]
)
def test_nested_columns_have_no_part(wrong: dict[str, object]) -> None:
    """A column of lists cannot be the target, the identifier or a declared feature."""
    with pytest.raises(ColumnNested, match="'l'"):
        infer(pa.table({"l": cycle([1], [2]), "x": cycle(1, 2)}), **wrong)  # type: ignore[arg-type]


def test_arrays_have_the_promised_form() -> None:
    """Numbers are float64 with NaN, moments datetime64 with NaT, all else str with empty for missing."""
    table = pa.table(
        {
            "i": cycle(1, None), "f": cycle(0.5, None), "b": cycle("no", None, "yes"),
            "c": cycle("x", None, "y"), "d": cycle("2024-01-02", None, "2024-01-03T01:00:00+01:00"),
        }
    )  # fmt: skip
    arrays = column_arrays(table, infer(table).schema)
    assert [arrays[name].dtype.str for name in "ifbcd"] == ["<f8", "<f8", "<f8", "|O", "<M8[us]"]
    assert np.isnan(arrays["i"][1])
    assert arrays["b"][:3].tolist()[0] == 0.0
    assert arrays["b"][2] == 1.0
    assert arrays["c"][:3].tolist() == ["x", "", "y"]
    assert arrays["d"][2] == np.datetime64("2024-01-03T00:00:00")
    assert np.isnat(arrays["d"][1])


def test_a_float_column_is_not_copied() -> None:
    """Decimals without gaps are seen through to Arrow's memory, so a big table is held once."""
    table = pa.table({"x": np.arange(1000) / 7})
    array = column_arrays(table, TableSchema(columns=(Column(name="x", kind=Kind.NUMERIC),)))["x"]
    assert array.__array_interface__["data"][0] == table["x"].chunk(0).buffers()[1].address


def test_labels_are_as_the_column_holds_them() -> None:
    """Labels are sorted and keep their type; whole decimals read as integers."""
    assert target_labels(pa.chunked_array([["b", "a", "b"]]))[0] == ("a", "b")
    assert target_labels(pa.chunked_array([[2, 0, 2]]))[1].tolist() == [1, 0, 1]
    assert target_labels(pa.chunked_array([[1.0, 0.0]]))[0] == (0, 1)
    assert target_labels(pa.chunked_array([[0.5, 1.0]]))[0] == (0.5, 1.0)
    assert target_labels(pa.chunked_array([[True, False]]))[0] == (False, True)
    table = pa.table({"y": [1.5, None, 2.5], "x": [1, 2, 3]})
    column = Column(name="y", kind=Kind.NUMERIC)
    labels, values = target_values(labelled_rows(table, "y"), column, Task.REGRESSION)
    assert labels == ()
    assert values.tolist() == [1.5, 2.5]


@given(
    st.lists(
        st.one_of(
            st.none(), st.integers(-(2**70), 2**70), st.floats(width=64), st.text(max_size=8), st.booleans()
        ),
        min_size=1,
        max_size=80,
    )
)
def test_any_column_is_understood(values: list[object]) -> None:
    """Whatever stands in a column of strings, inference and arrays agree and nothing breaks."""
    column = pa.array([None if value is None else str(value) for value in values], pa.string())
    table = pa.table({"x": column, "other": list(range(len(values)))})
    inferred = infer(table)
    arrays = column_arrays(table, inferred.schema)
    assert all(len(array) == len(values) for array in arrays.values())
    validate(table, inferred, Data(source="t.csv"), Task.CLUSTERING)


def test_real_tables_are_understood(shared_data: Path) -> None:
    """The real sets' columns are what a person would call them."""
    flipkart = infer(read_table("products/flipkart/products.csv", base=shared_data).table, "category")
    kinds = {column.name: column.kind for column in flipkart.schema}
    assert kinds == {
        "product_name": Kind.TEXT, "description": Kind.TEXT, "brand": Kind.CATEGORICAL,
        "retail_price": Kind.INTEGER, "image": Kind.IMAGE,
    }  # fmt: skip
    assert {item.name: item.reason for item in flipkart.ignored} == {
        "uniq_id": "identifier",
    }
    fraud = infer(read_table("fraud/creditcard_2023_sample.csv", base=shared_data).table, "Class")
    assert fraud.schema.identifier == "id"
    assert {column.kind for column in fraud.schema} == {Kind.NUMERIC}
    titanic = infer(read_table("titanic/titanic.csv", base=shared_data).table, "survived")
    assert titanic.schema.column("name").kind is Kind.TEXT
    assert titanic.schema.column("cabin").kind is Kind.CATEGORICAL
    cards = read_table("cardholders/purchase_cards_2014_2016.csv.gz", base=shared_data).table
    assert infer(cards, task=Task.CLUSTERING).schema.column("TRANS DATE").kind is Kind.DATETIME
