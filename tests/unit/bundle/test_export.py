"""Graphs answer as the estimators do: labels alike, probabilities within the tolerance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightgbm
import numpy as np
import onnxruntime
import pytest
import xgboost
from sklearn import (
    calibration,
    cluster,
    ensemble,
    linear_model,
    naive_bayes,
    neighbors,
    neural_network,
    svm,
    tree,
)

from bundles import Table, fit_model, fit_tree, make_table
from modelwright.bundle.encode import Encoder
from modelwright.bundle.estimators import LeastSquaresClassifier
from modelwright.bundle.export import NotExportable, column_graph, export_model
from modelwright.bundle.neighbours import NeighborsClassifier, NeighborsRegressor
from modelwright.bundle.preprocess import Preprocessor, Recipe
from modelwright.bundle.session import GraphRunner
from modelwright.schema.columns import Column, Kind, TableSchema
from modelwright.schema.metrics import Task

pytestmark = pytest.mark.filterwarnings("ignore:.*booster=dart:UserWarning")  # since XGBoost 3.4

SCALED = Recipe()
FILLED = Recipe(scale=False)
RAW = Recipe(impute=False, scale=False, categories="ordinal")
TRAIN, TEST = slice(0, 500), slice(500, 1700)

CLASSIFIERS: dict[str, tuple[Callable[[], Any], Recipe]] = {
    "logistic": (lambda: linear_model.LogisticRegression(max_iter=500), SCALED),
    "least squares": (LeastSquaresClassifier, SCALED),
    "least squares balanced": (lambda: LeastSquaresClassifier(class_weight="balanced"), SCALED),
    "tree": (lambda: tree.DecisionTreeClassifier(random_state=0), FILLED),
    "tree with gaps": (lambda: tree.DecisionTreeClassifier(random_state=0), RAW),
    "forest": (lambda: ensemble.RandomForestClassifier(20, random_state=0), FILLED),
    "forest of two threads": (lambda: ensemble.RandomForestClassifier(20, random_state=0, n_jobs=2), SCALED),
    "extra trees": (lambda: ensemble.ExtraTreesClassifier(20, random_state=0), FILLED),
    "histogram": (lambda: ensemble.HistGradientBoostingClassifier(max_iter=15, random_state=0), RAW),
    "xgboost": (lambda: xgboost.XGBClassifier(n_estimators=15), RAW),
    "xgboost scaled": (lambda: xgboost.XGBClassifier(n_estimators=15), SCALED),
    "xgboost dart": (lambda: xgboost.XGBClassifier(n_estimators=8, booster="dart", rate_drop=0.3), RAW),
    "lightgbm": (lambda: lightgbm.LGBMClassifier(n_estimators=15, verbose=-1), RAW),
    "lightgbm scaled": (lambda: lightgbm.LGBMClassifier(n_estimators=15, verbose=-1), SCALED),
    "lightgbm forest": (
        lambda: lightgbm.LGBMClassifier(
            n_estimators=8, boosting_type="rf", bagging_freq=1, bagging_fraction=0.6, verbose=-1
        ),
        RAW,
    ),
    "linear svm": (lambda: calibration.CalibratedClassifierCV(svm.LinearSVC(), cv=3), SCALED),
    "neighbours": (NeighborsClassifier, SCALED),
    "neighbours weighted": (lambda: NeighborsClassifier(7, weights="distance"), SCALED),
    "sklearn neighbours": (neighbors.KNeighborsClassifier, SCALED),
    "gaussian bayes": (naive_bayes.GaussianNB, SCALED),
    "bernoulli bayes": (naive_bayes.BernoulliNB, SCALED),
    "by the converter": (
        lambda: neural_network.MLPClassifier((5,), max_iter=30, random_state=0, early_stopping=True),
        SCALED,
    ),
}
REGRESSORS: dict[str, tuple[Callable[[], Any], Recipe]] = {
    "linear": (linear_model.LinearRegression, SCALED),
    "ridge": (linear_model.Ridge, SCALED),
    "elastic net": (linear_model.ElasticNet, SCALED),
    "tree": (lambda: tree.DecisionTreeRegressor(random_state=0), RAW),
    "forest": (lambda: ensemble.RandomForestRegressor(15, random_state=0), FILLED),
    "extra trees": (lambda: ensemble.ExtraTreesRegressor(15, random_state=0), FILLED),
    "histogram": (lambda: ensemble.HistGradientBoostingRegressor(max_iter=15), RAW),
    "xgboost": (lambda: xgboost.XGBRegressor(n_estimators=15), RAW),
    "lightgbm": (lambda: lightgbm.LGBMRegressor(n_estimators=15, verbose=-1), RAW),
    "neighbours": (lambda: NeighborsRegressor(weights="distance"), SCALED),
    "by the converter": (lambda: ensemble.GradientBoostingRegressor(n_estimators=5), FILLED),
}


def halves(table: Table) -> tuple[Table, dict[str, np.ndarray]]:
    """Training rows, and the columns of the held-out ones."""
    return Table(table.schema, table.part(TRAIN), table.hidden[TRAIN]), table.part(TEST)


@pytest.fixture(scope="module")
def plain() -> Table:
    return make_table(1700)


@pytest.fixture(scope="module")
def wordy() -> Table:
    return make_table(1700, seed=1, text=True, missing=False)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifiers_graph_holds(plain: Table, name: str, classes: int) -> None:
    """No label differs, no probability by more than 1e-5; gaps, rare and unseen categories included."""
    train, held_out = halves(plain)
    held_out["size"] = np.where(np.arange(1200) % 9 == 0, "never seen é 数", held_out["size"]).astype(object)
    make, recipe = CLASSIFIERS[name]
    target = plain.labels(classes)[TRAIN]
    fitted = fit_model(make(), train, task=Task.CLASSIFICATION, recipe=recipe, target=target, outputs=classes)
    parity = fitted.certify(held_out)
    assert parity.rows == 1200
    assert parity.holds, parity


@pytest.mark.parametrize("name", REGRESSORS)
def test_a_regressors_graph_holds(plain: Table, name: str) -> None:
    """No value differs by more than 1e-5 of the answers' own spread."""
    train, held_out = halves(plain)
    make, recipe = REGRESSORS[name]
    fitted = fit_model(
        make(), train, task=Task.REGRESSION, recipe=recipe, target=train.hidden.astype(np.float32)
    )
    assert fitted.certify(held_out).holds


