"""``modelwright store`` in a small project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from modelwright.project import lock
from modelwright.serve.journal.entries import Context, Entry
from modelwright.serve.journal.writer import JournalWriter
from modelwright.serve.keeping.delivery import take_lock
from modelwright.store.engine import open_store
from modelwright.testing.factories import NOON, predictions

REPLY = b'{"prediction":0,"latency":0.1,"prediction_id":"j1","model_version":1}'


@pytest.fixture
def used(project: Path) -> Path:
    """The small project with some predictions."""
    with open_store(path=project / ".modelwright" / "store.db") as store:
        store.predictions.add(predictions(30, project="sizes"))
    return project


def test_show_tells_where_and_how_much(mw, used, monkeypatch):
    """In words and for programs; where the setting came from, too."""
    shown = mw("store", "show", used)
    file = used / ".modelwright" / "store.db"
    assert shown.out.startswith(f"SQLite: {file}  (default)\n")
    assert "as this release needs them" in shown.out
    assert [line.split() for line in shown.out.splitlines() if line.startswith("sizes")] == [
        ["sizes", "3", "30", "2026-01-02", "12:00:00", "2026-01-02", "12:00:29"]
    ]
    told = mw("store", "show", used, "--json").json
    assert told["projects"][0]["oldest"] == NOON.isoformat().replace("+00:00", "Z")
    assert {"name": "mw_predictions", "rows": 30}.items() <= next(
        table for table in told["tables"] if table["name"] == "mw_predictions"
    ).items()
    monkeypatch.setenv("MODELWRIGHT_STORE_URL", f"sqlite:///{file}")
    assert "(environment MODELWRIGHT_STORE_URL)" in mw("store", "show", used).out


def test_showing_makes_nothing(mw, tmp_project):
    """A project without a store is told so, and has none afterwards."""
    folder = tmp_project({"name": "new", "data": {"source": "sklearn:iris", "target": "target"}})
    shown = mw("store", "show", folder)
    assert shown.code == 7 and "does not exist yet" in shown.err
    assert not (folder / ".modelwright").exists()


def test_a_copy_ends_with_the_line_to_set(mw, used, tmp_path, monkeypatch):
    """Which commands then work by; back in its own folder it is the line that takes the setting away."""
    place = tmp_path / "my copy.db"
    copied = mw("store", "copy", used, "--to", f"sqlite:///{place}")
    assert copied.code == 0
    line = f"export MODELWRIGHT_STORE_URL='sqlite:///{place}'"
    assert f"\n  {line}\n" in copied.out and str(used / ".modelwright" / "bundles") in copied.out
    monkeypatch.setenv("MODELWRIGHT_STORE_URL", f"sqlite:///{place}")
    own = used / ".modelwright" / "store.db"
    own.rename(tmp_path / "before.db")
    assert [each["number"] for each in mw("versions", used, "--json").json] == [3, 2, 1]
    back = mw("store", "copy", used, "--to", f"sqlite:///{own}")
    assert "\n  unset MODELWRIGHT_STORE_URL\n" in back.out
    monkeypatch.delenv("MODELWRIGHT_STORE_URL")
    assert mw("store", "show", used, "--json").json["projects"][0]["predictions"] == 30


@pytest.mark.postgres
def test_a_password_is_never_shown(mw, used, postgres_url, monkeypatch):
    """Of the address to copy to; the line says where it belongs."""
    with_password = postgres_url.replace("modelwright@", "modelwright:s3cret@")
    copied = mw("store", "copy", used, "--to", with_password)
    assert copied.code == 0 and "s3cret" not in copied.out + copied.err
    assert "modelwright:***@" in copied.out and "with the password where *** stands" in copied.out
    monkeypatch.setenv("MODELWRIGHT_STORE_URL", with_password)
    shown = mw("store", "show", used)
    assert shown.out.startswith("PostgreSQL: postgresql://modelwright:***@")
    again = mw("store", "copy", used, "--to", with_password, "--json")
    assert again.code == 2 and "mw_predictions: 30 rows" in again.err and "s3cret" not in again.err


def test_for_programs_a_copy_tells_every_table(mw, used, tmp_path):
    """Rows and digests, which are those of a second copy."""
    first, second = (
        mw("store", "copy", used, "--to", f"sqlite:///{tmp_path / name}", "--json").json for name in "ab"
    )
    assert first["tables"] == second["tables"]
    assert first["tables"]["mw_predictions"]["rows"] == 30
    assert first["undelivered"] == 0


def test_one_line_does_for_several_projects(mw, used, tmp_path):
    """Where the address has a place for the project's name, so has the line to set."""
    copied = mw("store", "copy", used, "--to", f"sqlite:///{tmp_path}/{{project}}.db")
    assert (tmp_path / "sizes.db").is_file()
    assert f"export MODELWRIGHT_STORE_URL='sqlite:///{tmp_path}/{{project}}.db'" in copied.out


def test_a_project_at_work_is_not_copied(mw, used, tmp_path):
    """Neither while a command works in it nor while a server delivers its journals."""
    target = f"sqlite:///{tmp_path / 'copy.db'}"
    with lock.hold(used / ".modelwright", command="modelwright train"):
        busy = mw("store", "copy", used, "--to", target)
    assert busy.code == 9 and "modelwright train" in busy.err
    handle = take_lock(used / ".modelwright" / "journal")
    served = mw("store", "copy", used, "--to", target)
    os.close(handle)
    assert served.code == 9 and "A server runs on" in served.err and "Stop it" in served.err
    assert not (tmp_path / "copy.db").exists()
    assert mw("store", "copy", used, "--to", target).code == 0


def test_what_waits_in_journals_is_told(mw, used, tmp_path):
    """How much, and that the next server brings it into the store."""
    writer = JournalWriter(used / ".modelwright" / "journal" / "w", sync=False)
    writer.declare(Context(1, "sizes", 1, ("a",)))
    writer.append([Entry(1, f"j{n}", False, 1, 200, [1.5], REPLY, 0.001, "me", "predict") for n in range(3)])
    writer.close()
    copied = mw("store", "copy", used, "--to", f"sqlite:///{tmp_path / 'copy.db'}")
    assert "3 entries wait" in copied.out and "modelwright serve" in copied.out
