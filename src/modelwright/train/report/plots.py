"""Plots of a winner, as PNG files: what it gets right, what it confuses, what it lives by.

Drawn on figure objects of their own (no global state), in Okabe and Ito's colours, which people
with any colour vision can tell apart. Many rows are drawn as a sample.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from modelwright.monitor.formulas import confusion
from modelwright.schema.metrics import Task
from modelwright.train.package import Made
from modelwright.train.report.insight import Curve, Insight

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")
_GREY = "#6b7280"
_SIZE = (5.2, 4.2)
_PANEL = (4.4, 2.9)
_DPI = 110
_MOST_CURVES = 8
_MOST_CELLS = 20
_MOST_COLUMNS = 15
_MOST_POINTS = 2_000
_KNOWN_FROM = 5  # rows in a bin of the calibration
_BINS = 10
_LONGEST = 22


def draw_plots(made: Made, insight: Insight, folder: Path) -> list[Path]:
    """Draw the winner's plots into ``folder``; the files, in the order to look at them.

    Args:
        made: The model.
        insight: What was found out about it.
        folder: Where to; made where it is not.

    Raises:
        OSError: They cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn: list[Path] = []
    for name, draw in _PLOTS[made.prepared.part.task].items():
        figure, axes = _figure(1)
        if draw(axes[0], made):
            drawn.append(_save(figure, folder / f"{name}.png"))
    if insight.importances:
        figure, axes = _figure(1)
        _importance(axes[0], made, insight)
        drawn.insert(1, _save(figure, folder / "importance.png"))
    if insight.curves:
        figure, axes = _figure(len(insight.curves))
        _dependence(axes, insight.curves)
        drawn.append(_save(figure, folder / "partial_dependence.png"))
    return drawn


def _figure(panels: int) -> tuple[Figure, list[Any]]:
    """A figure of its own with so many panels, two in a row; three from five on."""
    columns = 1 if panels == 1 else 2 if panels < 5 else 3
    rows = -(-panels // columns)
    width, height = _SIZE if panels == 1 else (_PANEL[0] * columns, _PANEL[1] * rows)
    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for unused in grid[panels:]:
        unused.set_visible(False)
    for axes in grid[:panels]:
        _tidy(axes)
    return figure, list(grid[:panels])


def _save(figure: Figure, path: Path) -> Path:
    for axes in figure.axes:
        axes.title.set_fontsize(11)
        axes.title.set_fontweight("bold")
    with warnings.catch_warnings():
        # Names may be in scripts the font has not: boxes in a plot are no reason to alarm anybody.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(path, metadata={"Software": None})
    return path


def _tidy(axes: Any) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(_GREY)
    axes.tick_params(colors="#374151", labelsize=9)


def _short(name: str) -> str:
    # A dollar sign would start a formula, and control characters have no shape.
    name = " ".join(name.split())
    text = name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"
    return text.replace("$", r"\$")


def _names(made: Made) -> list[str]:
    prepared = made.prepared
    return [_short(name) for name in prepared.label_names or map(str, prepared.material.labels)]


def _colour_of(place: int) -> str:
    return COLOURS[place % len(COLOURS)]


def _curves(made: Made) -> list[tuple[str, np.ndarray, np.ndarray, str]]:
    """One curve a label (the second one only, where there are two): name, score, truth, colour."""
    probabilities, truth = made.contest.winner.answers.probabilities, made.prepared.material.test_target
    assert probabilities is not None and truth is not None  # noqa: S101 - a classification has both
    names = _names(made)
    classes = [1] if len(names) == 2 else list(range(min(len(names), _MOST_CURVES)))
    found = []
    for label in classes:
        positive = truth == label
        if positive.any() and not positive.all():
            found.append((names[label], probabilities[:, label], positive, _colour_of(label % 8)))
    return found


def _confusion(axes: Any, made: Made) -> bool:
    labels, truth = made.contest.winner.answers.labels, made.prepared.material.test_target
    names = _names(made)
    if labels is None or truth is None or len(names) > _MOST_CELLS:
        return False
    counts = confusion(truth, labels, len(names))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="equal")
    size = 11 if len(names) <= 5 else 8 if len(names) <= 10 else 6
    for row, column in np.ndindex(counts.shape):
        colour = "white" if shares[row, column] > 0.55 else "#111827"
        axes.text(
            column, row, f"{counts[row, column]:,}", ha="center", va="center", color=colour, fontsize=size
        )
    turned = 45 if len(names) > 4 or max(map(len, names)) > 10 else 0
    axes.set_xticks(range(len(names)), names, rotation=turned, ha="right" if turned else "center")
    axes.set_yticks(range(len(names)), names)
    axes.set(title="Confusion matrix", xlabel="answered", ylabel="true")
    return True


