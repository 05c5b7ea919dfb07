"""Explanations are Shapley values: they sum up, and agree with the definition and with a library."""

from __future__ import annotations

from itertools import permutations
from types import SimpleNamespace

import numpy as np
import pytest

from bundles import contents_of, fit_model, fit_tree, make_table
from modelwright.bundle import background as kept
from modelwright.bundle.encode import Encoder
from modelwright.bundle.explain import explain
from modelwright.bundle.preprocess import Recipe
from modelwright.bundle.read import LoadedModel, open_bundle
from modelwright.bundle.write import write_bundle
from modelwright.schema.columns import Column, Kind, TableSchema
from modelwright.schema.metrics import Task


class Formula:
    """A model that is a formula over its numbers, so that its Shapley values can be had by hand."""

    def __init__(self, names, formula):
        columns = {name: np.array([0.0, 1.0]) for name in names}
        schema = TableSchema(columns=tuple(Column(name=name, kind=Kind.NUMERIC) for name in names))
        self.encoder = Encoder.fit(schema, columns)
        self.entry = SimpleNamespace(task=Task.REGRESSION)
        self.formula = formula

    def run(self, numbers, strings):
        """As a graph's outputs."""
        del strings
        return [self.formula(numbers.astype(np.float64))]


def columns_of(names, matrix):
    return dict(zip(names, np.asarray(matrix, dtype=np.float64).T, strict=True))


def by_definition(formula, row, others):
    """The mean over all orders and reference rows of what each feature adds: the definition itself."""
    count = len(row)
    shares = np.zeros(count)
    orders = list(permutations(range(count)))
    for order in orders:
        for other in others:
            now = other.copy()
            before = formula(now[None])[0]
            for feature in order:
                now[feature] = row[feature]
                after = formula(now[None])[0]
                shares[feature] += after - before
                before = after
    return shares / (len(orders) * len(others))


def test_few_features_are_explained_exactly():
    """With products and a threshold among them, the values are those of the definition."""
    names = ("a", "b", "c", "d")

    def formula(x):
        return x[:, 0] * x[:, 1] + 2 * x[:, 2] + (x[:, 3] > 0.5) * x[:, 0]

    rng = np.random.default_rng(0)
    others, row = rng.random((12, 4)).astype(np.float32), rng.random(4).astype(np.float32)
    found = explain(Formula(names, formula), columns_of(names, [row]), columns_of(names, others))
    assert found.exact
    expected = by_definition(formula, row.astype(np.float64), others.astype(np.float64))
    assert list(found.shares.values()) == pytest.approx(expected.tolist(), abs=1e-6)
    assert sum(found.shares.values()) == pytest.approx(found.score - found.base, abs=1e-9)


def test_a_feature_that_is_the_same_everywhere_has_no_share():
    """What no reference row has otherwise, and what the model does not look at, explains nothing."""
    names = ("used", "same", "ignored")
    rng = np.random.default_rng(1)
    others = rng.random((8, 3))
    others[:, 1] = np.nan
    row = [0.9, np.nan, 0.1]
    found = explain(
        Formula(names, lambda x: 3 * x[:, 0] + np.nan_to_num(x[:, 1])),
        columns_of(names, [row]),
        columns_of(names, others),
    )
    assert found.shares["same"] == 0.0
    assert found.shares["ignored"] == pytest.approx(0.0, abs=1e-12)
    assert found.shares["used"] == pytest.approx(found.score - found.base)
    everywhere = explain(
        Formula(names, lambda x: x[:, 0]), columns_of(names, [row]), columns_of(names, [row] * 3)
    )
    assert set(everywhere.shares.values()) == {0.0}
    assert everywhere.base == everywhere.score


def test_many_features_are_sampled_and_still_sum_up():
    """Thirty features with interactions: additive to the last digit, and near the exact values of a sum."""
    names = tuple(f"f{place}" for place in range(30))
    weights = np.linspace(-3, 3, 30)

    def formula(x):
        return x @ weights + 5 * x[:, 0] * x[:, 29]

    rng = np.random.default_rng(2)
    others, row = rng.normal(size=(64, 30)), rng.normal(size=30)
    found = explain(Formula(names, formula), columns_of(names, [row]), columns_of(names, others))
    assert not found.exact
    assert found.runs >= 128
    assert sum(found.shares.values()) == pytest.approx(found.score - found.base, abs=1e-6)
    # The parts without interaction are had by hand: weight times the distance from the mean.
    plain = weights * (row.astype(np.float32) - others.astype(np.float32).mean(axis=0))
    for place in range(1, 29):
        assert found.shares[names[place]] == pytest.approx(plain[place], abs=1e-4)
    again = explain(Formula(names, formula), columns_of(names, [row]), columns_of(names, others))
    assert again.shares == found.shares


