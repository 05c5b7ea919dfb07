"""Tables never seen before, through the whole program: trained, and then answered row by row."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
import yaml

from acceptance.program import post, run, serving
from acceptance.tables import (
    FORMS,
    Row,
    Source,
    clouds,
    delimited,
    mixed,
    priced,
    quoted,
    wide,
)

pytestmark = pytest.mark.slow

QUICK = ["decision_tree"]


class Trained(NamedTuple):
    """A project after ``up --no-serve --json``, and what that printed."""

    project: Path
    summary: dict[str, Any]
    said: str


def train(folder: Path, source: str | dict[str, str], target: str | None, **more: Any) -> Trained:
    """Write a project file for ``source``, with one quick candidate, and run it."""
    task = more.pop("task", "classification")
    train = {"candidates": more.pop("candidates", QUICK)}
    data = {"source": source, **({"target": target} if target else {})}
    file = {"name": "table", "task": task, "data": data, "train": train, **more}
    (folder / "project.yaml").write_text(yaml.safe_dump(file, allow_unicode=True), encoding="utf-8")
    return up(folder)


def up(folder: Path, *arguments: str | Path) -> Trained:
    done = run("up", *(arguments or (folder,)), "--no-serve", "--json")
    assert done.code == 0, done.err
    assert done.json["decision"] == "accepted"
    return Trained(folder, done.json, done.err)


def predict(project: Path, rows: Path) -> list[dict[str, str]]:
    """What ``predict`` answers to a file; every row must be answered, without a word about any."""
    done = run("predict", rows, "--project", project, "--format", "csv")
    assert done.code == 0, done.err
    assert not done.err, done.err
    return list(csv.DictReader(io.StringIO(done.out)))


def agreement(answers: list[dict[str, str]], truths: list[Any]) -> float:
    """Share of answers that are the truth, word for word."""
    assert len(answers) == len(truths)
    return sum(a["prediction"] == str(b) for a, b in zip(answers, truths, strict=True)) / len(truths)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_data_is_trained_on_and_answered(tmp_path, form):
    """The same rows in every form: labels come back as the file has them, no row is remarked on."""
    rows = mixed(240, dates="%d.%m.%Y" if "csv" in form else "%Y-%m-%d")
    source = FORMS[form](tmp_path, rows)
    train(tmp_path, source.said, "Résultat")
    answers = predict(tmp_path, source.rows)
    assert {answer["prediction"] for answer in answers} == {"très bon", "pas bon"}
    assert agreement(answers, [row["Résultat"] for row in rows]) > 0.9
