"""Versioning by DVC: its own program accepts what we write, and failures leave what was there."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwright.data.version import VersioningFailed, dataset_md5, version_data
from modelwright.errors import ExitCode

MakeProject = Callable[..., Path]
CSV = "a,b\n1,2\n3,4\n"


def run(*command: str, folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def dvc(*arguments: str, folder: Path) -> str:
    return run(sys.executable, "-m", "dvc", *arguments, folder=folder)


def project(place: str, tmp_path: Path) -> Path:
    """A project outside git, at the root of a git repository, or below it."""
    if place == "outside git":
        return tmp_path
    run("git", "init", "-q", folder=tmp_path)
    if place == "in a git root":
        return tmp_path
    below = tmp_path / "models" / "my project"
    below.mkdir(parents=True)
    return below


@pytest.mark.parametrize("place", ["outside git", "in a git root", "below a git root"])
def test_the_dvc_program_takes_up_our_versions(place: str, tmp_path: Path) -> None:
    """``dvc`` finds nothing changed, brings a deleted file back, and pushes it to a remote."""
    folder = project(place, tmp_path)
    data = folder / "data" / "some rows.csv"
    data.parent.mkdir()
    data.write_text(CSV)
    version = version_data(data, folder)
    assert version.md5 == hashlib.md5(CSV.encode()).hexdigest() == dataset_md5(data)
    assert (version.size, version.files) == (len(CSV), 1)
    assert version.dvc_file.read_text().startswith(f"outs:\n- md5: {version.md5}\n")
    assert version_data(data, folder) == version
    assert "up to date" in dvc("status", folder=folder)
    data.unlink()
    dvc("checkout", folder=folder)
    assert data.read_text() == CSV
    remote = tmp_path.parent / f"{tmp_path.name}-remote"
    dvc("remote", "add", "-d", "here", str(remote), folder=folder)
    dvc("push", folder=folder)
    assert (remote / "files" / "md5" / version.md5[:2] / version.md5[2:]).read_text() == CSV


def test_a_folder_is_versioned_as_dvc_does(tmp_path: Path) -> None:
    """A folder's hash, entries sorted as DVC sorts them, is the one that DVC writes."""
    folder = tmp_path / "data" / "set"
    for name in ("a/x", "a-b/x", "é", "B", "a/y z"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    version = version_data(folder, tmp_path)
    assert version.md5.endswith(".dir")
    assert version.md5 == dataset_md5(folder)
    assert version.files == 5
    shutil.rmtree(folder)
    dvc("checkout", folder=tmp_path)
    assert dataset_md5(folder) == version.md5


def test_changed_data_is_another_version(tmp_path: Path) -> None:
    """Other contents have another hash, and the old ones can still be had."""
    data = tmp_path / "t.csv"
    data.write_text(CSV)
    first = version_data(data, tmp_path)
    before = first.dvc_file.read_bytes()
    data.write_text(CSV + "5,6\n")
    second = version_data(data, tmp_path)
    assert second.md5 != first.md5
    first.dvc_file.write_bytes(before)
    dvc("checkout", "--force", folder=tmp_path)
    assert data.read_text() == CSV


def test_a_dvc_repository_above_is_used(tmp_path: Path) -> None:
    """A project within somebody's DVC repository does not start its own."""
    dvc("init", "--no-scm", "-q", folder=tmp_path)
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "t.csv").write_text(CSV)
    version_data(folder / "t.csv", folder)
    assert not (folder / ".dvc").exists()
    assert "up to date" in dvc("status", folder=tmp_path)


def test_a_project_copied_out_of_git_is_still_versioned(tmp_path: Path) -> None:
    """What was set up inside git works without it, as in an image or an archive."""
    (tmp_path / "git").mkdir()
    inside = project("in a git root", tmp_path / "git")
    data = inside / "rows.csv"
    data.write_text(CSV)
    version = version_data(data, inside)
    outside = Path(shutil.copytree(inside, tmp_path / "copy", ignore=shutil.ignore_patterns(".git")))
    assert version_data(outside / "rows.csv", outside).md5 == version.md5


