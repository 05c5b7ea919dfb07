"""Kernel ridge and late fusion: what they learn, what they answer with gaps, their graphs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from modelwright.bundle.export import NotExportable, export_model
from modelwright.bundle.fusion import LateFusion, columns_of, seen_rows
from modelwright.bundle.kernels import KernelRidgeClassifier
from modelwright.bundle.preprocess import Preprocessor, Recipe
from modelwright.bundle.session import GraphRunner
from modelwright.schema.metrics import Task

WORDS, PICTURE = 12, 8
SPANS = (("text", ((0, WORDS),)), ("image", ((WORDS, WORDS + PICTURE),)))


def rows_of(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows of three classes, told well by the first columns and less well by the others."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 3, count)
    matrix = draw.normal(size=(count, WORDS + PICTURE)).astype(np.float32)
    matrix[np.arange(count), labels] += 3.0
    matrix[np.arange(count), WORDS + labels] += 1.5
    return matrix, labels


def fusion(text: Any = None, image: Any = None) -> LateFusion:
    """An unfitted fusion of two."""
    members = (
        text or KernelRidgeClassifier(kernel="linear", alpha=1.0),
        image or KernelRidgeClassifier(),
    )
    return LateFusion(
        tuple((name, one, spans) for (name, spans), one in zip(SPANS, members, strict=True)), random_state=0
    )


def graph_of(estimator: Any, width: int, labels: int = 3) -> GraphRunner:
    """A fitted estimator's graph over plain numbers."""
    plain = Preprocessor(
        recipe=Recipe(impute=False, scale=False),
        number_names=tuple(f"n{place}" for place in range(width)),
        string_names=(),
        text_width=width,
    )
    return GraphRunner(export_model(plain, estimator, Task.CLASSIFICATION, n_labels=labels))


def check_graph(estimator: Any, matrix: np.ndarray, labels: int = 3) -> None:
    """The graph gives the estimator's labels and probabilities."""
    found, probabilities = graph_of(estimator, matrix.shape[1], labels).run(matrix, np.empty((0, 0)))
    np.testing.assert_array_equal(found, estimator.predict(matrix))
    np.testing.assert_allclose(probabilities, estimator.predict_proba(matrix), atol=1e-6)


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_leave_one_out_is_what_it_says(kernel: str) -> None:
    """The closed form gives what fitting without each row would give."""
    matrix, labels = rows_of(40)
    whole = KernelRidgeClassifier(kernel=kernel, gamma=0.05).fit(matrix, labels)  # type: ignore[arg-type]
    assert whole.loo_proba_ is not None
    for row in (0, 7, 23):
        others = np.arange(40) != row
        again = KernelRidgeClassifier(kernel=kernel, gamma=0.05).fit(matrix[others], labels[others])  # type: ignore[arg-type]
        scores = again.decision_function(matrix[row : row + 1]) * whole.sharpness_
        expected = np.exp(scores) / np.exp(scores).sum()
        np.testing.assert_allclose(whole.loo_proba_[row], expected[0], atol=1e-8)


def test_kernel_ridge_answers_like_a_support_vector_machine() -> None:
    """On rows it has not seen it is about as accurate, and its probabilities mean something."""
    matrix, labels = rows_of(400)
    later, truth = rows_of(400, seed=1)
    ours = KernelRidgeClassifier().fit(matrix, labels)
    theirs = SVC(C=10).fit(matrix, labels)
    assert ours.score(later, truth) >= theirs.score(later, truth) - 0.02
    sure = ours.predict_proba(later).max(axis=1)
    assert abs(sure.mean() - ours.score(later, truth)) < 0.08


def test_many_rows_are_answered_from_drawn_centres() -> None:
    """Beyond the limit some rows stand for all, the answers stay good, and a graph is as small."""
    matrix, labels = rows_of(400)
    later, truth = rows_of(200, seed=1)
    drawn = KernelRidgeClassifier(centres=60, random_state=0).fit(matrix, labels)
    assert drawn.centres_.shape == (60, WORDS + PICTURE) and drawn.loo_proba_ is None
    assert drawn.score(later, truth) > 0.85
    check_graph(drawn, later)


