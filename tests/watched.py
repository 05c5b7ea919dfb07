"""A small watched project: its bundles with real profiles, and rows for it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
from sklearn.linear_model import LogisticRegression

from modelwright.data.profile import profile, value_profile
from modelwright.schema.metrics import Metric
from modelwright.schema.profile import Profile
from serving import numeric_schema, write_numeric_bundle

NAMES = tuple(f"f{place}" for place in range(6))


def rows(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Normal features [count, 6] and their labels, which mostly follow the first two."""
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(count, len(NAMES)))
    chance = 1 / (1 + np.exp(-3 * (matrix[:, 0] + matrix[:, 1])))
    return matrix, (random.random(count) < chance).astype(int)


def write_bundle(folder: Path, number: int, seed: int = 0) -> Path:
    """A logistic regression with a profile of what it learned from."""
    matrix, target = rows(3_000, seed)
    schema = numeric_schema(NAMES, matrix)
    columns = dict(zip(NAMES, matrix.T, strict=True))
    made = profile(columns, schema)
    model = LogisticRegression().fit(matrix, target)
    answers = value_profile("model", model.predict(matrix), (0, 1))
    reference = Profile(rows=made.rows, columns=made.columns, predictions={"model": answers})
    place = folder / f"v{number}"
    write_numeric_bundle(
        place,
        LogisticRegression(),
        NAMES,
        matrix,
        target,
        project="iris",
        number=number,
        labels=(0, 1),
        label_names=("no", "yes"),
        reference=msgspec.json.encode(reference),
        metrics={"accuracy": Metric(value=float(model.score(matrix, target)), low=0.0, high=1.0)},
    )
    return place
