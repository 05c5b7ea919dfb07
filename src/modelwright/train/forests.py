"""Forests that would grow larger than a bundle may hold, kept smaller before they are grown.

A forest is grown until its leaves are pure. On many rows that no rule tells apart well, such as who
will buy, that is half a node a row and tree: minutes of training for a model that cannot be shipped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from modelwright.bundle.trees import MOST_NODES
from modelwright.train.catalogue import Candidate

KEPT_NODES = 2_000_000
"""Nodes of a forest that was kept smaller; one of a hundred trees with two labels made a bundle of 16 MB."""

_TREES = "n_estimators"
_LEAF = "min_samples_leaf"
_LIBRARYS_TREES = 100
# Of the rows a tree is given, over its leaves, what the smallest leaf usually has.
_SHARE = 0.4
# Whoever set one of these has thought of the trees' size.
_LIMITS = frozenset((
    "max_depth", _LEAF, "min_samples_split", "min_weight_fraction_leaf", "max_leaf_nodes",
    "min_impurity_decrease", "max_samples", "ccp_alpha", "warm_start",
))  # fmt: skip


def kept_small(
    candidate: Candidate,
    grow: Callable[[Candidate], Any],
    rows: int,
    *,
    most: int = MOST_NODES,
    kept: int = KEPT_NODES,
) -> tuple[Candidate, str]:
    """The candidate with leaves large enough for a bundle, and the sentence that says so.

    One tree is grown to see how large it becomes, as the forest's first will be; then others with
    larger leaves until one is small enough. A forest that fits is left as it is, with an empty sentence.

    Args:
        candidate: Any.
        grow: Fits the candidate it is given on all training rows.
        rows: How many these are.
        most: Nodes of a forest that is left as it is.
        kept: Nodes of one that is not.
    """
    count = candidate.settings.get(_TREES, _LIBRARYS_TREES)
    if not isinstance(count, int) or count * 2 * rows <= most or not _is_free_forest(candidate):
        return candidate, ""  # other estimators may mean anything by that setting
    grown = count * _nodes(grow(candidate.with_settings({_TREES: 1})))
    if grown <= most:
        return candidate, ""
    leaf = 1 + int(_SHARE * rows * count * 2 / kept)
    while leaf < rows and count * _nodes(grow(candidate.with_settings({_TREES: 1, _LEAF: leaf}))) > kept:
        leaf += 1 + leaf // 4
    return candidate.with_settings({_LEAF: leaf}), (
        f"{_LEAF} is {leaf}: with leaves of one row its {count} trees would have {grown:,} nodes together, "
        f"and a bundle may hold {most:,}. Set {_LEAF} or max_depth for another size."
    )


def _is_free_forest(candidate: Candidate) -> bool:
    """Whether it is a forest, and nothing but its rows says how large it becomes."""
    from sklearn import ensemble

    forests = (
        ensemble.RandomForestClassifier,
        ensemble.RandomForestRegressor,
        ensemble.ExtraTreesClassifier,
        ensemble.ExtraTreesRegressor,
    )
    return (
        not candidate.confined
        and candidate.space is None
        and issubclass(candidate.cls, forests)
        and _LIMITS.isdisjoint(candidate.settings)
    )


def _nodes(forest: Any) -> int:
    return int(forest.estimators_[0].tree_.node_count)
