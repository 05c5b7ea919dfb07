"""How many clusters there are, and what they are called."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from modelwright.bundle.encode import Encoder, NumberColumn
from modelwright.schema.metrics import Task
from modelwright.train.catalogue import candidates_of
from modelwright.train.clusters import choose_clusters, is_open
from modelwright.train.segments import segment_names


def blobs(centres: list[list[float]], rows: int = 60) -> np.ndarray:
    """Points around centres, float32."""
    random = np.random.default_rng(0)
    return np.concatenate([random.normal(centre, 0.3, (rows, 2)) for centre in centres]).astype(np.float32)


@pytest.mark.parametrize("method", ["elbow", "silhouette"])
def test_plain_groups_are_counted(method: str):
    """Where rows fall apart both ways find the number, and a fixed number is left alone."""
    (candidate,) = candidates_of([{"kmeans": {"n_clusters": method}}], Task.CLUSTERING, seed=0)
    assert is_open(candidate)
    found, scores = choose_clusters(candidate, blobs([[0, 0], [6, 0], [0, 6], [6, 6]]), seed=0)
    assert found.settings["n_clusters"] == 4 and not is_open(found)
    inertia = [score["inertia"] for score in scores]
    assert inertia == sorted(inertia, reverse=True)


def test_the_elbow_bends_where_the_silhouette_says_two():
    """In one long cloud without gaps two halves have the best silhouette; the inertia bends later."""
    rows = np.random.default_rng(0).normal(0, [3.0, 1.0], (400, 2)).astype(np.float32)
    numbers = {}
    for method in ("elbow", "silhouette"):
        (candidate,) = candidates_of([{"kmeans": {"n_clusters": method}}], Task.CLUSTERING, seed=0)
        numbers[method] = choose_clusters(candidate, rows, seed=0)[0].settings["n_clusters"]
    assert numbers["silhouette"] == 2 < numbers["elbow"]


def names(centres: list[list[float]] | None) -> tuple[str, ...]:
    """Names of clusters with these centres over (visits, log of amount), mean 10 and 5, spread 5 and 2."""
    preprocessor = SimpleNamespace(means=(10.0, 5.0), scales=(5.0, 2.0), plain_width=2)
    found = None if centres is None else np.array(centres)
    winner: Any = SimpleNamespace(centres=found, preprocessor=preprocessor)
    return segment_names(winner, Encoder(columns=(NumberColumn("visits"), NumberColumn("amount", log=True))))


def test_centres_are_put_in_words():
    """Position among all rows in a word, the centre in the column's own unit."""
    low, high = names([[-1.2, 0.0], [0.8, 1.5]])
    assert low == f"very low visits (4), middling amount ({np.expm1(5):.0f})"
    assert high == f"high visits (14), very high amount ({float(f'{np.expm1(8):.3g}'):,.0f})"


def test_names_are_distinct():
    """Two centres that round to the same words are told apart by their numbers."""
    assert len(set(names([[0.0, 0.0], [0.0001, 0.0]]))) == 2


def test_without_centres_there_are_no_names():
    """An estimator that has none, as one of somebody's own, goes without."""
    assert names(None) == ()
