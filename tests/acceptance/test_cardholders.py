"""The card holders: nothing of the future in a row, both layouts read, training and serving alike."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from acceptance.program import EXAMPLES

EXAMPLE = EXAMPLES / "cardholders"
REAL = "cardholders/purchase_cards_2014_2016.csv.gz"


def loaded(name: str) -> ModuleType:
    """A module of the example."""
    spec = importlib.util.spec_from_file_location(f"cardholders_{name}", EXAMPLE / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", autouse=True)
def no_bytecode() -> Iterator[None]:
    """Leave nothing behind in the example's folder."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    yield
    sys.dont_write_bytecode = before


@pytest.fixture(scope="module")
def features() -> ModuleType:
    """The example's ``features.py``."""
    return loaded("features")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Made transactions in the layout of Birmingham."""
    file = tmp_path_factory.mktemp("made") / "made.csv"
    loaded("make_data").write(file, 6_000, 1)
    return pd.read_csv(file, low_memory=False)


def raw_of(rows: list[tuple[int, int, float, int]]) -> pd.DataFrame:
    """Birmingham's columns of (day, card holder, amount, merchant)."""
    days = np.array([row[0] for row in rows])
    return pd.DataFrame(
        {
            "TRANS DATE": np.datetime_as_string(np.datetime64("2015-01-01") + days),
            "ORIGINAL GROSS AMT": [row[2] for row in rows],
            "MERCHANT NAME": [f"shop {row[3]}" for row in rows],
            "CARD NUMBER": [f"************{row[1]:04d}" for row in rows],
        }
    )


TRANSACTIONS = st.lists(
    st.tuples(
        st.integers(0, 420),
        st.integers(0, 3),
        st.sampled_from([-20.0, 0.0, 1.5, 30.0, 250.0]),
        st.integers(0, 4),
    ),
    min_size=1,
    max_size=60,
)
CALM = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@CALM
@given(TRANSACTIONS, st.integers(0, 420))
def test_what_is_known_of_a_day_never_sees_later_rows(
    features: ModuleType, rows: list[tuple[int, int, float, int]], day: int
):
    """With every later row taken away, or others put in its place, the features are the same bits."""
    past = [row for row in rows if row[0] <= day]
    if not any(row[2] > 0 for row in past):
        return
    other = [(row[0] + 1, 3 - row[1], 9.0, 4 - row[3]) for row in rows if row[0] >= day]
    at = pd.Timestamp("2015-01-01", tz="UTC") + pd.Timedelta(days=day)
    full, _ = features.online(raw_of(rows), at)
    for less in (past, past + other):
        table, _ = features.online(raw_of(less), at)
        known = table.set_index("name")
        pd.testing.assert_frame_equal(full.set_index("name"), known.loc[full["name"]], check_exact=True)


def slow_known(rows: list[tuple[int, int, float, int]], holder: int, day: int) -> dict[str, float]:
    """A few features, counted in the plainest way."""
    own = [row for row in rows if row[1] == holder and row[0] <= day]
    bought = [row for row in own if row[2] > 0]
    days = sorted({row[0] for row in bought})
    year = [row for row in bought if row[0] > day - 365]
    gaps = [min(b - a, 90) for a, b in pairwise(days)]
    recency = day - days[-1]
    longer = [gap for gap in gaps if gap > min(recency, 90)]
    soon = [gap for gap in longer if gap <= min(min(recency, 90) + 7, 90)]
    return {
        "usage_freq": len(year),
        "amount_spend": round(sum(row[2] for row in own if row[0] > day - 365), 2),
        "uniq_merchant": len({row[3] for row in year}),
        "merchants_56": len({row[3] for row in bought if row[0] > day - 56}),
        "recency": recency,
        "visits": len(days),
        "days_28": sum(each > day - 28 for each in days),
        "longer_gaps": len(longer),
        "within_7": (len(soon) + 0.5) / (len(longer) + 1.0),
    }


@CALM
@given(TRANSACTIONS, st.integers(0, 420))
def test_vectorised_features_are_those_counted_plainly(
    features: ModuleType, rows: list[tuple[int, int, float, int]], day: int
):
    """Counts, sums, merchants and gaps agree with loops over the rows."""
    past = features.Past(features.transactions(raw_of(rows)))
    origin = int(np.datetime64("2015-01-01").astype(int))
    holders = np.flatnonzero(past.first_day <= origin + day)
    known = features.known_at(past, holders, np.full(len(holders), origin + day))
    for place, holder in enumerate(holders):
        expected = slow_known(rows, int(past.names[holder][-4:]), day)
        found = {name: known[name][place] for name in expected}
        assert found == pytest.approx(expected)


def test_training_rows_are_what_serving_would_have_known(features: ModuleType, made: pd.DataFrame):
    """The features of a training row are those of the online table of its day, to the last bit."""
    rows = features.build(made, "will_spend")
    days = rows["as_of"].drop_duplicates().iloc[[0, 40, -1]]
    for day in days:
        table, as_of = features.online(made, day.tz_localize("UTC"))
        assert as_of == day.tz_localize("UTC")
        known = table.set_index("name")
        mine = rows[rows["as_of"] == day].set_index("name")
        pd.testing.assert_frame_equal(mine[known.columns], known.loc[mine.index], check_exact=True)


