"""A training from the project to a registered, recorded and released version."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from modelwright.bundle.read import open_bundle, verify
from modelwright.errors import Busy
from modelwright.project.load import load
from modelwright.project.lock import hold
from modelwright.store.engine import open_store
from modelwright.store.records import Verdict
from modelwright.train.errors import SettingsInvalid, TrackingUnavailable, TrainingFailed
from modelwright.train.fingerprint import fingerprint
from modelwright.train.parts import parts_of
from modelwright.train.prepare import prepare, read
from modelwright.train.progress import Silent
from unit.train.conftest import made_csv

pytestmark = pytest.mark.slow

DATA = {"source": "data.csv", "target": "label", "drop": ["amount"]}
QUICK = {"candidates": ["logistic_regression", {"decision_tree": {"max_depth": 4}}], "metric": "accuracy"}


def store_of(folder: Path):
    return open_store(path=load(folder).working / "store.db")


def test_a_classification_from_file_to_release(tmp_project, train):
    """Mixed columns with awkward names: trained, proven, written, registered, released, reported."""
    folder = tmp_project({"name": "mixed", "data": DATA, "train": QUICK}, {"data.csv": made_csv()})
    outcome = train(folder)
    assert outcome.accepted and outcome.released
    assert verify(outcome.bundle).content_hash == outcome.content_hash
    assert outcome.metrics["accuracy"].value > 0.75
    bundle = open_bundle(outcome.bundle)
    (answer,) = bundle.predict_rows([bundle.example["request"]["features"]])
    assert answer["model"].prediction == bundle.example["response"]["prediction"]
    assert None not in bundle.example["request"]["features"].values()  # a row with gaps shows little
    with store_of(folder) as store:
        version = store.versions.get("mixed", outcome.version)
        release = store.releases.current("mixed")
        assert store.versions.by_fingerprint("mixed", fingerprint(load(folder))) == version
    assert version.parity["model"].holds and version.parity["model"].rows == 240
    assert release.version == outcome.version and release.content_hash == outcome.content_hash
    assert {row["candidate"] for row in version.leaderboard} == {"logistic_regression", "decision_tree"}
    assert outcome.report.is_file()


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href")]


def test_the_report_is_complete_in_itself_and_escaped(tmp_project, train):
    """No script, nothing fetched, and a column's name cannot become markup."""
    text = made_csv().replace("kind.of thing", "<script>alert(1)</script>")
    folder = tmp_project({"name": "page", "data": DATA, "train": QUICK}, {"data.csv": text})
    page = train(folder).report.read_text(encoding="utf-8")
    tags = _Tags()
    tags.feed(page)
    assert "script" not in tags.tags
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert tags.sources and all(source.startswith("data:image/png;base64,") for source in tags.sources)
    assert not re.search(r"url\(|@import", page)


def test_a_regression_and_its_champion(tmp_project, train):
    """A second version is compared with the first on the same rows, and says so."""
    data = {"source": "data.csv", "target": "amount", "drop": ["label"]}
    candidates = {"candidates": ["ridge", {"random_forest": {"n_estimators": 20}}], "metric": "rmse"}
    folder = tmp_project(
        {"name": "value", "task": "regression", "data": data, "train": candidates}, {"data.csv": made_csv()}
    )
    first, second = train(folder), train(folder)
    assert first.metrics["r2"].value > 0.7
    assert (first.version, second.version) == (1, 2)
    assert second.decision.checks["champion"]["gain"] == pytest.approx(0, abs=1e-6)
    assert first.content_hash == second.content_hash


def test_a_clustering_finds_its_number_of_clusters(tmp_project, train):
    """Without a number, the silhouette chooses it; the scores of all are kept."""
    rows = "".join(
        f"{10 * (i % 3) + (i * 7 % 11) / 10},{-10 * (i % 3) + (i * 5 % 13) / 10}\n" for i in range(120)
    )
    project = {
        "name": "groups", "task": "clustering", "data": {"source": "data.csv"},
        "train": {"candidates": ["kmeans", {"minibatch_kmeans": {"n_clusters": 3}}]},
    }  # fmt: skip
    outcome = train(tmp_project(project, {"data.csv": "a,b\n" + rows}))
    row = next(row for row in outcome.models[0].leaderboard if row["candidate"] == "kmeans")
    assert row["settings"]["n_clusters"] == 3
    assert [scores["clusters"] for scores in row["cluster_scores"]] == list(range(2, 11))
    assert outcome.metrics["silhouette"].value > 0.8


def test_several_models_are_one_version(tmp_project, train):
    """A segment and a label in one bundle; the label is no feature of the segment."""
    project = {
        "name": "both",
        "data": {"source": "data.csv", "drop": ["amount"]},
        "models": {
            "segment": {"task": "clustering", "train": {"candidates": [{"kmeans": {"n_clusters": 3}}]}},
            "buys": {"target": "label", "train": QUICK},
        },
    }
    outcome = train(tmp_project(project, {"data.csv": made_csv()}))
    bundle = open_bundle(outcome.bundle)
    assert [entry.name for entry in bundle.manifest.models] == ["segment", "buys"]
    assert "label" not in bundle.schema.inputs.names
    (answer,) = bundle.predict_rows([bundle.example["request"]["features"]])
    assert answer["buys"].prediction in {"yes", "no"} and answer["segment"].prediction in {0, 1, 2}


