"""Better settings by Optuna, within a number of trials and a time, on training rows only.

The result is the same from run to run as long as the number of trials ends the search, not the time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from modelwright.train.errors import CandidateFailed, SettingsInvalid
from modelwright.train.folds import FOLDS, Fold, Plan

_SEARCH_FOLDS = 3


@dataclass(frozen=True)
class Trial:
    """One try of a search."""

    number: int
    settings: dict[str, Any]
    score: float


def search(
    space: dict[str, Any],
    compete: Callable[[dict[str, Any], tuple[Fold, ...]], list[float]],
    *,
    plan: Plan,
    higher_is_better: bool,
    trials: int,
    timeout: float,
    seed: int,
    told: Callable[[int, int, float | None], None],
) -> tuple[Trial, ...]:
    """Try settings within ``space``; the best trial comes first, then the others in their order.

    A tree-structured Parzen estimator picks them (Bergstra et al., 2011). Three of the folds score a
    trial. The candidate competes with the best settings on all folds afterwards, as every other
    candidate does, so that a long search earns no bonus for its luck.

    Raises:
        CandidateFailed: Every trial failed; says how the last one did.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    folds = plan.folds[:_SEARCH_FOLDS] if len(plan.folds) >= FOLDS else plan.folds
    done: list[Trial] = []
    failures: list[Exception] = []
    best: list[float] = []

    def objective(trial: Any) -> float:
        settings = {name: _suggest(trial, name, ranges) for name, ranges in space.items()}
        try:
            score = float(np.mean(compete(settings, folds)))
        # Settings that don't go together are what a search finds out, whatever the library raises.
        except Exception as error:
            failures.append(error)
            raise optuna.TrialPruned from error
        if not np.isfinite(score):
            raise optuna.TrialPruned
        done.append(Trial(trial.number, settings, score))
        return score

    def finished(_study: Any, trial: Any) -> None:
        best[:] = [(max if higher_is_better else min)(t.score for t in done)] if done else []
        told(trial.number + 1, trials, best[0] if best else None)

    study = optuna.create_study(
        direction="maximize" if higher_is_better else "minimize",
        sampler=optuna.samplers.TPESampler(seed=seed),
    )
    study.optimize(objective, n_trials=trials, timeout=timeout, callbacks=[finished])
    if not done:
        why = f": {failures[-1]}" if failures else ""
        raise CandidateFailed(f"None of the {len(study.trials)} trials of its search worked{why}")
    done.sort(key=lambda trial: trial.number)
    winner = (max if higher_is_better else min)(done, key=lambda trial: trial.score)
    return (winner, *(trial for trial in done if trial is not winner))


def check_space(candidate: str, space: dict[str, Any]) -> None:
    """Refuse ranges that mean nothing.

    Raises:
        SettingsInvalid: Names the setting.
    """
    for name, ranges in space.items():
        if not _is_range(ranges) and not (isinstance(ranges, list) and len(ranges) > 0):
            raise SettingsInvalid(
                f"The search of '{candidate}' has no range for '{name}': {ranges!r}.",
                "Write [least, most], [least, most, log], or a list of choices.",
            )
        if _is_range(ranges) and (ranges[0] >= ranges[1] or (len(ranges) == 3 and ranges[0] <= 0)):
            raise SettingsInvalid(
                f"The search of '{candidate}' has an empty range for '{name}': {ranges!r}.",
                "Write the least value first; with log it must be above zero.",
            )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_range(ranges: Any) -> bool:
    if not isinstance(ranges, Sequence) or isinstance(ranges, str):
        return False
    plain = len(ranges) == 2 or (len(ranges) == 3 and ranges[2] == "log")
    return plain and all(_is_number(bound) for bound in ranges[:2])


def _suggest(trial: Any, name: str, ranges: Any) -> Any:
    if not _is_range(ranges):
        return trial.suggest_categorical(name, list(ranges))
    low, high, log = ranges[0], ranges[1], len(ranges) == 3
    if isinstance(low, int) and isinstance(high, int):
        return trial.suggest_int(name, low, high, log=log)
    return trial.suggest_float(name, float(low), float(high), log=log)
