"""The candidates: which estimator a name stands for, what matrix it wants, where a search may look.

``schema.catalogue`` has the names (the project file is checked against them without a training
library); here is what they do. Every estimator comes from a library, but for least squares on class
indicators. Settings of the project file replace the defaults here, and unknown ones are refused
before anything is trained.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, cast

from modelwright.bundle.preprocess import Recipe
from modelwright.project.model import CandidateSpec
from modelwright.schema.catalogue import CANDIDATES, MODALITIES, ONLY
from modelwright.schema.metrics import Task
from modelwright.train.errors import CandidateFailed, SettingsInvalid
from modelwright.train.estimators import (
    Estimator,
    accepts_weights,
    build,
    check_settings,
    estimator_class,
    known_settings,
)
from modelwright.train.search import check_space

Spans = tuple[tuple[int, int], ...]
"""Ranges of a matrix's columns, start and stop."""

_NO_LAYOUT: Mapping[str, Spans] = MappingProxyType({})
_C, _R, _K = Task.CLASSIFICATION, Task.REGRESSION, Task.CLUSTERING
SCALED = Recipe(impute=True, scale=True, categories="onehot")
CODED = Recipe(impute=True, scale=False, categories="ordinal")

_TREE = {"max_depth": [2, 20], "min_samples_leaf": [1, 20]}
_FOREST = {"n_estimators": [100, 400], "max_features": [0.2, 1.0], "min_samples_leaf": [1, 10]}
_BOOSTED = {"max_depth": [3, 10], "learning_rate": [0.01, 0.3, "log"], "n_estimators": [50, 500]}


@dataclass(frozen=True)
class Entry:
    """One line of the catalogue.

    Attributes:
        path: The estimator's class.
        recipe: The matrix it wants.
        defaults: Settings that differ from the library's own, and why is said where they stand.
        space: Where ``search: {}`` looks.
        threads: The setting that takes the number of cores; empty where there is none, or where the
            fitted model would depend on their number.
        openmp: It works by OpenMP, whose threads wait for each other at every step: worth it with
            many rows only, and very slow where another program takes one of the cores.
        calibrated: It has margins only: Platt's sigmoid, cross-fitted, makes them probabilities.
    """

    path: str
    recipe: Recipe
    defaults: dict[str, Any] = field(default_factory=dict)
    space: dict[str, Any] = field(default_factory=dict)
    threads: str = ""
    openmp: bool = False
    calibrated: bool = False


_FUSION = "late_fusion"
_LINEAR = "sklearn.linear_model."
_ENSEMBLE = "sklearn.ensemble."
# One way of building histograms, chosen beforehand: otherwise LightGBM times two and takes the faster.
_LIGHTGBM = {"verbose": -1, "deterministic": True, "force_row_wise": True}

