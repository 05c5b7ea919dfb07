"""Writing a bundle: whole or not at all."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bundles import contents_of, fit_tree, make_table, tiny_bundle
from modelwright.bundle.read import verify
from modelwright.bundle.write import BundleContents, BundleExists, ModelContents, write_bundle
from modelwright.errors import StorageFailure


@pytest.fixture(scope="module")
def contents() -> BundleContents:
    return contents_of(fit_tree(make_table(300)))


def test_a_written_bundle_verifies(tmp_path: Path, contents: BundleContents) -> None:
    """What the writer says it wrote is what the reader finds."""
    manifest = write_bundle(tmp_path / "bundles" / "v1", contents)
    assert verify(tmp_path / "bundles" / "v1") == manifest
    assert sorted(path.name for path in (tmp_path / "bundles").iterdir()) == ["v1"]
    assert set(manifest.files) == {
        "model.onnx", "schema.json", "encoding.json", "reference.json", "example.json"
    }  # fmt: skip


def test_the_content_hash_is_that_of_the_content(tmp_path: Path) -> None:
    """Fitted again, with another version, time and run: the same hash; other data: another."""
    first = tiny_bundle(tmp_path / "a")
    again = tiny_bundle(tmp_path / "b", version=9, created="2030-01-01T00:00:00Z", run_id="r", git_commit="c")
    other = tiny_bundle(tmp_path / "c", dataset_md5="f" * 32)
    assert first.content_hash == again.content_hash != other.content_hash
    assert first.files == again.files


def test_several_models_have_files_of_their_own(tmp_path: Path, contents: BundleContents) -> None:
    """Plain names, whatever the models are called."""
    (model,) = contents.models
    import msgspec

    models = tuple(
        ModelContents(
            entry=msgspec.structs.replace(model.entry, name=name), graph=model.graph, encoder=model.encoder
        )
        for name in ("Will spend?", "will-spend", "数", "../é")
    )
    manifest = write_bundle(tmp_path / "v1", msgspec.structs.replace(contents, models=models))
    assert [entry.file for entry in manifest.models] == [
        "will-spend.onnx", "will-spend-2.onnx", "model.onnx", "e.onnx"
    ]  # fmt: skip
    verify(tmp_path / "v1")


def test_what_is_there_is_never_overwritten(tmp_path: Path, contents: BundleContents) -> None:
    """A second bundle at the same place is refused, the first stays."""
    before = write_bundle(tmp_path / "v1", contents)
    with pytest.raises(BundleExists):
        write_bundle(tmp_path / "v1", contents)
    assert verify(tmp_path / "v1") == before


@pytest.mark.parametrize("limit", [1, 500, 3_000])
def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, contents: BundleContents, limit: int) -> None:
    """A write that fails half-way (here: a limit on file size) is told, and no folder appears."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, old[1]))
        with pytest.raises(StorageFailure, match="writing the bundle"):
            write_bundle(tmp_path / "v1", contents)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_is_not_a_folder_is_told(tmp_path: Path, contents: BundleContents) -> None:
    """A file in the way is an error with a remedy, not a traceback."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageFailure):
        write_bundle(tmp_path / "file" / "v1", contents)
    with pytest.raises(StorageFailure):
        write_bundle(tmp_path / "file", contents)


KILLED = """
import os, sys, time
from pathlib import Path
real = os.fsync
calls = 0
def fsync(handle):
    global calls
    calls += 1
    real(handle)
    if calls == int(sys.argv[2]):
        print("now", flush=True)
        time.sleep(60)
os.fsync = fsync
from bundles import tiny_bundle
tiny_bundle(Path(sys.argv[1]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("at", [1, 3, 6])
def test_a_writer_killed_half_way_leaves_no_bundle(tmp_path: Path, repository: Path, at: int) -> None:
    """After kill -9 there is nothing at the bundle's place, and the next writer clears up and succeeds."""
    path = os.pathsep.join([str(repository / "src"), str(repository / "tests")])
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, tmp_path / "v1", str(at)],
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    with process, process.stdout:
        assert process.stdout.readline() == b"now\n"
        process.kill()
        process.wait()
    assert not (tmp_path / "v1").exists()
    assert len(list(tmp_path.iterdir())) == 1
    tiny_bundle(tmp_path / "v1")
    verify(tmp_path / "v1")
    assert [path.name for path in tmp_path.iterdir()] == ["v1"]
