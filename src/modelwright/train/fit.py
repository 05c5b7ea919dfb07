"""One candidate: searched, scored on training rows, fitted, exported, proven and measured.

Nothing here depends on the number of cores: linear algebra runs on one thread (its sums would be
ordered by threads), and only estimators that give the same model on any number get more.
"""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from modelwright.bundle.encode import ColumnArrays, Encoder
from modelwright.bundle.export import NotExportable, export_model
from modelwright.bundle.heap import give_back
from modelwright.bundle.matrix import suited
from modelwright.bundle.parity import Expected, compared
from modelwright.bundle.preprocess import Preprocessor
from modelwright.bundle.session import GraphRunner
from modelwright.errors import ModelwrightError
from modelwright.schema.metrics import Metric, Parity, Task
from modelwright.train.answers import Answers, ask, decided, single_threaded
from modelwright.train.catalogue import Candidate
from modelwright.train.clusters import choose_clusters, is_open
from modelwright.train.errors import CandidateFailed
from modelwright.train.evaluate import higher_is_better, measure
from modelwright.train.folds import Fold
from modelwright.train.forests import kept_small
from modelwright.train.material import Material
from modelwright.train.search import Trial, search
from modelwright.train.threshold import Choice, choose

_LATENCY_RUNS = 200
_BALANCING = ("class_weight", "scale_pos_weight", "is_unbalance")


@dataclass(frozen=True)
class Proof:
    """Real rows, as columns, that an exported model is checked and timed with."""

    encoder: Encoder
    columns: ColumnArrays


@dataclass(frozen=True)
class Trained:
    """What is left of a candidate that was trained: its graph, and what was measured of it.

    Attributes:
        candidate: With the settings it was finally fitted with.
        preprocessor: Made the matrix it was fitted on.
        score: Of the metric that picks the winner, on training rows it was not fitted on.
        spread: Standard deviation of that score over the folds; 0 where there is one.
        metrics: On the held-out rows, with intervals.
        answers: For the held-out rows.
        fit_seconds: Of the final fit.
        graph: The exported model; empty where it cannot be exported.
        parity: That graph against the estimator; ``None`` where there is no graph.
        latency: Median seconds of one row through ONNX Runtime, encoding left out.
        reason: Why it is not eligible; empty where it is.
        notes: Warnings of its library, and what was decided for it.
        trials: Of its search.
        choice: The decision threshold chosen for it, where one is chosen.
        threshold: The second label is answered from this probability on, fixed or chosen.
        cluster_scores: Clustering: scores by number of clusters, where it was chosen.
        centres: Clustering: the clusters' centres in the matrix, where it has any.
    """

    candidate: Candidate
    preprocessor: Preprocessor
    score: float
    spread: float
    metrics: dict[str, Metric]
    answers: Answers
    fit_seconds: float
    graph: bytes = b""
    parity: Parity | None = None
    latency: float | None = None
    reason: str = ""
    notes: tuple[str, ...] = ()
    trials: tuple[Trial, ...] = ()
    cluster_scores: tuple[dict[str, float], ...] = ()
    centres: np.ndarray | None = None
    choice: Choice | None = None
    threshold: float | None = None

    @property
    def eligible(self) -> bool:
        """Whether it may become a version."""
        return not self.reason


@dataclass(frozen=True)
class _Competed:
    """Scores over folds, the estimator of the last one, and the threshold chosen, if one is."""

    scores: list[float]
    estimator: Any
    choice: Choice | None


