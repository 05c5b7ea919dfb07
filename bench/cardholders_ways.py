"""Ways to tell who will spend within a week: the published one, plain ones, and the example's.

All are measured on one range of time: trained on what was known and done before a day, asked about the
days after it.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "cardholders"
WEEK = 7
PLAIN = ("usage_freq", "amount_spend", "recency", "tenure")
PUBLISHED = ("usage_freq", "amount_spend", "uniq_merchant", "k", "name")
SETTINGS = {
    "learning_rate": 0.05,
    "max_iter": 200,
    "max_leaf_nodes": 12,
    "min_samples_leaf": 80,
    "l2_regularization": 3,
}
"""Those of the example's project file."""


def example() -> ModuleType:
    """The example's ``features.py``."""
    spec = importlib.util.spec_from_file_location("cardholders_features", EXAMPLE / "features.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass
class Questions:
    """Who buys within k days, asked before a day to learn from, and after it (k = 7) to measure with.

    Attributes:
        train, test: What was known.
        learned, truth: Whether a purchase came.
    """

    train: pd.DataFrame
    learned: np.ndarray
    test: pd.DataFrame
    truth: np.ndarray


def questions(features: ModuleType, table: pd.DataFrame, cut: str) -> Questions:
    """Questions whose answers were known before ``cut``, and those asked from then on."""
    past = features.Past(table)
    holders, days = features.moments(past)
    table = pd.DataFrame(features.known_at(past, holders, days))
    table["k"] = np.asarray(features.HORIZONS)[features.mixed(holders, days) % len(features.HORIZONS)]
    table["name"] = holders
    day = int(np.datetime64(cut, "D").astype(int))
    k = table["k"].to_numpy()
    came = past.visits.until(holders, days + k) > past.visits.until(holders, days)
    within = past.visits.until(holders, days + WEEK) > past.visits.until(holders, days)
    before = days + k < day
    after = (days >= day) & (days + WEEK <= past.last_day)
    return Questions(table[before], came[before], table[after].assign(k=WEEK), within[after])


def auc(truth: np.ndarray, score: np.ndarray) -> float:
    """The area under the ROC curve."""
    return float(roc_auc_score(truth, score))


def boosted(found: Questions, columns: list[str]) -> np.ndarray:
    """Probabilities for the test questions by gradient boosting over some columns."""
    model = HistGradientBoostingClassifier(**SETTINGS, early_stopping=False, random_state=0)
    with threadpool_limits(1):  # threads that wait for each other are slow beside other work
        model.fit(found.train[columns].to_numpy(np.float32), found.learned)
    return np.asarray(model.predict_proba(found.test[columns].to_numpy(np.float32))[:, 1])


def strangers(found: Questions, columns: list[str], share: int = 8) -> np.ndarray:
    """Probabilities where nobody knows the name: all that is looked up is missing, as in one row in eight."""
    unknown = [name for name in columns if name not in PUBLISHED]
    train, test = found.train[columns].copy(), found.test[columns].copy()
    train.iloc[::share, [columns.index(name) for name in unknown]] = np.nan
    test[unknown] = np.nan
    return boosted(Questions(train, found.learned, test, found.truth), columns)


def calibration(
    truth: np.ndarray, probability: np.ndarray, groups: int = 10
) -> list[tuple[float, float, int]]:
    """Mean probability, share that came true, and rows, in groups of equal size by probability."""
    order = np.argsort(probability, kind="stable")
    return [
        (float(probability[rows].mean()), float(truth[rows].mean()), len(rows))
        for rows in np.array_split(order, groups)
    ]


def brier(truth: np.ndarray, probability: np.ndarray) -> float:
    """Mean squared distance between probability and truth."""
    return float(brier_score_loss(truth, probability))


def gap_rows(features: ModuleType, table: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """The published rows: each gap between purchases repeated for each of its days, totals of all time.

    A gap of g days gives rows k = 1 … g, of which the last is labelled "will spend". What a card holder
    did in all of the data stands in every row, and the name is a number.
    """
    past = features.Past(table)
    visits = past.visits
    same = visits.codes[1:] == visits.codes[:-1]
    gap, holder = np.diff(visits.days)[same], visits.codes[1:][same]
    gap = np.minimum(gap, features.LONGEST_GAP)
    rows = np.repeat(np.arange(len(gap)), gap)
    k = np.arange(len(rows)) - np.repeat(np.cumsum(gap) - gap, gap) + 1
    names = np.arange(len(past.names))
    far = np.full(len(names), past.last_day)
    totals = {
        "usage_freq": past.bought.count(names, far, 10**6 // 2),
        "amount_spend": np.bincount(past.all.codes, past.all.values["amount"], len(names)),
        "uniq_merchant": features.distinct(past.bought, names, far, 10**6 // 2),
    }
    made = pd.DataFrame({name: values[holder[rows]] for name, values in totals.items()})
    made["k"], made["name"] = k, holder[rows]
    return made, k == gap[rows]


def published(features: ModuleType, table: pd.DataFrame, found: Questions, cut: str) -> dict[str, float]:
    """The published way: as it measures itself, and asked the honest question.

    Returns:
        ``accuracy``, that of always answering the same (``majority``) and ``auc`` on its own random
        split, ``shared`` (the share of tested rows whose gap is trained on too) and ``honest``: the area
        under the curve after ``cut``, learned before it.
    """
    made, label = gap_rows(features, table)
    gaps = np.cumsum(made["k"].to_numpy() == 1)
    rows = np.arange(len(made))
    if len(rows) > MOST:
        rows = np.sort(np.random.default_rng(0).permutation(len(rows))[:MOST])
    train, test = train_test_split(rows, test_size=0.2, random_state=0)
    model = _forest().fit(made.iloc[train], label[train])
    score = model.predict_proba(made.iloc[test])[:, 1]
    early = table[table["day"] < int(np.datetime64(cut, "D").astype(int))]
    before, came = gap_rows(features, early)
    numbers = {name: number for number, name in enumerate(features.Past(table).names)}
    own = features.Past(early).names
    before["name"] = np.array([numbers[name] for name in own])[before["name"].to_numpy()]
    step = max(1, len(before) // MOST)
    honest = _forest().fit(before[::step], came[::step])
    asked = honest.predict_proba(found.test[list(PUBLISHED)])[:, 1]
    return {
        "accuracy": float(((score >= 0.5) == label[test]).mean()),
        "majority": float(max(label[test].mean(), 1 - label[test].mean())),
        "auc": auc(label[test], score),
        "shared": float(np.isin(gaps[test], gaps[train]).mean()),
        "honest": auc(found.truth, asked),
    }


MOST = 200_000  # rows: the repeated gaps are far more than there are purchases


def _forest() -> RandomForestClassifier:
    return RandomForestClassifier(n_estimators=50, min_samples_leaf=2, random_state=0, n_jobs=1)
