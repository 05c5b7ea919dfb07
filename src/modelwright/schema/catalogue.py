"""Names a project file may use for candidates and metrics, by task. What they do, ``train`` knows."""

from __future__ import annotations

import msgspec

from modelwright.schema.metrics import Task

CANDIDATES: dict[Task, tuple[str, ...]] = {
    Task.CLASSIFICATION: (
        "logistic_regression",
        "linear_regression",
        "decision_tree",
        "random_forest",
        "extra_trees",
        "hist_gradient_boosting",
        "xgboost",
        "lightgbm",
        "linear_svm",
        "knn",
        "naive_bayes",
        "kernel_ridge",
        "late_fusion",
    ),
    Task.REGRESSION: (
        "linear_regression",
        "ridge",
        "elastic_net",
        "decision_tree",
        "random_forest",
        "extra_trees",
        "hist_gradient_boosting",
        "xgboost",
        "lightgbm",
        "linear_svm",
        "knn",
    ),
    Task.CLUSTERING: ("kmeans", "minibatch_kmeans"),
}
"""The catalogue. In a classification, ``linear_regression`` is least squares on class indicators."""

ONLY = "only"
"""Setting of a candidate that is to see some columns only: a name of these, or of a text or image column."""

MODALITIES = ("text", "image", "table")
"""What kinds of columns a candidate may be confined to, and a late fusion has members for."""


class MetricInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a metric before anything is measured.

    Attributes:
        higher_is_better: Direction; a floor is the least value if so, else the most.
        low, high: Values it can take; ``None`` where unbounded.
    """

    higher_is_better: bool = True
    low: float | None = None
    high: float | None = None


_SHARE = MetricInfo(low=0.0, high=1.0)
_CORRELATION = MetricInfo(low=-1.0, high=1.0)
_LOSS = MetricInfo(higher_is_better=False, low=0.0)

METRICS: dict[Task, dict[str, MetricInfo]] = {
    Task.CLASSIFICATION: {
        "accuracy": _SHARE,
        "balanced_accuracy": _SHARE,
        "f1": _SHARE,
        "precision": _SHARE,
        "recall": _SHARE,
        "roc_auc": _SHARE,
        "average_precision": _SHARE,
        "log_loss": _LOSS,
        "brier": _LOSS,
        "mcc": _CORRELATION,
    },
    Task.REGRESSION: {
        "rmse": _LOSS,
        "mae": _LOSS,
        "r2": MetricInfo(high=1.0),
        "mape": _LOSS,
        "median_absolute_error": _LOSS,
    },
    Task.CLUSTERING: {
        "silhouette": _CORRELATION,
        "davies_bouldin": _LOSS,
        "calinski_harabasz": MetricInfo(low=0.0),
    },
}
"""Binary F1, precision and recall count the second label (sorted) as positive; with more labels they
are the macro average, and ``roc_auc`` is one-versus-rest macro."""

ALIASES: dict[str, str] = {
    "auc": "roc_auc",
    "roc": "roc_auc",
    "auroc": "roc_auc",
    "pr_auc": "average_precision",
    "auprc": "average_precision",
    "ap": "average_precision",
    "acc": "accuracy",
    "f1_score": "f1",
    "f1_macro": "f1",
    "logloss": "log_loss",
    "brier_score": "brier",
    "matthews": "mcc",
    "mse": "rmse",
    "r2_score": "r2",
    "logreg": "logistic_regression",
    "logistic": "logistic_regression",
    "lr": "logistic_regression",
    "linear": "linear_regression",
    "ols": "linear_regression",
    "tree": "decision_tree",
    "rf": "random_forest",
    "forest": "random_forest",
    "randomforestclassifier": "random_forest",
    "randomforestregressor": "random_forest",
    "logisticregression": "logistic_regression",
    "decisiontreeclassifier": "decision_tree",
    "xgb": "xgboost",
    "xgbclassifier": "xgboost",
    "xgbregressor": "xgboost",
    "lgbm": "lightgbm",
    "lgb": "lightgbm",
    "gradient_boosting": "hist_gradient_boosting",
    "hgb": "hist_gradient_boosting",
    "gbm": "hist_gradient_boosting",
    "svm": "linear_svm",
    "svc": "linear_svm",
    "svr": "linear_svm",
    "nearest_neighbours": "knn",
    "nearest_neighbors": "knn",
    "kneighbors": "knn",
    "bayes": "naive_bayes",
    "gaussian_nb": "naive_bayes",
    "lasso": "elastic_net",
    "elasticnet": "elastic_net",
    "k_means": "kmeans",
    "mini_batch_kmeans": "minibatch_kmeans",
}
"""What people call them elsewhere: only for a "did you mean", never accepted in a file."""