@pytest.mark.parametrize("features", [8, 16])
def test_values_agree_with_the_shap_package(features):
    """On a boosted tree model: the same values, and the same order of the features that matter."""
    shap = pytest.importorskip("shap", reason="the package shap is not installed")
    from sklearn.tree import DecisionTreeRegressor

    rng = np.random.default_rng(3)
    names = [f"x{place}" for place in range(features)]
    matrix = rng.normal(size=(400, features)).astype(np.float32).astype(np.float64)
    target = matrix[:, 0] * 2 + np.where(matrix[:, 1] > 0, matrix[:, 2], -matrix[:, 3]) + matrix[:, 4] ** 2
    estimator = DecisionTreeRegressor(max_depth=6, random_state=0).fit(matrix, target)
    model = Formula(names, estimator.predict)
    background, row = matrix[:32], matrix[300]
    explainer = shap.TreeExplainer(estimator, data=background, feature_perturbation="interventional")
    expected = explainer.shap_values(row[None])[0]
    found = explain(model, columns_of(names, [row]), columns_of(names, background))
    values = np.array(list(found.shares.values()))
    error = 1e-4 if found.exact else 0.15
    assert values == pytest.approx(expected, abs=error)
    assert found.base == pytest.approx(float(np.ravel(explainer.expected_value)[0]), abs=1e-4)
    first = np.argsort(-np.abs(expected))[: 3 if found.exact else 2]
    assert np.argsort(-np.abs(values))[: len(first)].tolist() == first.tolist()


def test_a_real_bundle_explains_its_answers(tmp_path):
    """Numbers, categories, text and missing values: additive within 1e-4 of the graph's own probabilities."""
    table = make_table(300, text=True)
    fitted = fit_tree(table)
    rows = kept.drawn(np.arange(300), seed=42)
    sample = {name: values[rows] for name, values in table.columns.items()}
    told = {"model": kept.stored(sample, fitted.encoder.names)}
    write_bundle(tmp_path / "v1", contents_of(fitted, background=told))
    bundle = open_bundle(tmp_path / "v1")
    background = bundle.background("model")
    for place in (1, 7, 150):
        row = table.part(slice(place, place + 1))
        found = explain(bundle.models[0], row, background)
        answer = bundle.models[0].answer(row)[0]
        assert found.exact
        assert found.what == f"Probability of {answer.prediction_name}"
        assert found.score == pytest.approx(answer.confidence, abs=1e-6)
        assert sum(found.shares.values()) == pytest.approx(found.score - found.base, abs=1e-4)
        assert set(found.shares) == set(fitted.encoder.names)


def test_clusters_are_explained_by_their_distance():
    """A clustering has no probability: what is explained is how far the row is from its cluster."""
    from sklearn.cluster import KMeans

    table = make_table(200, strings=False, missing=False)
    fitted = fit_model(
        KMeans(3, n_init=1, random_state=0), table, task=Task.CLUSTERING, recipe=Recipe(), outputs=3
    )
    entry = SimpleNamespace(task=Task.CLUSTERING, labels=(), label_names=(), threshold=None, name="model")
    model = LoadedModel(entry, fitted.encoder, fitted.graph, threads=1)
    found = explain(model, table.part(slice(0, 1)), table.part(slice(10, 40)))
    assert found.what.startswith("Distance to cluster ")
    assert sum(found.shares.values()) == pytest.approx(found.score - found.base, abs=1e-4)


def test_reference_rows_come_back_as_they_were():
    """Numbers with gaps, times with gaps and words survive the bundle's JSON."""
    import msgspec

    words = np.empty(3, dtype=object)
    words[:] = ["a", "", "\u00e9\n\x00"]
    columns = {
        "n": np.array([1.5, np.nan, -0.0]),
        "t": np.array(["2026-01-01T00:00:00.000001", "NaT", "1969-12-31"], dtype="datetime64[us]"),
        "w": words,
    }
    text = msgspec.json.encode(kept.Backgrounds({"model": kept.stored(columns, ["n", "t", "w", "absent"])}))
    found = kept.arrays(msgspec.json.decode(text, type=kept.Backgrounds).models["model"])
    assert list(found) == ["n", "t", "w"]
    for name, values in columns.items():
        assert found[name].dtype == values.dtype
        np.testing.assert_array_equal(found[name], values)


def test_a_bundle_without_reference_rows_is_whole(tmp_path):
    """One that was written before there were any opens, answers, and says that it has none."""
    write_bundle(tmp_path / "v1", contents_of(fit_tree(make_table(200))))
    bundle = open_bundle(tmp_path / "v1")
    assert bundle.background("model") is None
    assert "background.json" not in bundle.manifest.files


def test_which_rows_are_kept_follows_from_the_seed():
    """The same data and seed keep the same rows, so a bundle can be made again bit by bit."""
    rows = np.arange(1000) * 3
    assert kept.drawn(rows, 42).tolist() == kept.drawn(rows, 42).tolist()
    assert kept.drawn(rows, 42).tolist() != kept.drawn(rows, 43).tolist()
    assert len(kept.drawn(rows, 1)) == kept.MOST
    assert set(kept.drawn(rows, 1)) <= set(rows)
    assert kept.drawn(np.arange(5), 1).tolist() == [0, 1, 2, 3, 4]