def test_labels_are_purchases_in_the_days_after(features: ModuleType, made: pd.DataFrame):
    """One row in a hundred, looked up by hand; days whose answer is not known yet are left out."""
    rows = features.build(made, "will_spend")
    bought = made[made["ORIGINAL GROSS AMT"] > 0]
    dates = pd.to_datetime(bought["TRANS DATE"])
    for row in rows.iloc[::100].itertuples():
        own = dates[bought["CARD NUMBER"] == row.name]
        after = (own > row.as_of) & (own <= row.as_of + pd.Timedelta(days=int(row.k)))
        assert bool(row.will_spend) == bool(after.any())
    last = pd.to_datetime(made["TRANS DATE"]).max()
    assert ((rows["as_of"] + pd.to_timedelta(rows["k"], unit="D")) <= last).all()


def test_the_other_layout_is_read(features: ModuleType, tmp_path: Path):
    """Oklahoma's columns, its dates and amounts as text; two of one name are told apart by their agency."""
    file = tmp_path / "oklahoma.csv"
    loaded("make_data").write(file, 2_000, 2, "oklahoma")
    raw = pd.read_csv(file)
    plain = features.transactions(raw)
    assert len(plain) == 2_000 and plain["amount"].lt(0).any()
    assert features.build(raw, "will_spend")["will_spend"].nunique() == 2
    assert len(features.build(raw, "predicted_cluster")) > 10
    raw["Amount"] = ["$1,000.50", "(20.00)", *raw["Amount"].astype(str)[2:]]
    raw.loc[:1, ["Cardholder Last Name", "Cardholder First Initial"]] = ["O'Neil", "J"]
    raw.loc[0, "Agency Number"], raw.loc[1, "Agency Number"] = 1, 2
    again = features.transactions(raw).loc[[0, 1]]
    assert again["amount"].tolist() == [1000.5, -20.0]
    assert again["name"].tolist() == ["O'Neil J (1)", "O'Neil J (2)"]


def test_another_layout_is_told(features: ModuleType):
    """Columns of neither layout are named as the reason."""
    with pytest.raises(ValueError, match=r"neither layout.*TRANS DATE"):
        features.build(pd.DataFrame({"a": [1]}), "will_spend")


def facts(features: ModuleType, raw: pd.DataFrame) -> dict[str, float]:
    """How hard the question is: the base rate, and how far recency and rhythm alone lead."""
    from sklearn.metrics import roc_auc_score

    past = features.Past(features.transactions(raw))
    holders, days = features.moments(past)
    known = features.known_at(past, holders, days)
    asked = days + 7 <= past.last_day
    truth = (past.visits.until(holders, days + 7) > past.visits.until(holders, days))[asked]
    amounts = raw["ORIGINAL GROSS AMT"]
    return {
        "base rate": float(truth.mean()),
        "recency": float(roc_auc_score(truth, -known["recency"][asked])),
        "visits in four weeks": float(roc_auc_score(truth, known["days_28"][asked])),
        "refunds": float((amounts < 0).mean()),
        "median amount": float(np.log10(amounts[amounts > 0].median())),
        "weekends": float((pd.to_datetime(raw["TRANS DATE"]).dt.day_of_week >= 5).mean()),
    }


def test_made_transactions_are_like_the_real_ones(
    features: ModuleType, made: pd.DataFrame, shared_data: Path
):
    """The same columns of the same types, filled alike, and about as hard to tell who buys within a week."""
    real = pd.read_csv(shared_data / REAL, low_memory=False)
    assert list(made.columns) == list(real.columns)
    for name in real.columns:
        assert made[name].isna().mean() == pytest.approx(real[name].isna().mean(), abs=0.05), name
        if real[name].notna().mean() > 0.01:
            assert made[name].dtype == real[name].dtype, name
    theirs, ours = facts(features, real), facts(features, made)
    for name, value in theirs.items():
        assert ours[name] == pytest.approx(value, abs=0.13), (name, ours, theirs)


def test_making_data_twice_gives_the_same_file(tmp_path: Path):
    """The same seed, the same bytes, also gzipped; another seed gives others."""
    module = loaded("make_data")
    first, again, other = (tmp_path / name / "made.csv.gz" for name in ("first", "again", "other"))
    module.write(first, 300, 0)
    module.write(again, 300, 0)
    module.write(other, 300, 1)
    assert first.read_bytes() == again.read_bytes() != other.read_bytes()


@pytest.mark.slow
def test_the_real_range_of_time(features: ModuleType, shared_data: Path):
    """Learned before July 2016, asked about the time after: ROC AUC of at least 0.81, and calibrated."""
    sys.path.insert(0, str(EXAMPLES.parent))
    try:
        from bench import cardholders_ways as ways
    finally:
        sys.path.pop(0)
    raw = pd.read_csv(shared_data / REAL, low_memory=False)
    found: Any = ways.questions(features, features.transactions(raw), "2016-07-01")
    columns = [name for name in found.train.columns if name != "name"]
    probability = ways.boosted(found, columns)
    assert ways.auc(found.truth, probability) >= 0.81
    assert all(abs(mean - came) < 0.05 for mean, came, _ in ways.calibration(found.truth, probability))
