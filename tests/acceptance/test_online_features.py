"""Features looked up by a key: brought into the store, taken by running servers, answered without."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from acceptance.program import environment, example, run, serving, train

pytestmark = pytest.mark.slow

ROW = {"usage_freq": 40, "amount_spend": 3000, "uniq_merchant": 20, "k": 7}
NAME = "************0003"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The card holders, trained on few made transactions with one plain model each."""
    folder = example("cardholders", tmp_path_factory.mktemp("cards"))
    make = [sys.executable, "-B", str(folder / "make_data.py"), "--rows", "4000"]
    subprocess.run(make, check=True, capture_output=True)
    text = (folder / "project.yaml").read_text(encoding="utf-8")
    start, end = text.index("        - hist_gradient"), text.index("      metric: roc_auc")
    (folder / "project.yaml").write_text(
        (text[:start] + text[end:]).replace("roc_auc: 0.82", "roc_auc: 0.5").replace("0.3}", "0}"),
        encoding="utf-8",
    )
    done = train("up", folder, "--no-serve")
    assert done.code == 0 and "The store knows" in done.out + done.err, done.err
    return folder


def parsed(*arguments: str | Path) -> Any:
    """What a command prints as JSON."""
    done = run(*arguments)
    assert done.code == 0, done.err
    return done.json


def ask(url: str, **changed: Any) -> dict[str, Any]:
    """The answer to a request."""
    reply = httpx.post(f"{url}/predict", json={"input": {**ROW, **changed}})
    assert reply.status_code == 200, reply.text
    answer: dict[str, Any] = reply.json()
    return answer


def chance(answer: dict[str, Any]) -> float:
    """The probability that they will spend."""
    return float(answer["outputs"]["will_spend"]["probabilities"]["1"])


def test_a_running_server_takes_a_new_generation(trained: Path):
    """Known names are answered by their history, strangers from the population with a warning."""
    with serving("serve", trained, "--workers", "1", cwd=trained) as server:
        known, stranger = ask(server.url, name=NAME), ask(server.url, name="A. Stranger")
        assert "warnings" not in known and known["will_spend"] in (0, 1)
        assert known["predicted_cluster"] == known["outputs"]["predicted_cluster"]["prediction"]
        assert [each["type"] for each in stranger["warnings"]] == ["key_unknown"]
        assert [each["type"] for each in ask(server.url)["warnings"]] == ["key_missing"]
        assert chance(ask(server.url, name=None)) == chance(stranger) != chance(known)
        listed = httpx.post(f"{server.url}/predict", json={"instances": [{**ROW, "name": NAME}, ROW]}).json()
        assert [chance(each) for each in listed["predictions"]] == [chance(known), chance(stranger)]
        parsed("features", "update", trained, "--at", "2015-06-30", "--json")
        until = time.monotonic() + 20
        while chance(ask(server.url, name=NAME)) == chance(known) and time.monotonic() < until:
            time.sleep(0.1)
        assert chance(ask(server.url, name=NAME)) != chance(known)
        assert chance(ask(server.url, name="A. Stranger")) == chance(stranger)


def test_an_answer_says_in_which_generation_was_looked_up(trained: Path):
    """The answer by its number; ``why``, the lineage's route and the dashboard by what it was."""
    first = parsed("features", "update", trained, "--json")["generation"]
    with serving("serve", trained, "--workers", "1", cwd=trained) as server:
        answer = ask(server.url, name=NAME)
        stranger = ask(server.url, name="A. Stranger")
        assert answer["features_generation"] == stranger["features_generation"] == first
        id = answer["prediction_id"]
        until = time.monotonic() + 20
        while (found := httpx.get(f"{server.url}/predictions/{id}")).status_code == 404:
            assert time.monotonic() < until
            time.sleep(0.1)
        features = found.json()["lineage"]["features"]
        assert (features["number"], features["live"]) == (first, True) and features["keys"] > 10
        page = httpx.get(f"{server.url}/dashboard/cardholders/predictions/{id}").text
        assert f"Features, generation {first}" in page and "taken its place" not in page
        parsed("features", "update", trained, "--at", "2015-03-31", "--json")
        page = httpx.get(f"{server.url}/dashboard/cardholders/predictions/{id}").text
        assert "a newer generation has taken its place since" in page
    told = run("why", id, "-p", trained)
    assert f"looked up    in generation {first} of the features: " in told.out
    assert "a newer generation has taken its place since" in told.out
    parsed("features", "update", trained, "--json")


def test_an_update_is_idempotent_and_tells_how_many(trained: Path):
    """Over the same data and day nothing changes; back and forth, keys are counted."""
    first = parsed("features", "update", trained, "--json")
    again = parsed("features", "update", trained, "--json")
    assert again["changed"] is False and again["generation"] == first["generation"]
    early = parsed("features", "update", trained, "--at", "2014-12-31", "--json")
    assert early["changed"] and early["keys"] + early["removed"] == first["keys"] and not early["added"]
    assert early["as_of"].startswith("2014-12-31")


def test_prediction_at_the_command_line_knows_what_a_server_knows(trained: Path):
    """The same row and name, the same answer; a name shown is the one that is looked up."""
    parsed("features", "update", trained, "--json")
    words = [f"{name}={value}" for name, value in ROW.items()]
    (row,) = parsed("predict", "--project", trained, "--json", *words, f"name={NAME}")
    with serving("serve", trained, "--workers", "1", cwd=trained) as server:
        assert row["outputs"]["will_spend"] == ask(server.url, name=NAME)["outputs"]["will_spend"]
    shown = parsed("features", "show", NAME, "--project", trained, "--json")
    assert shown["features"]["recency"] >= 0
    missing = run("features", "show", "nobody", "--project", trained)
    assert missing.code == 2 and "Nothing is known of 'nobody'" in missing.err


def test_reproducing_gives_the_same_bundle(trained: Path):
    """Both models are made again, bit for bit."""
    done = parsed("reproduce", "1", "--project", trained, "--json")
    assert done["same"] is True


def test_the_notebook_runs_and_draws(trained: Path):
    """Every cell of the exploration works, and shows its plots."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(trained / "exploration.ipynb", as_version=4)
    client = NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(trained)}})
    client.execute(env=environment(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1"))
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 9