def test_nothing_is_sent_or_staged(tmp_path: Path) -> None:
    """Analytics and update checks are off in what we set up, and git's index is left alone."""
    folder = project("in a git root", tmp_path)
    (folder / "t.csv").write_text(CSV)
    version_data(folder / "t.csv", folder)
    assert dvc("config", "core.analytics", folder=folder).strip() == "false"
    assert dvc("config", "core.check_update", folder=folder).strip() == "false"
    assert run("git", "diff", "--cached", "--name-only", folder=folder) == ""
    assert "/t.csv" in (folder / ".gitignore").read_text()


def test_data_that_git_tracks_is_refused_with_the_remedy(tmp_project: MakeProject) -> None:
    """DVC will not version what git tracks: the message gives the command that helps."""
    folder = tmp_project(None, {"t.csv": CSV}, git=True)
    with pytest.raises(VersioningFailed) as caught:
        version_data(folder / "t.csv", folder)
    assert "git rm --cached" in caught.value.instruction
    assert not (folder / "t.csv.dvc").exists()


def test_a_folder_that_git_ignores_is_refused_with_the_remedy(tmp_project: MakeProject) -> None:
    """A .dvc file that git would not see is refused."""
    folder = tmp_project(None, {".gitignore": "data/\n"}, git=True)
    (folder / "data").mkdir()
    (folder / "data" / "t.csv").write_text(CSV)
    with pytest.raises(VersioningFailed, match="git ignores"):
        version_data(folder / "data" / "t.csv", folder)


def test_a_full_disk_leaves_the_version_that_was(tmp_path: Path) -> None:
    """When the cache cannot take the file, the error says storage and the .dvc file is as before."""
    data = tmp_path / "t.csv"
    data.write_text(CSV)
    version = version_data(data, tmp_path)
    before = version.dvc_file.read_bytes()
    data.write_text(CSV * 100_000)
    code = (
        "import resource, sys; from pathlib import Path; from modelwright.data.version import version_data\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))\n"
        "try: version_data(Path(sys.argv[1]), Path(sys.argv[1]).parent)\n"
        "except Exception as error: print(type(error).__name__, int(error.code))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(data)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["StorageFailure", str(int(ExitCode.STORAGE))], done.stderr
    assert version.dvc_file.read_bytes() == before
    assert data.read_text() == CSV * 100_000
    assert version_data(data, tmp_path).md5 == dataset_md5(data)


def test_hashes_are_remembered_until_a_file_changes(tmp_path: Path) -> None:
    """An unchanged file is not read again; a changed one is; a damaged memory is started anew."""
    data, cache = tmp_path / "t.csv", tmp_path / ".modelwright"
    data.write_text(CSV)
    md5 = dataset_md5(data, cache=cache)
    memory = cache / "md5.json"
    known = json.loads(memory.read_text())
    known[str(data.resolve())][3] = "remembered"
    memory.write_text(json.dumps(known))
    assert dataset_md5(data, cache=cache) == "remembered"
    data.write_text(CSV + "5,6\n")
    assert dataset_md5(data, cache=cache) == hashlib.md5(data.read_bytes()).hexdigest()
    memory.write_text("{")
    data.write_text(CSV)
    assert dataset_md5(data, cache=cache) == md5


def test_absent_data_is_worded(tmp_path: Path) -> None:
    """Hashing what is not there names it."""
    with pytest.raises(VersioningFailed, match=r"gone\.csv"):
        dataset_md5(tmp_path / "gone.csv")


@given(content=st.binary(max_size=2000))
def test_a_file_hash_is_its_md5(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Any bytes, line ends included, hash as they are."""
    path = tmp_path_factory.mktemp("md5") / "t.csv"
    path.write_bytes(content)
    assert dataset_md5(path) == hashlib.md5(content).hexdigest()


def test_the_fast_path_loads_neither_dvc_nor_arrow() -> None:
    """Asking for a hash imports nothing that takes long."""
    code = (
        "import sys, modelwright.data.version\n"
        "print(sorted({'dvc', 'pyarrow', 'numpy', 'sqlalchemy', 'pydantic', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_dvc_draws_nothing_on_a_terminal(tmp_path):
    """Its bars stay away where ours are drawn, which a pipe would not show: DVC draws on terminals only."""
    from dvc.progress import Tqdm
    from dvc_data.callbacks import Tqdm as DataTqdm

    from modelwright.data.version import _quiet

    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Screen()
    with _quiet():
        for bar in (Tqdm, DataTqdm):
            bar(range(3), file=screen, desc="Adding").close()
    assert screen.getvalue() == ""
