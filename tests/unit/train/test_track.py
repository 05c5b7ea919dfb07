"""What MLflow knows of a training, and that its models answer as the bundle does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from modelwright.monitor import aliases
from modelwright.project.load import load
from modelwright.store.engine import open_store
from modelwright.train.aliases import follow
from modelwright.train.errors import TrackingUnavailable
from modelwright.train.track import tracking
from unit.train.conftest import made_csv

pytestmark = pytest.mark.slow

_ASK = """
import json, os, sys, warnings
warnings.simplefilter("ignore")
import mlflow, pandas as pd
from pathlib import Path
from modelwright.bundle.read import open_bundle
folder, name, bundle = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
uri = f"sqlite:///{folder}/.modelwright/mlflow.db"
mlflow.set_tracking_uri(uri); mlflow.set_registry_uri(uri)
model = mlflow.pyfunc.load_model(f"models:/{name}@champion")
frame = pd.read_csv(folder / "data.csv")
inputs = [column.name for column in model.metadata.signature.inputs.inputs]
theirs = model.predict(frame[inputs])
rows = json.loads(frame[list(open_bundle(bundle).schema.inputs.names)].to_json(orient="records"))
ours = [answer["model"] for answer in open_bundle(bundle).predict_rows(rows)]
client = mlflow.MlflowClient()
runs = client.search_runs([e.experiment_id for e in client.search_experiments()])
print(json.dumps({
    "same": [a.prediction for a in ours] == theirs.iloc[:, 0].tolist(),
    "columns": list(theirs.columns),
    "example": model.input_example is not None,
    "aliases": client.get_registered_model(name).aliases,
    "runs": {run.info.run_name: {
        "status": run.info.status,
        "metrics": sorted(run.data.metrics),
        "tags": dict(run.data.tags),
        "data": [item.dataset.digest for item in run.inputs.dataset_inputs],
        "files": sorted(item.path for item in client.list_artifacts(run.info.run_id)),
    } for run in runs},
}))
"""


def asked(folder: Path, name: str, bundle: Path) -> dict:
    done = subprocess.run(
        [sys.executable, "-c", _ASK, str(folder), name, str(bundle)],
        env={"PYTHONPATH": str(Path(__file__).parents[3] / "src"), "MLFLOW_DISABLE_TELEMETRY": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_plain_model_is_an_onnx_model(tmp_project, train):
    """Numbers only, labels 0 and 1: MLflow's onnx flavour gives label and probabilities as we do."""
    rows = "".join(f"{i % 7 / 3},{i % 11 / 5},{int(i % 7 > 3)}\n" for i in range(150))
    project = {
        "name": "plain",
        "data": {"source": "data.csv", "target": "y"},
        "train": {"candidates": ["logistic_regression", "knn"]},
    }
    folder = tmp_project(project, git=True)
    (folder / "data.csv").write_text("a,b,y\n" + rows)
    outcome = train(folder)
    found = asked(folder, "plain", outcome.bundle)
    assert found["same"] and found["columns"] == ["label", "p0", "p1"] and found["example"]
    assert {name: str(version) for name, version in found["aliases"].items()} == {"champion": "1"}
    winner = found["runs"][outcome.models[0].winner]
    assert winner["status"] == "FINISHED" and winner["data"] == [outcome.dataset_md5]
    assert {"f1", "f1_low", "f1_high", "fit_seconds", "selection_score"} <= set(winner["metrics"])
    assert winner["tags"]["dataset_md5"] == outcome.dataset_md5 and winner["tags"]["git_commit"]
    assert "plots" in winner["files"]
    assert found["runs"]["version 1"]["files"] == ["report.html"]


def test_a_model_that_needs_python_first_opens_the_bundle(tmp_project, train):
    """Dates, categories with gaps and text labels: a Python function answers as the bundle does."""
    project = {
        "name": "mixed",
        "data": {"source": "data.csv", "target": "label", "drop": ["amount"]},
        "train": {"candidates": ["logistic_regression"]},
    }
    folder = tmp_project(project, {"data.csv": made_csv()})
    found = asked(folder, "mixed", train(folder).bundle)
    assert found["same"] and found["columns"][0] == "prediction"


