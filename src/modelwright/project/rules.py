"""What a project file must keep beyond the types of its values: names that exist, keys that agree.

The rules read the raw values, each no more than it needs, so that they also speak about a file whose
other parts are wrong.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeGuard

from modelwright.project.durations import seconds
from modelwright.project.mistakes import did_you_mean, suggest
from modelwright.project.tree import Path_, Tree
from modelwright.schema.answers import GENERATION
from modelwright.schema.catalogue import ALIASES, CANDIDATES, METRICS, MetricInfo
from modelwright.schema.columns import Kind
from modelwright.schema.metrics import Task

_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
_MODEL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_ANSWER_FIELDS = frozenset(
    {"id", "outputs", "warnings", "predictions", "prediction_id", "model_version", "latency", "error"}
    | {GENERATION}
)
_RANGED = frozenset({Kind.NUMERIC, Kind.INTEGER})


@dataclass(frozen=True, slots=True)
class _Part:
    """A model of the project: where it stands, and what it is to do."""

    path: Path_
    task: Task | None
    target: Any


def apply(tree: Tree) -> None:
    """Note what the rules find in ``tree``."""
    parts = list(_parts(tree))
    for rule in _RULES:
        rule(tree, parts)


def _at(data: Any, path: Path_) -> Any:
    for part in path:
        if isinstance(data, dict) and part in data:
            data = data[part]
        else:
            return None
    return data


def _mapping(tree: Tree, path: Path_) -> dict[Any, Any]:
    value = _at(tree.data, path)
    return value if isinstance(value, dict) else {}


def _parts(tree: Tree) -> Iterator[_Part]:
    target = _at(tree.data, ("data", "target"))
    models = _mapping(tree, ("models",))
    for name, part in models.items():
        path: Path_ = ("models", name)
        own = _at(part, ("target",)) or _at(part, ("data", "target"))
        inherits = not _at(part, ("data",))
        yield _Part(path, _task(_at(part, ("task",))), own or (target if inherits else None))
    if not models:
        yield _Part((), _task(_at(tree.data, ("task",))), target)


def _task(value: Any) -> Task | None:
    """The task, also from a slip of the pen, or ``None`` where nothing like a task stands there."""
    if value is None:
        return Task.CLASSIFICATION
    meant = suggest(value, list(Task)) if isinstance(value, str) else None
    return Task(meant) if meant else None


def _targets(tree: Tree, parts: list[_Part]) -> None:
    for part in parts:
        place = (*part.path, "target") if part.path else ("data", "target")
        own = _at(tree.data, place)
        if part.task is Task.CLUSTERING and own is not None:
            tree.mistake(
                place,
                "A clustering learns without a target.",
                "Remove the key, and name the column in data.drop if the clusters must not see it.",
                own,
            )
        elif part.task in (Task.CLASSIFICATION, Task.REGRESSION) and part.target is None:
            tree.mistake(
                place,
                f"A {part.task.value} needs the column to predict.",
                "Write for example: target: label (or task: clustering, where there is none).",
            )


def _columns(tree: Tree, parts: list[_Part]) -> None:
    for path in [("data",), *((*part.path, "data") for part in parts if part.path)]:
        data = _mapping(tree, path)
        drop = data.get("drop") if isinstance(data.get("drop"), list) else []
        for role, meaning in (("target", "to be predicted"), ("id", "the identifier")):
            column = data.get(role)
            if column is not None and column in (drop or []):
                tree.mistake(
                    (*path, "drop"),
                    f"'{column}' is dropped and {meaning}.",
                    f"Take it out of drop: the {role} is never a feature.",
                    column,
                )
        if data.get("id") is not None and data.get("id") == data.get("target"):
            tree.mistake(
                (*path, "id"),
                f"'{data['id']}' is the identifier and the target.",
                "Name two different columns, or remove id.",
                data["id"],
            )
        _split(tree, (*path, "split"), data.get("target"))


def _split(tree: Tree, path: Path_, target: Any) -> None:
    split = _mapping(tree, path)
    by_time, by_group = split.get("by_time"), split.get("by_group")
    if by_time is not None and by_group is not None:
        tree.mistake(path, "by_time and by_group are both given.", "Keep the one that matters.")
    for key in ("by_time", "by_group"):
        if split.get(key) is not None and split[key] == target:
            tree.mistake(
                (*path, key),
                f"'{target}' is the target; rows cannot be split by it.",
                "Name another column, or remove the key: splits are stratified anyway.",
                target,
            )


def _candidates(tree: Tree, parts: list[_Part]) -> None:
    for part in _with_shared(parts):
        path = (*part.path, "train", "candidates")
        candidates = _at(tree.data, path)
        if not isinstance(candidates, list) or part.task is None:
            continue
        for index, candidate in enumerate(candidates):
            _candidate(tree, (*path, index), candidate, part.task)


def _with_shared(parts: list[_Part]) -> list[_Part]:
    """The parts and, where there are several models, what the project says for all of them."""
    tasks = {part.task for part in parts if part.task is not None}
    if not parts or not parts[0].path:
        return parts
    shared = tasks.pop() if len(tasks) == 1 else None
    return [_Part((), shared, None), *parts]


def _candidate(tree: Tree, path: Path_, candidate: Any, task: Task) -> None:
    if isinstance(candidate, dict):
        names = list(candidate)
        if len(names) != 1:
            tree.mistake(
                path,
                f"One candidate has {len(names)} names: {', '.join(map(str, names)) or 'none'}.",
                "Begin each candidate with a dash, and indent its settings further than its name.",
            )
            return
        name = names[0]
        search = _at(candidate, (name, "search"))
        if search is not None:
            _search(tree, (*path, name, "search"), search)
    else:
        name = candidate
    if isinstance(name, str) and name not in CANDIDATES[task] and not _DOTTED.fullmatch(name):
        other = [other.value for other in Task if name in CANDIDATES[other]]
        problem = (
            f"'{name}' is a candidate for {other[0]}, not for {task.value}."
            if other
            else f"'{name}' is no candidate."
        )
        remedy = did_you_mean(name, CANDIDATES[task], ALIASES)
        if not remedy.startswith("Did"):
            remedy += " Or a dotted path: package.module.Estimator."
        tree.mistake(path, problem, remedy, name)


def _search(tree: Tree, path: Path_, search: Any) -> None:
    if not isinstance(search, dict):
        tree.mistake(
            path, "A search names settings.", "Write for example: search: {max_depth: [3, 10]}", search
        )
        return
    for setting, span in search.items():
        problem = _span_problem(span)
        if problem:
            tree.mistake(
                (*path, setting),
                problem,
                "Write a range [low, high], a range on a log scale [low, high, log], or the values to try "
                "[a, b, c].",
                span,
            )


def _span_problem(span: Any) -> str:
    if not isinstance(span, list) or len(span) < 2:
        return f"'{span}' is no range to search."
    low, high = span[0], span[1]
    if not (_is_number(low) and _is_number(high)):
        return ""  # values to try
    scale = span[2] if len(span) == 3 else None
    if scale is not None and not _is_number(scale):
        if scale != "log":
            return f"'{scale}' is no scale."
        if low <= 0:
            return f"A log scale cannot begin at {low:g}."
    if (len(span) == 2 or scale == "log") and low >= high:
        return f"The range begins at {low:g} and ends at {high:g}."
    return ""


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _metrics(tree: Tree, parts: list[_Part]) -> None:
    for part in _with_shared(parts):
        if part.task is None:
            continue
        known = METRICS[part.task]
        metric = _at(tree.data, (*part.path, "train", "metric"))
        if isinstance(metric, str) and metric not in known:
            _unknown_metric(tree, (*part.path, "train", "metric"), metric, part.task)
        sections: list[Path_] = [(*part.path, "gate", "floors")]
        if not part.path:
            sections.append(("retrain", "quality"))
        for path in sections:
            for name, value in _mapping(tree, path).items():
                if path[-1] == "quality" and name == "window":
                    continue
                if name not in known:
                    _unknown_metric(tree, (*path, name), name, part.task)
                elif _is_number(value):
                    _reachable(tree, (*path, name), known[name], value)


def _unknown_metric(tree: Tree, path: Path_, name: str, task: Task) -> None:
    other = [other.value for other in Task if name in METRICS[other]]
    problem = f"'{name}' measures a {other[0]}, not a {task.value}." if other else f"'{name}' is no metric."
    tree.mistake(path, problem, did_you_mean(name, METRICS[task], ALIASES), name)


def _reachable(tree: Tree, path: Path_, metric: MetricInfo, value: float) -> None:
    below = metric.low is not None and value < metric.low
    above = metric.high is not None and value > metric.high
    if below or above or not math.isfinite(value):
        low = "" if metric.low is None else f" from {metric.low:g}"
        high = "" if metric.high is None else f" to {metric.high:g}"
        percent = f"; for {value:g} % write {value / 100:g}" if above and value <= 100 else ""
        tree.mistake(path, f"'{path[-1]}' never is {value:g}.", f"It goes{low}{high}{percent}.", value)


def _features(tree: Tree, parts: list[_Part]) -> None:
    for path in [("features",), *((*part.path, "features") for part in parts if part.path)]:
        for name, feature in _mapping(tree, path).items():
            if isinstance(feature, dict):
                _feature(tree, (*path, name), feature)


def _feature(tree: Tree, path: Path_, feature: dict[Any, Any]) -> None:
    low, high, kind = feature.get("min"), feature.get("max"), feature.get("kind")
    if _is_number(low) and _is_number(high) and low > high:
        tree.mistake((*path, "max"), f"max ({high:g}) is below min ({low:g}).", "Exchange them.", high)
    if kind is not None and kind in list(Kind) and Kind(kind) not in _RANGED:
        for key in ("min", "max"):
            if feature.get(key) is not None:
                tree.mistake(
                    (*path, key),
                    f"A {kind} column has no {key}.",
                    "Remove the key, or make the kind numeric or integer.",
                    feature[key],
                )
    if kind is not None and kind != Kind.IMAGE and kind in list(Kind) and _trains(feature.get("encoder")):
        tree.mistake(
            (*path, "encoder"),
            f"Only an image column's encoder is trained here; this one is {kind}.",
            "Give the path of an ONNX file, or remove the key.",
            feature["encoder"],
        )
    if feature.get("categories") and kind is not None and kind != Kind.CATEGORICAL and kind in list(Kind):
        tree.mistake(
            (*path, "categories"), f"A {kind} column has no categories.", "Make the kind categorical."
        )


def _trains(encoder: Any) -> bool:
    return encoder == "train" or (isinstance(encoder, dict) and "train" in encoder)


def _thresholds(tree: Tree, parts: list[_Part]) -> None:
    path: Path_ = ("serve", "threshold")
    threshold = _at(tree.data, path)
    if threshold is None:
        return
    if not any(part.task in (Task.CLASSIFICATION, None) for part in parts):
        tree.mistake(path, "Only a classification has a threshold.", "Remove the key.", threshold)
    names = [str(part.path[-1]) for part in parts if part.path]
    each = threshold.items() if isinstance(threshold, dict) else [(None, threshold)]
    for name, value in each:
        place = path if name is None else (*path, name)
        if name is not None and name not in names:
            remedy = did_you_mean(str(name), names) if names else "Write for example: threshold: 0.5"
            tree.mistake(place, f"The project has no model '{name}'.", remedy, name)
        if _is_number(value) and not 0 < value < 1:
            percent = f", for example {value / 100:g}" if 2 <= value < 100 else ""
            tree.mistake(
                place, f"{value:g} is no probability.", f"Write one between 0 and 1{percent}.", value
            )


def _decisions(tree: Tree, parts: list[_Part]) -> None:
    fixed = _at(tree.data, ("serve", "threshold"))
    for part in _with_shared(parts):
        path: Path_ = (*part.path, "train", "decision")
        decision = _at(tree.data, path)
        if not isinstance(decision, dict):
            continue
        if part.task not in (Task.CLASSIFICATION, None):
            tree.mistake(path, "Only a classification has a threshold.", "Remove the key.")
        elif len([key for key in ("cost", "precision") if decision.get(key) is not None]) != 1:
            example = "decision: {cost: {false_negative: 10, false_positive: 1}}"
            tree.mistake(
                path, "A threshold is chosen for one thing.", f"Write for example: {example}, or a precision."
            )
        elif fixed is not None:
            tree.mistake(
                path, "The threshold is both fixed and chosen.", "Remove this key, or serve.threshold."
            )


def _durations(tree: Tree, parts: list[_Part]) -> None:
    places: list[Path_] = [("retrain", key) for key in ("cooldown", "every", "half_life")]
    places += [("retrain", mode, key) for mode in ("shadow", "canary") for key in ("time", "patience")]
    places += [("retrain", "watch", "time"), ("serve", "keep_images")]
    places += [(*part.path, "train", "search", "timeout") for part in _with_shared(parts)]
    for features in [("features",), *((*part.path, "features") for part in parts if part.path)]:
        places += [(*features, name, "encoder", "train", "time") for name in _mapping(tree, features)]
    for path in places:
        value = _at(tree.data, path)
        if not (isinstance(value, str) or _is_number(value)):
            continue
        try:
            seconds(value)
        except ValueError as error:
            remedy = "Write seconds, or a length such as 90s, 10m, 1h 30m or 7d."
            tree.mistake(path, f"{error}.".capitalize(), remedy, value)


def _canary(tree: Tree, parts: list[_Part]) -> None:
    del parts
    path: Path_ = ("retrain", "canary", "shares")
    shares = _at(tree.data, path)
    if not isinstance(shares, list):
        return
    numbers = [share for share in shares if _is_number(share)]
    if any(share > 1 for share in numbers):
        tree.mistake(path, "A share is at most 1.", "Write 5 % as 0.05.", shares)
    elif any(one >= next_ for one, next_ in pairwise(numbers)):
        tree.mistake(path, "The shares do not grow.", "Write for example: [0.05, 0.25, 0.5, 1]", shares)


def _model_names(tree: Tree, parts: list[_Part]) -> None:
    for part in parts:
        name = str(part.path[-1]) if part.path else ""
        if part.path and not _MODEL_NAME.fullmatch(name):
            tree.mistake(
                part.path,
                f"'{name}' cannot name a model.",
                "Use letters (a to z), digits and _, beginning with a letter.",
                name,
            )
        elif name in _ANSWER_FIELDS:
            tree.mistake(part.path, f"'{name}' is a field of every answer.", "Choose another name.", name)


_RULES: tuple[Callable[[Tree, list[_Part]], None], ...] = (
    _targets,
    _columns,
    _candidates,
    _metrics,
    _features,
    _thresholds,
    _decisions,
    _durations,
    _canary,
    _model_names,
)
