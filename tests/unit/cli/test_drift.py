"""``modelwright drift``: a file against a bundle, for people, for programs and for CI."""

import json

import msgspec
import numpy as np
import pytest

from modelwright.data.profile import profile, value_profile
from modelwright.schema.columns import Column, Kind, TableSchema

FEATURES = TableSchema(
    columns=(
        Column(name="width (cm)", kind=Kind.NUMERIC),
        Column(name="a=b", kind=Kind.INTEGER, nullable=True),
        Column(name="colour", kind=Kind.CATEGORICAL, nullable=True, categories=("blue", "red")),
    )
)


def columns(rows, seed):
    """Column arrays as the bundle's model was trained on."""
    random = np.random.default_rng(seed)
    return {
        "width (cm)": random.uniform(0, 10, rows),
        "a=b": random.integers(0, 10, rows).astype(float),
        "colour": np.array(["red", "blue", ""], dtype=object)[random.integers(0, 3, rows)],
    }


@pytest.fixture(scope="session")
def profiled(bundle_maker, tmp_path_factory):
    """A bundle with the profile of 3,000 rows and of its answers."""
    made = profile(columns(3000, 0), FEATURES)
    answers = value_profile("model", (columns(3000, 1)["width (cm)"] < 5).astype(int), ("big", "small"))
    reference = msgspec.structs.replace(made, predictions={"model": answers})
    folder = tmp_path_factory.mktemp("profiled") / "v1"
    return bundle_maker(folder, reference=msgspec.json.encode(reference))


@pytest.fixture
def rows(tmp_path):
    """Write rows: ``rows(name, change)`` with ``change`` applied to the column arrays."""

    def write(name="rows.csv", change=lambda columns: None, count=800, seed=5):
        made = columns(count, seed)
        change(made)
        lines = ["id,width (cm),a=b,colour"]
        for number, cells in enumerate(zip(*made.values(), strict=True)):
            text = [
                "" if cell != cell else f"{cell:g}" if isinstance(cell, float) else cell for cell in cells
            ]
            lines.append(",".join([str(number), *text]))
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


def shifted(made):
    """The widths move up."""
    made["width (cm)"] = made["width (cm)"] / 2 + 5


def test_rows_like_those_of_training_end_with_0(mw, profiled, rows):
    """A table, and the verdict as its last line."""
    result = mw("drift", rows(), "--bundle", profiled)
    assert result.code == 0, result.err
    assert result.out.splitlines()[-1].startswith("No drift: these 800 rows are distributed as")


def test_shifted_rows_end_with_12_and_a_sentence(mw, profiled, rows):
    """The feature and the predictions are named, the feature with what happened to it."""
    result = mw("drift", rows(change=shifted), "--bundle", profiled)
    assert result.code == 12
    last = result.out.splitlines()[-1]
    assert "1 of 3 features changed ('width (cm)')" in last
    assert "the predictions are distributed otherwise" in last
    assert "standard deviations higher" in last
    first = result.out.splitlines()[1]
    assert first.split()[:3] == ["width", "(cm)", "yes"] or first.startswith("prediction: model")


def test_json_holds_every_check(mw, profiled, rows):
    """One document; nothing else on standard output."""
    result = mw("drift", rows(change=shifted), "--bundle", profiled, "--json")
    assert result.code == 12
    assert result.json["drifted"] is True
    assert result.json["features"] == ["width (cm)"]
    assert result.json["together"] is None
    assert {finding["topic"] for finding in result.json["findings"]} == {"values", "missing", "unseen"}
    assert all(finding["message"] for finding in result.json["findings"])


def test_values_that_the_service_refuses_are_measured(mw, profiled, rows):
    """A missing value where none is allowed is drift of that column, not an unreadable file."""
    path = rows(change=lambda made: made["width (cm)"].__setitem__(slice(0, 200), np.nan))
    result = mw("drift", path, "--bundle", profiled, "--json")
    assert result.code == 12
    assert result.json["refused"] == 200 and result.json["left_out"] == 0
    assert "25 % of the values are missing" in result.json["findings"][0]["message"]
    assert "would refuse 200 of the 800 rows" in result.err


