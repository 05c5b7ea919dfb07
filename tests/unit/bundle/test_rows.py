"""What a row may hold, and what is said of it."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.bundle.derive import Derive
from modelwright.bundle.format import BundleSchema
from modelwright.bundle.pictures import Picture, blank
from modelwright.bundle.rows import Reading, RowReader, TableReader
from modelwright.schema.columns import Column, Kind, TableSchema

NUMBER = Column(name="a number", kind=Kind.NUMERIC, nullable=True, observed_min=-10, observed_max=10)
LIMITED = Column(name="limited", kind=Kind.NUMERIC, minimum=0, maximum=100)
WHOLE = Column(name="whole", kind=Kind.INTEGER, nullable=True)
FLAG = Column(name="flag", kind=Kind.BOOLEAN, nullable=True, categories=("no", "Yes"))
CATEGORY = Column(name="kind", kind=Kind.CATEGORICAL, nullable=True, categories=("3", "é", "red", "true"))
STRICT = Column(name="strict", kind=Kind.CATEGORICAL, categories=("x", "y"), strict=True)
TEXT = Column(name="text", kind=Kind.TEXT, nullable=True)
WHEN = Column(name="when", kind=Kind.DATETIME, nullable=True, observed_min=0.0, observed_max=2e9)
ALL = (NUMBER, LIMITED, WHOLE, FLAG, CATEGORY, STRICT, TEXT, WHEN)


def reader(*columns: Column, **more: Any) -> RowReader:
    schema = TableSchema(columns=columns, **more)
    return RowReader(BundleSchema(inputs=schema, features=schema))


def one(column: Column, value: Any) -> Reading:
    return reader(column).read([{column.name: value}])


def cell(column: Column, value: Any) -> Any:
    """The value read, which must be accepted without a word."""
    reading = one(column, value)
    assert (reading.errors, reading.warnings) == ([], [[]])
    return reading.columns[column.name].tolist()[0]


def refusal(column: Column, value: Any) -> tuple[str, str]:
    """Type and wording of the one error."""
    (error,) = one(column, value).errors
    assert error.loc == ("features", column.name)
    return error.type, error.msg


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (5, 5.0),
        (5.5, 5.5),
        ("5.1", 5.1),
        (" -1e-3 ", -0.001),
        ("+.5", 0.5),
        (Decimal("2.5"), 2.5),
        (np.float32(2), 2.0),
    ],
)
def test_numbers_come_as_numbers_or_as_unambiguous_text(value: Any, read: float) -> None:
    """Whatever writes a number in one way only is a number."""
    assert cell(NUMBER, value) == read


@pytest.mark.parametrize("column", [NUMBER, WHOLE, FLAG, CATEGORY, TEXT, WHEN])
@pytest.mark.parametrize("value", [None, "", "  "])
def test_nothing_is_a_missing_value(column: Column, value: Any) -> None:
    """null, empty and blank text mean missing where the column may be missing."""
    got = cell(column, value)
    assert got is None or got == "" or math.isnan(got)


@pytest.mark.parametrize(
    ("value", "kind", "said"),
    [
        ("1,5", "number_type", "two ways"),
        ("1_000", "number_type", "not a number"),
        ("٣", "number_type", "not a number"),
        ("abc", "number_type", "'abc' is not a number"),
        (True, "number_type", "got true"),
        ([1], "number_type", "got a list"),
        ({"a": 1}, "number_type", "got an object"),
        ("NaN", "finite_number", "send null"),
        ("-Infinity", "finite_number", "send null"),
        (math.nan, "finite_number", "send null"),
        (math.inf, "finite_number", "send null"),
        ("1e999", "finite_number", "send null"),
        (10**400, "finite_number", "too large"),
    ],
)
def test_what_is_no_number_is_refused_with_a_reason(value: Any, kind: str, said: str) -> None:
    """NaN and infinity too: there is null for a missing value."""
    found, message = refusal(NUMBER, value)
    assert found == kind
    assert said in message


def test_whole_numbers() -> None:
    """5.0 is whole, 5.5 is not."""
    assert cell(WHOLE, 5.0) == cell(WHOLE, "5") == cell(WHOLE, 5) == 5
    assert refusal(WHOLE, 5.5) == ("whole_number", "expected a whole number, got 5.5")


def test_limits_refuse_and_the_seen_range_warns() -> None:
    """The project's limits are hard; outside the training range is answered with a warning."""
    assert refusal(LIMITED, -1)[0] == "greater_than_equal"
    assert refusal(LIMITED, 101)[0] == "less_than_equal"
    reading = one(NUMBER, 11)
    assert not reading.errors
    assert [warning.type for warning in reading.warnings[0]] == ["outside_observed"]
    assert "above 10" in reading.warnings[0][0].msg
    strict = Column(name="s", kind=Kind.NUMERIC, observed_max=1.0, strict=True)
    assert refusal(strict, 2)[0] == "outside_observed"


