"""Small tables, fitted models and bundles for tests: real ones, in a few milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from modelwright.bundle.encode import Encoder
from modelwright.bundle.export import export_model
from modelwright.bundle.format import BundleSchema, Manifest, ModelEntry
from modelwright.bundle.matrix import suited
from modelwright.bundle.parity import certify
from modelwright.bundle.preprocess import Preprocessor, Recipe
from modelwright.bundle.write import BundleContents, ModelContents, write_bundle
from modelwright.schema.columns import Column, Kind, TableSchema
from modelwright.schema.metrics import Parity, Task

WORDS = ("café", "naïve", "数据", "機械学習", "Straße", "foo", "bar", "Ελλάδα", "ﬁne")


@dataclass
class Table:
    """A schema, its column arrays, and a hidden quantity that the columns tell something of."""

    schema: TableSchema
    columns: dict[str, np.ndarray]
    hidden: np.ndarray

    def part(self, rows: slice) -> dict[str, np.ndarray]:
        """The column arrays of some rows."""
        return {name: values[rows] for name, values in self.columns.items()}

    def labels(self, count: int) -> np.ndarray:
        """The hidden quantity cut into ``count`` classes, 0 and up."""
        return np.digitize(self.hidden, np.quantile(self.hidden, np.arange(1, count) / count)).astype(
            np.int64
        )


def objects(values: Sequence[str]) -> np.ndarray:
    """An object array of strings."""
    array = np.empty(len(values), dtype=object)
    array[:] = list(values)
    return array


def make_table(
    rows: int, *, seed: int = 0, missing: bool = True, strings: bool = True, text: bool = False
) -> Table:
    """A mixed table: numbers of different sizes (some rounded), categories (rare, missing), text."""
    rng = np.random.default_rng(seed)
    columns: dict[str, np.ndarray] = {}
    specs: list[Column] = []
    for place in range(5):
        values = rng.normal(size=rows) * 10.0 ** (place - 2) + 5 * place
        if place % 2:
            values = np.round(values, 1)
        if missing and place % 2 == 0:
            values[rng.random(rows) < 0.1] = np.nan
        columns[f"n {place}"] = values
        specs.append(Column(name=f"n {place}", kind=Kind.NUMERIC, nullable=missing))
    hidden = np.nan_to_num(columns["n 0"]) * 50 + (columns["n 1"] - 5) * 5 + rng.normal(size=rows)
    if strings:
        for name, kinds in (("é.kind", ("a", "b", "é è", "数据", "", "rare")), ("size", ("x", "y", "z"))):
            shares = np.ones(len(kinds))
            shares[-1] = 0.03
            columns[name] = rng.choice(objects(kinds), rows, p=shares / shares.sum())
            specs.append(Column(name=name, kind=Kind.CATEGORICAL, nullable=True))
        hidden = hidden + 5 * (columns["é.kind"] == "a") - 3 * (columns["size"] == "z")
    if text:
        columns["words"] = objects([" ".join(rng.choice(WORDS, rng.integers(0, 6))) for _ in range(rows)])
        specs.append(Column(name="words", kind=Kind.TEXT, nullable=True))
        hidden = hidden + 6 * np.array(["数据" in words for words in columns["words"]])
    return Table(TableSchema(columns=tuple(specs)), columns, hidden)


@dataclass
class Fitted:
    """A fitted model and its graph."""

    table: Table
    encoder: Encoder
    preprocessor: Preprocessor
    estimator: Any
    task: Task
    graph: bytes

    def certify(self, columns: dict[str, np.ndarray]) -> Parity:
        """The parity certificate on some rows."""
        return certify(self.graph, self.preprocessor, self.estimator, self.encoder, columns, self.task)


def fit_model(
    estimator: Any,
    table: Table,
    *,
    task: Task,
    recipe: Recipe,
    target: np.ndarray | None = None,
    outputs: int = 1,
) -> Fitted:
    """Fit an estimator on all rows of a table, and export it."""
    encoder = Encoder.fit(table.schema, table.columns)
    packed = encoder.transform(table.columns)
    preprocessor = Preprocessor.fit(packed, recipe, encoder=encoder)
    matrix = suited(preprocessor.transform(packed), estimator)
    estimator.fit(matrix) if target is None else estimator.fit(matrix, target)
    graph = export_model(preprocessor, estimator, task, n_labels=outputs)
    return Fitted(table, encoder, preprocessor, estimator, task, graph)


def fit_tree(table: Table, classes: int = 3) -> Fitted:
    """A decision tree: the quickest real model."""
    from sklearn.tree import DecisionTreeClassifier

    return fit_model(
        DecisionTreeClassifier(max_depth=4, random_state=0),
        table,
        task=Task.CLASSIFICATION,
        recipe=Recipe(scale=False),
        target=table.labels(classes),
        outputs=classes,
    )


def contents_of(fitted: Fitted, *, name: str = "model", **changes: Any) -> BundleContents:
    """What a bundle of one fitted classifier holds; ``changes`` go into the contents."""
    columns = fitted.table.part(slice(0, 100))
    count = len(fitted.estimator.classes_)
    entry = ModelEntry(
        name=name,
        task=fitted.task,
        file="",
        estimator="decision_tree",
        target="kind",
        labels=tuple(f"label {number}" for number in range(count)),
        parity=fitted.certify(columns),
    )
    given: dict[str, Any] = {
        "project": "test",
        "version": 1,
        "dataset_md5": "d41d8cd98f00b204e9800998ecf8427e",
        "models": (ModelContents(entry=entry, graph=fitted.graph, encoder=fitted.encoder),),
        "schema": BundleSchema(inputs=fitted.table.schema, features=fitted.table.schema),
        "reference": b'{"rows":0,"columns":[]}',
        "example": {"request": {}, "response": {}},
        "created": "2026-01-01T00:00:00Z",
    }
    return BundleContents(**(given | changes))


def tiny_bundle(folder: Path, **changes: Any) -> Manifest:
    """Write a bundle of a decision tree on a small mixed table to ``folder``."""
    return write_bundle(folder, contents_of(fit_tree(make_table(300)), **changes))
