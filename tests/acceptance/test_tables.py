"""Tables never seen before, through the whole program: trained, and then answered row by row."""

from __future__ import annotations

import csv
import io
import random
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
import yaml

from acceptance import program
from acceptance.program import post, run, serving
from acceptance.tables import (
    FORMS,
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
    done = program.train("up", *(arguments or (folder,)), "--no-serve", "--json")
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


def test_a_postgresql_query_is_trained_on(tmp_path, postgres_url):
    """Rows come from a database; the password is in no file of the project."""
    rows = mixed(240)
    columns = ", ".join(f"{quoted(name)} {_sql_type(rows[0][name])}" for name in rows[0])
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as connection:
        connection.execute(f"create table sales ({columns})")
        marks = ", ".join(["%s"] * len(rows[0]))
        with connection.cursor() as cursor:
            cursor.executemany(f"insert into sales values ({marks})", [tuple(row.values()) for row in rows])
    (tmp_path / "rows.csv").write_bytes(delimited(rows))
    train(tmp_path, {"url": postgres_url, "query": "select * from sales"}, "Résultat")
    answers = predict(tmp_path, tmp_path / "rows.csv")
    assert agreement(answers, [row["Résultat"] for row in rows]) > 0.9


def _sql_type(value: Any) -> str:
    return {int: "bigint", float: "double precision"}.get(type(value), "text")


@pytest.mark.parametrize(("count", "columns"), [(100, 3), (400, 200)])
def test_narrow_and_wide_tables(tmp_path, count, columns):
    """Three columns and two hundred; labels of whole numbers come back as whole numbers."""
    rows = wide(count, columns)
    (tmp_path / "wide.csv").write_bytes(delimited(rows))
    train(tmp_path, "wide.csv", "class", candidates=["logistic_regression"])
    answers = predict(tmp_path, tmp_path / "wide.csv")
    assert {answer["prediction"] for answer in answers} == {"0", "1"}
    assert agreement(answers, [row["class"] for row in rows]) > 0.8


def test_a_hundred_thousand_rows(tmp_path):
    """A long table is trained on, and answered in a stream."""
    draw = random.Random(5)
    lines = ["when,amount,shop,fraud"]
    for _ in range(100_000):
        amount, shop = draw.expovariate(0.01), draw.randint(0, 3000)
        fraud = "yes" if amount > 250 and shop % 2 else "no"
        lines.append(f"2024-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d},{amount:.2f},s{shop},{fraud}")
    (tmp_path / "long.csv").write_text("\n".join(lines))
    made = train(tmp_path, "long.csv", "fraud", candidates=["logistic_regression"])
    assert made.summary["metrics"]["accuracy"]["value"] > 0.8
    answers = predict(tmp_path, tmp_path / "long.csv")
    assert len(answers) == 100_000
    assert {answer["prediction"] for answer in answers} == {"yes", "no"}


def test_a_number_is_predicted(tmp_path):
    """A regression from whole numbers and a category; `?` is missing."""
    rows = priced(200)
    (tmp_path / "prices.csv").write_bytes(delimited(rows, ";"))
    train(tmp_path, "prices.csv", "price", task="regression", candidates=["ridge"])
    for answer, row in zip(predict(tmp_path, tmp_path / "prices.csv"), rows, strict=True):
        assert float(answer["prediction"]) == pytest.approx(row["price"], abs=25)


def test_groups_are_found(tmp_path):
    """A clustering finds the three places there are, and tells which row is near which."""
    rows = clouds(150)
    (tmp_path / "places.csv").write_bytes(delimited(rows))
    train(tmp_path, "places.csv", None, task="clustering", candidates=["kmeans"])
    answers = predict(tmp_path, tmp_path / "places.csv")
    groups = {(round(row["east"] / 10), round(row["north"] / 10)) for row in rows}
    found = {
        (round(row["east"] / 10), round(row["north"] / 10), answer["prediction"])
        for row, answer in zip(rows, answers, strict=True)
    }
    assert len(groups) == len(found) == 3


SETS: dict[str, tuple[str, float]] = {
    "wine": ("accuracy", 0.8),
    "breast_cancer": ("accuracy", 0.9),
    "digits": ("accuracy", 0.9),
    "diabetes": ("r2", 0.3),
}


@pytest.mark.parametrize("name", SETS)
def test_the_sets_of_scikit_learn(tmp_path, name):
    """They are learned as well as is usual, and their own file is answered."""
    metric, least = SETS[name]
    task, candidate = ("regression", "ridge") if metric == "r2" else ("classification", "logistic_regression")
    made = train(tmp_path, f"sklearn:{name}", "target", task=task, candidates=[candidate])
    assert made.summary["metrics"][metric]["value"] > least
    file = tmp_path / "data" / f"{name}.csv"
    truths = [row["target"] for row in csv.DictReader(io.StringIO(file.read_text()))]
    answers = predict(tmp_path, file)
    if task == "classification":
        assert agreement(answers, truths) > least


def test_server_and_predict_answer_alike(tmp_path):
    """One row of everything, and a batch, answered over HTTP as from the command line; nothing inferred
    was told beforehand."""
    rows = mixed(120, seed=9, dates="%d.%m.%Y")
    (tmp_path / "mixed.csv").write_bytes(delimited(rows))
    (tmp_path / "project.yaml").write_text(
        "name: mixed\ntask: classification\n"
        "data: {source: mixed.csv, target: Résultat}\ntrain: {candidates: [logistic_regression]}\n"
    )
    up(tmp_path)
    by_file = predict(tmp_path, tmp_path / "mixed.csv")
    with serving("serve", tmp_path) as server:
        status, batch = post(f"{server.url}/predict", {"instances": rows})
        assert status == 200, batch
        status, single = post(f"{server.url}/predict", {"features": rows[0]})
        assert status == 200, single
    assert "warnings" not in single or not single["warnings"]
    for one, other in zip(by_file, batch["predictions"], strict=True):
        assert one["prediction"] == other["prediction"]
        for label, probability in other["probabilities"].items():
            assert float(one[f"p({label})"]) == pytest.approx(probability, abs=1e-6)
    assert single["probabilities"] == pytest.approx(batch["predictions"][0]["probabilities"], abs=1e-6)
