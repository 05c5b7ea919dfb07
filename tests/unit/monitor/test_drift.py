"""Windows against profiles: what changed is found and named, what did not is left in peace."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from modelwright.data.profile import column_profile, profile, value_profile
from modelwright.monitor import wording
from modelwright.monitor.counts import add, count
from modelwright.monitor.drift import (
    DriftSettings,
    ProfileUnreadable,
    Topic,
    quantile_distance,
    read_profile,
    window_drift,
)
from modelwright.schema.columns import Column, Kind, TableSchema
from modelwright.schema.profile import Profile

NAMES = ("plain", 'd\'été (€)."x"', "skewed")
SCHEMA = TableSchema(
    columns=(
        *(Column(name=name, kind=Kind.NUMERIC, nullable=True) for name in NAMES),
        Column(name="whole", kind=Kind.INTEGER),
        Column(name="yes", kind=Kind.BOOLEAN),
        Column(name="word", kind=Kind.CATEGORICAL, categories=("blau", "größe", "rot")),
        Column(name="told", kind=Kind.TEXT),
        Column(name="when", kind=Kind.DATETIME),
    )
)


def table(rows, seed):
    """Column arrays of the schema."""
    random = np.random.default_rng(seed)
    words = np.array(["rot", "blau", "größe", ""], dtype=object)
    return {
        NAMES[0]: random.normal(size=rows),
        NAMES[1]: np.where(random.random(rows) < 0.1, np.nan, random.normal(5, 3, size=rows)),
        NAMES[2]: np.exp(random.normal(size=rows) * 2),
        "whole": random.poisson(30, size=rows).astype(float),
        "yes": (random.random(rows) < 0.2).astype(float),
        "word": words[random.choice(4, size=rows, p=[0.5, 0.3, 0.1, 0.1])],
        "told": np.array(["some words"] * rows, dtype=object),
        "when": np.datetime64("2026-01-01", "us")
        + random.integers(0, 10**12, rows).astype("timedelta64[us]"),
    }


@pytest.fixture(scope="module")
def reference():
    """The profile of 5,000 rows."""
    return profile(table(5000, 0), SCHEMA)


@pytest.mark.parametrize("rows", [50, 500, 20_000])
def test_stable_rows_show_nothing(reference, rows):
    """Of twenty windows of whatever size, none."""
    for seed in range(20):
        drift = window_drift(reference, table(rows, 100 + seed), schema=SCHEMA)
        assert drift.judged and not drift.drifted
    assert wording.summary(drift).startswith("No drift: these")


def changed(change, rows=2000, seed=7):
    columns = table(rows, seed)
    change(columns)
    return columns


VALUES, MISSING, UNSEEN = Topic.VALUES, Topic.MISSING, Topic.UNSEEN
CHANGES = {
    "shift": (lambda c: c.update(plain=c["plain"] + 1), "plain", VALUES, "standard deviations higher"),
    "scale": (lambda c: c.update(plain=c["plain"] * 3), "plain", VALUES, "times that"),
    "units": (lambda c: c.update(whole=c["whole"] * 100), "whole", VALUES, "times those of"),
    "stuck": (lambda c: c.update(plain=np.zeros(2000)), "plain", VALUES, "one value only (0)"),
    "missing": (lambda c: c["plain"].__setitem__(slice(0, 400), np.nan), "plain", MISSING, "20 % of"),
    "all missing": (lambda c: c["plain"].fill(np.nan), "plain", MISSING, "100 % of the values"),
    "filled": (
        lambda c: c.update({NAMES[1]: np.nan_to_num(c[NAMES[1]], nan=5.0)}), NAMES[1], MISSING, "0 % of",
    ),
    "flag": (lambda c: c.update(yes=1 - c["yes"]), "yes", VALUES, "higher"),
    "mix": (lambda c: c["word"].__setitem__(slice(0, 1500), "größe"), "word", VALUES, "'größe' makes up"),
    "new": (lambda c: c["word"].__setitem__(slice(0, 200), "neu'$"), "word", UNSEEN, "such as 'neu'$'"),
    "range": (lambda c: c["plain"].__setitem__(slice(0, 100), 1e9), "plain", UNSEEN, "beyond the range"),
    "infinite": (lambda c: c["plain"].__setitem__(slice(0, 100), -np.inf), "plain", UNSEEN, "beyond"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_each_change_is_named_rightly(reference, name):
    """The feature, the topic, and words that say what happened; no other feature is accused."""
    change, feature, topic, words = CHANGES[name]
    drift = window_drift(reference, changed(change), schema=SCHEMA)
    assert {finding.name for finding in drift.drifted} == {feature}
    told = {finding.topic: wording.sentence(finding) for finding in drift.drifted}
    assert words in told[topic]
    assert wording.summary(drift).startswith(f"Drift: 1 of 8 features changed ('{feature}')")


def test_a_small_difference_is_no_drift_however_many_rows(reference):
    """Significant is not enough: it must be large enough to matter."""
    drift = window_drift(reference, changed(lambda c: c.update(plain=c["plain"] + 0.1), rows=100_000))
    finding = next(each for each in drift.findings if (each.name, each.topic) == ("plain", Topic.VALUES))
    assert finding.p_value < 1e-6 and not finding.drifted


def test_too_few_rows_are_not_judged(reference):
    """Below thirty rows there is no verdict."""
    drift = window_drift(reference, changed(lambda c: c.update(plain=c["plain"] + 9), rows=20))
    assert not drift.judged and not drift.drifted
    assert wording.summary(drift) == "20 rows are too few to say whether anything changed."
    assert not window_drift(reference, {}).judged


def test_texts_and_dates_have_their_missing_share_compared_only(reference):
    """Said so, rather than passed over in silence."""
    columns = table(1000, 3)
    columns["told"][:500] = ""
    columns["when"][:500] = np.datetime64("NaT", "us")
    columns["when"] += np.timedelta64(400, "D")
    drift = window_drift(reference, columns, schema=SCHEMA)
    assert drift.untested == ("told", "when")
    assert {(each.name, each.topic) for each in drift.drifted} == {
        ("told", Topic.MISSING), ("when", Topic.MISSING),
    }  # fmt: skip


def test_predictions_are_compared_too(reference):
    """A classification by its labels, a regression by its values."""
    random = np.random.default_rng(0)
    known = Profile(
        rows=reference.rows,
        columns=reference.columns,
        predictions={
            "model": value_profile("model", random.integers(0, 2, 3000), ("no", "yes")),
            "price": value_profile("price", random.normal(size=3000)),
        },
    )
    answers = {
        "model": np.array(["yes"] * 900 + ["no"] * 100, dtype=object),
        "price": random.normal(size=1000),
    }
    drift = window_drift(known, table(1000, 5), predictions=answers, schema=SCHEMA)
    assert [(each.name, each.prediction) for each in drift.drifted] == [("model", True)]
    assert "The predictions: 'yes' makes up 90 %" in wording.sentence(drift.drifted[0])
    named = DriftSettings(names={"model": {"no": "stays", "yes": "leaves"}})
    drift = window_drift(known, table(1000, 5), predictions=answers, schema=SCHEMA, settings=named)
    assert "The predictions: 'leaves' makes up 90 %" in wording.sentence(drift.drifted[0])
    assert drift.drifted[0].about == "yes"


def test_many_rare_categories_do_not_look_new():
    """A column whose every other value is new was so in training; without a schema none is called new."""
    random = np.random.default_rng(0)
    words = np.array([f"w{number}" for number in random.zipf(1.3, 9000) % 10**7], dtype=object)
    before, now = words[:6000], words[6000:]
    schema = TableSchema(
        columns=(Column(name="w", kind=Kind.CATEGORICAL, categories=tuple(sorted(set(before)))),)
    )
    reference = profile({"w": before}, schema)
    for given_schema in (schema, None):
        assert not window_drift(reference, {"w": now}, schema=given_schema).drifted


@settings(max_examples=25)
@given(st.integers(0, 1000), st.integers(0, 3), st.booleans())
def test_distance_from_quantiles_is_a_lower_bound_of_the_true_one(seed, decimals, skewed):
    """Ties or none, it never exceeds the two-sample distance by more than the quantiles' grain."""
    random = np.random.default_rng(seed)
    before, now = random.normal(size=3000), random.normal(0.2, 1.2, size=700)
    if skewed:
        before, now = np.exp(before), np.exp(now)
    before, now = before.round(decimals), now.round(decimals)
    known = column_profile("x", Kind.NUMERIC, before)
    ours = quantile_distance(count(known, now))
    exact = stats.ks_2samp(before, now).statistic
    assert exact - 0.05 * (decimals > 0) - 0.5 * (decimals == 0) <= ours <= exact + 2 / 3000


