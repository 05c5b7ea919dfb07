"""How many clusters there are, where nobody says: by the silhouette, or by the elbow."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score

from modelwright.train.catalogue import CLUSTER_METHODS, ELBOW, SILHOUETTE, Candidate
from modelwright.train.errors import CandidateFailed

MOST = 10
_ROWS = 2_000  # silhouettes need all pairs of distances


def is_open(candidate: Candidate) -> bool:
    """Whether the number is to be found: ``n_clusters`` is not given, or names a method."""
    return candidate.settings.get("n_clusters", SILHOUETTE) in CLUSTER_METHODS


def choose_clusters(
    candidate: Candidate, matrix: Any, *, seed: int
) -> tuple[Candidate, tuple[dict[str, float], ...]]:
    """The candidate with its number of clusters set, and the scores of each number tried.

    Scores are the silhouette (Rousseeuw, 1987; highest wins), Davies-Bouldin (1979; less is better)
    and Calinski-Harabasz (1974; more is better) of a sample of the training rows, and the inertia, the
    sum of squared distances to the centres. With ``n_clusters: elbow`` the number is taken at which the
    inertia's curve bends most: the one farthest below the line from one cluster to the most (Satopää et
    al., "Kneedle", 2011). The silhouette favours two clusters where rows form one cloud.

    Raises:
        CandidateFailed: The rows do not fall into two clusters.
    """
    rows = matrix.shape[0]
    sample = np.sort(np.random.default_rng(seed).permutation(rows)[:_ROWS])
    points = matrix[sample]
    points = points.toarray() if hasattr(points, "toarray") else points
    method = candidate.settings.get("n_clusters", SILHOUETTE)
    scores: list[dict[str, float]] = []
    for clusters in range(2, min(MOST, rows - 1) + 1):
        estimator: Any = candidate.with_settings({"n_clusters": clusters}).build()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # fewer distinct rows than clusters: its scores will tell
            labels = np.asarray(estimator.fit(matrix).labels_)[sample]
        if not 1 < len(np.unique(labels)) < len(labels):
            continue
        scores.append(
            {
                "clusters": float(clusters),
                "inertia": float(estimator.inertia_),
                "silhouette": float(silhouette_score(points, labels)),
                "davies_bouldin": float(davies_bouldin_score(points, labels)),
                "calinski_harabasz": float(calinski_harabasz_score(points, labels)),
            }
        )
    if not scores:
        raise CandidateFailed("The rows do not fall into two clusters: they are too few, or all alike.")
    if method == ELBOW:
        whole = matrix.toarray() if hasattr(matrix, "toarray") else matrix
        best = _elbow(scores, float(np.var(whole, axis=0, dtype=np.float64).sum() * rows))
    else:
        best = max(scores, key=lambda found: found["silhouette"])
    return candidate.with_settings({"n_clusters": int(best["clusters"])}), tuple(scores)


def _elbow(scores: list[dict[str, float]], total: float) -> dict[str, float]:
    """Where the inertia bends most, ``total`` being that of one cluster."""
    last = scores[-1]

    def below_the_line(found: dict[str, float]) -> float:
        across = (found["clusters"] - 1.0) / (last["clusters"] - 1.0)
        left = (found["inertia"] - last["inertia"]) / max(total - last["inertia"], 1e-12)
        return 1.0 - across - left

    return max(scores, key=below_the_line)
