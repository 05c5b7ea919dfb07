"""All candidates of one part: each trained on its own, the best eligible one chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from modelwright.project.durations import seconds
from modelwright.project.model import Train
from modelwright.train.catalogue import Candidate
from modelwright.train.errors import CandidateFailed, TrainingFailed
from modelwright.train.evaluate import higher_is_better
from modelwright.train.fit import Proof, Trained, train_candidate
from modelwright.train.leaderboard import failed_row, ranked, row_of
from modelwright.train.material import Material
from modelwright.train.progress import Progress


@dataclass(frozen=True)
class Contest:
    """What came of the candidates.

    Attributes:
        winner: The best eligible one.
        trained: All that could be trained, by name; only the winner with its graph.
        leaderboard: A row a candidate, best first (see ``leaderboard``).
    """

    winner: Trained
    trained: dict[str, Trained]
    leaderboard: tuple[dict[str, Any], ...]


def compete(
    candidates: Sequence[Candidate], material: Material, proof: Proof, settings: Train, progress: Progress
) -> Contest:
    """Train every candidate; one that fails is reported and does not stop the others.

    The winner is the eligible candidate with the best score on training rows that it was not fitted
    on; ties go to the one named first. The held-out rows only measure: choosing by them would make
    the winner's own number too good.

    Raises:
        TrainingFailed: None is eligible; says why each is not.
    """
    progress.candidates([candidate.name for candidate in candidates])
    trained: dict[str, Trained] = {}
    rows: dict[str, dict[str, Any]] = {}
    best: str | None = None
    for candidate in _in_good_order(candidates, material):
        progress.candidate_started(candidate.name)
        try:
            found = train_candidate(
                candidate,
                material,
                proof,
                trials=settings.search.trials,
                timeout=seconds(settings.search.timeout),
                told=lambda number, total, value, name=candidate.name: progress.trial(  # type: ignore[misc]
                    name, number, total, value
                ),
            )
        except CandidateFailed as error:
            rows[candidate.name] = failed_row(candidate, material, str(error))
        else:
            rows[candidate.name] = row_of(found, material)
            best, found = _better(best, found, trained, material, candidates)
            trained[candidate.name] = found
        progress.candidate_finished(candidate.name, rows[candidate.name])
    material.release()
    leaderboard = ranked([rows[candidate.name] for candidate in candidates], material)
    if best is None:
        raise TrainingFailed(
            "None of the candidates can become a version.",
            "Mend their settings under train.candidates, or choose others.",
            details=[f"{row['candidate']}: {row['reason']}" for row in leaderboard],
        )
    return Contest(trained[best], trained, leaderboard)


def _in_good_order(candidates: Sequence[Candidate], material: Material) -> list[Candidate]:
    """With many rows, candidates that want the same matrix come one after the other."""
    if not material.large:
        return list(candidates)
    recipes = list(dict.fromkeys(candidate.recipe for candidate in candidates))
    return sorted(candidates, key=lambda candidate: recipes.index(candidate.recipe))


def _better(
    best: str | None,
    found: Trained,
    trained: dict[str, Trained],
    material: Material,
    candidates: Sequence[Candidate],
) -> tuple[str | None, Trained]:
    """Who leads now; whoever doesn't gives up its graph, which may be large."""
    if not found.eligible:
        return best, replace(found, graph=b"")
    name = found.candidate.name
    if best is None:
        return name, found
    order = [candidate.name for candidate in candidates]
    sign = 1.0 if higher_is_better(material.task, material.metric) else -1.0
    mine, theirs = sign * found.score, sign * trained[best].score
    tie = np.isclose(mine, theirs, rtol=0, atol=1e-12)
    if (mine > theirs and not tie) or (tie and order.index(name) < order.index(best)):
        trained[best] = replace(trained[best], graph=b"")
        return name, found
    return best, replace(found, graph=b"")