@pytest.mark.parametrize(
    ("value", "read"),
    [(True, 1), (False, 0), (1, 1), (0.0, 0), ("true", 1), ("FALSE", 0), ("yes", 1), ("no", 0), ("1", 1)],
)
def test_booleans_in_every_spelling(value: Any, read: int) -> None:
    """true and false, 1 and 0, and the words of the data file."""
    assert cell(FLAG, value) == read


def test_other_words_are_no_booleans() -> None:
    """The message names the two words of the data file."""
    assert refusal(FLAG, "maybe")[1] == "expected true or false ('no' or 'Yes'), got the text 'maybe'"
    assert refusal(FLAG, 2)[0] == "boolean"


@pytest.mark.parametrize(
    ("value", "read"), [("red", "red"), (3, "3"), (3.0, "3"), (" é ", "é"), (True, "true")]
)
def test_categories_however_they_are_written(value: Any, read: str) -> None:
    """A number stands for the category of that name; blanks around it do not matter."""
    assert cell(CATEGORY, value) == read


def test_unseen_categories_warn_or_are_refused() -> None:
    """Answered with a warning, unless the column is strict."""
    reading = one(CATEGORY, "blue")
    assert not reading.errors
    assert [warning.type for warning in reading.warnings[0]] == ["unseen_category"]
    assert reading.columns["kind"].tolist() == ["blue"]
    assert refusal(STRICT, "z") == (
        "unseen_category",
        "'z' was not among the 2 categories seen in training: 'x', 'y'",
    )


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("2024-02-29", datetime(2024, 2, 29)),
        ("2024-02-29T12:30:00Z", datetime(2024, 2, 29, 12, 30)),
        ("2024-02-29T12:30:00+02:00", datetime(2024, 2, 29, 10, 30)),
        (date(2024, 2, 29), datetime(2024, 2, 29)),
        (datetime(2024, 2, 29, 12, tzinfo=UTC), datetime(2024, 2, 29, 12)),
    ],
)
def test_dates_are_iso_8601_and_utc(value: Any, read: datetime) -> None:
    """With an offset it is converted, without one it is UTC."""
    assert cell(WHEN, value) == read


@pytest.mark.parametrize(
    ("form", "value", "read"),
    [
        ("%d.%m.%Y", "29.02.2024", datetime(2024, 2, 29)),
        ("%d.%m.%Y", " 9.2.2024 ", datetime(2024, 2, 9)),
        ("%m/%d/%Y %I:%M %p", "02/29/2024 01:30 PM", datetime(2024, 2, 29, 13, 30)),
        ("%B %d, %Y", "February 29, 2024", datetime(2024, 2, 29)),
        ("%d.%m.%Y", "2024-02-29", datetime(2024, 2, 29)),
        ("", "2024-02-29 12:30:00 +0200", datetime(2024, 2, 29, 10, 30)),
    ],
)
def test_dates_are_read_as_the_training_data_spells_them(form: str, value: str, read: datetime) -> None:
    """A row of the training file can be sent as it stands there; ISO 8601 is always taken."""
    column = Column(name="when", kind=Kind.DATETIME, form=form)
    assert cell(column, value) == read


def test_a_date_in_another_spelling_is_refused_with_an_example_of_the_right_one() -> None:
    """The error shows both spellings that are taken."""
    kind, said = refusal(Column(name="when", kind=Kind.DATETIME, form="%d.%m.%Y"), "02/29/2024")
    assert kind == "datetime"
    assert "2026-01-31" in said
    assert "31.01.2026" in said


@pytest.mark.parametrize("value", ["29.02.2024", "2024-02-30", 1709164800, "0001-01-01T00:00:00+14:00"])
def test_other_dates_are_refused(value: Any) -> None:
    """What could be read in several ways, or does not exist."""
    assert refusal(WHEN, value)[0] == "datetime"


def test_text_of_any_script_and_length() -> None:
    """Text is taken as it is."""
    for text in ("数据 café", "x" * 100_000, "👩‍👩‍👧"):
        assert cell(TEXT, text) == text
    assert refusal(TEXT, ["a"])[0] == "text_type"


def test_a_missing_required_column_is_named_with_what_may_have_been_meant() -> None:
    """Absent and null are refused where a value is needed."""
    assert refusal(LIMITED, None)[0] == "missing"
    (error,) = reader(LIMITED).read([{"Limited ": 5}]).errors
    assert (error.type, error.loc) == ("missing", ("features", "limited"))
    assert "did you mean it by 'Limited '?" in error.msg


