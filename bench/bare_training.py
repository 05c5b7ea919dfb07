"""The least a person would write to get the same fits: read, split, fit, score. Run as a script."""

from __future__ import annotations

import sys
from typing import Any

TARGET = "Class"
TEST, SEED = 0.2, 42
SETTINGS: dict[str, dict[str, Any]] = {
    "logistic_regression": {"max_iter": 1000},
    "random_forest": {"n_estimators": 100},
    "xgboost": {"n_estimators": 200, "max_depth": 6},
}


def main(path: str) -> None:
    """Fit every candidate on the table at ``path`` and print its average precision on held-out rows."""
    import pandas as pd
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import average_precision_score
    from sklearn.model_selection import train_test_split
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from xgboost import XGBClassifier

    table = pd.read_csv(path)
    features, target = table.drop(columns=TARGET), table[TARGET]
    train, test, train_target, test_target = train_test_split(
        features, target, test_size=TEST, random_state=SEED, stratify=target
    )
    candidates = {
        "logistic_regression": make_pipeline(
            StandardScaler(), LogisticRegression(**SETTINGS["logistic_regression"])
        ),
        "random_forest": RandomForestClassifier(**SETTINGS["random_forest"], n_jobs=-1, random_state=SEED),
        "xgboost": XGBClassifier(**SETTINGS["xgboost"], n_jobs=-1, random_state=SEED),
    }
    for name, model in candidates.items():
        model.fit(train, train_target)
        score = average_precision_score(test_target, model.predict_proba(test)[:, 1])
        print(f"{name} {score:.4f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
