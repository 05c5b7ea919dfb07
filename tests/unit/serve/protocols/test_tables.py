import io
import json
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from pyarrow import parquet

from modelwright.serve.errors import BadBody, TooLarge, Unsupported
from modelwright.serve.protocols import tables
from unit.serve.protocols.cases import MIXED, NUMBERS


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def as_parquet(**columns) -> bytes:
    stream = io.BytesIO()
    parquet.write_table(pa.table(columns), stream)
    return stream.getvalue()


def test_csv_with_a_header_is_read_by_name():
    """In whatever order the columns stand."""
    rows = tables.read_csv(b"age,length (cm)\r\n3,5.1\r\n,6\r\n", NUMBERS)
    assert rows == [{"age": "3", "length (cm)": "5.1"}, {"age": None, "length (cm)": "6"}]


def test_csv_without_a_header_is_read_in_the_schemas_order():
    """SageMaker's clients send none."""
    assert tables.read_csv(b"5.1,3\n6,\n", NUMBERS) == [["5.1", "3"], ["6", None]]


def test_csv_as_pandas_writes_it_is_read():
    """The unnamed index is dropped; identifier and target may stand in it."""
    rows = tables.read_csv(b",key,length (cm),age,species\n0,k,5.1,3,setosa\n", NUMBERS)
    assert rows == [{"key": "k", "length (cm)": "5.1", "age": "3", "species": "setosa"}]


def test_csv_cells_may_hold_anything():
    """Quotes, commas, line breaks, other scripts, a byte order mark, texts without end."""
    long = "ü" * 300_000
    body = "\ufeff" + f'a,"b ""q"" ü",photo\n1,"x, ""y""\n東",{long}\n'
    assert tables.read_csv(body.encode(), MIXED) == [{"a": "1", 'b "q" ü': 'x, "y"\n東', "photo": long}]


def test_csv_nan_is_missing_only_where_a_number_belongs():
    """As NumPy writes it; in a text it is a word."""
    assert tables.read_csv(b"NaN,nan,x\n", MIXED) == [[None, "nan", "x"]]


@pytest.mark.parametrize("body", [b"", b"\n\n", b"length (cm),age\n", b"\xff,1\n", b'"1,2\n', b'1,"2"3\n'])
def test_broken_csv_is_refused(body):
    """Nothing in it, another encoding, quotes that do not close."""
    with pytest.raises(BadBody):
        tables.read_csv(body, NUMBERS)


def test_a_csv_row_must_be_as_long_as_the_header():
    """The row is named."""
    with pytest.raises(BadBody) as caught:
        tables.read_csv(b"age,length (cm)\n1,2\n3\n", NUMBERS)
    assert caught.value.problems[0]["loc"] == ["body", 1]


def test_too_many_csv_rows_are_refused():
    """With a header and without."""
    for body in (b"1,2\n" * 4, b"age,length (cm)\n" + b"1,2\n" * 4):
        assert len(tables.read_csv(body, NUMBERS, most_rows=4)) == 4
        with pytest.raises(TooLarge):
            tables.read_csv(body, NUMBERS, most_rows=3)


@given(
    npst.arrays(
        st.sampled_from(["<f8", ">f4", "<f2", "<i8", ">i2", "|u1", "|b1"]),
        st.tuples(st.integers(1, 5), st.just(2)),
    )
)
def test_npy_gives_the_rows_of_the_array(array):
    """Any number type, either byte order; NaN is missing."""
    rows = tables.read_npy(npy(array), NUMBERS)
    wanted = [[None if value != value else value for value in row] for row in array.tolist()]
    assert rows == wanted


def test_npy_of_one_dimension_is_one_row_and_of_fortran_order_is_the_same():
    """As NumPy's own functions see it."""
    assert tables.read_npy(npy(np.array([1.5, 2])), NUMBERS) == [[1.5, 2.0]]
    array = np.asfortranarray([[1.0, 2], [3, 4], [5, 6]])
    assert tables.read_npy(npy(array), NUMBERS) == array.tolist()
    assert tables.read_npy(npy(np.array([["1", "ü"]])), NUMBERS) == [["1", "ü"]]


def _huge() -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": "<f8", "fortran_order": False, "shape": (2**50, 2)}
    )
    return stream.getvalue()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x93NUMPY",
        npy(np.zeros((2, 2)))[:-1],
        npy(np.zeros((2, 2))) + b"x",
        npy(np.zeros((2, 3))),
        npy(np.zeros((0, 2))),
        npy(np.zeros((1, 1, 2))),
        npy(np.zeros((1, 2), dtype=complex)),
        npy(np.array([{"a": 1}], dtype=object)),
        npy(np.array(["2020-01-01"], dtype="M8[D]")),
        b"\x93NUMPY\x01\x00\x10\x00__import__('os')",
        b"\x93NUMPY\x03\x00\xff\xff\xff\x7f{}",
        _huge(),
        b"\x93NUMPY\x01\x00\x01\x00{",
        npy(np.array([["a", "b"]])).replace("a".encode("utf-32-le"), b"\xff\xff\xff\xff"),
        npy(np.array([["a", "b"]])).replace("a".encode("utf-32-le"), b"\x00\xd8\x00\x00"),
    ],
    ids=lambda body: str(len(body)),
)
def test_a_numpy_file_that_lies_is_refused(body):
    """Torn, too long, of another shape, with objects, or with a header that promises petabytes."""
    with pytest.raises(BadBody):
        tables.read_npy(body, NUMBERS)


def test_parquet_is_read_by_name_with_its_types():
    """Nulls and NaN are missing, times are ISO, bytes are base64, decimals numbers."""
    import datetime
    import decimal

    body = as_parquet(
        a=pa.array([1, None]),
        f=pa.array([float("nan"), 0.5]),
        s=pa.array(["ü", None]).dictionary_encode(),
        t=pa.array([datetime.datetime(2020, 1, 2), None]),
        d=pa.array([decimal.Decimal("1.5"), None]),
        b=pa.array([b"\xff", None]),
        ok=pa.array([True, None]),
    )
    first, second = tables.read_parquet(body)
    assert first == {
        "a": 1,
        "f": None,
        "s": "ü",
        "t": "2020-01-02T00:00:00",
        "d": 1.5,
        "b": "/w==",
        "ok": True,
    }
    assert [value for value in second.values() if value is not None] == [0.5]
    assert json.dumps(first)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"PAR1",
        b"PAR1" + b"\x00" * 100 + b"PAR1",
        as_parquet(a=[1, 2])[:-9] + b"\xff" * 9,
        as_parquet(a=[[1], [2]]),
        as_parquet(a=pa.array([], pa.int64())),
    ],
    ids=["empty", "magic", "zeros", "torn", "nested", "no rows"],
)
def test_broken_parquet_is_refused(body):
    """As a bad body."""
    with pytest.raises(BadBody):
        tables.read_parquet(body)


def test_parquet_is_refused_before_it_is_unpacked():
    """A few kilobytes may hold gigabytes: rows and bytes are limited by what the file says first."""
    many = as_parquet(a=pa.array([1]).take(pa.array(np.zeros(20_000, dtype="i4"))))
    with pytest.raises(TooLarge):
        tables.read_parquet(many)
    long = as_parquet(a=pa.array(["x" * 1_000_000] * 300))
    assert len(long) < 20_000_000
    with pytest.raises(TooLarge):
        tables.read_parquet(long)


def test_without_pyarrow_the_refusal_names_the_extra(monkeypatch):
    """It is optional."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(Unsupported, match=r"modelwright\[parquet\]"):
        tables.read_parquet(b"")
