"""Removes the data files of old retrainings, which would otherwise add a copy of the data each time.

A file is removed only if DVC has its content in its cache: its ``.dvc`` file stays, so that ``dvc
checkout FILE.dvc`` brings it back, and ``modelwright reproduce`` reads the cache by itself.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path

import yaml

from modelwright.data.version import dvc_root
from modelwright.project.load import Project
from modelwright.retrain.dataset import read_note
from modelwright.store.ports import Store
from modelwright.store.records import JobState

logger = logging.getLogger(__name__)

_ENDED = frozenset({JobState.PROMOTED, JobState.REJECTED, JobState.FAILED, JobState.CANCELLED})
_NAME = re.compile(r"\.retrain-[0-9a-f]{12}\.(csv|parquet)$")
_MOST_JOBS = 10_000


def remove_old_data(project: Project, store: Store, work_dir: Path, *, keep: int) -> list[Path]:
    """Remove the files of jobs that ended, but for the newest ``keep`` files.

    Args:
        project: Whose.
        store: Where its jobs are.
        work_dir: Where the jobs' notes lie.
        keep: How many stay.

    Returns:
        What was removed. A file that cannot be is left, and the log says so.
    """
    files = []
    for job in store.jobs.list(project.name, limit=_MOST_JOBS):
        note = read_note(work_dir, job.id)
        if note is None or not note.ids:
            continue
        path = project.resolve(note.source)
        if _NAME.search(path.name) and path.is_file():
            files.append((path, job.state in _ENDED))
    removed = []
    for path, ended in files[keep:]:
        if ended and _is_kept(path):
            try:
                path.unlink()
            except OSError as error:
                logger.warning("The old data file %s cannot be removed: %s", path, error)
            else:
                removed.append(path)
    return removed


def _is_kept(path: Path) -> bool:
    """Whether DVC has the content that the file's ``.dvc`` file names."""
    pointer = path.with_name(f"{path.name}.dvc")
    root = dvc_root(path.parent)
    if root is None or not pointer.is_file():
        return False
    try:
        md5 = str(yaml.safe_load(pointer.read_text(encoding="utf-8"))["outs"][0]["md5"])
    except (OSError, yaml.YAMLError, KeyError, IndexError, TypeError):
        return False
    cached = root / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]
    return cached.is_file() and cached.stat().st_size == path.stat().st_size