@dataclass
class _Workshop:
    """What the steps of one candidate share."""

    material: Material
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0  # of the latest fit

    def fit(self, candidate: Candidate, matrix: Any, rows: np.ndarray | None) -> Any:
        """A fitted estimator; ``rows`` are positions of training rows, ``None`` for all."""
        material = self.material
        layout = material.layout(candidate.recipe) if candidate.confined else {}
        estimator: Any = candidate.build(cores=_cores(candidate, material), layout=layout)
        arguments: dict[str, Any] = {}
        if material.weights is not None and not any(name in candidate.settings for name in _BALANCING):
            if candidate.weighted:
                arguments["sample_weight"] = _pick(material.weights, rows)
            else:
                self.note("It cannot weigh classes, so they count as often as they occur.")
        part = suited(_pick(matrix, rows), estimator)
        started = time.perf_counter()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if material.train_target is None:
                estimator.fit(part)
            else:
                estimator.fit(part, _pick(material.train_target, rows), **arguments)
        self.seconds = time.perf_counter() - started
        for warning in caught:
            self.note(" ".join(str(warning.message).split()).partition(". ")[0][:200])
        single_threaded(estimator)
        return estimator

    def ask(self, estimator: Any, matrix: Any, choice: Choice | None = None) -> Answers:
        """The estimator's answers for the rows of a matrix, decided by ``choice`` where there is one."""
        material = self.material
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about missing feature names: matrices have none, on purpose
            return ask(
                estimator,
                suited(matrix, estimator),
                material.task,
                classes=material.classes,
                threshold=choice.threshold if choice else material.threshold,
                cores=material.cores,
            )

    def score(self, answers: Answers, matrix: Any, rows: np.ndarray) -> float:
        """The deciding metric on some training rows; NaN where it is undefined there."""
        material = self.material
        truth = None if material.train_target is None else material.train_target[rows]
        found = measure(material.task, answers, truth, matrix=matrix[rows])
        metric = found.get(material.metric)
        return float("nan") if metric is None else metric.value

    def compete(self, candidate: Candidate, matrix: Any, folds: tuple[Fold, ...]) -> _Competed:
        """Fit on each fold and score on its other rows; the threshold is chosen on those, all folds'."""
        answered: list[Answers] = []
        estimator = None
        for fold in folds:
            estimator = None  # the one before may be large
            estimator = self.fit(candidate, matrix, fold.fit)
            answered.append(self.ask(estimator, matrix[fold.score]))
        choice = self._choice(answered, folds)
        if choice is not None:
            answered = [decided(answers, choice.threshold) for answers in answered]
        scores = [self.score(a, matrix, fold.score) for a, fold in zip(answered, folds, strict=True)]
        return _Competed(scores, estimator, choice)

    def _choice(self, answered: list[Answers], folds: tuple[Fold, ...]) -> Choice | None:
        decision, target = self.material.decision, self.material.train_target
        if decision is None or target is None:
            return None
        rows = np.concatenate([fold.score for fold in folds])
        scores = np.concatenate([a.probabilities[:, 1] for a in answered if a.probabilities is not None])
        return choose(scores, target[rows] == 1, decision)

    def note(self, message: str) -> None:
        """Keep what shall be said of the candidate, once."""
        if message not in self.notes:
            self.notes.append(message)


def train_candidate(
    candidate: Candidate,
    material: Material,
    proof: Proof,
    *,
    trials: int,
    timeout: float,
    told: Callable[[int, int, float | None], None],
) -> Trained:
    """Train one candidate, all steps.

    Args:
        candidate: What to train.
        material: The rows.
        proof: Rows to check the exported model with.
        trials, timeout: What a search may take at most, seconds.
        told: Called after each trial of a search.

    Raises:
        CandidateFailed: It could not be trained; the reason is worded.
    """
    workshop = _Workshop(material)
    with _threads(candidate, material):
        try:
            return _train(workshop, candidate, proof, trials=trials, timeout=timeout, told=told)
        except CandidateFailed:
            raise
        except MemoryError as error:
            raise CandidateFailed("It needs more memory than there is.") from error
        except ModelwrightError as error:
            raise CandidateFailed(error.reason, error.instruction) from error
        # Any estimator may be named, and any may fail in its own way; the others go on.
        except Exception as error:
            first = str(error).strip().partition("\n")[0]
            raise CandidateFailed(f"{type(error).__name__}: {first[:300]}") from error


def _train(
    workshop: _Workshop, candidate: Candidate, proof: Proof, *, trials: int, timeout: float, told: Any
) -> Trained:
    material = workshop.material
    matrices = material.matrices(candidate.recipe)
    candidate, tried, cluster_scores = _settled(
        workshop, candidate, matrices.train, trials=trials, timeout=timeout, told=told
    )
    competed = workshop.compete(candidate, matrices.train, material.plan.folds)
    estimator, choice, scores = competed.estimator, competed.choice, competed.scores
    del competed  # or it would hold a model that is let go of below
    if material.plan.refit:
        estimator = workshop.fit(candidate, matrices.train, None)
    answers = workshop.ask(estimator, matrices.test, choice)
    known = [score for score in scores if np.isfinite(score)]
    trained = Trained(
        candidate=candidate,
        preprocessor=matrices.preprocessor,
        score=float(np.mean(known)) if known else float("nan"),
        spread=float(np.std(known)) if known else 0.0,
        metrics=measure(
            material.task, answers, material.test_target, matrix=matrices.test, seed=material.seed
        ),
        answers=answers,
        fit_seconds=workshop.seconds,
        notes=(*workshop.notes, *([choice.words] if choice else [])),
        trials=tried,
        cluster_scores=cluster_scores,
        centres=getattr(estimator, "cluster_centers_", None),
        choice=choice,
        threshold=choice.threshold if choice else material.threshold,
    )
    try:
        graph, expected = _exported(matrices.preprocessor, estimator, material, proof, trained.threshold)
    except NotExportable as error:
        return replace(trained, reason=f"It cannot be exported: {error}")
    # Beside a large model's graph the model itself, which is not needed any more, would lie twice.
    del estimator
    give_back()
    return _proven(trained, graph, expected, material, proof)