def test_sparse_and_dense_words_are_the_same() -> None:
    """The linear kernel takes CSR matrices and answers alike."""
    matrix, labels = rows_of(60)
    dense = KernelRidgeClassifier(kernel="linear").fit(matrix, labels)
    thin = KernelRidgeClassifier(kernel="linear").fit(sparse.csr_matrix(matrix), labels)
    np.testing.assert_allclose(dense.predict_proba(matrix), thin.predict_proba(sparse.csr_matrix(matrix)))


def test_together_they_know_more() -> None:
    """The fusion is better than either member where both see something."""
    matrix, labels = rows_of(300)
    later, truth = rows_of(600, seed=1)
    fused = fusion().fit(matrix, labels)
    alone = [
        member.score(columns_of(later, spans), truth)
        for (_, spans), member in zip(SPANS, fused.members_.values(), strict=True)
    ]
    assert fused.score(later, truth) > max(alone)
    assert (fused.exponents_ > 0).all()


def test_what_is_missing_is_answered_by_what_is_there() -> None:
    """With one part all zeros the other answers as it would alone; with none, the classes' shares do."""
    matrix, labels = rows_of(200)
    fused = fusion().fit(matrix, labels)
    no_text, no_image, nothing = matrix.copy(), matrix.copy(), np.zeros_like(matrix)
    no_text[:, :WORDS] = 0
    no_image[:, WORDS:] = 0
    text, image = fused.members_.values()
    np.testing.assert_allclose(fused.predict_proba(no_text), image.predict_proba(matrix[:, WORDS:]))
    np.testing.assert_allclose(fused.predict_proba(no_image), text.predict_proba(matrix[:, :WORDS]))
    np.testing.assert_allclose(fused.predict_proba(nothing)[0], np.bincount(labels) / len(labels))


def test_members_learn_from_rows_that_show_them_something() -> None:
    """Training rows without an image do not teach the image's model that nothing means something."""
    matrix, labels = rows_of(200)
    gaps = matrix.copy()
    gaps[::2, WORDS:] = 0
    fused = fusion().fit(gaps, labels)
    own = KernelRidgeClassifier().fit(matrix[1::2, WORDS:], labels[1::2])
    np.testing.assert_allclose(
        fused.members_["image"].predict_proba(matrix[:, WORDS:]), own.predict_proba(matrix[:, WORDS:])
    )


@pytest.mark.parametrize("thin", [False, True])
def test_graphs_answer_as_the_fusion_does(thin: bool) -> None:
    """Also for rows without one part, and without any."""
    matrix, labels = rows_of(120)
    fused = fusion(text=LogisticRegression()).fit(sparse.csr_matrix(matrix) if thin else matrix, labels)
    later, _ = rows_of(60, seed=1)
    later[:20, :WORDS] = 0
    later[10:30, WORDS:] = 0
    check_graph(fused, later)


def test_a_class_that_a_member_never_saw_is_still_answered() -> None:
    """A class without a single image is known from its texts."""
    matrix, labels = rows_of(150)
    matrix[labels == 2, WORDS:] = 0
    fused = fusion().fit(matrix, labels)
    assert list(fused.members_["image"].classes_) == [0, 1]
    assert (fused.predict(matrix)[labels == 2] == 2).mean() > 0.8
    check_graph(fused, matrix)


def test_a_fusion_of_two_classes_exports() -> None:
    """Two labels are no special case."""
    matrix, labels = rows_of(100)
    fused = fusion().fit(matrix, np.minimum(labels, 1))
    check_graph(fused, matrix, labels=2)


def test_a_member_without_a_graph_of_ours_is_refused_with_a_reason() -> None:
    """It could not be told whether its graph would answer alike."""
    matrix, labels = rows_of(60)
    member = fusion().fit(matrix, labels)
    member.members_["image"] = SVC().fit(matrix[:, WORDS:], labels)
    with pytest.raises(NotExportable, match="SVC has no graph"):
        graph_of(member, WORDS + PICTURE)


def test_a_part_that_is_nowhere_cannot_be_learned() -> None:
    """All images missing is told, not trained on."""
    matrix, labels = rows_of(40)
    matrix[:, WORDS:] = 0
    with pytest.raises(ValueError, match="anything in it for 'image'"):
        fusion().fit(matrix, labels)


def test_rows_with_anything_are_seen() -> None:
    """Negative numbers and numbers that cancel count too."""
    matrix = np.array([[0, 0], [1, -1], [0, -2]], dtype=np.float32)
    for form in (matrix, sparse.csr_matrix(matrix)):
        assert seen_rows(form).tolist() == [False, True, True]
