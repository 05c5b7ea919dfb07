"""Rows are answered whatever form they come in, and what is wrong with one is told with its place."""

import gzip
import io
import json
import os
import subprocess
import sys

import pytest

HEADER = "id,width (cm),a=b,colour\n"
ROWS = HEADER + "x1,1.5,3,red\nx2,9,,blue\n"


@pytest.fixture
def file(tmp_path):
    """Write a file of rows."""

    def write(content, name="rows.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_a_csv_file_is_answered_in_order_with_its_ids(mw, bundle, file):
    """A pipe gets CSV: the identifier, the prediction, its confidence, every probability."""
    result = mw("predict", file(ROWS), "--bundle", bundle)
    assert result.code == 0
    lines = result.out.splitlines()
    assert lines[0] == "id,prediction,prediction_name,confidence,p(big),p(small)"
    assert [line.split(",")[:2] for line in lines[1:]] == [["x1", "small"], ["x2", "big"]]


FORMS = {
    "rows.tsv": ROWS.replace(",", "\t"),
    "semicolons.csv": ROWS.replace(",", ";"),
    "windows.csv": "\ufeff" + ROWS.replace("\n", "\r\n"),
    "rows.csv.gz": gzip.compress(ROWS.encode()),
    "rows.jsonl": '{"id": "x1", "width (cm)": 1.5, "a=b": 3, "colour": "red"}\n\n'
    '{"id": "x2", "width (cm)": 9, "colour": "blue"}\n',
    "rows.json": '[{"id": "x1", "width (cm)": 1.5}, {"id": "x2", "width (cm)": "9"}]',
    "body.json": '{"instances": [{"id": "x1", "width (cm)": 1.5}, {"id": "x2", "width (cm)": 9}]}',
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_same_answers(mw, bundle, file, name):
    """Delimiters, marks, compression and JSON shapes make no difference."""
    result = mw("predict", file(FORMS[name], name), "--bundle", bundle, "--format", "jsonl")
    answers = [json.loads(line) for line in result.out.splitlines()]
    assert [(answer["id"], answer["prediction"]) for answer in answers] == [("x1", "small"), ("x2", "big")]


def test_parquet_goes_in_and_out(mw, bundle, tmp_path):
    """Parquet is read and written, and NaN in it is a missing value."""
    pyarrow = pytest.importorskip("pyarrow", reason="Parquet is an optional part")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = pyarrow.table({"id": [7, 8], "width (cm)": [1.5, 9.0], "a=b": [float("nan"), 2.0]})
    parquet.write_table(rows, tmp_path / "rows.parquet")
    result = mw("predict", tmp_path / "rows.parquet", "--bundle", bundle, "-o", tmp_path / "out.parquet")
    assert result.code == 0, result.err
    assert "Wrote 2 answers" in result.err
    answers = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert [(row["id"], row["prediction"]) for row in answers] == [(7, "small"), (8, "big")]


def test_standard_input_tells_its_form_by_its_first_character(mw, bundle, monkeypatch):
    """CSV, JSON and JSON lines come through a pipe."""
    for text in (ROWS, FORMS["rows.json"], FORMS["rows.jsonl"]):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        result = mw("predict", "-", "--bundle", bundle)
        assert result.code == 0, result.err
        assert [line.split(",")[1] for line in result.out.splitlines()[1:]] == ["small", "big"]


def test_words_are_a_row(mw, bundle):
    """name=value words make one row, also with = in a name; JSON words make one each."""
    result = mw("predict", "width (cm)=1.5", "a=b=4", "colour=", "--bundle", bundle, "--json")
    assert result.json[0]["prediction"] == "small"
    assert result.json[0]["row"] == 1
    assert result.json[0]["probabilities"]["small"] == result.json[0]["confidence"]
    result = mw("predict", '{"width (cm)": 9}', "[1, 2, null]", "--bundle", bundle, "--json")
    assert [answer["prediction"] for answer in result.json] == ["big", "small"]


def test_a_word_that_is_nothing_is_told(mw, bundle):
    """A mistyped file name is not taken for a row."""
    result = mw("predict", "rosw.csv", "--bundle", bundle)
    assert result.code == 4
    assert "'rosw.csv' is no file, no JSON, and no name=value." in result.err
    assert "'width (cm)=…'" in result.err


def test_bad_rows_are_told_with_their_lines_and_nothing_is_written(mw, bundle, file, tmp_path):
    """Every bad row is named by its line, also behind a cell of two lines; no file appears."""
    rows = HEADER + 'x1,1.5,3,"re\nd"\nx2,wide,3,red\nx3,1,2\nx4,,1,red\n'
    result = mw("predict", file(rows), "--bundle", bundle, "-o", tmp_path / "out.csv")
    assert result.code == 4
    assert "3 of 4 rows do not fit the model." in result.err
    assert "line 4: width (cm): " in result.err
    assert "line 5: has 3 cells where the first line names 4 columns" in result.err
    assert "line 6: width (cm): a value is required" in result.err
    assert "--skip-invalid" in result.err
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


def test_what_is_wrong_with_many_rows_is_told_once(mw, bundle, file):
    """The same problem is one line, with the first rows that have it and how many more."""
    refused = mw("predict", file("id,colour\n" + "x,red\n" * 150), "--bundle", bundle)
    assert refused.code == 4
    assert "line 2, line 3, line 4 and 147 more: width (cm): the column is required" in refused.err
    assert refused.err.count("width (cm)") == 1


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_numbers_with_a_decimal_comma_are_read_as_in_training(mw, bundle, file, delimiter):
    """Where the file writes 1,5 for one and a half; its names, texts and lines stay what they are."""
    german = ROWS.replace(",", delimiter).replace("1.5", "1,5")
    ended = mw("predict", file(german), "--bundle", bundle)
    assert ended.out == mw("predict", file(ROWS, "same.csv"), "--bundle", bundle).out
    refused = mw("predict", file(german + delimiter.join(["x3", "1.5", "1,5", "red\n"])), "--bundle", bundle)
    assert (refused.code, "could be read in two ways" in refused.err) == (4, True)
    assert "line 2, line 4" in refused.err or "line 2:" in refused.err


def test_bad_rows_can_be_left_out(mw, bundle, file):
    """The others are answered under their own number, and the count is told."""
    rows = "width (cm),a=b\n1,1\nwide,1\n9,1\n"
    result = mw("predict", file(rows), "--bundle", bundle, "--skip-invalid", "--json")
    assert result.code == 0
    assert [(answer["row"], answer["prediction"]) for answer in result.json] == [(1, "small"), (3, "big")]
    assert "1 of 3 rows were left out" in result.err
    assert "line 3: width (cm)" in result.err


def test_where_no_row_fits_leaving_them_out_is_not_suggested_again(mw, bundle, file):
    """``--skip-invalid`` that leaves nothing is an error whose remedy is another one."""
    result = mw("predict", file("width (cm),a=b\nwide,1\nx,2\n"), "--bundle", bundle, "--skip-invalid")
    assert result.code == 4
    assert "2 of 2 rows do not fit the model." in result.err
    assert result.err.rstrip().endswith("Correct them.")


def test_a_place_without_its_folder_is_named(mw, bundle, file, tmp_path):
    """Not as a full disk: the folder is what has to be made."""
    target = tmp_path / "nowhere" / "out.csv"
    result = mw("predict", file("width (cm),a=b\n1,1\n"), "--bundle", bundle, "-o", target)
    assert result.code == 10
    assert f"there is no folder {target.parent}." in result.err
    assert "Make that folder" in result.err


def test_many_rows_stream_through_in_batches(mw, bundle, file, tmp_path):
    """Numbers of rows run on over the batches, and a late mistake still stops everything."""
    body = "".join(f"{row % 10},{row % 9}\n" for row in range(5000))
    result = mw("predict", file("width (cm),a=b\n" + body), "--bundle", bundle, "-o", tmp_path / "out.csv")
    assert result.code == 0
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert len(lines) == 5001
    assert lines[5000].startswith("5000,big,")
    result = mw(
        "predict", file("width (cm),a=b\n" + body + "x,1\n"), "--bundle", bundle, "-o", tmp_path / "b.csv"
    )
    assert result.code == 4
    assert "1 of 5,001 rows" in result.err
    assert "line 5002: width (cm)" in result.err
    assert not (tmp_path / "b.csv").exists()


def test_what_is_unusual_is_answered_and_told(mw, bundle, file):
    """Values outside of the training range and new categories are warnings."""
    result = mw("predict", file(HEADER + "x1,99,3,green\n"), "--bundle", bundle, "--json")
    assert result.code == 0
    assert {warning["loc"][-1] for warning in result.json[0]["warnings"]} == {"width (cm)", "colour"}
    assert "Warning: line 2: colour: " in result.err
    result = mw("predict", file(HEADER + "x1,99,3,green\nx2,98,3,red\n"), "--bundle", bundle)
    assert "Warning: width (cm): outside observed in 2 rows; first line 2: " in result.err


def test_missing_values_are_spelt_as_in_training(mw, project, bundle, file):
    """The usual spellings, or the project's own, are missing values and not categories or mistakes."""
    assert mw("predict", file(HEADER + "x,1,NA,?\n"), "--bundle", bundle).code == 0
    assert mw("predict", file(HEADER + "x,1,none,?\n"), "--project", project).code == 0
    result = mw("predict", file(HEADER + "x,1,NA,?\n"), "--project", project)
    assert result.code == 4
    assert "line 2: a=b" in result.err


UNREADABLE = {
    "empty.csv": (b"", "is empty"),
    "other.csv": (b"x,y\n1,2\n", "names none of the model's columns"),
    "latin.csv": ("width (cm),colour\n1,grün\n".encode("latin-1"), "is not UTF-8 text (byte 0xfc)"),
    "cut.csv.gz": (gzip.compress(ROWS.encode())[:-9], "is damaged"),
    "no.csv.gz": (b"plain", "is damaged"),
    "bad.json": (b'[{"width (cm)": 1},', "is not JSON"),
    "bad.parquet": (b"PAR1 and then nothing", "is no Parquet file"),
    "rows.xlsx": (b"PK", "Say it with --from: csv"),
    "header.csv": (HEADER.encode(), "There are no rows to answer."),
    "lines.jsonl": (b'{"width (cm)": 1}\n{"width\n', "line 2: is not JSON"),
    "number.json": (b"5", "a row must be an object"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_file_that_is_none_is_told(mw, bundle, file, name):
    """Broken input ends in a sentence and exit status 4."""
    content, says = UNREADABLE[name]
    result = mw("predict", file(content, name), "--bundle", bundle)
    assert result.code == 4
    assert says in result.err
    assert result.out == ""


def test_the_live_version_answers_unless_told_otherwise(mw, project, file):
    """A project answers with what is live; --version names another, unknown ones are told."""
    rows = file(ROWS)
    assert mw("predict", rows, "-p", project).code == 0
    assert mw("predict", rows, "-p", project, "--version", 2).code == 0
    result = mw("predict", rows, "-p", project, "--version", 9)
    assert result.code == 2
    assert "has no version 9; its newest version is 3" in result.err


def test_a_project_without_a_version_says_what_to_do(mw, tmp_path, file):
    """Nothing trained is no traceback, and no store is made by looking for one."""
    (tmp_path / "project.yaml").write_text("name: new\ndata: {source: a, target: t}\n")
    result = mw("predict", file(ROWS), "-p", tmp_path)
    assert result.code == 2
    assert "Project 'new' has no version yet." in result.err
    assert "modelwright train" in result.err
    assert not (tmp_path / ".modelwright").exists()


def test_a_damaged_bundle_does_not_answer(mw, project, file):
    """One changed byte is found before anything is loaded."""
    model = project / ".modelwright" / "bundles" / "v1" / "model.onnx"
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 1
    model.write_bytes(data)
    result = mw("predict", file(ROWS), "-p", project)
    assert result.code == 6
    assert "model.onnx" in result.err


def test_output_that_cannot_be_written_is_told(mw, bundle, file, tmp_path):
    """A missing folder is a storage failure; an unknown form is a usage error."""
    result = mw("predict", file(ROWS), "--bundle", bundle, "-o", tmp_path / "no" / "out.csv")
    assert result.code == 10
    result = mw("predict", file(ROWS), "--bundle", bundle, "-o", tmp_path / "out.xlsx")
    assert result.code == 2
    assert "--format" in result.err


def test_a_table_is_printed_for_people(mw, bundle, file):
    """A table has rounded numbers, and no name that only repeats the label."""
    result = mw("predict", file(ROWS), "--bundle", bundle, "--format", "table")
    assert result.out.splitlines()[0].split() == ["id", "prediction", "confidence", "p(big)", "p(small)"]
    assert result.out.splitlines()[1].split()[:2] == ["x1", "small"]


def test_several_models_answer_side_by_side(mw, file, tmp_path, bundle_maker):
    """Each model's answer stands under its name."""
    bundle = bundle_maker(tmp_path / "two", models=("size", "shape"))
    result = mw("predict", file(ROWS), "--bundle", bundle, "--json")
    assert set(result.json[0]["outputs"]) == {"size", "shape"}
    result = mw("predict", file(ROWS), "--bundle", bundle)
    assert result.out.splitlines()[0].startswith("id,size.prediction,")


def test_answering_imports_no_training_library(bundle, file):
    """In a fresh interpreter, predict needs the core installation only."""
    heavy = ("dvc", "matplotlib", "mlflow", "onnx", "pandas", "pyarrow", "scipy", "skl2onnx", "sklearn")
    code = (
        "import sys; from modelwright.cli.main import main\n"
        f"try:\n    main(['predict', {str(file(ROWS))!r}, '--bundle', {str(bundle)!r}])\n"
        "except SystemExit as ended: assert ended.code == 0\n"
        f"print(sorted(set({heavy!r}) & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert len(done.stdout.splitlines()) == 3
    assert done.stderr.strip() == "[]"


def test_of_many_probabilities_a_table_shows_the_highest():
    """Twenty classes do not become twenty columns on a terminal."""
    from modelwright.cli.rows_out import _compact

    record = {"row": 1, "prediction": 3, "prediction_name": "c3"}
    probabilities = {f"c{n}": 0.5 if n == 3 else 0.5 / 19 for n in range(20)}
    assert _compact(record | {"probabilities": probabilities}) == record | {
        "most probable": "c3 50.0%, c0 2.6%, c1 2.6%"
    }


def test_parquet_without_its_part_names_the_extra(mw, bundle, file, tmp_path, monkeypatch):
    """With the core installation only, the smallest extra that helps is named, on reading and writing."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for arguments in ([file(b"PAR1", "rows.parquet")], [file(ROWS), "-o", tmp_path / "out.parquet"]):
        result = mw("predict", *arguments, "--bundle", bundle)
        assert result.code == 8
        assert "pip install 'modelwright[parquet]'" in result.err
