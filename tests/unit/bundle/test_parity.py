"""The certificate finds a graph that answers otherwise, and the matrix is the one the model was fitted on."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier

from bundles import fit_model, fit_tree, make_table
from modelwright.bundle.matrix import suited
from modelwright.bundle.parity import certify
from modelwright.bundle.preprocess import Recipe
from modelwright.schema.metrics import Task


def test_another_models_graph_does_not_hold() -> None:
    """Rows are counted, labels that differ too, and a row counted once however often it was sent."""
    table = make_table(300)
    fitted = fit_tree(table)
    other = fit_model(
        DecisionTreeClassifier(max_depth=1, random_state=0),
        table,
        task=Task.CLASSIFICATION,
        recipe=Recipe(scale=False),
        target=table.labels(3),
        outputs=3,
    )
    parity = certify(
        other.graph, fitted.preprocessor, fitted.estimator, fitted.encoder, table.columns, fitted.task
    )
    expected = np.sum(
        fitted.estimator.predict(fitted.preprocessor.transform(fitted.encoder.transform(table.columns)))
        != other.estimator.predict(fitted.preprocessor.transform(fitted.encoder.transform(table.columns)))
    )
    assert parity.rows == 300
    assert parity.labels_differ == expected > 0
    assert not parity.holds
    assert fitted.certify(table.columns).holds


def test_a_certificate_without_rows_does_not_hold() -> None:
    """Nothing compared is nothing proven."""
    fitted = fit_tree(make_table(300))
    assert not fitted.certify(fitted.table.part(slice(0, 0))).holds


def test_differences_of_a_regression_are_relative_to_its_spread() -> None:
    """A target far from zero is held to its own spread."""
    table = make_table(300)
    fitted = fit_model(
        LinearRegression(),
        table,
        task=Task.REGRESSION,
        recipe=Recipe(),
        target=2010 + table.hidden / table.hidden.std(),
    )
    assert fitted.certify(table.columns).max_difference < 1e-12


def test_estimators_get_the_matrix_they_take() -> None:
    """Sparse where they can, dense where they must, wide where digits would be lost."""
    rows = sparse.csr_matrix(np.eye(3, dtype=np.float32))
    for takes_sparse in (XGBClassifier(), LogisticRegression(), RandomForestClassifier()):
        assert suited(rows, takes_sparse) is rows
    assert isinstance(suited(rows, HistGradientBoostingClassifier()), np.ndarray)
    assert suited(rows, GaussianNB()).dtype == np.float64
    assert suited(np.eye(3, dtype=np.float32), LinearRegression()).dtype == np.float64
    assert suited(np.eye(3, dtype=np.float32), LogisticRegression()).dtype == np.float32
