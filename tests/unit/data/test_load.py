"""Reading: every form gives the same table, and every damaged file a sentence with a remedy."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.data.faults import DataUnreadable
from modelwright.data.load import Loaded, materialise, read_table
from modelwright.errors import ExitCode, StorageFailure

ODD_NAMES = ['a "quoted" name', "naïve.名 前", "x,y", " padded ", "a\nb"]


def read(path: Path, content: str | bytes, missing: list[str] | None = None) -> Loaded:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_table(path.name, base=path.parent, missing=missing)


def plain_table() -> pa.Table:
    return pa.table({"n": [1, 2, None], "x": [1.5, None, -2.0], "s": ["a", None, "c d"]})


@pytest.mark.parametrize(
    "name", ["t.csv", "t.csv.gz", "t.tsv", "t.jsonl", "t.jsonl.gz", "t.parquet", "t.pq.gz"]
)
def test_every_form_reads_the_same(tmp_path: Path, name: str) -> None:
    """CSV, TSV, JSON lines and Parquet, packed or not, give one and the same table."""
    table, path = plain_table(), tmp_path / name.removesuffix(".gz")
    form = path.suffix
    if form == ".jsonl":
        path.write_text("\n".join(json.dumps(row) for row in table.to_pylist()))
    elif form in {".parquet", ".pq"}:
        pa_parquet.write_table(table, path)
    else:
        options = pa_csv.WriteOptions(delimiter="\t" if form == ".tsv" else ",")
        pa_csv.write_csv(table, path, write_options=options)
    if name.endswith(".gz"):
        path.with_name(name).write_bytes(gzip.compress(path.read_bytes()))
    loaded = read_table(name, base=tmp_path)
    assert loaded.table.to_pylist() == table.to_pylist()
    assert loaded.table.schema.types == [pa.int64(), pa.float64(), pa.string()]
    assert loaded.path == tmp_path / name
    assert all(column.num_chunks == 1 for column in loaded.table.columns)


def test_folder_of_parquet_reads_as_one_table(tmp_path: Path) -> None:
    """A folder's files are read in the order of their names, with types that fit all of them."""
    pa_parquet.write_table(pa.table({"a": [1, 2]}), tmp_path / "1.parquet")
    pa_parquet.write_table(pa.table({"a": [2.5]}), tmp_path / "2.parquet")
    assert read_table(str(tmp_path), base=tmp_path).table.to_pydict() == {"a": [1.0, 2.0, 2.5]}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    """Comma, semicolon, tab and bar are told apart by the records they make."""
    rows = [["a", "b", "c"], ["1", "x y", "2.5"], ["2", "z: w", "3.5"]]
    loaded = read(tmp_path / "t.csv", "\n".join(delimiter.join(row) for row in rows))
    assert loaded.table.to_pydict() == {"a": [1, 2], "b": ["x y", "z: w"], "c": [2.5, 3.5]}


def test_decimal_comma_is_understood(tmp_path: Path) -> None:
    """A semicolon file that writes 1,5 holds decimals."""
    assert read(tmp_path / "t.csv", "a;b\n1,5;x\n2,25;y\n").table["a"].to_pylist() == [1.5, 2.25]