_ENTRIES: dict[tuple[Task, str], Entry] = {
    (_C, "logistic_regression"): Entry(
        _LINEAR + "LogisticRegression", SCALED, {"max_iter": 1000}, {"C": [0.001, 100.0, "log"]}
    ),
    (_C, "linear_regression"): Entry("modelwright.bundle.estimators.LeastSquaresClassifier", SCALED),
    (_C, "decision_tree"): Entry("sklearn.tree.DecisionTreeClassifier", CODED, space=_TREE),
    (_C, "random_forest"): Entry(
        _ENSEMBLE + "RandomForestClassifier", CODED, space=_FOREST, threads="n_jobs"
    ),
    (_C, "extra_trees"): Entry(_ENSEMBLE + "ExtraTreesClassifier", CODED, space=_FOREST, threads="n_jobs"),
    (_C, "hist_gradient_boosting"): Entry(
        _ENSEMBLE + "HistGradientBoostingClassifier",
        CODED,
        space={"learning_rate": [0.01, 0.3, "log"], "max_leaf_nodes": [7, 63], "max_iter": [50, 400]},
        openmp=True,
    ),
    (_C, "xgboost"): Entry("xgboost.XGBClassifier", CODED, space=_BOOSTED, threads="n_jobs", openmp=True),
    (_C, "lightgbm"): Entry(
        "lightgbm.LGBMClassifier",
        CODED,
        _LIGHTGBM,
        {"num_leaves": [7, 127], "learning_rate": [0.01, 0.3, "log"], "n_estimators": [50, 500]},
        threads="n_jobs",
        openmp=True,
    ),
    (_C, "linear_svm"): Entry(
        "sklearn.svm.LinearSVC",
        SCALED,
        {"max_iter": 5000},
        {"C": [0.001, 100.0, "log"]},
        calibrated=True,
    ),
    (_C, "knn"): Entry("sklearn.neighbors.KNeighborsClassifier", SCALED, space={"n_neighbors": [1, 50]}),
    (_C, "naive_bayes"): Entry(
        "sklearn.naive_bayes.GaussianNB", SCALED, space={"var_smoothing": [1e-12, 1e-3, "log"]}
    ),
    (_C, "kernel_ridge"): Entry(
        "modelwright.bundle.kernels.KernelRidgeClassifier", SCALED, space={"alpha": [0.01, 10.0, "log"]}
    ),
    (_C, _FUSION): Entry("modelwright.bundle.fusion.LateFusion", SCALED),
    (_R, "linear_regression"): Entry(_LINEAR + "LinearRegression", SCALED),
    (_R, "ridge"): Entry(_LINEAR + "Ridge", SCALED, space={"alpha": [0.001, 1000.0, "log"]}),
    # The library's alpha of 1 is meant for a target near unit scale and flattens nearly everything.
    (_R, "elastic_net"): Entry(
        _LINEAR + "ElasticNet",
        SCALED,
        {"alpha": 0.1, "max_iter": 5000},
        {"alpha": [0.0001, 10.0, "log"], "l1_ratio": [0.0, 1.0]},
    ),
    (_R, "decision_tree"): Entry("sklearn.tree.DecisionTreeRegressor", CODED, space=_TREE),
    (_R, "random_forest"): Entry(_ENSEMBLE + "RandomForestRegressor", CODED, space=_FOREST, threads="n_jobs"),
    (_R, "extra_trees"): Entry(_ENSEMBLE + "ExtraTreesRegressor", CODED, space=_FOREST, threads="n_jobs"),
    (_R, "hist_gradient_boosting"): Entry(
        _ENSEMBLE + "HistGradientBoostingRegressor",
        CODED,
        space={"learning_rate": [0.01, 0.3, "log"], "max_leaf_nodes": [7, 63], "max_iter": [50, 400]},
        openmp=True,
    ),
    (_R, "xgboost"): Entry("xgboost.XGBRegressor", CODED, space=_BOOSTED, threads="n_jobs", openmp=True),
    (_R, "lightgbm"): Entry(
        "lightgbm.LGBMRegressor",
        CODED,
        _LIGHTGBM,
        {"num_leaves": [7, 127], "learning_rate": [0.01, 0.3, "log"], "n_estimators": [50, 500]},
        threads="n_jobs",
        openmp=True,
    ),
    (_R, "linear_svm"): Entry(
        "sklearn.svm.LinearSVR", SCALED, {"max_iter": 10_000}, {"C": [0.001, 100.0, "log"]}
    ),
    (_R, "knn"): Entry("sklearn.neighbors.KNeighborsRegressor", SCALED, space={"n_neighbors": [1, 50]}),
    (_K, "kmeans"): Entry("sklearn.cluster.KMeans", SCALED, {"n_init": 10}),
    (_K, "minibatch_kmeans"): Entry("sklearn.cluster.MiniBatchKMeans", SCALED, {"n_init": 10}),
}

# Where nothing was asked for: one linear, one bagged, one boosted model.
_DEFAULTS = {
    _C: ("logistic_regression", "random_forest", "hist_gradient_boosting"),
    _R: ("ridge", "random_forest", "hist_gradient_boosting"),
    _K: ("kmeans",),
}
# Where there are pictures: each kind of column by itself, and what they say together. Words are many
# and sparse, so a linear kernel serves them; pictures are few numbers that need a curved one.
_WORDS: dict[str, Any] = {"kernel_ridge": {"kernel": "linear", "alpha": 0.5}}
_OTHER_WORDS: dict[str, Any] = {"linear_svm": {}}
_PICTURES: dict[str, Any] = {"kernel_ridge": {}}
_TABLE: dict[str, Any] = {"logistic_regression": {}}
_MEMBERS = {"text": _WORDS, "image": _PICTURES, "table": _TABLE}
_CALIBRATION_FOLDS = 3
SILHOUETTE, ELBOW = "silhouette", "elbow"
CLUSTER_METHODS = (SILHOUETTE, ELBOW)
"""What may stand for a number of clusters: how to find it."""