def test_lists_are_in_schema_order() -> None:
    """A list of the right length is a row; another length is refused with the names."""
    both = reader(NUMBER, STRICT)
    reading = both.read([[1, "x"]])
    assert not reading.errors
    assert reading.columns["a number"].tolist() == [1.0]
    (error,) = both.read([[1]]).errors
    assert (error.loc, error.type) == (("features",), "list_length")
    assert error.msg == "expected 2 values (a number, strict), got 1"


def test_unknown_columns_are_ignored_with_a_warning_target_and_identifier_silently() -> None:
    """Sending the whole line of the data file is no mistake."""
    both = reader(NUMBER, target=Column(name="y", kind=Kind.CATEGORICAL), identifier="id")
    reading = both.read([{"a number": 1, "y": "x", "id": 7, "zzz": {"deep": 1}}])
    assert not reading.errors
    assert [(warning.type, warning.loc) for warning in reading.warnings[0]] == [
        ("unknown_column", ("features", "zzz"))
    ]


def test_columns_that_no_model_reads_need_not_be_sent() -> None:
    """Constants and identifiers are never missed."""
    loose = reader(Column(name="c", kind=Kind.CONSTANT), Column(name="i", kind=Kind.IDENTIFIER))
    assert loose.read([{}, {"c": 5, "i": ["?"]}]).errors == []


def test_errors_tell_the_row() -> None:
    """In a batch each error knows its row, and the others are read."""
    reading = reader(NUMBER).read([{"a number": 1}, {"a number": "x"}, 5, {"a number": 2}])
    assert [(error.row, error.type) for error in reading.errors] == [(1, "number_type"), (2, "row_type")]
    assert reading.refused == {1, 2}
    assert reading.columns["a number"][[0, 3]].tolist() == [1, 2]


def test_large_batches_are_read_like_single_rows() -> None:
    """The array path for many rows says what the path for one says."""
    values: list[Any] = [1, 2.5, -3, None, "4", 11, "x", math.nan, True, 10**400] * 5
    rows = [{"a number": value, "whole": value} for value in values]
    together = reader(NUMBER, WHOLE).read(rows)
    for place, row in enumerate(rows):
        alone = reader(NUMBER, WHOLE).read([row])
        assert [(error.loc, error.msg, error.type) for error in alone.errors] == [
            (error.loc, error.msg, error.type) for error in together.errors if error.row == place
        ]
        assert alone.warnings[0] == together.warnings[place]
        for name in ("a number", "whole"):
            assert alone.columns[name].tobytes() == together.columns[name][place : place + 1].tobytes()
    plain = [{"a number": float(number % 7), "whole": number} for number in range(50)]
    assert reader(NUMBER, WHOLE).read(plain).columns["whole"].tolist() == list(range(50))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.just("2024-01-01")
    | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
ROWS = st.dictionaries(st.sampled_from([column.name for column in ALL]) | st.text(max_size=5), JSON) | JSON


@given(st.lists(ROWS, max_size=20))
def test_reading_never_raises_and_always_gives_full_columns(rows: list[Any]) -> None:
    """Any JSON value is read or refused; what is said about it is JSON itself."""
    reading = reader(*ALL).read(rows)
    assert set(reading.columns) == {column.name for column in ALL}
    assert all(len(values) == len(rows) for values in reading.columns.values())
    assert len(reading.warnings) == len(rows)
    for remark in [*reading.errors, *(warning for each in reading.warnings for warning in each)]:
        json.dumps([remark.loc, remark.msg, remark.type, remark.input], allow_nan=False).encode()
        remark.msg.encode()
    for column in ALL:
        if column.kind in {Kind.NUMERIC, Kind.INTEGER}:
            assert not np.isinf(reading.columns[column.name]).any()


@given(JSON, st.sampled_from(ALL))
def test_the_quick_way_never_contradicts_the_slow_one(value: Any, column: Column) -> None:
    """What ``quick`` accepts, ``read`` accepts without a remark, with the same cell."""
    of_column = reader(column).inputs.readers[0]
    quick = of_column.quick(value)
    if quick is not None:
        slow = of_column.read(value)
        assert (slow.error, slow.warning) == (None, None)
        assert slow.value == quick or (quick != quick and slow.value != slow.value)


DERIVE = """
def derive(row, now):
    return {"total": row["a"] + (row["b"] or 0), "year": now.year, "word": row["s"]}
"""


