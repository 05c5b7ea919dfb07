"""Whether rows that clients send for training can become rows of a project's data."""

from __future__ import annotations

from modelwright.project.model import ProjectFile


def why_not_taken_up(file: ProjectFile) -> str:
    """Why a retraining of the project takes up no sent rows, a sentence; empty where it does.

    Where models have data of their own, a sent row would be a row of all of them; where features are looked
    up by a key, it has the key only.
    """
    if file.online is not None:
        return "Its features are looked up by a key, so a sent row does not hold what a model learns from."
    if any(model.data is not None for model in file.models.values()):
        return "Its models have data of their own, so there is no one table that a sent row belongs to."
    return ""
