"""Held-out rows that are worth a look: those the model was surest of and wrong about."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from modelwright.bundle.pictures import Picture, PictureInvalid, data_url
from modelwright.schema.metrics import Task
from modelwright.train.report.insight import Mistake
from modelwright.train.report.subject import Subject

_MISTAKES = 8
_VALUES = 5
_LONGEST = 48
_SIDE = 96  # pixels of a picture's longer side


def mistakes(subject: Subject, ranked: Sequence[str]) -> tuple[Mistake, ...]:
    """The worst answers, worst first; none for a clustering, which has no truth.

    Args:
        subject: The winner.
        ranked: Columns, the most important first: their values are shown.
    """
    prepared, answers = subject.made.prepared, subject.made.contest.winner.answers
    truth = prepared.material.test_target
    if truth is None or subject.task is Task.CLUSTERING:
        return ()
    if subject.task is Task.REGRESSION:
        assert answers.values is not None  # noqa: S101 - what a regression answers
        weights = np.abs(truth - answers.values)
        told = [(f"{a:.6g}", f"{b:.6g}") for a, b in zip(truth, answers.values, strict=True)]
        wrong = weights > 0
    else:
        assert answers.labels is not None and answers.probabilities is not None  # noqa: S101 - a classifier's
        weights = answers.probabilities[np.arange(len(truth)), answers.labels]
        told = [(subject.names[a], subject.names[b]) for a, b in zip(truth, answers.labels, strict=True)]
        wrong = answers.labels != truth
    order = np.argsort(-weights, kind="stable")
    return tuple(
        Mistake(
            row=int(prepared.held_out_rows[place]) + 1,
            truth=told[place][0],
            answer=told[place][1],
            weight=float(weights[place]),
            values={name: _shown(prepared.held_out[name][place]) for name in ranked[:_VALUES]},
        )
        for place in order[wrong[order]][:_MISTAKES]
    )


def _shown(value: Any) -> str:
    if isinstance(value, Picture):
        return _thumbnail(value)
    if isinstance(value, np.datetime64):
        return "" if np.isnat(value) else str(value.astype("datetime64[s]")).replace("T", " ")
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else f"{value:.6g}"
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _thumbnail(picture: Picture) -> str:
    """A small copy as a data URL, so that the page needs no file; the name where the file is gone."""
    try:
        small = picture.image.copy()
    except (OSError, PictureInvalid):
        return f"{picture[: _LONGEST - 1]}…"
    small.thumbnail((_SIDE, _SIDE))
    file = io.BytesIO()
    small.save(file, "JPEG", quality=80)
    return data_url(file.getvalue())
