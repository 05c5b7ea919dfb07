"""Reading XGBoost's and LightGBM's own trees from their saved form."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from modelwright.bundle.graph import NotExportable
from modelwright.bundle.trees import Forest, Tree

_XGB_LINKS = {
    "binary:logistic": "sigmoid",
    "reg:logistic": "sigmoid",
    "multi:softprob": "softmax",
    "multi:softmax": "softmax",
    "reg:squarederror": "identity",
    "reg:absoluteerror": "identity",
    "reg:pseudohubererror": "identity",
    "reg:quantileerror": "identity",
    "reg:squaredlogerror": "identity",
    "count:poisson": "exp",
    "reg:gamma": "exp",
    "reg:tweedie": "exp",
}
_LGB_LINKS = {
    "binary": "sigmoid",
    "multiclass": "softmax",
    "multiclassova": "ova",
    "regression": "identity",
    "regression_l1": "identity",
    "huber": "identity",
    "fair": "identity",
    "quantile": "identity",
    "mape": "identity",
    "poisson": "exp",
    "gamma": "exp",
    "tweedie": "exp",
}
_LGB_CATEGORICAL = 1
_LGB_DEFAULT_LEFT = 2
_LGB_MISSING_SHIFT = 2
_LGB_MISSING_ZERO = 1
_LGB_MISSING_NAN = 2


@dataclass(frozen=True)
class Booster:
    """A boosted model: its trees and what turns their sum into an answer.

    Attributes:
        forest: The trees.
        link: ``identity``, ``exp``, ``sigmoid``, ``softmax`` or ``ova`` (one sigmoid a class).
        slope: Factor within the sigmoid.
        average: Divide the sum by this many iterations (random-forest mode).
    """

    forest: Forest
    link: str
    slope: float = 1.0
    average: int = 1


def read_xgboost(estimator: Any) -> Booster:
    """The trees of an ``xgboost.XGBModel``, up to its best iteration if it stopped early.

    Format: https://xgboost.readthedocs.io/en/stable/tutorials/saving_model.html
    """
    booster = estimator.get_booster()
    best = getattr(estimator, "best_iteration", None) if estimator.early_stopping_rounds else None
    if best is not None:
        booster = booster[: best + 1]
    learner = msgspec.json.decode(bytes(booster.save_raw("json")))["learner"]
    gradient = learner["gradient_booster"]
    name = gradient["name"]
    if name == "gblinear":
        raise NotExportable("XGBoost's linear booster (gblinear) has no tree form; use logistic_regression.")
    weights: list[float] = []
    if name == "dart":
        weights = gradient["weight_drop"]
        gradient = gradient["gbtree"]
    model = gradient["model"]
    # Where XGBoost 3.4 and later keep it, of whom "dart" is an ordinary booster with dropout.
    weights = weights or model.get("weight_drop") or []
    objective = learner["objective"]["name"]
    link = _XGB_LINKS.get(objective)
    if link is None:
        raise NotExportable(f"XGBoost's objective '{objective}' is not one that can be exported.")
    targets = max(int(learner["learner_model_param"]["num_class"]), 1)
    if int(learner["learner_model_param"].get("num_target", "1")) > 1:
        raise NotExportable("The XGBoost model predicts several targets at once.")
    trees = [
        _xgboost_tree(tree, target, weights[number] if weights else 1.0)
        for number, (tree, target) in enumerate(zip(model["trees"], model["tree_info"], strict=True))
    ]
    start = _xgboost_margin(learner["learner_model_param"]["base_score"], link, targets)
    return Booster(Forest(trees, targets, start, less_than=True, dtype=np.float32), link)


def _xgboost_margin(text: str, link: str, targets: int) -> np.ndarray:
    """The base score in the trees' scale, in float32 as XGBoost computes it."""
    scores = np.array([float(part) for part in text.strip("[]").split(",")], dtype=np.float32)
    if link == "sigmoid":
        scores = -np.log(np.float32(1) / scores - np.float32(1))
    elif link == "exp":
        scores = np.log(scores)
    return np.broadcast_to(scores.astype(np.float32), (targets,)).copy()


