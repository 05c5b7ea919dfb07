"""The reference profile: how the training data was distributed, kept with the bundle for drift."""

from __future__ import annotations

import msgspec


class ColumnProfile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Distribution of one column (or of the predictions) in the training data.

    Attributes:
        name: Column name.
        kind: Its kind, as in ``schema.columns.Kind``.
        rows: Rows counted, missing ones included.
        missing: Rows without a value.
        edges: Numeric kinds: inner bin edges (ascending, at quantiles, deduplicated), so
            ``len(edges) + 1`` bins; the outer bins are open.
        counts: Rows per bin (numeric) or per category (in the order of ``categories``).
        quantiles: Numeric kinds: 101 quantiles, 0 % to 100 %, for Kolmogorov-Smirnov.
        mean, std: Numeric kinds: first two moments.
        categories: Categorical kinds: the values counted, most frequent first.
        other: Rows with a category outside ``categories`` (rare ones are pooled).
        mean_length: Text: mean number of characters.
    """

    name: str
    kind: str
    rows: int
    missing: int = 0
    edges: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    quantiles: tuple[float, ...] = ()
    mean: float | None = None
    std: float | None = None
    categories: tuple[str, ...] = ()
    other: int = 0
    mean_length: float | None = None


class Profile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Profiles of every feature, of the target, and of each model's answers on held-out rows."""

    rows: int
    columns: tuple[ColumnProfile, ...]
    target: ColumnProfile | None = None
    predictions: dict[str, ColumnProfile] = {}