@pytest.mark.parametrize("kind", [cluster.KMeans, cluster.MiniBatchKMeans])
def test_a_clusterings_graph_holds(plain: Table, kind: Callable[..., Any]) -> None:
    """Same cluster, same distances to every centre."""
    train, held_out = halves(plain)
    model = kind(4, n_init=2, random_state=0)
    fitted = fit_model(model, train, task=Task.CLUSTERING, recipe=SCALED, outputs=4)
    assert fitted.certify(held_out).holds


@pytest.mark.parametrize(
    "name", ["logistic", "forest", "xgboost scaled", "lightgbm", "linear svm", "neighbours", "histogram"]
)
def test_text_with_accents_and_cjk_holds(wordy: Table, name: str) -> None:
    """Words of any script, with the matrix as each estimator takes it (sparse where it can)."""
    train, held_out = halves(wordy)
    make, recipe = CLASSIFIERS[name]
    target = wordy.labels(3)[TRAIN]
    fitted = fit_model(make(), train, task=Task.CLASSIFICATION, recipe=recipe, target=target, outputs=3)
    assert fitted.certify(held_out).holds


@pytest.mark.parametrize("make", [naive_bayes.MultinomialNB, naive_bayes.ComplementNB])
def test_counting_bayes_holds(make: Callable[[], Any]) -> None:
    """Naive Bayes of counts, on columns that are never negative."""
    table = make_table(1700, missing=False)
    for name in table.columns:
        if name.startswith("n "):
            table.columns[name] = np.abs(table.columns[name])
    train, held_out = halves(table)
    target = table.labels(3)[TRAIN]
    fitted = fit_model(make(), train, task=Task.CLASSIFICATION, recipe=FILLED, target=target, outputs=3)
    assert fitted.certify(held_out).holds


@pytest.mark.parametrize("name", ["forest", "neighbours", "neighbours weighted", "tree", "logistic"])
def test_ties_are_settled_alike(name: str) -> None:
    """On a table of few distinct values votes and distances tie all the time; no label differs."""
    rng = np.random.default_rng(3)
    columns = {f"d{place}": rng.integers(0, 3, 4000).astype(np.float64) for place in range(5)}
    schema = TableSchema(columns=tuple(Column(name=name, kind=Kind.NUMERIC) for name in columns))
    table = Table(schema, columns, sum(columns.values()) + rng.normal(size=4000) * 2)
    train = Table(schema, table.part(TRAIN), table.hidden[TRAIN])
    make, recipe = CLASSIFIERS[name]
    target = table.labels(2)[TRAIN]
    fitted = fit_model(make(), train, task=Task.CLASSIFICATION, recipe=recipe, target=target, outputs=2)
    parity = fitted.certify(table.part(slice(500, 4000)))
    assert (parity.labels_differ, parity.holds) == (0, True)