def _roc(axes: Any, made: Made) -> bool:
    curves = _curves(made)
    for name, score, positive, colour in curves:
        called_false, called_true = _passed(score, positive)
        axes.plot(
            called_false / called_false[-1], called_true / called_true[-1], color=colour, label=name, lw=1.8
        )
    axes.plot([0, 1], [0, 1], color=_GREY, lw=1, ls=":")
    axes.set(title="ROC curve", xlabel="false positive rate", ylabel="true positive rate")
    return _finish_curves(axes, curves, "lower right")


def _precision_recall(axes: Any, made: Made) -> bool:
    curves = _curves(made)
    for name, score, positive, colour in curves:
        called_false, called_true = _passed(score, positive)
        precision = called_true[1:] / (called_true[1:] + called_false[1:])
        precision = np.concatenate([precision[:1], precision])
        axes.step(called_true / called_true[-1], precision, where="pre", color=colour, label=name, lw=1.8)
    axes.set(title="Precision and recall", xlabel="recall", ylabel="precision")
    return _finish_curves(axes, curves, "lower left")


def _passed(score: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Negatives and positives called positive at each threshold, highest first, from none on."""
    order = np.argsort(-score, kind="stable")
    last = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    if len(last) > _MOST_POINTS:
        last = last[np.linspace(0, len(last) - 1, _MOST_POINTS).astype(np.int64)]
    called_true = np.cumsum(positive[order])[last]
    called_false = last + 1 - called_true
    return np.concatenate([[0], called_false]), np.concatenate([[0], called_true])


def _calibration(axes: Any, made: Made) -> bool:
    curves = _curves(made)
    for name, score, positive, colour in curves:
        bins = np.minimum((score * _BINS).astype(np.int64), _BINS - 1)
        counts = np.bincount(bins, minlength=_BINS)
        full = counts > 0
        mean = np.bincount(bins, weights=score, minlength=_BINS)[full] / counts[full]
        share = np.bincount(bins, weights=positive, minlength=_BINS)[full] / counts[full]
        # Of a row or two a share is 0 or 1: they are dots, and the line goes through what is known better.
        known = counts[full] >= _KNOWN_FROM
        axes.plot(mean[known], share[known], color=colour, lw=1.4)
        axes.scatter(mean, share, color=colour, s=12 + 90 * counts[full] / counts.sum(), label=name)
    axes.plot([0, 1], [0, 1], color=_GREY, lw=1, ls=":")
    axes.set(title="Calibration", xlabel="probability answered", ylabel="share that was so")
    return _finish_curves(axes, curves, "upper left")


def _finish_curves(axes: Any, curves: Sequence[Any], place: str) -> bool:
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.04)
    axes.grid(color="#e5e7eb", lw=0.6)
    if curves:
        axes.legend(frameon=False, fontsize=8, loc=place)
    return bool(curves)


def _importance(axes: Any, made: Made, insight: Insight) -> None:
    found = list(insight.importances[:_MOST_COLUMNS])
    found.reverse()
    axes.barh(
        [_short(one.column) for one in found],
        [one.loss for one in found],
        xerr=[one.spread for one in found],
        color=COLOURS[0],
        ecolor=_GREY,
        height=0.65,
    )
    axes.axvline(0, color=_GREY, lw=0.8)
    metric = made.prepared.material.metric.replace("_", " ")
    axes.set(title="Importance of columns", xlabel=f"{metric} lost when the column is shuffled")


def _dependence(panels: Sequence[Any], curves: Sequence[Curve]) -> None:
    """One panel a column, on one scale, so that columns can be compared."""
    values = [value for curve in curves for line in curve.answers.values() for value in line]
    low, high = min(values), max(values)
    space = 0.06 * (high - low) or 0.05
    for axes, curve in zip(panels, curves, strict=True):
        words = isinstance(curve.points[0], str)
        places = range(len(curve.points)) if words else curve.points
        for slot, (label, line) in enumerate(curve.answers.items()):
            axes.plot(
                places,
                line,
                color=_colour_of(slot),
                lw=1.8,
                ls="" if words else "-",  # a line between categories would mean something
                marker="o" if words else None,
                ms=6,
                label=_short(label),
            )
        if words:
            names = [_short(str(point)) for point in curve.points]
            axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
        axes.set_ylim(low - space, high + space)
        axes.grid(color="#e5e7eb", lw=0.6)
        axes.set(title=_short(curve.column), ylabel="mean answer")
    if len(curves[0].answers) > 1 or "" not in curves[0].answers:
        panels[0].legend(frameon=False, fontsize=8, title="probability of", title_fontsize=8)


def _pairs(made: Made) -> tuple[np.ndarray, np.ndarray]:
    """Truth and answer of (a sample of) the held-out rows of a regression."""
    truth, values = made.prepared.material.test_target, made.contest.winner.answers.values
    assert truth is not None and values is not None  # noqa: S101 - a regression has both
    rows = np.random.default_rng(0).permutation(len(truth))[:_MOST_POINTS]
    return truth[rows], values[rows]


def _predicted(axes: Any, made: Made) -> bool:
    truth, values = _pairs(made)
    axes.scatter(truth, values, s=10, alpha=0.5, color=COLOURS[0], lw=0)
    ends = [float(min(truth.min(), values.min())), float(max(truth.max(), values.max()))]
    axes.plot(ends, ends, color=_GREY, lw=1, ls=":")
    axes.set(title="Predicted and true", xlabel="true", ylabel="predicted")
    return True


def _residuals(axes: Any, made: Made) -> bool:
    truth, values = _pairs(made)
    axes.scatter(values, truth - values, s=10, alpha=0.5, color=COLOURS[0], lw=0)
    axes.axhline(0, color=_GREY, lw=1, ls=":")
    axes.set(title="Residuals", xlabel="predicted", ylabel="true - predicted")
    return True


def _residual_spread(axes: Any, made: Made) -> bool:
    truth, values = _pairs(made)
    axes.hist(truth - values, bins=30, color=COLOURS[0], alpha=0.85)
    axes.axvline(0, color=_GREY, lw=1, ls=":")
    axes.set(title="Distribution of residuals", xlabel="true - predicted", ylabel="rows")
    return True


def _cluster_scores(axes: Any, made: Made) -> bool:
    scores = made.contest.winner.cluster_scores
    if not scores:
        return False
    clusters = [int(one["clusters"]) for one in scores]
    shown = (
        ("silhouette", "silhouette (more is better)"),
        ("davies_bouldin", "Davies-Bouldin (less)"),
        ("calinski_harabasz", "Calinski-Harabasz (more)"),
    )
    for place, (name, label) in enumerate(shown):
        values = np.array([one[name] for one in scores])
        span = values.max() - values.min()
        axes.plot(
            clusters,
            (values - values.min()) / (span or 1.0),
            color=COLOURS[place],
            marker="o",
            ms=4,
            label=label,
        )
    chosen = made.contest.winner.candidate.settings["n_clusters"]
    axes.axvline(chosen, color=_GREY, lw=1, ls=":")
    axes.set_xticks(clusters)
    axes.set(
        title=f"Scores by number of clusters ({chosen} chosen)", xlabel="clusters", ylabel="scaled to 0 … 1"
    )
    axes.legend(frameon=False, fontsize=8)
    return True


def _cluster_map(axes: Any, made: Made) -> bool:
    """The first two principal components of the held-out rows."""
    winner, material = made.contest.winner, made.prepared.material
    labels = winner.answers.labels
    assert labels is not None  # noqa: S101 - a clustering has labels
    rows = np.sort(np.random.default_rng(0).permutation(len(labels))[:_MOST_POINTS])
    points: Any = winner.preprocessor.transform(material.test.take(rows))
    points = points.toarray() if hasattr(points, "toarray") else points
    if points.shape[1] < 2:
        return False
    centred = points.astype(np.float64) - points.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    flat = centred @ directions[:2].T
    for cluster in np.unique(labels[rows]):
        mine = labels[rows] == cluster
        axes.scatter(*flat[mine].T, s=12, alpha=0.7, color=_colour_of(int(cluster)), lw=0, label=str(cluster))
    axes.set(title="Clusters", xlabel="first principal component", ylabel="second")
    axes.legend(frameon=False, fontsize=8, title="cluster", title_fontsize=8)
    return True


_PLOTS: dict[Task, dict[str, Callable[[Any, Made], bool]]] = {
    Task.CLASSIFICATION: {
        "confusion_matrix": _confusion,
        "roc": _roc,
        "precision_recall": _precision_recall,
        "calibration": _calibration,
    },
    Task.REGRESSION: {
        "predicted_vs_true": _predicted,
        "residuals": _residuals,
        "residual_distribution": _residual_spread,
    },
    Task.CLUSTERING: {"clusters": _cluster_map, "cluster_scores": _cluster_scores},
}