def test_below_its_floor_a_version_is_registered_and_not_released(tmp_project, train):
    """Rejected: in the store with its reasons, and what was champion stays."""
    project = {"name": "strict", "data": DATA, "train": QUICK}
    folder = tmp_project(project, {"data.csv": made_csv()})
    first = train(folder)
    text = (folder / "project.yaml").read_text() + "gate:\n  floors: {accuracy: 0.9999}\n"
    (folder / "project.yaml").write_text(text)
    second = train(folder)
    assert first.released and not second.accepted and not second.released
    with store_of(folder) as store:
        assert store.versions.get("strict", second.version).decision.verdict is Verdict.REJECTED
        assert store.releases.current("strict").version == first.version


def test_one_candidate_that_fails_does_not_stop_the_others(tmp_project, train):
    """It stands in the leaderboard with its reason, below those that work."""
    candidates = [
        "sklearn.linear_model.RidgeClassifier",
        "sklearn.naive_bayes.CategoricalNB",
        "logistic_regression",
    ]
    project = {"name": "some", "data": DATA, "train": {"candidates": candidates}}
    outcome = train(tmp_project(project, {"data.csv": made_csv()}))
    assert outcome.models[0].winner == "logistic_regression"
    reasons = {row["candidate"]: row["reason"] for row in outcome.models[0].leaderboard}
    assert "predict_proba" in reasons["RidgeClassifier"]
    assert "Negative values" in reasons["CategoricalNB"]


def test_where_none_works_nothing_is_registered(tmp_project, train):
    """All candidates fail: the error says why each does, and no version appears."""
    project = {
        "name": "none",
        "data": DATA,
        "train": {"candidates": ["sklearn.linear_model.RidgeClassifier"]},
    }
    folder = tmp_project(project, {"data.csv": made_csv()})
    with pytest.raises(TrainingFailed) as caught:
        train(folder)
    assert "RidgeClassifier" in caught.value.details[0]
    with store_of(folder) as store:
        assert store.versions.latest("none") is None
    assert not (folder / ".modelwright" / "bundles").exists()


def test_a_search_is_repeatable(tmp_project, train):
    """The same trials find the same settings, and the leaderboard counts them."""
    tree = {"decision_tree": {"search": {"max_depth": [1, 8], "criterion": ["gini", "entropy"]}}}
    project = {"name": "search", "data": DATA, "train": {"candidates": [tree], "search": {"trials": 6}}}
    folder = tmp_project(project, {"data.csv": made_csv()})
    first, second = train(folder), train(folder)
    assert first.models[0].leaderboard[0]["trials"] == 6
    assert first.models[0].leaderboard[0]["settings"] == second.models[0].leaderboard[0]["settings"]


def test_derive_and_build_take_part(tmp_project, train):
    """``build`` makes the table, ``derive`` its features, the same in training and in the bundle."""
    code = (
        "def build(raw):\n    return raw[raw['gap'].notna()]\n\n"
        "def derive(row, now):\n    row['tall'] = (row.pop('größe \"cm\"') or 0) > 170\n"
        "    row['year'] = now.year\n    return row\n"
    )
    project = {"name": "derived", "data": DATA, "train": QUICK}
    folder = tmp_project(project, {"data.csv": made_csv(), "features.py": code})
    outcome = train(folder)
    bundle = open_bundle(outcome.bundle)
    assert "tall" in bundle.schema.features.names and "tall" not in bundle.schema.inputs.names
    assert bundle.predict_rows([bundle.example["request"]["features"]])


def test_mistakes_come_before_the_data_is_read(tmp_project, train):
    """A misspelt setting is told though the data is not there."""
    candidates = [{"random_forest": {"n_estimatrs": 5}}]
    folder = tmp_project({"name": "typo", "data": DATA, "train": {"candidates": candidates}})
    with pytest.raises(SettingsInvalid, match="n_estimators"):
        train(folder)


def test_no_tracking_server_is_told_first(tmp_project, monkeypatch, free_port=9):
    """Nobody listens at the tracking address: told before anything is read."""
    from modelwright.project.settings import resolve
    from modelwright.train.run import train_project

    folder = tmp_project({"name": "lonely", "data": DATA})
    project = load(folder)
    settings = resolve(
        project, environ={"MODELWRIGHT_TRACKING_URI": f"http://ann:secret@127.0.0.1:{free_port}"}
    )
    with store_of(folder) as store, pytest.raises(TrackingUnavailable) as caught:
        train_project(project, store=store, settings=settings)
    assert "secret" not in str(caught.value)


def test_two_at_once_are_kept_apart(tmp_project, train):
    """A second training in the same project is refused while one is at work."""
    folder = tmp_project({"name": "busy", "data": DATA}, {"data.csv": made_csv()})
    with hold(load(folder).working), pytest.raises(Busy):
        train(folder)


def test_a_row_keeps_its_side_when_features_change(tmp_project):
    """Which rows are held out depends on the data, not on what ``derive`` makes of them."""
    keep = "def derive(row, now):\n    return row\n"
    less = "def derive(row, now):\n    row.pop('gap')\n    return {**row, 'twice': 2}\n"
    held = []
    for source in (keep, less):
        files = {"data.csv": made_csv(), "features.py": source}
        project = load(tmp_project({"name": "sides", "data": DATA, "train": QUICK}, files))
        (part,) = parts_of(project.file)
        dataset = read(part.data.source, part, project, Silent())
        held.append(prepare(dataset, part, project, Silent()).held_out_rows.tolist())
    assert held[0] == held[1] and len(held[0]) == 48
