"""Two commands never work in one project at once, and no lock outlives its holder."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from modelwright.errors import Busy, ExitCode, StorageFailure
from modelwright.project.lock import hold

HOLDER = """
import sys, time
from pathlib import Path
from modelwright.project.lock import hold
with hold(Path(sys.argv[1]), command="modelwright train it"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_the_second_is_told_who_is_at_work(holder, tmp_path):
    """The error names the command, its process and the time."""
    with pytest.raises(Busy) as caught, hold(tmp_path):
        pass
    assert caught.value.code is ExitCode.BUSY
    assert f"'modelwright train it' (process {holder.pid}, since 20" in caught.value.reason
    assert f"kill {holder.pid}" in caught.value.instruction


def test_a_killed_holder_leaves_no_lock(holder, tmp_path):
    """After kill -9 the next command gets the lock."""
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with hold(tmp_path, command="next") as path:
        assert '"next"' in path.read_text()


def test_the_lock_is_given_back_also_after_an_error(tmp_path):
    """A failed command doesn't block the next one."""
    with pytest.raises(ZeroDivisionError), hold(tmp_path / "new"):
        _ = 1 / 0
    with hold(tmp_path / "new"):
        pass


def test_one_process_does_not_hold_it_twice(tmp_path):
    """Nor do two threads of one process."""
    errors = []

    def second():
        try:
            with hold(tmp_path):
                pass
        except Busy as error:
            errors.append(error)

    with hold(tmp_path):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert len(errors) == 1


def test_a_holder_that_has_not_signed_yet_is_busy_too(tmp_path):
    """An unreadable signature is no traceback."""
    with hold(tmp_path) as path:
        path.write_text("{")
        with pytest.raises(Busy, match="Another command is at work"), hold(tmp_path):
            pass


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    """A file where the folder should be is a storage failure, not an OSError."""
    (tmp_path / "file").touch()
    with pytest.raises(StorageFailure, match="locking the project"), hold(tmp_path / "file"):
        pass