def test_thresholds_between_neighbouring_float32_values_hold() -> None:
    """A float64 threshold between two adjacent float32 numbers still tells them apart."""
    low = np.float32(1.0)
    high = np.nextafter(low, np.float32(2))
    values = np.array([low, high] * 50, dtype=np.float64)
    schema = TableSchema(columns=(Column(name="x", kind=Kind.NUMERIC),))
    target = np.array([0, 1] * 50)
    for make in (tree.DecisionTreeClassifier, lambda: ensemble.RandomForestClassifier(3)):
        fitted = fit_model(
            make(),
            Table(schema, {"x": values}, values),
            task=Task.CLASSIFICATION,
            recipe=FILLED,
            target=target,
            outputs=2,
        )
        assert fitted.certify({"x": values}).labels_differ == 0


@pytest.mark.slow
def test_scaled_boosted_trees_hold_on_100_000_rows() -> None:
    """Explicit subtraction and division move no row across a split."""
    rng = np.random.default_rng(0)
    columns = {
        f"v{place}": np.round(rng.normal(size=110_000) * 10.0 ** (place % 5 - 2), place % 4 + 3)
        for place in range(12)
    }
    schema = TableSchema(columns=tuple(Column(name=name, kind=Kind.NUMERIC) for name in columns))
    hidden = sum(values / values.std() for values in columns.values()) + rng.normal(size=110_000)
    train = Table(schema, {name: values[:10_000] for name, values in columns.items()}, hidden[:10_000])
    target = (hidden[:10_000] > 0).astype(int)
    model = xgboost.XGBClassifier(n_estimators=100)
    fitted = fit_model(model, train, task=Task.CLASSIFICATION, recipe=SCALED, target=target, outputs=2)
    parity = fitted.certify({name: values[10_000:] for name, values in columns.items()})
    assert parity.rows == 100_000
    assert (parity.labels_differ, parity.holds) == (0, True)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_the_same_fit_gives_the_same_bytes(plain: Table, name: str) -> None:
    """Fitted and exported twice, a model is the same file."""
    train, _ = halves(plain)
    make, recipe = CLASSIFIERS[name]
    graphs = [
        fit_model(
            make(), train, task=Task.CLASSIFICATION, recipe=recipe, target=plain.labels(2)[TRAIN], outputs=2
        ).graph
        for _ in range(2)
    ]
    assert graphs[0] == graphs[1]


@pytest.mark.parametrize("name", [name for name in CLASSIFIERS if name != "by the converter"])
def test_a_batch_answers_bit_for_bit_like_single_rows(plain: Table, name: str) -> None:
    """What a row is answered does not depend on what else arrived with it."""
    train, held_out = halves(plain)
    make, recipe = CLASSIFIERS[name]
    target = plain.labels(3)[TRAIN]
    fitted = fit_model(make(), train, task=Task.CLASSIFICATION, recipe=recipe, target=target, outputs=3)
    runner = GraphRunner(fitted.graph)
    numbers, strings = fitted.encoder.transform_dense(held_out)
    label, shares = runner.run(numbers[:60], strings[:60])
    for row in range(60):
        one = slice(row, row + 1)
        single, alone = runner.run(numbers[one], strings[one])
        assert single[0] == label[row]
        assert alone.tobytes() == shares[one].tobytes()


def test_a_label_absent_from_training_keeps_its_place(plain: Table) -> None:
    """Probabilities have a column for every label of the project, zero where none was learned."""
    train, held_out = halves(plain)
    target = plain.labels(2)[TRAIN] * 2
    make, recipe = CLASSIFIERS["forest"]
    fitted = fit_model(make(), train, task=Task.CLASSIFICATION, recipe=recipe, target=target, outputs=4)
    session = onnxruntime.InferenceSession(fitted.graph)
    numbers, strings = fitted.encoder.transform_dense(held_out)
    label, shares = session.run(None, {"numbers": numbers, "strings": strings})
    assert set(label.tolist()) == {0, 2}
    assert shares.shape == (1200, 4)
    assert not shares[:, [1, 3]].any()
    assert fitted.certify(held_out).holds


