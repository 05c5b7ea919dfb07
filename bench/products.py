"""What words, pictures and both together tell of a product, and how long one request with a picture takes."""

from __future__ import annotations

import base64
import csv
import http.client
import json
import os
import statistics
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.processes import environment, free_port, modelwright, on_cores
from bench.rows import Benchmark, Row

DATA = (
    Path(os.environ.get("MODELWRIGHT_TEST_DATA") or Path(__file__).parents[2] / "shared" / "data")
    / "products"
)
EXAMPLE = Path(__file__).parents[1] / "examples" / "products" / "project.yaml"
FOLDS = 5
REQUESTS = 300
P50_MS = 15.0


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
    """Cross-validate on both catalogues, then serve one and ask."""
    rows: list[Row] = []
    for catalogue in CATALOGUES:
        found = accuracies(catalogue, most=150 if quick else None, folds=2 if quick else FOLDS)
        for part, value in found.items():
            rows.append(
                Row(
                    f"{catalogue.name}: {part}", value, catalogue.baseline[part], "accuracy", "the baseline",
                    goal=None if quick else 1.0, more_is_better=True,
                )
            )  # fmt: skip
        rows.append(
            Row(
                f"{catalogue.name}: both", found["both"], found["text"], "accuracy", "text alone",
                goal=None if quick else 1.0, more_is_better=True,
            )
        )  # fmt: skip
    p50 = request_milliseconds(folder, 20 if quick else REQUESTS)
    rows.append(Row("one request with a picture of 128 pixels, p50", p50, P50_MS, "ms", "the budget", goal=1))
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
        images=[runner],
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
    for part, candidate in zip(
        ("text", "image", "both"),
        candidates_of(defaults_for(("text", "image")), Task.CLASSIFICATION, seed=0),
        strict=True,
    ):
        estimator = candidate.build(layout=layout)
        estimator.fit(learn, labels[train])
        yield part, float((estimator.predict(judge) == labels[test]).mean())


def request_milliseconds(folder: Path, requests: int) -> float:
    """Median time of single requests, each with words and another picture, to one worker on one core."""
    source = DATA / "flipkart" / "products.csv"
    project = folder / "products"
    project.mkdir()
    text = EXAMPLE.read_text(encoding="utf-8").replace("source: data/products.csv", f"source: {source}")
    (project / "project.yaml").write_text(text, encoding="utf-8")
    subprocess.run(modelwright("train", project, "--quiet"), check=True, env=environment())
    with source.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[:requests]
    bodies = [json.dumps(_row(row, source.parent)).encode() for row in rows]
    port = free_port()
    with on_cores(1):
        server = subprocess.Popen(
            modelwright("serve", project, "--port", str(port), "--workers", "1", "--no-retrain"),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(),
        )  # fmt: skip
    try:
        return statistics.median(_times(port, bodies))
    finally:
        server.terminate()
        server.wait(timeout=30)


def _row(row: dict[str, str], folder: Path) -> dict[str, str]:
    image = base64.b64encode((folder / row["image"]).read_bytes()).decode()
    return {"product_name": row["product_name"], "description": row["description"], "image": image}


def _times(port: int, bodies: list[bytes]) -> Iterator[float]:
    """Milliseconds of each request, over one connection, once the server is ready."""
    deadline = time.monotonic() + 60
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            _ask(connection, bodies[0])
            break
        except (OSError, http.client.HTTPException):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    for body in bodies[1:]:
        begun = time.perf_counter()
        _ask(connection, body)
        yield (time.perf_counter() - begun) * 1000


def _ask(connection: http.client.HTTPConnection, body: bytes) -> None:
    connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise SystemExit(f"{answer.status}: {content[:500]!r}")


HOW = """\
Accuracy is the mean over five stratified folds of two real catalogues (flipkart: 856 products, 7
categories; fashion: 3,225 products, 20 article types), everything fitted within each fold: TF-IDF of words
and characters, the built-in picture encoder with its projection, kernel ridge on either, and late fusion.
The baseline is TF-IDF with logistic regression, gradient and colour histograms with a support vector
machine, and a weighted product of the two. A request carries name, description and a picture of 128 pixels
as base64, to one worker on one core with validation, log and metrics on; 300 different products, one after
the other."""
BENCHMARK = Benchmark(
    title="Products: words and pictures",
    how=HOW,
    run=run,
    packages=("modelwright", "scikit-learn", "onnxruntime", "pillow"),
)