def derived_reader(source: str) -> RowReader:
    inputs = TableSchema(
        columns=(
            Column(name="a", kind=Kind.NUMERIC),
            Column(name="b", kind=Kind.INTEGER, nullable=True),
            Column(name="s", kind=Kind.CATEGORICAL, nullable=True),
        )
    )
    features = TableSchema(
        columns=(
            Column(name="total", kind=Kind.NUMERIC, observed_max=100),
            Column(name="year", kind=Kind.INTEGER),
            Column(name="word", kind=Kind.CATEGORICAL, nullable=True),
        )
    )
    return RowReader(BundleSchema(inputs=inputs, features=features), Derive(source))


def test_rows_go_through_the_projects_derive() -> None:
    """Its features are read and checked like what a client sends."""
    reading = derived_reader(DERIVE).read(
        [{"a": 1, "b": 2, "s": "x"}, {"a": "5", "b": None}, {"a": "bad"}, {"a": 1000}],
        now=datetime(2026, 1, 1, tzinfo=UTC),
    )
    assert [(error.row, error.loc) for error in reading.errors] == [(2, ("features", "a"))]
    assert reading.columns["total"][[0, 1, 3]].tolist() == [3, 5, 1000]
    assert reading.columns["year"][0] == 2026
    assert reading.columns["word"].tolist()[:2] == ["x", ""]
    assert [warning.type for warning in reading.warnings[3]] == ["outside_observed"]


def test_a_failing_derive_is_that_rows_error() -> None:
    """The other rows are answered."""
    reading = derived_reader("def derive(row, now):\n    return {'total': 1 / row['a'], 'year': 1}").read(
        [{"a": 0}, {"a": 2}]
    )
    assert [(error.row, error.type) for error in reading.errors] == [(0, "derive")]
    assert "ZeroDivisionError" in reading.errors[0].msg
    assert reading.columns["total"][1] == 0.5


def test_columns_that_no_model_reads_are_passed_over() -> None:
    """A row of the training data may be sent whole: target, identifier and ignored columns too."""
    target = Column(name="y", kind=Kind.INTEGER)
    rows = reader(NUMBER, target=target, identifier="id", ignored=("constant", "dropped"))
    sent = {"a number": 1, "y": 1, "id": 7, "constant": "x", "dropped": [1]}
    assert rows.read([sent]).warnings == [[]]
    (warning,) = rows.read([{**sent, "other": 1}]).warnings[0]
    assert warning.loc == ("features", "other")


def test_objects_in_a_row_are_outer_inner_columns() -> None:
    """As the reader of training data has them; a plain column of that very name wins."""
    rows = reader(Column(name="size.of.it", kind=Kind.NUMERIC), Column(name="size.x", kind=Kind.NUMERIC))
    reading = rows.read([{"size": {"of": {"it": 1}, "x": 2}}, {"size.x": 4, "size.of.it": 3}])
    assert (reading.errors, reading.warnings) == ([], [[], []])
    assert {name: list(values) for name, values in reading.columns.items()} == {
        "size.of.it": [1, 3],
        "size.x": [2, 4],
    }


IMAGES = TableSchema(
    columns=(
        Column(name="title", kind=Kind.TEXT, nullable=True),
        Column(name="photo", kind=Kind.IMAGE, nullable=True),
    )
)
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4//8/AAX+Av4N70a4AAAAAElFTkSuQmCC"


def test_images_are_read_as_pictures_and_gaps_as_gaps() -> None:
    """Base64 becomes a picture named by its content; nothing, null and blanks are a missing one."""
    reading = TableReader(IMAGES).read(
        [{"photo": PNG}, {"photo": f"data:image/png;base64,{PNG}"}, {"photo": None}, {"photo": " "}, {}]
    )
    assert reading.errors == []
    first, second, *gaps = reading.columns["photo"].tolist()
    assert isinstance(first, Picture) and first == second and gaps == ["", "", ""]


def test_a_refused_image_names_its_column_and_row() -> None:
    """Other rows of the batch are read; numbers, paths and names of the log are no images."""
    name = str(blank())
    rows = [{"photo": PNG}, {"photo": 7}, {"photo": "a/b.png"}, {"photo": name}]
    reading = TableReader(IMAGES).read(rows)
    assert [(error.row, error.loc, error.type) for error in reading.errors] == [
        (1, ("features", "photo"), "image_type"),
        (2, ("features", "photo"), "image_base64"),
        (3, ("features", "photo"), "image_absent"),
    ]


def test_rows_of_the_log_hold_names_of_images() -> None:
    """Whether there was a picture is known from them, its pixels are not."""
    name = str(blank())
    reading = TableReader(IMAGES, logged=True).read([{"photo": name}, {"photo": None}])
    assert reading.errors == [] and reading.columns["photo"].tolist() == [name, ""]
    assert not isinstance(reading.columns["photo"][0], Picture)