@dataclass(frozen=True)
class Candidate:
    """An estimator with its settings, ready to be built as often as folds and trials need it.

    Attributes:
        name: What the leaderboard calls it.
        task: What it is asked to do.
        cls: The estimator's class.
        recipe: The matrix it wants.
        settings: Its settings, defaults included.
        space: Where a search looks; ``None`` where no search was asked for.
        threads, openmp, calibrated: See ``Entry``.
        only: The columns it is confined to; empty where it sees all.
        members: Of a late fusion: what each kind of column is seen by.
    """

    name: str
    task: Task
    cls: type[Any]
    recipe: Recipe
    settings: dict[str, Any]
    space: dict[str, Any] | None
    threads: str
    openmp: bool
    calibrated: bool
    only: str = ""
    members: tuple[tuple[str, Candidate], ...] = ()

    @property
    def confined(self) -> bool:
        """Whether it, or what it is made of, sees some of the columns only."""
        return bool(self.only or self.members)

    @property
    def weighted(self) -> bool:
        """Whether it can give rows different weights."""
        return accepts_weights(self.cls)

    def with_settings(self, settings: dict[str, Any]) -> Candidate:
        """The same candidate with some settings replaced."""
        return replace(self, settings={**self.settings, **settings})

    def build(self, *, cores: int = 1, layout: Mapping[str, Spans] = _NO_LAYOUT) -> Estimator:
        """An unfitted estimator that may use ``cores`` cores; the model does not depend on them.

        Args:
            cores: Threads it may use.
            layout: The matrix's columns by kind and by column, for one that does not see all.

        Raises:
            CandidateFailed: It is to see columns that are not there.
        """
        if self.members or self.only:
            members = self.members or ((self.only, replace(self, only="")),)
            seed = self.settings.get("random_state")
            return fusion_of(members, layout, cores=cores, seed=seed)
        settings = dict(self.settings)
        if self.task is Task.CLUSTERING and settings.get("n_clusters") in CLUSTER_METHODS:
            del settings["n_clusters"]  # a way to find the number, see ``train.clusters``
        if self.threads and self.threads not in settings:
            settings[self.threads] = cores
        estimator = build(self.name, self.cls, settings)
        return _calibrated(estimator) if self.calibrated else estimator


def fusion_of(
    members: tuple[tuple[str, Candidate], ...], layout: Mapping[str, Spans], *, cores: int, seed: int | None
) -> Estimator:
    """A late fusion of candidates, each for its columns; one alone is confined to them."""
    from modelwright.bundle.fusion import LateFusion

    built = []
    for columns, candidate in members:
        if layout and columns not in layout:
            raise CandidateFailed(
                f"There is no {columns} column for it; there are: {', '.join(sorted(layout))}."
                if columns in MODALITIES
                else f"'{columns}' is no text or image column; there are: {', '.join(sorted(layout))}."
            )
        built.append((columns, candidate.build(cores=cores), layout.get(columns, ())))
    return cast("Estimator", LateFusion(tuple(built), random_state=seed))


def candidates_of(specs: list[CandidateSpec], task: Task, *, seed: int) -> list[Candidate]:
    """The candidates a project file asks for, or a sensible set where it asks for none.

    Names are made unique (``random_forest``, ``random_forest 2``), and say what a candidate sees where
    that is not all (``kernel_ridge (image)``). Each is built once, so that a
    mistake in any of them is told before the first is trained.

    Raises:
        SettingsInvalid: An unknown name, an estimator that is none, or settings it does not take.
        MissingExtra: An estimator's library is not installed.
    """
    found: list[Candidate] = []
    taken: dict[str, int] = {}
    for spec in specs or list(_DEFAULTS[task]):
        candidate = _candidate(spec, task, seed)
        taken[candidate.name] = taken.get(candidate.name, 0) + 1
        if taken[candidate.name] > 1:
            candidate = replace(candidate, name=f"{candidate.name} {taken[candidate.name]}")
        candidate.build()
        found.append(candidate)
    return found


