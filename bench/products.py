"""What words, pictures and both together tell of a product."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.rows import Benchmark, Row

DATA = (
    Path(os.environ.get("MODELWRIGHT_TEST_DATA") or Path(__file__).parents[2] / "shared" / "data")
    / "products"
)
FOLDS = 5


@dataclass(frozen=True)
class Catalogue:
    """A real catalogue, and the accuracies to reach on it.

    Attributes:
        name: Its folder.
        texts: Columns of words.
        target: The category's column.
        baseline: Of TF-IDF with logistic regression, of gradient and colour histograms with a support
            vector machine, and of a weighted product of the two.
    """

    name: str
    texts: tuple[str, ...]
    target: str
    baseline: dict[str, float]


CATALOGUES = (
    Catalogue(
        "flipkart",
        ("product_name", "description"),
        "category",
        {"text": 0.959, "image": 0.673, "both": 0.956},
    ),
    Catalogue("fashion", ("title",), "articleType", {"text": 0.971, "image": 0.861, "both": 0.974}),
)


def run(folder: Path, quick: bool) -> list[Row]:
    """Cross-validate on both catalogues."""
    del folder
    rows: list[Row] = []
    for catalogue in CATALOGUES:
        found = accuracies(catalogue, most=150 if quick else None, folds=2 if quick else FOLDS)
        goal = None if quick else 1.0
        words = {name: value for name, value in found.items() if "text" in name}
        best = max(words, key=words.__getitem__)
        for name, value in found.items():
            part = "text" if name in words else "image" if "image" in name else "both"
            rows.append(
                Row(
                    f"{catalogue.name}: {name}", value, catalogue.baseline[part], "accuracy", "the baseline",
                    goal=None if name in words and name != best else goal, more_is_better=True,
                )
            )  # fmt: skip
        both = found["late_fusion"]
        rows.append(
            Row(
                f"{catalogue.name}: late_fusion", both, words[best], "accuracy", best,
                goal=goal, more_is_better=True,
            )
        )  # fmt: skip
    return rows


def accuracies(catalogue: Catalogue, *, most: int | None, folds: int) -> dict[str, float]:
    """Mean accuracy over the folds of words, of pictures, and of their fusion; all fitted in each fold."""
    from sklearn.model_selection import StratifiedKFold
    from threadpoolctl import threadpool_limits

    from modelwright.data.pictures import with_pictures
    from modelwright.schema.columns import Column, Kind, TableSchema

    with (DATA / catalogue.name / "products.csv").open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))[:most]
    schema = TableSchema(
        columns=(
            *(Column(name=name, kind=Kind.TEXT, nullable=True) for name in catalogue.texts),
            Column(name="image", kind=Kind.IMAGE, nullable=True),
        )
    )
    plain = {name: np.array([row[name] for row in table], dtype=object) for name in schema.names}
    columns = with_pictures(plain, schema, [DATA / catalogue.name]).columns
    labels = np.unique([row[catalogue.target] for row in table], return_inverse=True)[1]
    scores: dict[str, list[float]] = {}
    with threadpool_limits(limits=1):
        for train, test in StratifiedKFold(folds, shuffle=True, random_state=0).split(labels, labels):
            for part, right in _fold(schema, columns, labels, train, test):
                scores.setdefault(part, []).append(right)
    return {part: float(np.mean(values)) for part, values in scores.items()}


def _fold(
    schema: Any, columns: dict[str, np.ndarray], labels: np.ndarray, train: np.ndarray, test: np.ndarray
) -> Iterator[tuple[str, float]]:
    """Accuracy of each part on one fold."""
    from modelwright.bundle.encode import Encoder
    from modelwright.bundle.image_fit import fit_built_in
    from modelwright.bundle.preprocess import Preprocessor, Recipe
    from modelwright.bundle.text import TextSettings
    from modelwright.schema.metrics import Task
    from modelwright.train.catalogue import candidates_of, defaults_for

    for cell in columns["image"].tolist():
        cell.features.clear()  # the projection is this fold's own
    known = {name: values[train] for name, values in columns.items()}
    runner = fit_built_in("image", known["image"].tolist(), seed=0)
    assert runner is not None
    encoder = Encoder.fit(
        schema,
        known,
        text={name: TextSettings(words=(1, 2), chars=(3, 5), max_features=10_000) for name in schema.names},
        runners=[runner],
    )
    packed = encoder.transform(known)
    preprocessor = Preprocessor.fit(packed, Recipe())
    learn = preprocessor.transform(packed)
    judge = preprocessor.transform(
        encoder.transform({name: values[test] for name, values in columns.items()})
    )
    words = tuple((block.start, block.stop) for block in encoder.blocks if block.kind.value == "text")
    pictures = tuple((block.start, block.stop) for block in encoder.blocks if block.kind.value == "image")
    layout = {"text": words, "image": pictures}
    for candidate in candidates_of(defaults_for(("text", "image")), Task.CLASSIFICATION, seed=0):
        estimator = candidate.build(layout=layout)
        estimator.fit(learn, labels[train])
        yield candidate.name, float((estimator.predict(judge) == labels[test]).mean())


HOW = """\
Accuracy is the mean over five stratified folds of two real catalogues (flipkart: 856 products, 7
categories; fashion: 3,225 products, 20 article types), everything fitted within each fold: TF-IDF of words
and characters, the built-in picture encoder with its projection, kernel ridge or a linear support vector
machine, and late fusion. The baseline is TF-IDF with logistic regression, gradient and colour histograms
with a support vector machine, and a weighted product of the two."""
BENCHMARK = Benchmark(
    title="Products: words and pictures",
    how=HOW,
    run=run,
    packages=("scikit-learn", "onnxruntime", "pillow"),
)