def test_the_aliases_follow_whoever_released(tmp_project, train):
    """What another process released is followed by tag, once; a failure is noted, told once and mended."""
    project = {
        "name": "alias",
        "data": {"source": "data.csv", "target": "label", "drop": ["amount"]},
        "train": {"candidates": ["decision_tree"]},
    }
    folder = tmp_project(project, {"data.csv": made_csv()})
    first, second = train(folder), train(folder)
    working = load(folder).working
    place = {"uri": f"sqlite:///{working}/mlflow.db", "working": working}
    with open_store(path=working / "store.db") as store:
        assert aliases.lag(store, "alias") is None, "the training told MLflow of its own release"
        beside = {"canary": {"version": second.version, "share": 0.1}}
        store.releases.append("alias", first.version, reason="x", actor="dashboard", settings=beside)
        elsewhere = {**place, "uri": f"sqlite:///{working}/other.db"}
        assert "no tracking database" in follow(store, "alias", **elsewhere)
        assert "no tracking database" in follow(store, "alias", **elsewhere)
        assert len(store.events.list("alias", kind=aliases.EVENT)) == 1
        assert "champion' names version 2; version 1 answers" in aliases.lag(store, "alias").sentence

        assert follow(store, "alias", **place) == ""
        assert named(asked(folder, "alias", second.bundle)) == {"champion": "1", "challenger": "2"}
        assert [event.kind for event in store.events.list("alias", limit=2)] == ["alias_over", "alias"]

        store.releases.append("alias", first.version, reason="canary ended", actor="dashboard")
        follower = aliases.Follower(
            store, "alias", project_file=str(folder / "project.yaml"), work_dir=str(working),
            store_url=f"sqlite:///{working}/store.db",
        )  # fmt: skip
        follower.finish()
        assert aliases.lag(store, "alias") is None
    assert named(asked(folder, "alias", second.bundle)) == {"champion": "1"}


def named(found: dict) -> dict[str, str]:
    return {name: str(version) for name, version in found["aliases"].items()}


def test_a_damaged_tracking_database_registers_nothing(tmp_project, train):
    """The error names the place; no version appears, and after mending the next training works."""
    project = {"name": "damaged", "data": {"source": "data.csv", "target": "label", "drop": ["amount"]}}
    folder = tmp_project(project, {"data.csv": made_csv()})
    database = folder / ".modelwright" / "mlflow.db"
    database.parent.mkdir()
    database.write_bytes(b"this is no database" * 100)
    with pytest.raises(TrackingUnavailable, match=r"mlflow\.db"):
        train(folder)
    with open_store(path=load(folder).working / "store.db") as store:
        assert store.versions.latest("damaged") is None
    database.unlink()
    assert train(folder).released


def test_two_that_begin_at_once_record_in_one_database(tmp_path):
    """The process a killed training left behind and the next training's: both make the database."""
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    with (
        tracking(uri, experiment="both", working=tmp_path) as first,
        tracking(uri, experiment="both", working=tmp_path) as second,
    ):
        runs = {tracker.call("start", name="run", tags={})["run"] for tracker in (first, second)}
        assert first.experiment == second.experiment
        for tracker in (first, second):
            tracker.call("end", run=runs.pop(), status="FINISHED")
    assert not list(tmp_path.glob(".mlflow.db.*")), "no draft is left"


def test_a_killed_training_leaves_nothing_in_use(tmp_project, train, repository):
    """Killed in the middle, a training leaves no version; the next one works."""
    project = {
        "name": "killed",
        "data": {"source": "data.csv", "target": "label", "drop": ["amount"]},
        "train": {"candidates": [{"random_forest": {"n_estimators": 3000}}]},
    }
    folder = tmp_project(project, {"data.csv": made_csv()})
    process = subprocess.Popen(
        [sys.executable, "-m", "modelwright", "train", str(folder)],
        env={"PYTHONPATH": str(repository / "src"), "PYTHONUNBUFFERED": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "Training the candidates" in line:
            break
    process.kill()
    process.wait()
    process.stderr.close()
    with open_store(path=load(folder).working / "store.db") as store:
        assert store.versions.latest("killed") is None and store.releases.current("killed") is None
    text = (folder / "project.yaml").read_text().replace("3000", "10")
    (folder / "project.yaml").write_text(text)
    assert train(folder).released
