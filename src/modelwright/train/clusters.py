"""How many clusters there are, where nobody says: the number with the best silhouette."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score

from modelwright.train.catalogue import Candidate
from modelwright.train.errors import CandidateFailed

MOST = 10
_ROWS = 2_000  # silhouettes need all pairs of distances


def choose_clusters(
    candidate: Candidate, matrix: Any, *, seed: int
) -> tuple[Candidate, tuple[dict[str, float], ...]]:
    """The candidate with its number of clusters set, and the scores of each number tried.

    Scores are the silhouette (Rousseeuw, 1987; highest wins), Davies-Bouldin (1979; less is better)
    and Calinski-Harabasz (1974; more is better) of a sample of the training rows.

    Raises:
        CandidateFailed: The rows do not fall into two clusters.
    """
    rows = matrix.shape[0]
    sample = np.sort(np.random.default_rng(seed).permutation(rows)[:_ROWS])
    points = matrix[sample]
    points = points.toarray() if hasattr(points, "toarray") else points
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
                "silhouette": float(silhouette_score(points, labels)),
                "davies_bouldin": float(davies_bouldin_score(points, labels)),
                "calinski_harabasz": float(calinski_harabasz_score(points, labels)),
            }
        )
    if not scores:
        raise CandidateFailed("The rows do not fall into two clusters: they are too few, or all alike.")
    best = max(scores, key=lambda found: found["silhouette"])
    return candidate.with_settings({"n_clusters": int(best["clusters"])}), tuple(scores)
