"""A picture of drift: the ranked features, and how the foremost of them were and are distributed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from modelwright.cli.drift_rows import Collected
from modelwright.cli.output import output_file
from modelwright.errors import MissingExtra
from modelwright.monitor.counts import count
from modelwright.monitor.drift import Finding, WindowDrift
from modelwright.schema.profile import ColumnProfile, Profile

_BARS, _PANELS = 20, 4
_BEFORE, _NOW = "#9aa5b1", "#d9480f"
_LONGEST = 24


def draw(path: Path, profile: Profile, rows: Collected, drift: WindowDrift) -> None:
    """Draw ``drift`` into a new file; its form follows from the name.

    Raises:
        MissingExtra: Matplotlib is not installed.
        StorageFailure: The file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "matplotlib", "train") from None
    values = [finding for finding in drift.findings if finding.topic == "values"]
    bars, panels = values[:_BARS], values[:_PANELS]
    figure = Figure(figsize=(11, max(4.0, 0.3 * len(bars) + 1.5)), layout="constrained")
    grid = figure.add_gridspec(2, 4)
    _bars(figure.add_subplot(grid[:, :2]), bars)
    for place, finding in enumerate(panels):
        axes = figure.add_subplot(grid[place // 2, 2 + place % 2])
        known = profile.predictions if finding.prediction else {each.name: each for each in profile.columns}
        source = rows.predictions if finding.prediction else rows.columns
        _panel(axes, finding, known[finding.name], source[finding.name])
    with output_file(path) as draft:
        figure.savefig(draft, format=path.suffix.lower().lstrip("."), dpi=120)


def _name(finding: Finding) -> str:
    name = f"prediction: {finding.name}" if finding.prediction else finding.name
    return _plain(name)


def _plain(text: str) -> str:
    """Text that Matplotlib takes literally, and that is not too long."""
    short = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return short.replace("$", r"\$")


def _bars(axes: Any, findings: list[Finding]) -> None:
    sizes = [finding.size for finding in findings]
    colours = [_NOW if finding.drifted else _BEFORE for finding in findings]
    axes.barh(range(len(findings)), sizes, color=colours)
    axes.set_yticks(range(len(findings)), [_name(finding) for finding in findings])
    axes.invert_yaxis()
    axes.set_xscale("symlog", linthresh=0.1)
    axes.set_xlabel("population stability index")
    if findings:
        axes.axvline(findings[0].threshold, color="black", linewidth=1, linestyle=":")
    axes.set_title("How far each feature moved (coloured: drift)", fontsize=10)


def _panel(axes: Any, finding: Finding, profile: ColumnProfile, values: np.ndarray) -> None:
    """Shares of the profile's bins, or of its most frequent categories, then and now."""
    counts = count(profile, values)
    shown = slice(0, 10)
    before = np.array(profile.counts[shown], dtype=float) / max(1, profile.rows - profile.missing)
    now = np.array(counts.bins[shown], dtype=float) / max(1, counts.known)
    places = np.arange(len(before))
    axes.bar(places - 0.2, before, 0.4, color=_BEFORE, label="training")
    axes.bar(places + 0.2, now, 0.4, color=_NOW, label="these rows")
    if profile.categories:
        names = [_plain(name)[:8] for name in profile.categories[shown]]
        axes.set_xticks(places, names, rotation=45, fontsize=7, ha="right")
    else:
        axes.set_xticks(np.arange(len(profile.edges)) + 0.5, [f"{edge:.3g}" for edge in profile.edges],
                        rotation=90, fontsize=7)  # fmt: skip
    axes.tick_params(axis="y", labelsize=7)
    axes.set_title(_name(finding), fontsize=9)
    axes.legend(fontsize=6)
