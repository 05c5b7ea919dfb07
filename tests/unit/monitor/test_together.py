"""A classifier tells windows apart when features hang together otherwise, and only then."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from modelwright.monitor.together import rank_auc, separation


def table(rows, seed, shift=0.0):
    """Six hanging together, one with gaps, one of words."""
    random = np.random.default_rng(seed)
    common = random.normal(size=rows)
    columns = {f"f{place}": common + random.normal(size=rows) for place in range(6)}
    columns["f0"] = columns["f0"] + shift
    columns["gaps"] = np.where(random.random(rows) < 0.2, np.nan, random.normal(size=rows))
    columns["word"] = np.array(["a", "b", ""], dtype=object)[random.integers(0, 3, rows)]
    columns["when"] = np.arange(rows).astype("datetime64[us]")
    return columns


def test_false_alarms_are_as_rare_as_the_p_value_says():
    """Of 100 stable pairs about five have p < 0.05, and none drifts."""
    found = [separation(table(400, seed), table(300, 1000 + seed)) for seed in range(100)]
    assert sum(each.p_value < 0.05 for each in found) <= 12
    assert not any(each.drifted for each in found)
    assert abs(np.mean([each.auc for each in found]) - 0.5) < 0.02


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("f0", lambda c: c.update(f0=c["f0"] + 1)),
        ("f0", lambda c: c.update(f0=c["f0"] * 3)),
        ("gaps", lambda c: c["gaps"].__setitem__(slice(0, 800), np.nan)),
        ("word", lambda c: c["word"].__setitem__(slice(0, 800), "a")),
    ],
)
def test_a_change_is_told_with_its_feature(name, change):
    """Location, spread, gaps, categories."""
    columns = table(1500, 1)
    change(columns)
    found = separation(table(3000, 0), columns)
    assert found.drifted and found.auc > 0.6 and found.leading[0] == name


def test_small_shifts_that_together_are_large():
    """None of six shifts of 0.35 deviations matters alone, all against their correlation do."""
    columns = table(2000, 1)
    for place in range(6):
        columns[f"f{place}"] += 0.5 * (-1) ** place
    assert separation(table(2000, 0), columns).auc > 0.7


@given(st.integers(0, 1000), st.integers(1, 3))
def test_auc_and_its_p_value_are_those_of_mann_and_whitney(seed, decimals):
    """Ties included."""
    random = np.random.default_rng(seed)
    positive = random.random(200) < 0.4
    scores = (random.normal(size=200) + 0.3 * positive).round(decimals)
    auc, p = rank_auc(scores, positive)
    test = stats.mannwhitneyu(
        scores[positive], scores[~positive], alternative="greater", use_continuity=False, method="asymptotic"
    )
    assert auc == pytest.approx(roc_auc_score(positive, scores))
    assert p == pytest.approx(test.pvalue, abs=1e-9)


def test_too_few_rows_give_no_answer():
    """Below a hundred on either side, or with nothing in common."""
    assert separation(table(50, 0), table(500, 1)) is None
    assert separation({"a": np.zeros(500)}, {"b": np.zeros(500)}) is None
    constant = separation({"a": np.zeros(500)}, {"a": np.zeros(500)})
    assert constant is not None and constant.auc == 0.5 and not constant.drifted
