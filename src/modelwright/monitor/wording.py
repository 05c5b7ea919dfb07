"""Drift in one sentence that a person understands."""

from __future__ import annotations

import math

from modelwright.monitor.drift import Finding, Topic, WindowDrift

_NAMED = 3


def number(value: float) -> str:
    """A number with as many digits as a person needs."""
    return f"{value:,.0f}" if 1e3 <= abs(value) < 1e12 else f"{value:.3g}"


def percent(share: float) -> str:
    """A share in per cent."""
    value = 100 * share
    return f"{value:.0f} %" if value >= 10 or value == 0 else f"{value:.2g} %"


def subject(name: str, *, prediction: bool) -> str:
    """How the thing that changed is called."""
    if prediction:
        return "The predictions" if name == "model" else f"The predictions of '{name}'"
    return f"'{name}'"


def sentence(finding: Finding) -> str:
    """What changed, how far, in one sentence."""
    return f"{subject(finding.name, prediction=finding.prediction)}: {change(finding)}."


def change(finding: Finding) -> str:
    """What changed, without its name."""
    about = finding.called or finding.about
    if finding.topic is Topic.MISSING:
        return f"{percent(finding.now)} of the values are missing, in training {percent(finding.before)}"
    if finding.topic is Topic.UNSEEN:
        if about:
            return f"{percent(finding.now)} of the values were never seen in training, such as '{about}'"
        return f"{percent(finding.now)} of the values lie beyond the range of training"
    if finding.spread_before is None or finding.spread_now is None:
        return (
            f"'{about}' makes up {percent(finding.now)}, in training {percent(finding.before)} "
            f"(PSI {finding.size:.2f})"
        )
    return f"{_moved(finding, finding.spread_before, finding.spread_now)} (PSI {finding.size:.2f})"


def _moved(finding: Finding, spread_before: float, spread_now: float) -> str:
    step = (finding.now - finding.before) / spread_before if spread_before > 0 else 0.0
    ratio = spread_now / spread_before if spread_before > 0 else 1.0
    if spread_now == 0 and spread_before > 0:
        return f"it has one value only ({number(finding.now)})"
    turned = ratio > 1.25 or ratio < 0.8
    if turned and finding.before and abs(finding.now / finding.before / ratio - 1) < 0.1:
        return (
            f"its values are about {number(ratio)} times those of training "
            f"(mean {number(finding.now)}, in training {number(finding.before)})"
        )
    if turned and abs(math.log(max(ratio, 1e-9))) > abs(step):
        return (
            f"its spread is {number(ratio)} times that of training "
            f"({number(spread_now)}, in training {number(spread_before)})"
        )
    if abs(step) < 0.1:
        return (
            f"its values are distributed otherwise than in training (largest gap {percent(finding.distance)})"
        )
    way = "higher" if step > 0 else "lower"
    return (
        f"its mean is {number(abs(step))} standard deviations {way} "
        f"({number(finding.now)}, in training {number(finding.before)})"
    )


def summary(drift: WindowDrift) -> str:
    """What a window showed, in one sentence."""
    if not drift.judged:
        return f"{drift.rows:,} rows are too few to say whether anything changed."
    found = drift.drifted
    if not found:
        return f"No drift: these {drift.rows:,} rows are distributed as the training data was."
    features = list(dict.fromkeys(finding.name for finding in found if not finding.prediction))
    answers = [finding for finding in found if finding.prediction]
    checked = {finding.name for finding in drift.findings if not finding.prediction}
    said = []
    if features:
        named = ", ".join(f"'{name}'" for name in features[:_NAMED])
        more = f" and {len(features) - _NAMED} more" if len(features) > _NAMED else ""
        said.append(f"{len(features)} of {len(checked)} features changed ({named}{more})")
    if answers:
        said.append("the predictions are distributed otherwise than on the held-out rows")
    first = next((finding for finding in found if not finding.prediction), found[0])
    return f"Drift: {', and '.join(said)}; most of all {sentence(first)}"