@given(st.integers(0, 1000), st.integers(0, 300))
def test_counts_of_parts_add_up_to_the_counts_of_the_whole(seed, cut):
    """So a window slides by adding and dropping blocks."""
    columns = table(300, seed)
    reference = profile(table(400, seed + 1), SCHEMA)
    for known in reference.columns:
        values = columns[known.name]
        whole = count(known, values)
        parts = add(count(known, values[:cut]), count(known, values[cut:]))
        assert (parts.rows, parts.missing, parts.outside, parts.other, parts.unseen, parts.new) == (
            whole.rows, whole.missing, whole.outside, whole.other, whole.unseen, whole.new,
        )  # fmt: skip
        assert (parts.bins, parts.below, parts.upto) == (whole.bins, whole.below, whole.upto)
        assert math.isclose(parts.total, whole.total, abs_tol=1e-6)


def test_counts_of_the_training_rows_are_the_profile():
    """Binning is the same on both sides."""
    columns = table(3000, 2)
    for known in profile(columns, SCHEMA).columns:
        counted = count(known, columns[known.name])
        assert (counted.rows, counted.missing) == (known.rows, known.missing)
        if known.counts and known.kind != Kind.DATETIME:
            assert tuple(counted.bins) == known.counts


def test_a_limit_of_the_settings_is_kept():
    """A larger psi lets a shift pass."""
    reference = profile(table(5000, 0), SCHEMA)
    shifted = changed(lambda c: c.update(plain=c["plain"] + 0.6))
    assert window_drift(reference, shifted, schema=SCHEMA).drifted
    assert not window_drift(reference, shifted, schema=SCHEMA, settings=DriftSettings(psi=2.0)).drifted


def test_a_bundle_without_a_profile_is_refused():
    """In words, not as a traceback."""
    for content in (b"{}", b"", b"[1]"):
        with pytest.raises(ProfileUnreadable, match="no profile of its training data"):
            read_profile(content)
