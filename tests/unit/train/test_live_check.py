"""A running service is measured by what it answers to labelled rows."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.client.answers import Prediction
from modelwright.schema.metrics import Task
from modelwright.train.live_check import Asked, Labelled, Measured, TruthUnusable, draw, judged, with_numbers
from modelwright.train.live_report import BelowFloor, Report, append, judge


def asked(pairs: list[tuple[object, str, float]], truths: list[object]) -> Asked:
    """Answers of a model of "no" and "yes": (prediction, name, probability of yes) each."""
    answers = [
        Prediction(
            prediction=value,
            prediction_name=name,
            confidence=max(p, 1 - p),
            probabilities={"no": 1 - p, "yes": p},
            prediction_id=f"{place}",
            model_version=3,
        )
        for place, (value, name, p) in enumerate(pairs)
    ]
    return Asked(answers, truths, (3,), [0.001] * len(answers), (), 0)


YES, NO = (1, "yes", 0.9), (0, "no", 0.2)


@given(st.integers(0, 60), st.integers(1, 30), st.integers(0, 2**32))
def test_a_sample_is_distinct_rows_in_order_and_the_same_for_a_seed(rows: int, count: int, seed: int) -> None:
    """As many as asked for, or all there are."""
    table = [Labelled(f"{number}", {}, number) for number in range(rows)]
    drawn = [row.truth for row in draw(iter(table), count, seed)]
    assert len(drawn) == min(rows, count) and drawn == sorted(set(drawn))
    assert drawn == [row.truth for row in draw(iter(table), count, seed)]


def test_every_row_is_as_likely() -> None:
    """Also the first and the last."""
    table = [Labelled("", {}, number) for number in range(10)]
    counts = Counter(row.truth for seed in range(2_000) for row in draw(table, 3, seed))
    assert min(counts.values()) > 500 and max(counts.values()) < 700


def test_only_columns_of_nothing_but_numbers_are_sent_as_numbers() -> None:
    """What is spelled unusually may be a name."""
    rows = [
        Labelled("a", {"x": "1.50", "code": "007", "mixed": "3", "gap": None}, "1"),
        Labelled("b", {"x": "-2", "code": "12", "mixed": "C3", "gap": "4"}, "0"),
    ]
    first, second = with_numbers(rows)
    assert first.row == {"x": 1.5, "code": "007", "mixed": "3", "gap": None}
    assert second.row == {"x": -2, "code": "12", "mixed": "C3", "gap": 4}


@pytest.mark.parametrize(
    "truths", [["1", "0", "1"], [1, 0.0, True and 1], ["yes", "no", "yes"], ["1.0", "no", "yes"]]
)
def test_a_label_may_be_spelled_as_value_or_name(truths: list[object]) -> None:
    """1, "1", 1.0 and the label's name are the same truth."""
    found = judged(asked([YES, NO, NO], truths), names={}, seed=0)
    assert found.task is Task.CLASSIFICATION
    assert found.metrics["accuracy"].value == pytest.approx(2 / 3)
    assert found.metrics["roc_auc"].value == pytest.approx(0.75)
    assert found.commonest == pytest.approx(2 / 3)


def test_a_label_that_is_never_answered_is_still_told_apart() -> None:
    """A service that says the same of everything is measured, not refused."""
    found = judged(asked([YES] * 4, ["1", "0", "0", "0"]), names={}, seed=0)
    assert found.metrics["accuracy"].value == 0.25
    assert "log_loss" in found.metrics
    named = judged(asked([YES] * 2, ["0", "0"]), names={"0": "no"}, seed=0)
    assert named.metrics["accuracy"].value == 0.0


@pytest.mark.parametrize("truths", [["1", "maybe", "perhaps"], ["1", "", "0"], ["1", None, "0"]])
def test_truths_that_are_none_are_told(truths: list[object]) -> None:
    """An unknown label or a missing one cannot be measured by."""
    with pytest.raises(TruthUnusable):
        judged(asked([YES, YES, NO], truths), names={}, seed=0)


def test_numbers_are_measured_as_numbers() -> None:
    """A regression has errors, and its truth must be a number."""
    answers = [Prediction(prediction=v, prediction_id="a", model_version=1) for v in (1.0, 2.0, 3.0)]
    found = judged(Asked(answers, ["1", "2.5", 3], (1,), [0.1] * 3, (), 0), names={}, seed=0)
    assert found.metrics["mae"].value == pytest.approx(1 / 6)
    with pytest.raises(TruthUnusable, match="no number"):
        judged(Asked(answers, ["1", "cheap", 3], (1,), [0.1] * 3, (), 0), names={}, seed=0)


def report(found: Measured, given: Asked) -> Report:
    """As the verb makes it."""
    return Report.of(given, found, url="http://u:secret@host", seed=5, commit="abc")


def test_the_log_gets_a_line_a_check(tmp_path: Path) -> None:
    """Time, commit, version, accuracy, rows and latency, and no password."""
    given_ = asked([YES, NO], ["1", "0"])
    told = report(judged(given_, names={}, seed=5), given_)
    for _ in range(2):
        append(tmp_path / "logs" / "log.txt", told)
    lines = (tmp_path / "logs" / "log.txt").read_text().splitlines()
    assert len(lines) == 2
    assert lines[0].split(" ", 1)[1] == "commit=abc version=3 accuracy=1.0000 n=2 latency_ms=1"
    assert "secret" not in told.url


def test_floors_and_guessing_are_judged() -> None:
    """Below a floor, above a limit, or worse than the commonest label."""
    good = asked([YES, NO] * 20, ["1", "0"] * 20)
    bad = asked([NO] * 30 + [YES] * 10, ["1"] * 30 + ["0"] * 10)
    fine = report(judged(good, names={}, seed=0), good)
    poor = report(judged(bad, names={}, seed=0), bad)
    judge(fine, [("accuracy", 0.9), ("log_loss", 0.5)])
    judge(fine, [])
    for told, floors, word in (
        (fine, [("log_loss", 0.01)], "above the limit"),
        (fine, [("rmse", 0.1)], "cannot be measured"),
        (poor, [("accuracy", 0.5)], "below the floor"),
        (poor, [], "commonest"),
    ):
        with pytest.raises(BelowFloor) as caught:
            judge(told, floors)
        assert word in caught.value.details[0] and caught.value.code == 13