def _settled(
    workshop: _Workshop, candidate: Candidate, matrix: Any, *, trials: int, timeout: float, told: Any
) -> tuple[Candidate, tuple[Trial, ...], tuple[dict[str, float], ...]]:
    """The candidate with all its settings, the trials of its search, and the scores by number of clusters."""
    material = workshop.material
    tried = _searched(workshop, candidate, matrix, trials=trials, timeout=timeout, told=told)
    if tried:
        candidate = candidate.with_settings(tried[0].settings)
    scores: tuple[dict[str, float], ...] = ()
    if material.task is Task.CLUSTERING and is_open(candidate):
        candidate, scores = choose_clusters(candidate, matrix, seed=material.seed)
    candidate, kept = kept_small(candidate, lambda small: workshop.fit(small, matrix, None), matrix.shape[0])
    if kept:
        workshop.note(kept)
    return candidate, tried, scores


def _searched(
    workshop: _Workshop, candidate: Candidate, matrix: Any, *, trials: int, timeout: float, told: Any
) -> tuple[Trial, ...]:
    """Settings that were tried, the best first; none where nothing is left open."""
    if candidate.space is None:
        return ()
    material = workshop.material
    return search(
        candidate.space,
        lambda settings, folds: workshop.compete(candidate.with_settings(settings), matrix, folds).scores,
        plan=material.plan,
        higher_is_better=higher_is_better(material.task, material.metric),
        trials=trials,
        timeout=timeout,
        seed=material.seed,
        told=told,
    )


def _exported(
    preprocessor: Preprocessor, estimator: Any, material: Material, proof: Proof, threshold: float | None
) -> tuple[bytes, Expected]:
    """The graph, and what the estimator answers for the rows that the graph is checked with."""
    count = int(estimator.n_clusters) if material.task is Task.CLUSTERING else material.classes
    graph = export_model(preprocessor, estimator, material.task, n_labels=count)
    spread = float(np.std(material.train_target)) if material.task is Task.REGRESSION else None  # type: ignore[arg-type]
    expected = Expected.of(
        preprocessor,
        estimator,
        proof.encoder,
        proof.columns,
        material.task,
        spread=spread,
        threshold=threshold,
    )
    return graph, expected


def _proven(trained: Trained, graph: bytes, expected: Expected, material: Material, proof: Proof) -> Trained:
    """The same with its graph, its parity and its latency, and the reason if it is not eligible."""
    runner = GraphRunner(graph)
    parity = compared(runner, expected, proof.encoder, proof.columns)
    reason = ""
    if not parity.holds:
        reason = (
            f"The exported model answers otherwise: {parity.labels_differ} of {parity.rows} labels differ, "
            f"by up to {parity.max_difference:.2g} (at most {parity.tolerance:.0e} is accepted)."
        )
    elif not np.isfinite(trained.score):
        reason = f"'{material.metric}' cannot be measured on the training rows."
    return replace(trained, graph=graph, parity=parity, latency=_latency(runner, proof), reason=reason)


def _latency(runner: GraphRunner, proof: Proof) -> float:
    """Median seconds of one row."""
    numbers, strings = proof.encoder.transform_dense({n: v[:1] for n, v in proof.columns.items()})
    for _ in range(20):
        runner.run(numbers, strings)
    taken = []
    for _ in range(_LATENCY_RUNS):
        started = time.perf_counter()
        runner.run(numbers, strings)
        taken.append(time.perf_counter() - started)
    return float(np.median(taken))


@contextlib.contextmanager
def _threads(candidate: Candidate, material: Material) -> Iterator[None]:
    from threadpoolctl import threadpool_limits

    openmp = _cores(candidate, material) if candidate.openmp else 1
    with (
        threadpool_limits(limits=1, user_api="blas"),
        threadpool_limits(limits=openmp, user_api="openmp"),
    ):
        yield


def _cores(candidate: Candidate, material: Material) -> int:
    return material.threads_for(openmp=candidate.openmp) if candidate.threads or candidate.openmp else 1


def _pick(values: Any, rows: np.ndarray | None) -> Any:
    return values if rows is None else values[rows]
