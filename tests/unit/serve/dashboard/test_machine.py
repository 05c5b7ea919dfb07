"""A dashboard by itself: projects of a machine, each out of its own store."""

from __future__ import annotations

from contextlib import closing

import pytest

from dashboards import Browser, words
from modelwright.cli import known
from modelwright.serve.dashboard.machine import Machine, Shown
from modelwright.store.engine import open_store
from modelwright.testing.factories import prediction, version


@pytest.fixture
def shown(tmp_path):
    """Two projects of one name in two folders, the second with an answer more."""
    found = []
    for place in (1, 2):
        work = tmp_path / f"p{place}" / ".modelwright"
        work.parent.mkdir()
        url = f"sqlite:///{work / 'store.db'}"
        with closing(open_store(url)) as store:
            store.versions.reserve("iris")
            store.versions.add(version(1))
            store.releases.append("iris", 1, reason="first", actor="ann")
            store.predictions.add([prediction(f"p{number}") for number in range(place)])
        found.append(Shown("iris", work.parent / "project.yaml", work, url))
    return found


def test_projects_of_one_name_are_told_apart(shown, tmp_path):
    """Each has an address and a store of its own."""
    machine = Machine(shown, tmp_path)
    browser = Browser(machine)
    try:
        told = words(browser.get("/dashboard").text)
        assert "iris Version 1" in told
        assert "iris-2 Version 1" in told
        assert "Predictions 1 since the beginning" in words(browser.get("/dashboard/iris/predictions").text)
        assert "Predictions 2 since the beginning" in words(browser.get("/dashboard/iris-2/predictions").text)
    finally:
        machine.close()


def test_without_a_server_nothing_answers_and_pages_say_so(shown, tmp_path):
    """The form says how to start one; what needs none works."""
    machine = Machine(shown[:1], tmp_path)
    browser = Browser(machine)
    try:
        assert "No server answers here." in words(browser.get("/dashboard/iris/try").text)
        assert browser.send("/dashboard/iris/jobs", "/retrain").status_code == 303
        assert browser.get("/dashboard/iris/predictions/p0/explanation").status_code == 404
    finally:
        machine.close()


def test_a_store_that_is_away_costs_its_project_only(shown, tmp_path):
    """The list says which, and shows the others."""
    broken = Shown(
        "fraud", tmp_path / "project.yaml", tmp_path, f"sqlite:///{tmp_path / 'no' / 'such' / 'f.db'}"
    )
    machine = Machine([broken, *shown[:1]], tmp_path)
    browser = Browser(machine)
    try:
        told = words(browser.get("/dashboard").text)
        assert "iris Version 1" in told
        assert "fraud The database cannot be reached" in told
        assert browser.get("/dashboard/fraud").status_code == 503
    finally:
        machine.close()


def test_projects_are_remembered_and_found(tmp_path, monkeypatch):
    """What verbs worked in is on the list once; what lies below a folder is found, hidden folders are not."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    files = []
    for name in ("a", "b/c/d", ".hidden/x", "b/c/d/e/f", "node_modules/y"):
        file = tmp_path / "root" / name / "project.yaml"
        file.parent.mkdir(parents=True)
        file.write_text("name: x\n")
        files.append(file)
    assert known.remembered() == []
    for file in (files[0], files[1], files[0]):
        known.remember(file)
    assert known.remembered() == files[:2]
    files[0].unlink()
    assert known.remembered() == [files[1]]
    assert known.below([tmp_path / "root"]) == [files[1]]
    assert known.below([tmp_path / "absent"]) == []


def test_a_list_that_cannot_be_kept_stops_nothing(tmp_path, monkeypatch):
    """Where the home folder cannot be written, verbs work as before."""
    (tmp_path / "state").write_text("a file")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    known.remember(tmp_path / "project.yaml")
    assert known.remembered() == []
