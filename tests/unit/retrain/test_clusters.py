"""The duel of two clusterings."""

from __future__ import annotations

import numpy as np
import pytest

from modelwright.retrain.clusters import judge_clusters
from modelwright.retrain.duel import Judgement, Proof
from modelwright.retrain.paired import Gain
from modelwright.retrain.verdict import combined


def blobs(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points around three places, and which."""
    random = np.random.default_rng(seed)
    kinds = random.integers(0, 3, rows)
    return random.normal(0, 0.4, (rows, 2)) + 3.0 * np.stack([kinds, kinds**2], axis=1), kinds


def blurred(kinds: np.ndarray, share: float) -> np.ndarray:
    """The same clusters with some rows put into wrong ones."""
    random = np.random.default_rng(1)
    return np.where(random.random(len(kinds)) < share, random.integers(0, 3, len(kinds)), kinds)


def test_the_tighter_clustering_may_replace_the_other_and_not_the_other_way_round():
    """A blurred challenger is refused by its silhouette; against a blurred champion it is taken."""
    points, kinds = blobs(300)
    worse = judge_clusters(points, blurred(kinds, 0.2), kinds, margin=0.01)
    assert not worse.promote and worse.reasons[0].startswith("It is measured worse by")
    assert judge_clusters(points, kinds, blurred(kinds, 0.2), margin=0.01).promote
    same = judge_clusters(points, (kinds + 1) % 3, kinds, margin=0.0)
    assert same.promote and same.gain.value == 0.0  # how clusters are numbered is nobody's merit


def test_better_must_be_shown_where_the_project_asks_for_it():
    """The same clusters are not better; clearly tighter ones are, from so many rows on."""
    points, kinds = blobs(300)
    assert not judge_clusters(points, kinds, kinds, margin=0.01, proof=Proof.BETTER).promote
    shown = judge_clusters(points, kinds, blurred(kinds, 0.2), margin=0.01, proof=Proof.BETTER)
    assert shown.promote and shown.p <= shown.allowed
    few = judge_clusters(points[:100], kinds[:100], kinds[:100], margin=0.01, proof=Proof.BETTER)
    assert "200 are the least" in few.reasons[0]


def test_too_few_rows_or_one_cluster_decide_nothing():
    """Nobody is replaced, and the reason says why."""
    points, kinds = blobs(30)
    assert "20 are the least" in judge_clusters(points[:19], kinds[:19], kinds[:19], margin=0.1).reasons[0]
    one = judge_clusters(points, np.zeros(30, dtype=np.int64), kinds, margin=0.1)
    assert not one.promote and "The challenger puts these 30 rows into 1 cluster" in one.reasons[0]


@pytest.mark.parametrize(("classifier", "expected"), [(True, True), (False, False)])
def test_a_clustering_beside_a_classifier_only_speaks_against(classifier, expected):
    """As tight as before is no reason to promote a classifier that won nothing."""
    gain = Gain("f1", 0.9, 0.9, 0.0, -0.1, 0.1, 0.5)
    judged = {
        "segment": Judgement(True, Proof.NOT_WORSE, ("as tight",), 50, 1, gain),
        "spend": Judgement(classifier, Proof.BETTER, ("said",), 500, 1, gain),
    }
    assert combined(judged, {"segment"}).promote is expected
    assert combined({"segment": judged["segment"]}, {"segment"}).promote
