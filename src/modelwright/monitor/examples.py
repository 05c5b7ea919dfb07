"""Rows that show what changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from modelwright.monitor.counts import ColumnArrays
from modelwright.monitor.drift import Finding, Topic
from modelwright.schema.profile import ColumnProfile

MOST = 3
_LONGEST = 200


def example_rows(
    profile: ColumnProfile,
    finding: Finding,
    columns: ColumnArrays,
    *,
    ids: Sequence[str] | None = None,
    most: int = MOST,
) -> tuple[dict[str, Any], ...]:
    """The newest rows that belong to what there is too much of.

    Args:
        profile: Of the feature concerned.
        finding: What changed about it.
        columns: Column arrays [rows] to take them from.
        ids: What the rows are called; they then have an entry "id".
        most: How many at most.
    """
    places = np.flatnonzero(_shows(profile, finding, columns[finding.name]))[-most:]
    return tuple(_row(columns, int(place), ids) for place in places)


def _shows(profile: ColumnProfile, finding: Finding, values: np.ndarray) -> np.ndarray:
    words = values.dtype == object
    missing = np.asarray(values == "" if words else values != values)  # noqa: PLR0124 - NaN, NaT
    if finding.topic is Topic.MISSING:
        return missing if finding.size > 0 else ~missing
    if finding.topic is Topic.UNSEEN:
        if words:
            return np.asarray(values == finding.about)
        return np.asarray((values < profile.quantiles[0]) | (values > profile.quantiles[-1]))
    if words:
        name = profile.categories[finding.surplus] if finding.surplus >= 0 else finding.about
        return np.asarray(values == name)
    bins = np.searchsorted(np.array(profile.edges), values, side="right")
    return np.asarray((bins == finding.surplus) & ~missing)


def _row(columns: ColumnArrays, place: int, ids: Sequence[str] | None) -> dict[str, Any]:
    row: dict[str, Any] = {} if ids is None else {"id": ids[place]}
    for name, values in columns.items():
        value = values[place]
        if isinstance(value, np.datetime64):
            row[name] = None if np.isnat(value) else str(value)
        elif isinstance(value, str):
            row[name] = value[:_LONGEST] or None
        else:
            row[name] = float(value) if np.isfinite(value) else None
    return row
