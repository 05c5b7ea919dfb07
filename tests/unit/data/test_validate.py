"""What stops training, what is only warned of, and that sound data passes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from modelwright.data.findings import DataInvalid, Finding, Report, Severity
from modelwright.data.infer import infer_schema
from modelwright.data.load import read_table
from modelwright.data.validate import validate
from modelwright.errors import ExitCode
from modelwright.project.model import Data, Feature
from modelwright.schema.columns import Kind
from modelwright.schema.metrics import Task

ROWS = 100


def check(
    columns: dict[str, object] | pa.Table,
    task: Task = Task.CLASSIFICATION,
    features: dict[str, Feature] | None = None,
    **data: object,
) -> Report:
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    settings = Data(source="t.csv", **data)  # type: ignore[arg-type]
    return validate(table, infer_schema(table, settings, features or {}, task), settings, task)


def cycle(*values: object) -> list[object]:
    return [values[place % len(values)] for place in range(ROWS)]


def noise(seed: int = 0) -> list[float]:
    return np.random.default_rng(seed).normal(size=ROWS).tolist()


def only(report: Report) -> Finding:
    assert len(report.findings) == 1, report.findings
    return report.findings[0]


def test_sound_data_passes() -> None:
    """Nothing is found where nothing is wrong."""
    report = check({"x": noise(), "c": cycle("a", "b", "c"), "y": cycle("no", "yes")}, target="y")
    assert report.findings == ()
    report.raise_errors()


def test_stray_words_in_numbers_are_named() -> None:
    """A numeric column with three words names column, rows and words."""
    x: list[object] = [str(value) for value in noise()]
    x[2], x[41], x[77] = "n.a.", "unknown", "n.a."
    finding = only(check({"x": x, "y": cycle(0, 1)}, target="y"))
    assert (finding.check, finding.column, finding.rows) == ("wrong_type", "x", (3, 42, 78))
    assert finding.values == ("n.a.", "unknown", "n.a.")
    assert "data.missing" in finding.remedy


def test_further_rows_are_counted() -> None:
    """The first five rows are shown, the others counted."""
    x = [str(value) for value in noise()]
    for place in range(8):
        x[place * 3] = "bad"
    finding = only(check({"x": x, "y": cycle(0, 1)}, target="y"))
    assert (len(finding.rows), finding.more) == (5, 3)
    assert "and 3 more" in str(finding)


def test_a_date_that_does_not_exist_is_named() -> None:
    """The thirtieth of February is a mistake of its row."""
    days: list[object] = [f"2024-01-{place % 28 + 1:02d}" for place in range(ROWS)]
    days[9] = "2024-02-30"
    finding = only(check({"d": days, "y": cycle(0, 1, 1)}, target="y"))
    assert (finding.rows, finding.values) == ((10,), ("2024-02-30",))


def test_a_kind_that_cannot_hold_is_refused() -> None:
    """A declared kind that the cells contradict names them."""
    features = {"x": Feature(kind=Kind.NUMERIC), "w": Feature(kind=Kind.INTEGER)}
    report = check(
        {"x": cycle("a", "1"), "w": cycle(1.5, 2.0), "y": cycle(0, 0, 1)}, features=features, target="y"
    )
    assert [(item.check, item.column) for item in report.errors] == [("wrong_type", "x"), ("not_whole", "w")]


def test_declared_limits_hold() -> None:
    """Values outside declared limits and categories, and missing ones where none may be, are mistakes."""
    features = {
        "x": Feature(min=0),
        "z": Feature(max=1),
        "c": Feature(categories=["a"]),
        "n": Feature(nullable=False),
    }
    columns = {
        "x": cycle(-1.5, 2.0), "z": cycle(0.5, 3.5), "c": cycle("a", "b"), "n": cycle(1, 2, None),
        "y": cycle(0, 0, 1),
    }  # fmt: skip
    report = check(columns, features=features, target="y")
    assert {(item.check, item.column) for item in report.errors} == {
        ("out_of_range", "x"), ("out_of_range", "z"), ("unknown_category", "c"), ("missing_value", "n"),
    }  # fmt: skip


def test_infinite_and_too_large_values_are_refused() -> None:
    """What float32 cannot hold stops training."""
    x = noise()
    x[4], x[5] = float("inf"), 1e39
    report = check({"x": x, "y": cycle(0, 1)}, target="y")
    assert [(item.check, item.rows) for item in report.errors] == [("infinite", (5,)), ("too_large", (6,))]


def test_one_class_is_refused() -> None:
    """A target with one value cannot be learned."""
    assert only(check({"x": noise(), "y": cycle(1)}, target="y")).check == "one_class"


def test_rare_classes_are_counted() -> None:
    """Classes with too few rows to split are named with their counts."""
    y = cycle("a", "b")
    y[0], y[1], y[2] = "c", "c", "d"
    finding = only(check({"x": noise(), "y": y}, target="y"))
    assert finding.check == "rare_class"
    assert "'c' (2), 'd' (1)" in finding.sentence


def test_a_quantity_is_no_class() -> None:
    """A target of many different numbers is probably a regression."""
    assert "regression" in only(check({"x": noise(1), "y": noise()}, target="y")).remedy


def test_endless_is_no_class() -> None:
    """A class must be a value that can be named."""
    assert only(check({"x": noise(), "y": cycle(1.0, float("inf"))}, target="y")).check == "infinite"


def test_regression_targets_must_be_numbers() -> None:
    """Words in the target of a regression are named; one value only is refused."""
    finding = only(check({"x": noise(), "y": cycle("1.5", "low")}, Task.REGRESSION, target="y"))
    assert (finding.check, finding.rows[0]) == ("wrong_type", 2)
    assert only(check({"x": noise(), "y": cycle(2.5)}, Task.REGRESSION, target="y")).check == "one_value"


@pytest.mark.parametrize(("gaps", "severity"), [(3, Severity.WARNING), (30, Severity.ERROR)])
def test_missing_targets(gaps: int, severity: Severity) -> None:
    """A few rows without target are left out with a warning; many are a mistake."""
    y: list[object] = cycle("a", "b")
    y[:gaps] = [None] * gaps
    report = check({"x": noise(), "y": y}, target="y")
    finding = only(report)
    assert (finding.check, finding.severity, finding.rows[0]) == ("missing_target", severity, 1)
    assert report.unlabelled == gaps


def test_duplicate_identifiers_are_named() -> None:
    """An identifier that repeats names the rows and the value."""
    key: list[object] = [f"k{place}" for place in range(ROWS)]
    key[50] = "k7"
    finding = only(check({"key": key, "x": noise(), "y": cycle(0, 1)}, target="y", id="key"))
    assert (finding.check, finding.rows, finding.values) == ("duplicate_id", (8, 51), ("k7", "k7"))


def test_too_little_to_learn_from() -> None:
    """Nine rows, or no feature column, stop training."""
    few = check({"x": noise()[:9], "y": [0, 1, 0, 1, 0, 1, 0, 1, 0]}, target="y")
    assert "few_rows" in {item.check for item in few.errors}
    assert "no_features" in {
        item.check for item in check({"k": cycle(1), "y": cycle(0, 1)}, target="y").errors
    }


def test_ambiguous_dates_are_warned_of() -> None:
    """Dates that read both ways are taken with the month first, and it is said."""
    days = [f"{place % 9 + 1:02d}/{place % 7 + 1:02d}/2024" for place in range(ROWS)]
    finding = only(check({"d": days, "y": cycle(0, 0, 1)}, target="y"))
    assert (finding.check, finding.severity) == ("ambiguous_date", Severity.WARNING)


def test_all_mistakes_are_told_at_once() -> None:
    """One exception carries every mistake, errors before warnings, with the exit code of data."""
    x = noise()
    x[0] = float("inf")
    report = check({"x": x, "y": cycle(1)}, target="y")
    with pytest.raises(DataInvalid) as caught:
        report.raise_errors()
    assert caught.value.code is ExitCode.DATA
    assert len(caught.value.details) == 2


def test_a_value_that_gives_the_target_away_is_warned_of() -> None:
    """A copy of the target under another spelling is named, for classes and for quantities."""
    y = np.random.default_rng(1).integers(0, 3, ROWS)
    columns = {"copy": [f"class {value}" for value in y], "x": noise(), "y": y.tolist()}
    finding = only(check(columns, target="y"))
    assert (finding.check, finding.column, finding.severity) == ("give_away", "copy", Severity.WARNING)
    amount = np.random.default_rng(2).normal(size=2000)
    table = {
        "copy": (amount * 3 + 1).tolist(),
        "x": (amount + np.random.default_rng(3).normal(size=2000)).tolist(),
    }
    finding = only(check(pa.table(table | {"y": amount.tolist()}), Task.REGRESSION, target="y"))
    assert finding.column == "copy"


def test_gaps_that_give_the_target_away_are_warned_of() -> None:
    """A column that is filled only for one class is named."""
    rng = np.random.default_rng(4)
    y = rng.integers(0, 2, 400)
    late = [float(rng.normal()) if value and rng.random() < 0.5 else None for value in y]
    finding = only(check(pa.table({"late": late, "x": rng.normal(size=400), "y": y}), target="y"))
    assert (finding.check, finding.column) == ("give_away", "late")
    assert "filled" in finding.sentence


def test_real_give_aways(shared_data: Path) -> None:
    """In the Titanic's list boat and body are named and nothing else; in iris and card fraud nothing."""
    titanic = read_table("titanic/titanic.csv", base=shared_data).table
    assert {item.column for item in check(titanic, target="survived").findings} == {"boat", "body"}
    fraud = read_table("fraud/creditcard_2023_sample.csv", base=shared_data).table
    assert check(fraud, target="Class").findings == ()


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "digits", "diabetes"])
def test_sample_sets_are_sound(name: str, tmp_path: Path) -> None:
    """scikit-learn's sets validate without a finding, petal widths included."""
    task = Task.REGRESSION if name == "diabetes" else Task.CLASSIFICATION
    table = read_table(f"sklearn:{name}", base=tmp_path).table
    assert check(table, task, target="target").findings == ()