def test_broken_lines_are_left_out_and_told(mw, profiled, rows):
    """With their place; a file of nothing else is refused."""
    path = rows()
    path.write_text(path.read_text() + "1,2\n900,wide,3,red\n")
    result = mw("drift", path, "--bundle", profiled)
    assert result.code == 0
    assert "2 rows of" in result.err and "line 802" in result.err and "width (cm)" in result.err
    path.write_text("id,width (cm),a=b,colour\n1,2\n")
    assert mw("drift", path, "--bundle", profiled).code == 4
    path.write_text("id,width (cm),a=b,colour\n")
    assert mw("drift", path, "--bundle", profiled).code == 4


def test_few_rows_are_not_judged(mw, profiled, rows):
    """No drift is claimed of ten rows, whatever they hold."""
    result = mw("drift", rows(change=shifted, count=10), "--bundle", profiled)
    assert result.code == 0
    assert "10 rows are too few" in result.out


def test_earlier_rows_let_all_features_be_compared_together(mw, profiled, rows):
    """A classifier tells which file a row is from, or cannot."""
    same = mw("drift", rows(), "--against", rows("before.csv", seed=6), "--bundle", profiled)
    assert same.code == 0 and "cannot tell the two files apart" in same.out
    other = rows("now.csv", change=shifted)
    apart = mw("drift", other, "--against", rows("before.csv"), "--bundle", profiled, "--json")
    assert apart.code == 12 and apart.json["together"]["leading"][0] == "width (cm)"


@pytest.mark.parametrize("name", ["plot.png", "plot.svg", "größe $x$.pdf"])
def test_a_picture_is_drawn(mw, profiled, rows, tmp_path, name):
    """Its form follows from its name; nothing half-written stays."""
    result = mw("drift", rows(change=shifted), "--bundle", profiled, "--plot", tmp_path / name)
    assert result.code == 12, result.err
    assert (tmp_path / name).stat().st_size > 1000
    assert not list(tmp_path.glob(".*"))


def test_a_picture_that_cannot_be_written_is_told(mw, profiled, rows, tmp_path):
    """Unknown forms before any work, a folder that is not there as a failure of storage."""
    assert mw("drift", rows(), "--bundle", profiled, "--plot", tmp_path / "plot.doc").code == 2
    gone = tmp_path / "gone" / "plot.png"
    result = mw("drift", rows(), "--bundle", profiled, "--plot", gone)
    assert (result.code, result.out) == (10, "")


def test_the_live_version_of_a_project_is_meant(mw, project, profiled, rows):
    """With the project's own threshold; its bundles here hold no profile, which is told."""
    result = mw("drift", rows(), "--project", project)
    assert result.code == 6
    assert "no profile of its training data" in result.err
    assert mw("drift", rows(), "--project", project, "--bundle", profiled).code == 2
    assert mw("drift", rows(), "--project", project, "--version", 9).code != 0


def test_a_larger_threshold_lets_a_shift_pass(mw, profiled, rows):
    """--psi says what matters."""
    slight = rows(change=lambda made: made.update({"a=b": np.minimum(made["a=b"] + 2, 9)}))
    assert mw("drift", slight, "--bundle", profiled).code == 12
    assert mw("drift", slight, "--bundle", profiled, "--psi", 9).code == 0


def test_a_file_that_is_not_there(mw, profiled, tmp_path):
    """Told with its name."""
    result = mw("drift", tmp_path / "no.csv", "--bundle", profiled, "--json")
    assert result.code == 4
    assert "no.csv" in json.loads(result.err.splitlines()[-1])["error"]["reason"]


def test_a_mistyped_file_without_a_form_is_missing_first_of_all(mw, profiled, rows):
    """What form it has is no question while it is not there."""
    written = rows("sales.csv", count=5)
    result = mw("drift", written.with_suffix(".cv"), "--bundle", profiled)
    assert result.code == 4
    assert "There is no file" in result.err and "Did you mean 'sales.csv'?" in result.err
