"""A project that outgrew its SQLite file moves to PostgreSQL and back with all that was recorded."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from acceptance.program import get, here, post, run, serving, train

pytestmark = [pytest.mark.slow, pytest.mark.postgres]

PROJECT = {
    "name": "iris",
    "data": {"source": "sklearn:iris", "target": "target"},
    "train": {"candidates": ["logistic_regression"]},
}
SETOSA = {"id": "first", "features": [5.1, 3.5, 1.4, 0.2]}


def told(folder: Path, log: Path) -> list[object]:
    """What a person may ask of the record."""
    assert here("log", "export", log, "-p", folder).code == 0
    return [
        log.read_text(),
        *(
            here(*line, "--json").json
            for line in (
                ("why", "first", "-p", folder),
                ("history", folder),
                ("versions", folder),
                ("thresholds", folder),
                ("keys", "list", "-p", folder),
            )
        ),
    ]


def test_the_record_comes_along_and_the_service_goes_on(tmp_path, tmp_project, postgres_url, monkeypatch):
    """Answers, truths, samples, events and keys; what is asked again under its id is answered as before."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA iris")  # one database for many projects, a schema each
    place = f"{postgres_url}?options=-csearch_path%3D{{project}}"
    folder = tmp_project(PROJECT)
    assert train("train", folder).code == 0
    assert here("keys", "create", "shop", "-p", folder).code == 0
    with serving("serve", folder, "--workers", "1") as server:
        _, answer = post(f"{server.url}/predict", SETOSA)
        for row in range(20):
            post(f"{server.url}/predict", {"id": f"p{row}", "features": [5.0 + row / 10, 3.0, 4.5, 1.5]})
        assert post(f"{server.url}/predict", {"features": ["wide"]})[0] == 400
        post(f"{server.url}/feedback", {"prediction_id": "first", "target": 0})
        post(f"{server.url}/add_training_data", {"features": SETOSA["features"], "target": 0})
        busy = here("store", "copy", folder, "--to", place)
        assert busy.code == 9 and "A server runs on" in busy.err
    before = told(folder, tmp_path / "before.jsonl")

    # A process of its own, as a person starts it, right after the server's end.
    copied = run("store", "copy", folder, "--to", place)
    assert copied.code == 0, copied.err
    assert f"export MODELWRIGHT_STORE_URL='{place}'" in copied.out
    monkeypatch.setenv("MODELWRIGHT_STORE_URL", place)
    (folder / ".modelwright" / "store.db").rename(tmp_path / "old.db")
    assert told(folder, tmp_path / "there.jsonl") == before

    with serving("serve", folder, "--workers", "1", MODELWRIGHT_STORE_URL=place) as server:
        assert post(f"{server.url}/predict", SETOSA)[1] == answer
        assert post(f"{server.url}/predict", {**SETOSA, "id": "new"})[1]["prediction"] == answer["prediction"]
        assert get(f"{server.url}/metrics")[1]["new_samples_pending"] == 2

    back = here("store", "copy", folder, "--to", f"sqlite:///{folder / '.modelwright' / 'store.db'}")
    assert back.code == 0, back.err
    assert "unset MODELWRIGHT_STORE_URL" in back.out
    monkeypatch.delenv("MODELWRIGHT_STORE_URL")
    again = told(folder, tmp_path / "back.jsonl")
    assert str(again[0]).splitlines()[1:] == str(before[0]).splitlines()
    assert again[1] == before[1]
