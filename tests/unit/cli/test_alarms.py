"""``alarms``: a trial by every way out, what was told, and silence."""

from __future__ import annotations

import sys

from modelwright.monitor.notify import NOTIFICATION
from modelwright.store.engine import open_store


def test_a_trial(mw, project, monkeypatch, tmp_path):
    """Without a way out it says which there are; with some, which took it."""
    nothing = mw("alarms", "test", "-p", project)
    assert nothing.code == 3 and "MODELWRIGHT_ALARM_WEBHOOK" in nothing.err
    monkeypatch.setenv("MODELWRIGHT_ALARM_COMMAND", f"{sys.executable} -c pass")
    assert mw("alarms", "test", "-p", project).out.split() == ["command", "told"]
    monkeypatch.setenv("MODELWRIGHT_ALARM_WEBHOOK", "http://127.0.0.1:9/")
    failed = mw("alarms", "test", "-p", project, "--json")
    assert failed.code == 7
    assert {each["channel"]: each["told"] for each in failed.json} == {"webhook": False, "command": True}


def test_silence_and_what_was_told(mw, project):
    """A silence is kept with its reason, seen in the history, and ended; wrong times are refused."""
    assert "No alarm" in mw("alarms", "list", "-p", project).err
    assert mw("alarms", "silence", "2h", "--kind", "drift", "--reason", "season", "-p", project).code == 0
    assert "told again" in mw("alarms", "silence", "off", "-p", project).out
    assert mw("alarms", "silence", "soon", "-p", project).code == 2
    told = [each["message"] for each in mw("history", project, "--kind", "silence", "--json").json]
    assert "season" in told[0] and told[1] == "Alarms are told again."
    with open_store(path=project / ".modelwright" / "store.db") as store:
        data = {"event": 1, "channel": "slack", "state": "sent", "key": "drift:x"}
        store.events.add("sizes", NOTIFICATION, "drift of event 1 was told by slack.", data)
    assert mw("alarms", "list", "-p", project, "--json").json[0]["state"] == "sent"
    assert "slack" in mw("alarms", "list", "-p", project).out
