"""Versions the data with DVC: real ``.dvc`` files and a real cache, which the ``dvc`` program takes up.

``dataset_md5`` computes the same hash without DVC (nor Arrow), so that a command can see in
milliseconds that nothing changed.

Directory hash, as DVC 3 computes it: the md5 of a JSON list of ``{"md5", "relpath"}``, sorted by the
relative path as a string.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from modelwright.errors import ExitCode, MissingExtra, ModelwrightError, StorageFailure
from modelwright.files import write_whole

_CONFIG = "[core]\n    analytics = false\n    check_update = false\n"
_NO_SCM = "    no_scm = true\n"
_IGNORED = "/config.local\n/tmp\n/cache\n"
_DVCIGNORE = "# Files that DVC leaves alone, one pattern a line as in .gitignore.\n"
_NEVER_HASHED = frozenset({".git", ".hg", ".dvc"})
WORK = ".modelwright"


class VersioningFailed(ModelwrightError):
    """DVC would not take the data."""

    code = ExitCode.DATA


class DatasetVersion(NamedTuple):
    """The data's contents, named.

    Attributes:
        md5: Content hash as DVC computes it; a folder's ends in ``.dir``.
        path: The file or folder.
        dvc_file: The ``.dvc`` file that says so.
        size: Bytes.
        files: Files (1 unless it is a folder).
    """

    md5: str
    path: Path
    dvc_file: Path
    size: int
    files: int


def dataset_md5(path: Path, *, cache: Path | None = None) -> str:
    """The hash DVC gives to the file or folder at ``path``.

    Args:
        path: A file or folder.
        cache: Folder (the project's ``.modelwright``) where hashes are remembered by size, time of
            change and inode, so that an unchanged file is not read again.

    Raises:
        StorageFailure: A file cannot be read.
    """
    remembered = _Remembered(cache)
    try:
        digest = _folder_md5(path, remembered) if path.is_dir() else remembered.md5(path)
    except OSError as error:
        raise VersioningFailed(
            f"The data at {path} cannot be read: {error.strerror or error}.", f"Check it: ls -l '{path}'"
        ) from error
    remembered.save()
    return digest


def _folder_md5(folder: Path, remembered: _Remembered) -> str:
    entries = [
        {"md5": remembered.md5(file), "relpath": file.relative_to(folder).as_posix()}
        for file in _files(folder)
    ]
    entries.sort(key=lambda entry: entry["relpath"])
    listing = json.dumps(entries, sort_keys=True).encode()
    return hashlib.md5(listing, usedforsecurity=False).hexdigest() + ".dir"


def _files(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if name not in _NEVER_HASHED]
        for name in names:
            if name not in _NEVER_HASHED:
                yield Path(root, name)


class _Remembered:
    """Hashes of files as they were last seen, in one small JSON file. Losing it costs time only."""

    def __init__(self, cache: Path | None) -> None:
        self._file = cache / "md5.json" if cache is not None else None
        self._known: dict[str, list[Any]] = {}
        self._changed = False
        if self._file is not None:
            try:
                read = json.loads(self._file.read_bytes())
                self._known = read if isinstance(read, dict) else {}
            except (OSError, ValueError):
                self._known = {}

    def md5(self, path: Path) -> str:
        state = path.stat()
        key = str(path.resolve())
        stamp = [state.st_size, state.st_mtime_ns, state.st_ino]
        known = self._known.get(key)
        if isinstance(known, list) and known[:3] == stamp and len(known) == 4:
            return str(known[3])
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        self._known[key] = [*stamp, digest]
        self._changed = True
        return digest

    def save(self) -> None:
        if self._file is None or not self._changed:
            return
        with suppress(StorageFailure):  # no reason to stop: the next command hashes again
            write_whole(self._file, json.dumps(self._known), "remembering what was hashed", durable=False)


def version_data(path: Path, project_dir: Path) -> DatasetVersion:
    """Put the file or folder at ``path`` under DVC, as ``dvc add`` does.

    A DVC repository above the project is used; else one is made in the project's folder. Nothing is
    sent anywhere, and nothing is staged in git.

    Args:
        path: Inside the project.
        project_dir: The project's folder.

    Raises:
        VersioningFailed: DVC refuses it, for example because git tracks the file already.
        StorageFailure: The disk refused. The ``.dvc`` file that was there is as it was.
        MissingExtra: DVC is not installed.
    """
    path = path.absolute()
    dvc_file = path.with_name(path.name + ".dvc")
    root = dvc_root(path.parent)
    if root is None:
        root = project_dir.absolute()
        _initialise(root)
    before = dvc_file.read_bytes() if dvc_file.is_file() else None
    overheard = _Overheard()
    try:
        with _quiet() as overheard, _repository(root) as repo:
            out = repo.add(str(path))[0].outs[0]
            md5, size, files = str(out.hash_info.value), out.meta.size, out.meta.nfiles
    except BaseException as error:  # also an interruption must leave the version that was
        _restore(dvc_file, before)
        # An interruption says nothing of DVC, which may be half loaded.
        worded = _worded(error, overheard.refusal, path) if isinstance(error, Exception) else None
        if worded is None:
            raise
        raise worded from error
    return DatasetVersion(md5, path, dvc_file, int(size or 0), int(files or 1))


def dvc_root(folder: Path) -> Path | None:
    """The root of the DVC repository that ``folder`` is in, if it is in one."""
    for place in (folder, *folder.parents):
        if (place / ".dvc" / "config").is_file():
            return place
    return None


def _in_git(root: Path) -> bool:
    return any((place / ".git").exists() for place in (root, *root.parents))


@contextmanager
def dvc_repository(root: Path) -> Iterator[Any]:
    """DVC's view of the repository at ``root``, while the block runs, without a word of its own.

    Raises:
        MissingExtra: DVC is not installed.
    """
    with _quiet(), _repository(root) as repo:
        yield repo


def _initialise(root: Path) -> None:
    """What ``dvc init`` writes, without its staging in git."""
    doing = "preparing the project for DVC"
    write_whole(root / ".dvc" / ".gitignore", _IGNORED, doing)
    if not (root / ".dvcignore").exists():
        write_whole(root / ".dvcignore", _DVCIGNORE, doing)
    # last: it is what makes the folder a repository
    write_whole(root / ".dvc" / "config", _CONFIG + ("" if _in_git(root) else _NO_SCM), doing)


@contextmanager
def _repository(root: Path) -> Iterator[Any]:
    from dvc.repo import Repo

    # DVC's own place for locks and states is shared by all users of the machine; ours is the project's.
    core: dict[str, Any] = {"site_cache_dir": str(root / WORK / "dvc")}
    if not _in_git(root):
        # A project that was set up inside git and copied out of it still says that git is there.
        core["no_scm"] = True
    with Repo(str(root), config={"core": core}) as repo:
        yield repo


def _import_dvc() -> None:
    """Load DVC, which sets up logging as it loads, before its loggers are borrowed."""
    try:
        import dvc.repo  # noqa: F401
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "dvc":
            raise
        raise MissingExtra("dvc", "train") from error


class _Overheard(logging.Handler):
    """Takes DVC's notes instead of the terminal; keeps what the disk refused, which DVC only notes."""

    def __init__(self) -> None:
        super().__init__()
        self.refusal: OSError | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the error that a record carries."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, OSError):
            self.refusal = error


@contextmanager
def _quiet() -> Iterator[_Overheard]:
    """DVC's progress bars, notes and deprecations stay out of our output; errors come as exceptions."""
    overheard = _Overheard()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _import_dvc()
        loggers = [logging.getLogger(name) for name in ("dvc", "dvc_data", "dvc_objects")]
        before = [(logger.handlers, logger.propagate) for logger in loggers]
        # These say nothing, but on a terminal DVC draws bars unless their level is above errors.
        drawing = [logging.getLogger(name) for name in ("dvc.progress", "dvc_data.callbacks")]
        levels = [logger.level for logger in drawing]
        for logger in loggers:
            logger.handlers, logger.propagate = [overheard], False
        for logger in drawing:
            logger.setLevel(logging.CRITICAL)
        from dvc.ui import ui

        spinner = ui.error_console
        spinner.quiet, was_quiet = True, spinner.quiet
        try:
            yield overheard
        finally:
            spinner.quiet = was_quiet
            for logger, level in zip(drawing, levels, strict=True):
                logger.setLevel(level)
            for logger, (handlers, propagate) in zip(loggers, before, strict=True):
                logger.handlers, logger.propagate = handlers, propagate


def _restore(dvc_file: Path, before: bytes | None) -> None:
    """Put back the ``.dvc`` file that was there, if it is not there any more as it was."""
    now = dvc_file.read_bytes() if dvc_file.is_file() else None
    if now == before:
        return
    if before is None:
        dvc_file.unlink(missing_ok=True)
        return
    write_whole(dvc_file, before, f"putting back {dvc_file.name}")


def _sqlite_refused(error: BaseException) -> bool:
    """Whether the database in which DVC keeps what it has hashed could not be written."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, sqlite3.OperationalError):
        cause = cause.__cause__ or cause.__context__
    return cause is not None


def _worded(error: Exception, refusal: OSError | None, path: Path) -> ModelwrightError | None:
    if isinstance(error, ModelwrightError):
        return error
    cause: BaseException | None = error
    while cause is not None and refusal is None:
        refusal = cause if isinstance(cause, OSError) else None
        cause = cause.__cause__ or cause.__context__
    if refusal is not None or _sqlite_refused(error):
        refusal = refusal or OSError(errno.ENOSPC, "its database could not be written")
        return StorageFailure.from_os_error(refusal, "versioning the data with DVC")
    from dvc.exceptions import DvcException

    if not isinstance(error, DvcException):
        return None
    said = " ".join(str(error).split())
    if "already tracked by SCM" in said:
        return VersioningFailed(
            f"The data file {path} is tracked by git, so DVC cannot version it.",
            f"Take it out of git and leave it on disk: git rm --cached '{path}'",
        )
    if "git-ignored" in said:
        return VersioningFailed(
            f"git ignores the folder of {path}, so its .dvc file would be lost: {said}",
            "Ignore the data file instead of its folder in .gitignore.",
        )
    return VersioningFailed(
        f"DVC cannot version {path}: {said}", "Try it by hand: dvc add " + repr(str(path))
    )