def _candidate(spec: CandidateSpec, task: Task, seed: int) -> Candidate:
    name, given = (spec, {}) if isinstance(spec, str) else next(iter(spec.items()))
    settings = dict(given or {})
    if name == _FUSION:
        return _fusion(settings, task, seed)
    search = settings.pop("search", None)
    only = settings.pop(ONLY, "")
    _check_only(name, only, task)
    entry = _entry(name, task)
    cls = estimator_class(entry.path)
    check_settings(name, cls, settings)
    space = None
    if search is not None:
        space = dict(search) if isinstance(search, dict) and search else dict(entry.space)
        check_settings(name, cls, space)
        if not space:
            raise SettingsInvalid(
                f"The candidate '{name}' has nothing to search by default.",
                "Name the settings and their ranges: search: {max_depth: [3, 10]}.",
            )
        check_space(name, space)
    return Candidate(
        name=name.rpartition(".")[2] + (f" ({only})" if only else ""),
        task=task,
        cls=cls,
        recipe=entry.recipe,
        settings={**_seeded(cls, seed), **entry.defaults, **settings},
        space=space,
        threads=entry.threads,
        openmp=entry.openmp,
        calibrated=entry.calibrated,
        only=only,
    )


def _check_only(name: str, only: Any, task: Task) -> None:
    if not isinstance(only, str):
        raise SettingsInvalid(
            f"The candidate '{name}' is to see only {only!r}.",
            f"Name one kind of column ({', '.join(MODALITIES)}), or a text or image column.",
        )
    if only and task is not Task.CLASSIFICATION:
        raise SettingsInvalid(
            f"The candidate '{name}' is to see only '{only}', which is there for a classification.",
            f"Leave '{ONLY}' out, or the other columns by data.drop.",
        )


def _fusion(settings: dict[str, Any], task: Task, seed: int) -> Candidate:
    """A late fusion: its settings are its members."""
    if task is not Task.CLASSIFICATION:
        raise SettingsInvalid(
            f"There is no candidate '{_FUSION}' for a {task.value}.",
            f"Choose among {', '.join(CANDIDATES[task])}.",
        )
    wished: dict[str, CandidateSpec] = settings or {"text": _WORDS, "image": _PICTURES}
    members = []
    for columns, spec in wished.items():
        if not isinstance(spec, str | dict):
            raise SettingsInvalid(
                f"The candidate '{_FUSION}' has the member {columns}: {spec!r}.",
                "Give each kind of column a candidate: {text: logistic_regression, image: kernel_ridge}.",
            )
        member = _candidate(spec, task, seed)
        if member.members or member.only or member.space is not None:
            raise SettingsInvalid(
                f"The member '{columns}' of the candidate '{_FUSION}' is itself confined, fused or searched.",
                "Give it a candidate with plain settings.",
            )
        members.append((columns, member))
    entry = _entry(_FUSION, task)
    return Candidate(
        name=_FUSION,
        task=task,
        cls=estimator_class(entry.path),
        recipe=entry.recipe,
        settings={"random_state": seed, **{columns: member.name for columns, member in members}},
        space=None,
        threads="",
        openmp=any(member.openmp for _, member in members),
        calibrated=False,
        members=tuple(members),
    )


def defaults_for(modalities: Iterable[str]) -> list[CandidateSpec]:
    """What a classification with pictures is tried with where nothing was asked for.

    Args:
        modalities: Those there are.
    """
    there = [name for name in MODALITIES if name in set(modalities)]
    alone: list[CandidateSpec] = [
        {name: {**settings, ONLY: modality}}
        for modality in there
        for name, settings in {**_MEMBERS[modality], **(_OTHER_WORDS if modality == "text" else {})}.items()
    ]
    fused: CandidateSpec = {_FUSION: {modality: _MEMBERS[modality] for modality in there}}
    return [*alone, fused] if len(there) > 1 else alone


def _entry(name: str, task: Task) -> Entry:
    entry = _ENTRIES.get((task, name))
    if entry is not None:
        return entry
    if "." in name:
        return Entry(name, SCALED)
    raise SettingsInvalid(
        f"There is no candidate '{name}' for a {task.value}.",
        f"Choose among {', '.join(CANDIDATES[task])}, or give an estimator's dotted path.",
    )


def _seeded(cls: type[Any], seed: int) -> dict[str, Any]:
    names, _ = known_settings(cls)
    return {"random_state": seed} if "random_state" in names else {}


def _calibrated(estimator: Estimator) -> Estimator:
    """Source: Platt, "Probabilistic Outputs for Support Vector Machines", 1999."""
    from sklearn.calibration import CalibratedClassifierCV

    return cast(
        "Estimator",
        CalibratedClassifierCV(estimator, method="sigmoid", cv=_CALIBRATION_FOLDS, ensemble=False),
    )


def available_cores() -> int:
    """Cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