def _xgboost_tree(tree: dict[str, Any], target: int, weight: float) -> Tree:
    if any(tree["split_type"]):
        raise NotExportable("XGBoost's categorical splits have no ONNX form; categories are encoded instead.")
    conditions = np.array(tree["split_conditions"], dtype=np.float32)
    return Tree(
        feature=np.array(tree["split_indices"], dtype=np.int64),
        threshold=conditions,
        left=np.array(tree["left_children"], dtype=np.int64),
        right=np.array(tree["right_children"], dtype=np.int64),
        missing_left=np.array(tree["default_left"]).astype(bool),
        values=(conditions * np.float32(weight)).reshape(-1, 1),
        targets=(target,),
    )


def read_lightgbm(estimator: Any) -> Booster:
    """The trees of a ``lightgbm.LGBMModel``, up to its best iteration if it stopped early."""
    best = estimator.best_iteration_ or 0
    text = estimator.booster_.model_to_string(num_iteration=best if best > 0 else -1)
    head, *blocks = text.split("\nTree=")
    header = dict(line.split("=", 1) for line in head.splitlines() if "=" in line)
    objective, *settings = header.get("objective", "").split()
    link = _LGB_LINKS.get(objective)
    if link is None or "sqrt" in settings:
        raise NotExportable(f"LightGBM's objective '{objective}' is not one that can be exported.")
    options = dict(setting.split(":", 1) for setting in settings if ":" in setting)
    targets = int(header["num_tree_per_iteration"])
    trees = [_lightgbm_tree(block, number % targets) for number, block in enumerate(blocks)]
    averaged = "average_output" in head.splitlines()
    return Booster(
        Forest(trees, targets, np.zeros(targets)),
        link,
        slope=float(options.get("sigmoid", "1")),
        average=len(trees) // targets if averaged else 1,
    )


def _lightgbm_tree(block: str, target: int) -> Tree:
    """One tree of LightGBM's text format: inner nodes first, then leaves (a leaf ``i`` is ``~i``)."""
    fields = dict(line.split("=", 1) for line in block.split("\n\n", 1)[0].splitlines() if "=" in line)
    if fields.get("is_linear", "0") != "0":
        raise NotExportable("LightGBM's linear trees have no ONNX form.")
    leaves = _numbers(fields["leaf_value"], np.float64)
    inner = int(fields["num_leaves"]) - 1
    if inner == 0:
        nothing = np.array([-1])
        flags = np.array([False])
        return Tree(np.array([0]), np.array([0.0]), nothing, nothing, flags, leaves.reshape(1, 1), (target,))
    decisions = _numbers(fields["decision_type"], np.int64)
    if np.any(decisions & _LGB_CATEGORICAL):
        raise NotExportable(
            "LightGBM's categorical splits have no ONNX form; categories are encoded instead."
        )
    threshold = _numbers(fields["threshold"], np.float64)
    left, right = (_lightgbm_children(fields[name], inner) for name in ("left_child", "right_child"))
    none, padding = np.full(len(leaves), -1), np.zeros(len(leaves))
    return Tree(
        feature=np.concatenate([_numbers(fields["split_feature"], np.int64), padding.astype(np.int64)]),
        threshold=np.concatenate([threshold, padding]),
        left=np.concatenate([left, none]),
        right=np.concatenate([right, none]),
        missing_left=np.concatenate([_lightgbm_missing(decisions, threshold), padding.astype(bool)]),
        values=np.concatenate([np.zeros(inner), leaves]).reshape(-1, 1),
        targets=(target,),
    )


def _lightgbm_missing(decisions: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """Whether NaN goes left: by the stored default, or as the zero it is read as."""
    kind = (decisions >> _LGB_MISSING_SHIFT) & 3
    if np.any(kind == _LGB_MISSING_ZERO):
        raise NotExportable("LightGBM with zero_as_missing has no ONNX form.")
    by_default = (decisions & _LGB_DEFAULT_LEFT) != 0
    return np.where(kind == _LGB_MISSING_NAN, by_default, threshold >= 0)


def _lightgbm_children(text: str, inner: int) -> np.ndarray:
    children = _numbers(text, np.int64)
    return np.where(children < 0, inner + ~children, children)


def _numbers(text: str, dtype: type[np.generic]) -> np.ndarray:
    values = [float(part) if dtype is np.float64 else int(part) for part in text.split()]
    if dtype is np.float64 and not all(map(math.isfinite, values)):
        raise NotExportable("LightGBM stored a threshold or a leaf that is not a finite number.")
    return np.array(values, dtype=dtype)