@given(
    names=st.lists(
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).filter(
            lambda name: name.strip() and not name.strip()[0].isdigit() and not name.startswith("\ufeff")
        ),
        min_size=2,
        max_size=6,
        unique=True,
    )
)
def test_any_column_name_survives(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    """Names with spaces, quotes, dots and any script come through verbatim."""
    path = tmp_path_factory.mktemp("names") / "t.csv"
    header = ",".join('"' + name.replace('"', '""') + '"' for name in names)
    row = ",".join("x" for _ in names)
    assert tuple(read(path, f"{header}\n{row}\n{row}\n").table.column_names) == tuple(names)


def test_odd_names_survive(tmp_path: Path) -> None:
    """Quotes, commas, outer spaces and line ends within a name are part of it."""
    pa_csv.write_csv(pa.table({name: [1, 2] for name in ODD_NAMES}), tmp_path / "t.csv")
    assert read_table("t.csv", base=tmp_path).table.column_names == ODD_NAMES


def test_missing_spellings_are_recognised_and_counted(tmp_path: Path) -> None:
    """Default spellings become nulls; those met in a column of words are counted."""
    loaded = read(tmp_path / "t.csv", "x,w\n?,NA\n1, \n-,b\nNone,None\n2.5,a\n")
    assert loaded.table["x"].to_pylist() == [None, 1.0, None, None, 2.5]
    assert loaded.table["w"].to_pylist() == [None, None, "b", "None", "a"]
    assert loaded.missing == {"w": {"NA": 1}}


def test_missing_spellings_can_be_set(tmp_path: Path) -> None:
    """What the project declares replaces the default spellings, for numbers and for words."""
    loaded = read(tmp_path / "t.csv", "x,w\n-99,NA\n1,gone\n", ["-99", "gone"])
    assert loaded.table.to_pydict() == {"x": [None, 1], "w": ["NA", None]}


def test_missing_numbers_can_be_set_for_every_form(tmp_path: Path) -> None:
    """A number that means missing by the project's word is missing in Parquet as in CSV."""
    pa_parquet.write_table(
        pa.table({"i": [-99, 1], "f": [-99.0, 0.5], "s": ["-99", "a"]}), tmp_path / "t.parquet"
    )
    expected = {"i": [None, 1], "f": [None, 0.5], "s": [None, "a"]}
    assert read_table("t.parquet", base=tmp_path, missing=["-99"]).table.to_pydict() == expected
    assert read(tmp_path / "t.csv", "i,f,s\n-99,-99.0,-99\n1,0.5,a\n", ["-99"]).table.to_pydict() == expected


def test_leading_zeros_stay(tmp_path: Path) -> None:
    """A column of codes is text, or its zeros would be lost."""
    assert read(tmp_path / "t.csv", "zip\n00123\n10000\n").table["zip"].to_pylist() == ["00123", "10000"]


def test_late_surprises_loosen_a_type(tmp_path: Path) -> None:
    """A cell far down that does not fit the type seen at the top changes the type, and no cell is lost."""
    rows = "1,2,x\n" * 400_000
    table = read(tmp_path / "t.csv", "a,b,c\n" + rows + "1.5,word,y\n").table
    assert table.schema.types == [pa.float64(), pa.string(), pa.string()]
    assert table.num_rows == 400_001
    assert table["b"][-1].as_py() == "word"
    assert table["b"][0].as_py() == "2"


def test_many_late_surprises_are_read_too(tmp_path: Path) -> None:
    """More surprises than the reader tries one by one still give a table."""
    width = 12
    rows = ",".join("1" for _ in range(width)) + "\n"
    header = ",".join(f"c{place}" for place in range(width)) + "\n"
    table = read(tmp_path / "t.csv", header + rows * 60_000 + rows.replace("1", "w")).table
    assert set(table.schema.types) == {pa.string()}
    assert table.num_rows == 60_001


def test_quoted_line_ends_are_part_of_a_value(tmp_path: Path) -> None:
    """A value may span lines."""
    assert read(tmp_path / "t.csv", 'a,b\n1,"x\ny"\n2,z\n').table["b"].to_pylist() == ["x\ny", "z"]


def test_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    """A UTF-8 file with a byte order mark reads as one without."""
    assert read(tmp_path / "t.csv", b"\xef\xbb\xbfa,b\n1,2\n").table.column_names == ["a", "b"]


def test_nested_objects_become_dotted_columns(tmp_path: Path) -> None:
    """JSON objects within objects are flattened."""
    loaded = read(tmp_path / "t.jsonl", '{"a": {"b": 1, "c": {"d": "x"}}}\n')
    assert loaded.table.to_pydict() == {"a.b": [1], "a.c.d": ["x"]}


def test_lists_of_nothing_are_read(tmp_path: Path) -> None:
    """Arrow's JSON reader gives an ill-formed column for lists of nulls; the table is read all the same."""
    assert read(tmp_path / "t.jsonl", '{"a": [null, null], "b": 1}\n').table["b"].to_pylist() == [1]


def test_parquet_types_become_few(tmp_path: Path) -> None:
    """Dictionaries, small integers, dates and moments become strings, int64 and UTC moments."""
    table = pa.table(
        {
            "d": pa.array(["x", "y"]).dictionary_encode(),
            "i": pa.array([1, 2], pa.int8()),
            "f": pa.array([1, 2], pa.float32()),
            "day": pa.array([0, 1], pa.date32()),
            "at": pa.array([0, 1], pa.timestamp("ns", "Europe/Berlin")),
        }
    )
    pa_parquet.write_table(table, tmp_path / "t.parquet")
    moment = pa.timestamp("us", "UTC")
    types = read_table("t.parquet", base=tmp_path).table.schema.types
    assert types == [pa.string(), pa.int64(), pa.float64(), moment, moment]


def test_sample_sets_need_no_file(tmp_path: Path) -> None:
    """scikit-learn's iris comes with its names, and what people call the labels."""
    loaded = read_table("sklearn:iris", base=tmp_path)
    assert loaded.table.num_rows == 150
    assert loaded.table.column_names[0] == "sepal length (cm)"
    assert loaded.label_names == {"0": "setosa", "1": "versicolor", "2": "virginica"}


def test_sample_set_not_at_hand_says_how_to_get_it(tmp_path: Path) -> None:
    """A set that scikit-learn would download is refused, with the command that fetches it."""
    os.environ["SCIKIT_LEARN_DATA"] = str(tmp_path / "empty")
    with pytest.raises(DataUnreadable, match="fetch_california_housing"):
        read_table("sklearn:california_housing", base=tmp_path)
    with pytest.raises(DataUnreadable, match="'iris'"):
        read_table("sklearn:irs", base=tmp_path)


HUGE = "a,b\n1," + "x" * 3_000_000 + "\n"
DAMAGED = {
    "empty": ("t.csv", b"", "is empty"),
    "blank": ("t.csv", b"\n\n \n", "is empty"),
    "header only": ("t.csv", b"a,b\n", "no rows"),
    "no header": ("t.csv", b"5.1,3.5,x\n4.9,3.0,x\n", "looks like data"),
    "same name twice": ("t.csv", b"a,b,a\n1,2,3\n", "more than one column called 'a'"),
    "ragged": ("t.csv", b"a,b\n1,2\n3\n", "do not have 2 cells"),
    "open quote": ("t.csv", b'a,b\n1,"x\n2,y\n', "opens in line 2 is never closed"),
    "zero byte": ("t.csv", b"a,b\n1,\x00\n", "zero byte at offset 6, line 2"),
    "latin-1": ("t.csv", "a,b\n1,caf\xe9\n".encode("latin-1"), "byte 0xe9 at offset 9, line 2"),
    "cut character": ("t.csv", b"a,b\n1,\xc3", "not UTF-8"),
    "utf-16": ("t.csv", "a,b\n1,2\n".encode("utf-16"), "UTF-16"),
    "junk": ("t.csv", bytes(range(1, 256)) * 9, "not UTF-8"),
    "parquet by another name": ("t.csv", b"PAR1xxxx", "Parquet"),
    "spreadsheet": ("t.csv", b"PK\x03\x04xxxx", "spreadsheet"),
    "huge field": ("t.csv", HUGE.encode(), "column 'b'"),
    "cut gzip": ("t.csv.gz", gzip.compress(os.urandom(9000).hex().encode())[:500], "no complete gzip"),
    "no gzip": ("t.csv.gz", b"a,b\n1,2\n", "no complete gzip"),
    "cut parquet": ("t.parquet", b"PAR1xx", "no complete Parquet"),
    "cut json": ("t.jsonl", b'{"a": 1}\n{"a":\n', "line 2 is no JSON"),
    "json list": ("t.jsonl", b"[1]\n", "no JSON object"),
    "json changes type": ("t.jsonl", b'{"a": 1}\n{"a": "x"}\n', "changed from number to string"),
    "unknown form": ("t.xlsx", b"x", "not known by its name"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damage_is_worded(tmp_path: Path, case: str) -> None:
    """Each kind of damage is named, with the file, the place and a remedy; the exit code says data."""
    name, content, expected = DAMAGED[case]
    with pytest.raises(DataUnreadable) as caught:
        read(tmp_path / name, content)
    assert expected in caught.value.reason
    assert name in caught.value.reason
    assert caught.value.instruction
    assert caught.value.code is ExitCode.DATA


def test_ragged_lines_are_listed(tmp_path: Path) -> None:
    """The first bad lines stand in the details with their numbers; the others are counted."""
    bad = "".join(f"{place}\n" for place in range(7))
    with pytest.raises(DataUnreadable) as caught:
        read(tmp_path / "t.csv", 'a,b\n1,"x\ny"\n' + bad)
    assert caught.value.details[0] == "line 4: 1 cells, '0'"
    assert caught.value.details[-1] == "and 2 more lines"


def test_inch_marks_are_no_open_quote(tmp_path: Path) -> None:
    """A quote within an unquoted value, an odd number of them, is part of the value."""
    assert read(tmp_path / "t.csv", 'a,b\n5" pipe,2\n6,3\n').table["a"].to_pylist() == ['5" pipe', "6"]


def test_absent_file_suggests_near_names(tmp_path: Path) -> None:
    """A misspelt file name is answered with the one that was probably meant."""
    (tmp_path / "titanic.csv").write_text("a\n1\n")
    with pytest.raises(DataUnreadable) as caught:
        read_table("titanc.csv", base=tmp_path)
    assert "'titanic.csv'" in caught.value.instruction


def test_a_versioned_file_that_is_not_here_says_how_to_get_it(tmp_path: Path) -> None:
    """In a fresh clone, the data file's .dvc file tells that DVC can bring the data."""
    (tmp_path / "t.csv.dvc").write_text("outs: []\n")
    with pytest.raises(DataUnreadable) as caught:
        read_table("t.csv", base=tmp_path)
    assert "dvc pull" in caught.value.instruction


def test_unreadable_file_is_worded(tmp_path: Path) -> None:
    """A file whose rights forbid reading is told so, also to an administrator without that privilege."""
    code = (
        "import sys; from pathlib import Path; from modelwright.data.load import read_table\n"
        "try: read_table('t.csv', base=Path(sys.argv[1]))\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    (tmp_path / "t.csv").write_text("a\n1\n")
    (tmp_path / "t.csv").chmod(0)
    drop: list[str] = []
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("the superuser reads everything, and setpriv is not here to take that away")
        drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]
    done = subprocess.run(
        [*drop, sys.executable, "-c", code, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("DataUnreadable")
    assert "Permission denied" in done.stdout


@given(cut=st.integers(min_value=1, max_value=400), flip=st.integers(min_value=0, max_value=255))
def test_damaged_bytes_never_surprise(tmp_path_factory: pytest.TempPathFactory, cut: int, flip: int) -> None:
    """Any cut or changed byte of a packed file gives a table or our own error, never another one."""
    rows = "".join(f"{place},{place * 1.5},word {place}\n" for place in range(200))
    packed = bytearray(gzip.compress(b"a,b,c\n" + rows.encode()))
    at = cut % len(packed)
    path = tmp_path_factory.mktemp("damage") / "t.csv.gz"
    for content in (packed[:at], packed[:at] + bytes([flip]) + packed[at + 1 :]):
        try:
            loaded = read(path, bytes(content))
        except DataUnreadable:
            continue
        assert loaded.table.num_rows == 200


CELLS = [
    "",
    "?",
    "NA",
    "1",
    "2.5",
    "-",
    '"',
    '""',
    "a,b",
    "a\nb",
    "2020-01-01",
    "true",
    "0012",
    "inf",
    "\r",
    "\t;|",
    "é",
]


@given(
    rows=st.lists(
        st.lists(st.sampled_from(CELLS) | st.text(max_size=5), min_size=1, max_size=4), max_size=20
    ),
    delimiter=st.sampled_from(",;\t|"),
    form=st.sampled_from(["csv", "tsv", "jsonl"]),
)
def test_any_text_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], delimiter: str, form: str
) -> None:
    """Whatever text a file holds, reading gives a table or our own error with a remedy."""
    path = tmp_path_factory.mktemp("any") / f"t.{form}"
    text = "\n".join(delimiter.join(row) for row in rows)
    try:
        loaded = read(path, text.encode("utf-8", "surrogatepass"))
    except DataUnreadable as error:
        assert error.instruction
    else:
        assert loaded.table.num_rows


def test_inside_files_are_used_as_they_are(tmp_path: Path) -> None:
    """A file of the project is not copied."""
    (tmp_path / "t.csv").write_text("a\n1\n")
    assert materialise("t.csv", project_dir=tmp_path) == tmp_path / "t.csv"


def test_outside_files_are_copied_in(tmp_path: Path) -> None:
    """A file or folder from elsewhere becomes one of the project's own, not a link."""
    project, outside = tmp_path / "project", tmp_path / "t.csv"
    project.mkdir()
    outside.write_text("a\n1\n")
    copied = materialise(str(outside), project_dir=project)
    assert copied == project / "data" / "t.csv"
    assert copied.read_bytes() == outside.read_bytes()
    assert copied.stat().st_ino != outside.stat().st_ino
    before = copied.stat().st_mtime_ns
    assert materialise("../t.csv", project_dir=project).stat().st_mtime_ns == before
    folder = tmp_path / "set"
    folder.mkdir()
    pa_parquet.write_table(pa.table({"a": [1]}), folder / "1.parquet")
    assert (materialise(str(folder), project_dir=project) / "1.parquet").is_file()


def test_copying_in_never_replaces_a_file_that_cannot_be_had_again(tmp_path: Path) -> None:
    """A file of the project that bears the same name is replaced only if it is under version control."""
    project, outside = tmp_path / "project", tmp_path / "t.csv"
    (project / "data").mkdir(parents=True)
    outside.write_text("a\n1\n")
    own = project / "data" / "t.csv"
    own.write_text("a\n2\n")
    with pytest.raises(DataUnreadable, match="another file of that name"):
        materialise(str(outside), project_dir=project)
    assert own.read_text() == "a\n2\n"
    own.with_name("t.csv.dvc").write_text("outs: []\n")
    assert materialise(str(outside), project_dir=project).read_text() == "a\n1\n"


def test_sample_sets_are_written_once(tmp_path: Path) -> None:
    """What is versioned of scikit-learn's iris is a CSV file that reads as the set itself."""
    path = materialise("sklearn:iris", project_dir=tmp_path)
    assert path == tmp_path / "data" / "iris.csv"
    direct = read_table("sklearn:iris", base=tmp_path)
    written = read_table("sklearn:iris", base=tmp_path, materialised=path)
    assert written.table == direct.table
    assert written.label_names == direct.label_names
    before = path.stat().st_mtime_ns
    assert materialise("sklearn:iris", project_dir=tmp_path).stat().st_mtime_ns == before


def test_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    """When the disk takes no more, copying ends with a storage failure and no file."""
    source = tmp_path / "big.csv"
    source.write_text("a,b\n" + "1,2\n" * 200_000)
    project = tmp_path / "project"
    project.mkdir()
    code = (
        "import resource, sys; from pathlib import Path; from modelwright.data.load import materialise\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try: materialise(sys.argv[1], project_dir=Path(sys.argv[2]))\n"
        "except Exception as error: print(type(error).__name__, int(error.code))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(source), str(project)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [StorageFailure.__name__, str(int(ExitCode.STORAGE))]
    assert list((project / "data").iterdir()) == []


def test_real_tables_read(shared_data: Path) -> None:
    """The real sets read with the types that a person would give them."""
    titanic = read_table("titanic/titanic.csv", base=shared_data)
    assert titanic.table.num_rows == 1309
    assert titanic.table.schema.field("age").type == pa.float64()
    assert titanic.missing["cabin"] == {"?": 1014}
    cards = read_table("cardholders/purchase_cards_2014_2016.csv.gz", base=shared_data)
    assert cards.table.num_rows == 127_098
    fraud = read_table("fraud/creditcard_2023_sample.csv", base=shared_data).table
    assert np.isfinite(fraud["V14"].to_numpy()).all()
