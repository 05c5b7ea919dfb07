"""Candidates: every name of the catalogue, dotted paths, and mistakes told before training."""

from __future__ import annotations

import pytest

from modelwright.schema.catalogue import CANDIDATES
from modelwright.schema.metrics import Task
from modelwright.train.catalogue import candidates_of
from modelwright.train.errors import SettingsInvalid

C = Task.CLASSIFICATION


@pytest.mark.parametrize(
    ("task", "name"), [(task, name) for task, names in CANDIDATES.items() for name in names]
)
def test_every_name_of_the_catalogue_can_be_built(task, name):
    """Whatever the project file may name, training can make, seeded where the estimator takes a seed."""
    (candidate,) = candidates_of([name], task, seed=11)
    assert candidate.build() is not candidate.build()
    assert candidate.settings.get("random_state", 11) == 11


@pytest.mark.parametrize("task", list(Task))
def test_without_candidates_a_sensible_set_is_tried(task):
    """An empty list is no mistake."""
    assert candidates_of([], task, seed=1)


def test_any_estimator_by_its_dotted_path():
    """An estimator of a library is named by its path, with its settings."""
    (found,) = candidates_of([{"sklearn.ensemble.AdaBoostClassifier": {"n_estimators": 7}}], C, seed=5)
    assert found.name == "AdaBoostClassifier"
    assert found.build().get_params()["n_estimators"] == 7
    assert found.build().get_params()["random_state"] == 5


def test_the_same_candidate_twice_gets_two_names():
    """The leaderboard can tell them apart."""
    found = candidates_of(["knn", {"knn": {"n_neighbors": 3}}], C, seed=1)
    assert [candidate.name for candidate in found] == ["knn", "knn 2"]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("no_such", "no candidate 'no_such'"),
        ("nowhere.at.All", "cannot be imported"),
        ("sklearn.ensemble.RandomForestClasifier", "Did you mean 'sklearn.ensemble.RandomForestClassifier'"),
        ("sklearn.preprocessing.StandardScaler", "no method predict"),
        ("math.sqrt", "cannot be trained"),
        ({"random_forest": {"n_estimatrs": 3}}, "did you mean 'n_estimators'"),
        ({"xgboost": {"max_dept": 3}}, "did you mean 'max_depth'"),
        ({"random_forest": {"n_estimators": "many"}}, "refuses its settings"),
        ({"xgboost": {"search": {"max_depht": [1, 3]}}}, "did you mean 'max_depth'"),
        ({"xgboost": {"search": {"max_depth": [9, 3]}}}, "empty range"),
        ({"xgboost": {"search": {"learning_rate": [0, 1, "log"]}}}, "empty range"),
        ({"xgboost": {"search": {"max_depth": 3}}}, "no range"),
        ({"linear_regression": {"search": {}}}, "nothing to search"),
    ],
)
def test_mistakes_name_what_is_wrong(spec, expected):
    """A candidate that cannot be built is refused before training, with what was probably meant."""
    with pytest.raises(SettingsInvalid) as caught:
        candidates_of([spec], C, seed=1)
    assert expected in " ".join([str(caught.value), *caught.value.details])
