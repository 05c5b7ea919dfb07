"""``modelwright thresholds`` and what ``modelwright config`` says of them."""

from __future__ import annotations

import pytest


@pytest.fixture
def ran(tmp_path, monkeypatch, mw):
    """Runs a command line in a project's folder."""
    (tmp_path / "project.yaml").write_text(
        "name: iris\ndata: {source: x.csv, target: y}\nretrain: {new_samples: 10}\n"
    )
    monkeypatch.chdir(tmp_path)
    return mw


def test_thresholds_are_shown_set_and_set_back(ran):
    """Who set what when and why is told by every command that tells a threshold."""
    shown = ran("thresholds").out
    assert "retrain.new_samples" in shown and "project.yaml:3" in shown
    assert ran("thresholds", "--set", "retrain.new_samples=25", "--reason", "too often").code == 0
    found = {each["name"]: each for each in ran("thresholds", "--json").json}
    assert found["retrain.new_samples"]["value"] == 25
    assert found["retrain.new_samples"]["source"].endswith(": too often")
    assert ran("config", "--json").json["thresholds"] == list(found.values())
    assert "too often" in ran("config").out
    ran("thresholds", "--set", "retrain.new_samples=")
    assert "project.yaml:3" in ran("thresholds").out


def test_a_wrong_name_or_form_is_told(ran):
    """What there is, or how it is written."""
    wrong = ran("thresholds", "--set", "samples=3")
    assert wrong.code == 3 and "There is no threshold 'samples'" in wrong.err
    assert "not of the form NAME=VALUE" in ran("thresholds", "--set", "samples").err
