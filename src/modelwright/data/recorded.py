"""Data as it was: a version's content brought back by its hash, wherever it still is.

Asked in turn: the file that is in the project now (if its content is still the same), DVC's cache, and
DVC's remote, where the repository has one. What is brought back is hashed again before it is used.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modelwright.data.version import dataset_md5, dvc_repository, dvc_root
from modelwright.errors import ExitCode, ModelwrightError
from modelwright.files import write_stream

_DIR = ".dir"


class DataGone(ModelwrightError):
    """A recorded content is neither in the project, nor in DVC's cache, nor in its remote."""

    code = ExitCode.DATA


def bring_back(md5: str, target: Path, *, project_dir: Path, present: Path | None = None) -> None:
    """Copy the content with this hash to ``target``, a file, or a folder where the hash is one's.

    Args:
        md5: As DVC computes it.
        target: What shall hold it; not there yet.
        project_dir: The project's folder.
        present: Where the project has (or had) it.

    Raises:
        DataGone: It is nowhere any more, or damaged.
        StorageFailure: ``target`` cannot be written.
        MissingExtra: DVC is not installed.
    """
    looked = []
    if present is not None and present.exists():
        if dataset_md5(present) == md5:
            _copy(present, target)
            return
        looked.append(f"{present}: its content is another one now")
    elif present is not None:
        looked.append(f"{present}: it is not there")
    root = dvc_root(project_dir)
    if root is None:
        looked.append(f"{project_dir}: it is under no DVC repository (any more)")
    else:
        problem = _from_cache(md5, target, root)
        if problem is None and dataset_md5(target) == md5:
            return
        looked.append(problem or f"{root / '.dvc' / 'cache'}: what it has under this hash is damaged")
    raise DataGone(
        f"The data with md5 {md5} is not here any more.",
        "Restore it: dvc pull, or put back the file it was, then try again.",
        details=looked,
    )


def _from_cache(md5: str, target: Path, root: Path) -> str | None:
    """Copy from DVC's cache, filled from the remote where need be; gives what is wrong, if something is."""
    with dvc_repository(root) as repo:
        cache = repo.cache.local
        missing = _missing(cache, md5)
        if missing and repo.config["core"].get("remote"):
            problem = _pull(repo, md5)
            if problem:
                return f"DVC's remote: {problem}"
            missing = _missing(cache, md5)
        if missing:
            return f"{cache.path}: {missing} is not in DVC's cache"
        if not md5.endswith(_DIR):
            _copy(Path(cache.oid_to_path(md5)), target)
            return None
        for entry in _listed(cache, md5):
            _copy(Path(cache.oid_to_path(entry["md5"])), target / entry["relpath"])
        return None


def _missing(cache: Any, md5: str) -> str:
    """The first hash that the cache lacks of what ``md5`` stands for; empty if it has all."""
    if not Path(cache.oid_to_path(md5)).is_file():
        return md5
    for entry in _listed(cache, md5) if md5.endswith(_DIR) else ():
        if not Path(cache.oid_to_path(entry["md5"])).is_file():
            return f"{entry['relpath']} ({entry['md5']})"
    return ""


def _listed(cache: Any, md5: str) -> list[dict[str, str]]:
    listed: list[dict[str, str]] = json.loads(Path(cache.oid_to_path(md5)).read_bytes())
    return listed


def _pull(repo: Any, md5: str) -> str:
    """Fetch from the remote into the cache; what went wrong, if something did."""
    from dvc.exceptions import DvcException
    from dvc_data.hashfile.hash_info import HashInfo

    try:
        repo.cloud.pull([HashInfo("md5", md5)])
    except (DvcException, OSError) as error:
        return " ".join(str(error).split())
    finally:
        gc.collect()  # DVC leaves its index of the remote open, an SQLite file, for the collector to close
    return ""


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        for file in sorted(item for item in source.rglob("*") if item.is_file()):
            _copy(file, target / file.relative_to(source))
        return
    write_stream(target, _blocks(source), f"bringing back {target.name}")


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            yield block