def test_early_stopping_exports_the_best_iteration(plain: Table) -> None:
    """XGBoost answers with its best iteration, and so does the graph."""
    train, held_out = halves(plain)
    encoder = Encoder.fit(train.schema, train.columns)
    packed = encoder.transform(train.columns)
    preprocessor = Preprocessor.fit(packed, RAW, encoder=encoder)
    matrix = preprocessor.transform(packed)
    target = plain.labels(2)[TRAIN]
    model = xgboost.XGBClassifier(n_estimators=200, learning_rate=1.0, early_stopping_rounds=3)
    model.fit(matrix[:300], target[:300], eval_set=[(matrix[300:], target[300:])], verbose=False)
    graph = export_model(preprocessor, model, Task.CLASSIFICATION, n_labels=2)
    session = onnxruntime.InferenceSession(graph)
    numbers, strings = encoder.transform_dense(held_out)
    shares = session.run(None, {"numbers": numbers, "strings": strings})[1]
    expected = model.predict_proba(preprocessor.transform(encoder.transform(held_out)))
    assert model.best_iteration < 150
    assert np.abs(shares - expected).max() < 1e-6


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (svm.LinearSVC, "gives no probabilities"),
        (lambda: xgboost.XGBClassifier(n_estimators=2, booster="gblinear"), "gblinear"),
        (lambda: neighbors.KNeighborsClassifier(metric="manhattan"), "Euclidean"),
        (lambda: calibration.CalibratedClassifierCV(naive_bayes.GaussianNB(), cv=2), "linear models"),
        (lambda: cluster.KMeans(2, n_init=1), "does not do classification"),
        (linear_model.RidgeClassifier, "gives no probabilities"),
        (lambda: lightgbm.LGBMClassifier(n_estimators=2, linear_tree=True, verbose=-1), "linear trees"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
def test_what_cannot_be_exported_says_why(plain: Table, make: Callable[[], Any], said: str) -> None:
    """The reason is a sentence for the leaderboard."""
    train, _ = halves(plain)
    target = plain.labels(2)[TRAIN]
    with pytest.raises(NotExportable, match=said):
        fit_model(make(), train, task=Task.CLASSIFICATION, recipe=SCALED, target=target, outputs=2)


def test_an_empty_block_has_no_input() -> None:
    """A table of numbers only has no ``strings`` input, one of categories only no ``numbers``."""
    numbers_only = fit_tree(make_table(200, strings=False))
    names = [entry.name for entry in onnxruntime.InferenceSession(numbers_only.graph).get_inputs()]
    assert names == ["numbers"]
    table = make_table(200)
    schema = TableSchema(columns=tuple(c for c in table.schema if c.kind is Kind.CATEGORICAL))
    strings_only = fit_tree(Table(schema, table.columns, table.hidden))
    names = [entry.name for entry in onnxruntime.InferenceSession(strings_only.graph).get_inputs()]
    assert names == ["strings"]


def test_one_input_a_column_and_rank_one_outputs() -> None:
    """MLflow's form answers the same, whatever the columns are called."""
    table = make_table(200)
    renamed = {"n 0": "label", "n 1": "p0", "size": "/modelwright/const_1"}
    schema = TableSchema(
        columns=tuple(Column(name=renamed.get(c.name, c.name), kind=c.kind) for c in table.schema)
    )
    columns = {renamed.get(name, name): values for name, values in table.columns.items()}
    fitted = fit_tree(Table(schema, columns, table.hidden))
    numbers, strings = fitted.encoder.transform_dense(columns)
    label, shares = onnxruntime.InferenceSession(fitted.graph).run(
        None, {"numbers": numbers, "strings": strings}
    )
    session = onnxruntime.InferenceSession(column_graph(fitted.graph, fitted.encoder))
    feed = {
        entry.name: columns[entry.name].astype(np.float32 if "float" in entry.type else object)
        for entry in session.get_inputs()
    }
    assert set(feed) == set(columns)
    names = [entry.name for entry in session.get_outputs()]
    assert names == ["label_", "p0_", "p1", "p2"]
    given, *columns_given = session.run(None, feed)
    assert np.array_equal(given, label)
    assert np.array_equal(np.column_stack(columns_given), shares)


def test_text_has_no_column_form(wordy: Table) -> None:
    """What Python encodes cannot be a graph's input; the encoder says so beforehand."""
    fitted = fit_tree(Table(wordy.schema, wordy.part(TRAIN), wordy.hidden[TRAIN]))
    assert not fitted.encoder.columnar
    with pytest.raises(NotExportable, match="outside the graph"):
        column_graph(fitted.graph, fitted.encoder)
