"""Whether a window of rows is distributed as the training data was, feature by feature.

Every feature gets up to three checks: its values (or categories), its missing share, and values that
training never saw. A check finds drift where the difference is *significant* (Holm's adjustment over
all checks of the window, so that not even one of them is likely to be chance) and *large enough to
matter* (an effect of at least the settings' size): with 100,000 rows every difference is significant,
with 50 rows a large one may be chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec
import numpy as np

from modelwright.errors import ExitCode, ModelwrightError
from modelwright.monitor import statistics
from modelwright.monitor.counts import UNTESTED_KINDS, ColumnArrays, ColumnCounts, count, count_columns
from modelwright.schema.columns import Kind, TableSchema
from modelwright.schema.profile import ColumnProfile, Profile

LEAST_ROWS = 30
"""Windows with fewer rows are not judged."""


class ProfileUnreadable(ModelwrightError):
    """The bundle holds no reference profile that can be compared with."""

    code = ExitCode.BUNDLE


class Topic(StrEnum):
    """What about a feature changed."""

    VALUES = "values"
    MISSING = "missing"
    UNSEEN = "unseen"


class DriftSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What counts as drift.

    Attributes:
        level: Chance that a window of stable rows shows any finding at all.
        psi: Least population stability index (net of what chance gives) of changed values.
        missing: Least rise or fall of the missing share.
        unseen: Least share of rows with a category, or beyond a range, that training never saw.
        names: What people call each label of a model, by the model's name and the label as text.
    """

    level: float = 0.001
    psi: float = 0.2
    missing: float = 0.05
    unseen: float = 0.02
    names: dict[str, dict[str, str]] = {}


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One check of one feature, or of a model's answers.

    Attributes:
        name: The feature, or the model.
        topic: What was compared.
        prediction: Whether these are a model's answers.
        measure: What ``size`` is: "psi" or "share".
        size: How far: net PSI, or the difference of two shares (for missing ones it has a sign).
        threshold: The size from which it matters.
        distance: Values: largest gap between the distributions (Kolmogorov-Smirnov) for numbers,
            Jensen-Shannon distance for categories.
        p_value: Adjusted for all checks of the window.
        drifted: Whether it is significant and large enough.
        before, now: Mean, or share of what changed most, in training and in the window.
        spread_before, spread_now: Numbers: standard deviations.
        about: Categories: which one changed most, or is the most frequent new one.
        called: What people call that one, where they call it otherwise.
        surplus: Values: the bin or category (place in the profile) with the largest gain; -1 for none.
        rows, rows_before: Rows with a value.
    """

    name: str
    topic: Topic
    prediction: bool = False
    measure: str
    size: float
    threshold: float
    distance: float = 0.0
    p_value: float
    drifted: bool = False
    before: float = 0.0
    now: float = 0.0
    spread_before: float | None = None
    spread_now: float | None = None
    about: str = ""
    called: str = ""
    surplus: int = -1
    rows: int
    rows_before: int

    @property
    def rank(self) -> tuple[bool, float]:
        """Order by which findings are told: drifted first, then by size."""
        return (not self.drifted, -abs(self.size))


class WindowDrift(msgspec.Struct, frozen=True, kw_only=True):
    """What comparing a window with the profile gave.

    Attributes:
        rows: Rows of the window.
        judged: Whether there were enough of them.
        findings: Every check, the most important first.
        untested: Features that have no check of their values (texts, dates, images).
    """

    rows: int
    judged: bool
    findings: tuple[Finding, ...] = ()
    untested: tuple[str, ...] = ()

    @property
    def drifted(self) -> tuple[Finding, ...]:
        """The findings that matter."""
        return tuple(finding for finding in self.findings if finding.drifted)


def read_profile(reference: bytes) -> Profile:
    """The profile that a bundle carries (``Bundle.reference``).

    Raises:
        ProfileUnreadable: There is none.
    """
    try:
        return msgspec.json.decode(reference, type=Profile)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ProfileUnreadable(
            f"The bundle has no profile of its training data to compare with: {error}.",
            "Train and register a new version; its bundle will have one.",
        ) from error


def window_drift(
    profile: Profile,
    columns: ColumnArrays,
    *,
    predictions: Mapping[str, np.ndarray] | None = None,
    schema: TableSchema | None = None,
    settings: DriftSettings | None = None,
) -> WindowDrift:
    """Compare a window of rows with the training data.

    Args:
        profile: Of the training data.
        columns: Column arrays [rows], as ``bundle.rows`` or ``data.arrays`` make them.
        predictions: Each model's answers [rows]: labels as text, or numbers.
        schema: Where given, tells rare categories from new ones.
        settings: What counts as drift.
    """
    counts = count_columns({column.name: column for column in profile.columns}, columns, schema)
    answered = {
        name: count(profile.predictions[name], values)
        for name, values in (predictions or {}).items()
        if name in profile.predictions
    }
    return compare(profile, counts, predictions=answered, settings=settings)


def compare(
    profile: Profile,
    counts: Mapping[str, ColumnCounts],
    *,
    predictions: Mapping[str, ColumnCounts] | None = None,
    settings: DriftSettings | None = None,
) -> WindowDrift:
    """``window_drift`` of a window that has been counted already."""
    settings = settings or DriftSettings()
    found: list[Finding] = []
    for column in profile.columns:
        if column.name in counts:
            found += _checks(column, counts[column.name], settings)
    for name, answered in (predictions or {}).items():
        for finding in _checks(profile.predictions[name], answered, settings):
            called = settings.names.get(name, {}).get(finding.about, "")
            found.append(msgspec.structs.replace(finding, name=name, prediction=True, called=called))
    untested = tuple(column.name for column in profile.columns if Kind(column.kind) in UNTESTED_KINDS)
    rows = max((each.rows for each in counts.values()), default=0)
    rows = rows or max((each.rows for each in (predictions or {}).values()), default=0)
    if rows < LEAST_ROWS:
        return WindowDrift(rows=rows, judged=False, untested=untested)
    return WindowDrift(rows=rows, judged=True, findings=_judged(found, settings.level), untested=untested)


def _judged(found: Sequence[Finding], level: float) -> tuple[Finding, ...]:
    adjusted = statistics.holm([finding.p_value for finding in found])
    judged = [
        msgspec.structs.replace(
            finding, p_value=float(p), drifted=bool(p < level and abs(finding.size) >= finding.threshold)
        )
        for finding, p in zip(found, adjusted, strict=True)
    ]
    return tuple(sorted(judged, key=lambda finding: finding.rank))


def _checks(profile: ColumnProfile, counts: ColumnCounts, settings: DriftSettings) -> list[Finding]:
    checks = [_missing(profile, counts, settings)]
    if Kind(profile.kind) in UNTESTED_KINDS or not counts.known or profile.rows == profile.missing:
        return checks
    if profile.quantiles:
        checks.append(_numbers(profile, counts, settings))
        checks.append(_outside(profile, counts, settings))
    elif profile.categories:
        checks.append(_categories(profile, counts, settings))
        checks.append(_unseen(profile, counts, settings))
    return checks


def _missing(profile: ColumnProfile, counts: ColumnCounts, settings: DriftSettings) -> Finding:
    before, now = profile.missing / max(1, profile.rows), counts.missing / max(1, counts.rows)
    _, p = statistics.g_test(
        [profile.missing, profile.rows - profile.missing], [counts.missing, counts.known]
    )
    return Finding(
        name=profile.name,
        topic=Topic.MISSING,
        measure="share",
        size=now - before,
        threshold=settings.missing,
        p_value=p,
        before=before,
        now=now,
        rows=counts.rows,
        rows_before=profile.rows,
    )


def _numbers(profile: ColumnProfile, counts: ColumnCounts, settings: DriftSettings) -> Finding:
    known, known_before = counts.known, profile.rows - profile.missing
    net, surplus = _net_psi(profile.counts, counts.bins)
    distance = quantile_distance(counts)
    _, p_bins = statistics.g_test(*_pooled(profile.counts, counts.bins))
    p = 2 * min(statistics.kolmogorov_survival(distance, known, known_before), p_bins)
    mean = counts.total / known
    return Finding(
        name=profile.name,
        topic=Topic.VALUES,
        measure="psi",
        size=net,
        threshold=settings.psi,
        distance=distance,
        p_value=min(1.0, p),
        before=profile.mean or 0.0,
        now=mean + (profile.mean or 0.0),
        spread_before=profile.std,
        spread_now=max(0.0, counts.squares / known - mean * mean) ** 0.5,
        surplus=surplus,
        rows=known,
        rows_before=known_before,
    )


def quantile_distance(counts: ColumnCounts) -> float:
    """Kolmogorov-Smirnov distance of the window from a distribution known by its quantiles.

    For a quantile q of share p, F(q-) <= p <= F(q) holds for any distribution, so a window's excess
    over that is a gap that is really there, also with ties; gaps between two quantiles are not seen.
    """
    if not counts.known or not counts.below:
        return 0.0
    p = np.linspace(0.0, 1.0, len(counts.below))
    below, upto = np.array(counts.below) / counts.known, np.array(counts.upto) / counts.known
    return float(max(0.0, (below - p).max(), (p - upto).max()))


def _outside(profile: ColumnProfile, counts: ColumnCounts, settings: DriftSettings) -> Finding:
    # Of as many rows again from the same distribution, about two lie beyond the extremes seen.
    known_before = profile.rows - profile.missing
    p = statistics.more_often(counts.outside, counts.known, min(2, known_before), known_before)
    return _novel(profile, counts, settings, hits=counts.outside, before=0.0, p=p)


def _unseen(profile: ColumnProfile, counts: ColumnCounts, settings: DriftSettings) -> Finding:
    # New categories come as often as training had categories of one row. Source: Good, "The population
    # frequencies of species and the estimation of population parameters", 1953.
    known_before = profile.rows - profile.missing
    once = min(known_before, sum(times == 1 for times in profile.counts) + profile.other)
    p = statistics.more_often(counts.unseen, counts.known, once, known_before)
    about = max(counts.new, key=lambda word: counts.new[word], default="")
    return _novel(profile, counts, settings, hits=counts.unseen, before=once / known_before, p=p, about=about)


def _novel(
    profile: ColumnProfile,
    counts: ColumnCounts,
    settings: DriftSettings,
    *,
    hits: int,
    before: float,
    p: float,
    about: str = "",
) -> Finding:
    now = hits / counts.known
    return Finding(
        name=profile.name,
        topic=Topic.UNSEEN,
        measure="share",
        size=max(0.0, now - before),
        threshold=settings.unseen,
        p_value=p,
        now=now,
        about=about,
        rows=counts.known,
        rows_before=profile.rows - profile.missing,
    )


def _categories(profile: ColumnProfile, counts: ColumnCounts, settings: DriftSettings) -> Finding:
    before, now = [*profile.counts, profile.other], [*counts.bins, counts.other + counts.unseen]
    if not before[-1] and not now[-1]:
        before, now = before[:-1], now[:-1]
    net, surplus = _net_psi(before, now)
    known, known_before = counts.known, profile.rows - profile.missing
    _, p = statistics.g_test(*_pooled(before, now))
    changes = np.array(now) / known - np.array(before) / known_before
    most = int((np.abs(changes) + 1e-9 * (changes > 0)).argmax())  # of two that changed alike, what gained
    names = [*profile.categories, "(others)"]
    return Finding(
        name=profile.name,
        topic=Topic.VALUES,
        measure="psi",
        size=net,
        threshold=settings.psi,
        distance=statistics.jensen_shannon(before, now),
        p_value=p,
        before=before[most] / known_before,
        now=now[most] / known,
        about=names[most],
        surplus=surplus if surplus < len(profile.categories) else -1,
        rows=known,
        rows_before=known_before,
    )


def _net_psi(before: Sequence[int], now: Sequence[int]) -> tuple[float, int]:
    """PSI less what chance gives on average, and the cell that gained most."""
    merged_before, merged_now = _pooled(before, now)
    value = statistics.psi(merged_before, merged_now)
    chance = statistics.psi_by_chance(len(merged_now), float(sum(now)), float(sum(before)))
    gain = statistics.shares(now) - statistics.shares(before)
    return max(0.0, value - chance), int(gain.argmax())


_LEAST_EXPECTED = 5.0


def _pooled(before: Sequence[int], now: Sequence[int]) -> tuple[Sequence[float], Sequence[float]]:
    """Both rows of counts with the cells of few expected rows made one, as the tests' accuracy wants.

    Source: Cochran, "Some methods for strengthening the common chi-square tests", 1954.
    """
    table = np.array([before, now], dtype=np.float64)
    smaller = table.sum(axis=1).min() / max(1.0, table.sum())
    rare = table.sum(axis=0) * smaller < _LEAST_EXPECTED
    if rare.sum() > 1:
        table = np.column_stack([table[:, ~rare], table[:, rare].sum(axis=1)])
    return table[0].tolist(), table[1].tolist()
