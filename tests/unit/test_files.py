"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from modelwright.errors import StorageFailure
from modelwright.files import replacing, write_stream, write_whole

NAME = "Größe 'of' \"it\".csv"


def test_a_file_and_its_folder_are_made(tmp_path: Path) -> None:
    """Text and bytes come out as they went in, whatever the file is called, and nothing else is left."""
    write_whole(tmp_path / "a" / NAME, "ä\n", "writing")
    assert (tmp_path / "a" / NAME).read_bytes() == "ä\n".encode()
    write_stream(tmp_path / "a" / NAME, [b"1", b"2"], "writing")
    assert (tmp_path / "a" / NAME).read_bytes() == b"12"
    assert [path.name for path in (tmp_path / "a").iterdir()] == [NAME]


def test_what_was_there_stays_until_the_end(tmp_path: Path) -> None:
    """While the draft is written, and when writing it fails, readers find the earlier content."""
    path = tmp_path / "file"
    path.write_text("before")
    with pytest.raises(ZeroDivisionError), replacing(path, "writing") as draft:
        draft.write_text("half")
        assert path.read_text() == "before"
        raise ZeroDivisionError
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_that_refuses_is_told(tmp_path: Path) -> None:
    """A place that cannot be written is an error that says what was being done; nothing is left."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageFailure, match="while copying the data"):
        write_whole(tmp_path / "file" / "inner", b"", "copying the data")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageFailure, match="while copying the data"):
        write_whole(tmp_path / "folder", b"", "copying the data")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_permissions_are_handed_on(tmp_path: Path) -> None:
    """A file that others may not read is not opened to them by being replaced."""
    path = tmp_path / "file"
    path.write_text("before")
    path.chmod(0o640)
    write_whole(path, "after", "writing")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_link_is_replaced(tmp_path: Path) -> None:
    """What a link points to (a cache, say) is not written."""
    (tmp_path / "cached").write_text("cached")
    (tmp_path / "link").symlink_to("cached")
    write_whole(tmp_path / "link", "own", "writing")
    assert (tmp_path / "cached").read_text() == "cached"
    assert (tmp_path / "link").read_text() == "own"


def test_a_pipe_is_written_itself(tmp_path: Path) -> None:
    """What is no regular file keeps its place: a pipe's reader gets the content."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write_whole(pipe, b"content", "writing")
    reader.join()
    assert read == [b"content"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_long_name_is_written(tmp_path: Path) -> None:
    """A name as long as the file system takes leaves room for the draft's."""
    path = tmp_path / ("ä" * 127)
    write_whole(path, b"x", "writing")
    assert path.read_bytes() == b"x"
