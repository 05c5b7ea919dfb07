"""A small real model in a small real project, and the program run in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from acceptance.program import Result
from modelwright.bundle.encode import Encoder
from modelwright.bundle.export import export_model
from modelwright.bundle.format import BundleSchema, ModelEntry
from modelwright.bundle.parity import certify
from modelwright.bundle.preprocess import Preprocessor, Recipe
from modelwright.bundle.write import BundleContents, ModelContents, write_bundle
from modelwright.cli.main import main
from modelwright.schema.columns import Column, Kind, TableSchema
from modelwright.schema.metrics import Metric, Task
from modelwright.store.engine import open_store
from modelwright.store.records import Decision, Verdict, VersionRecord

SCHEMA = TableSchema(
    columns=(
        Column(name="width (cm)", kind=Kind.NUMERIC, observed_min=0.0, observed_max=10.0, example=1.5),
        Column(name="a=b", kind=Kind.INTEGER, nullable=True, observed_min=0.0, observed_max=9.0),
        Column(name="colour", kind=Kind.CATEGORICAL, nullable=True, categories=("blue", "red")),
    ),
    target=Column(name="kind", kind=Kind.CATEGORICAL, categories=("big", "small")),
    identifier="id",
)


@pytest.fixture
def mw(capfd: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Run the program in this process: ``mw("check", path)``."""

    def run(*arguments: object) -> Result:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return Result(int(ended.value.code or 0), captured.out, captured.err)

    return run


def make_bundle(
    folder: Path, *, version: int = 1, models: Sequence[str] = ("model",), reference: bytes = b"{}"
) -> Path:
    """A bundle whose model says "small" below a width of about five."""
    random = np.random.default_rng(0)
    rows = 80
    colours = np.array(["red", "blue", ""], dtype=object)
    columns = {
        "width (cm)": random.uniform(0, 10, rows),
        "a=b": random.integers(0, 10, rows).astype(np.float64),
        "colour": colours[random.integers(0, 3, rows)],
    }
    target = (columns["width (cm)"] < 5).astype(int)
    encoder = Encoder.fit(SCHEMA, columns)
    packed = encoder.transform(columns)
    preprocessor = Preprocessor.fit(packed, Recipe(scale=True), encoder=encoder)
    estimator = LogisticRegression().fit(preprocessor.transform(packed), target)
    graph = export_model(preprocessor, estimator, Task.CLASSIFICATION, n_labels=2)
    parity = certify(graph, preprocessor, estimator, encoder, columns, Task.CLASSIFICATION)
    contents = BundleContents(
        project="sizes",
        version=version,
        dataset_md5="0" * 32,
        models=tuple(
            ModelContents(
                entry=ModelEntry(
                    name=name,
                    task=Task.CLASSIFICATION,
                    file="",
                    estimator="logistic_regression",
                    target="kind",
                    labels=("big", "small"),
                    metrics={"accuracy": Metric(0.95, 0.9, 0.99)},
                    parity=parity,
                ),
                graph=graph,
                encoder=encoder,
            )
            for name in models
        ),
        schema=BundleSchema(inputs=SCHEMA, features=SCHEMA),
        reference=reference,
    )
    write_bundle(folder, contents)
    return folder


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle, to be read only."""
    return make_bundle(tmp_path_factory.mktemp("bundle") / "v1")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with versions 1 (live) and 2, and 3, which the gate rejected."""
    folder = tmp_path / "sizes"
    folder.mkdir()
    (folder / "project.yaml").write_text(
        "name: sizes\ndata:\n  source: rows.csv\n  target: kind\n  id: id\n  missing: ['?', none]\n"
    )
    from modelwright.bundle.read import verify

    with open_store(path=folder / ".modelwright" / "store.db") as store:
        for number in (1, 2, 3):
            assert store.versions.reserve("sizes") == number
            path = make_bundle(folder / ".modelwright" / "bundles" / f"v{number}", version=number)
            accepted = number < 3
            store.versions.add(
                VersionRecord(
                    project="sizes",
                    number=number,
                    created=datetime(2026, 3, number, 12, tzinfo=UTC),
                    estimator="logistic_regression",
                    metric="accuracy",
                    metrics={"accuracy": Metric(0.9 + number / 100, 0.85, 0.99)},
                    parity={},
                    decision=Decision(
                        verdict=Verdict.ACCEPTED if accepted else Verdict.REJECTED,
                        reasons=("accuracy 0.91 reaches its floor.",)
                        if accepted
                        else ("accuracy 0.93 is below its floor of 0.95.",),
                        decided=datetime(2026, 3, number, 12, tzinfo=UTC),
                    ),
                    dataset_md5="0" * 32,
                    git_commit="",
                    run_id=f"run{number}",
                    fingerprint=f"fingerprint{number}",
                    content_hash=verify(path).content_hash,
                    bundle=f"bundles/v{number}",
                )
            )
        store.releases.append("sizes", 1, reason="first", actor="ann")
    return folder


@pytest.fixture(scope="session")
def bundle_maker() -> Callable[..., Path]:
    """``make_bundle``, for tests that need one of another kind."""
    return make_bundle
