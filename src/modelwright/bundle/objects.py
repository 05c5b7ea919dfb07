"""Bundles in object storage (``s3://``), through Arrow's own client: put whole, fetched and then checked.

A bundle is a few files under a prefix. The manifest goes last, so a prefix with a manifest is whole;
what is fetched is verified like any bundle before anything in it is used.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from modelwright.bundle.format import MANIFEST
from modelwright.bundle.read import BundleInvalid, verify
from modelwright.errors import ExitCode, MissingExtra, ModelwrightError, StorageFailure

_MOST_FILES = 1_000


class ObjectsUnavailable(ModelwrightError):
    """The object storage cannot be reached, or refuses."""

    code = ExitCode.UNAVAILABLE


def address_of(base: str, project: str, version: int) -> str:
    """Where a version's bundle lies under ``base``."""
    return f"{base.rstrip('/')}/{project}/v{version}"


def push(folder: Path, address: str) -> None:
    """Put the bundle at ``folder`` under ``address``.

    Raises:
        BundleInvalid: ``folder`` does not verify.
        ObjectsUnavailable: The storage refused; no manifest is there, so nobody takes it for a bundle.
    """
    manifest = verify(folder)
    store, place = _storage(address)
    try:
        for name in [*manifest.files, MANIFEST]:
            with store.open_output_stream(f"{place}/{name}") as target:
                target.write((folder / name).read_bytes())
    except OSError as error:
        raise _unavailable(address, "written", error) from error


def pull(address: str, folder: Path) -> Path:
    """Fetch the bundle under ``address`` to ``folder``, which appears verified or not at all.

    Returns:
        ``folder``.

    Raises:
        BundleInvalid: There is no bundle, or it does not verify.
        ObjectsUnavailable: The storage cannot be reached or refuses.
        StorageFailure: The disk refused.
    """
    if (folder / MANIFEST).is_file():
        verify(folder)
        return folder
    store, place = _storage(address)
    partial = folder.parent / f".{folder.name}.{secrets.token_hex(4)}.partial"
    try:
        names = _names(store, place, address)
        partial.mkdir(parents=True)
        for name in names:
            with store.open_input_stream(f"{place}/{name}") as source:
                (partial / name).write_bytes(source.read())
        verify(partial)
        partial.rename(folder)
    except OSError as error:
        if error.errno is not None and partial.exists():
            raise StorageFailure.from_os_error(error, f"fetching {address}") from error
        raise _unavailable(address, "read", error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def pulled(address: str, work_dir: Path) -> Path:
    """The bundle under ``address``, fetched anew into a folder of the working folder; see ``pull``."""
    named = hashlib.sha256(address.encode()).hexdigest()[:12]
    folder = work_dir / "pulled" / named
    shutil.rmtree(folder, ignore_errors=True)
    return pull(address, folder)


def _names(store: Any, place: str, address: str) -> list[str]:
    """Names of the files under a prefix."""
    from pyarrow.fs import FileSelector, FileType

    found = store.get_file_info(FileSelector(place, allow_not_found=True))
    names = [info.base_name for info in found if info.type is FileType.File]
    if MANIFEST not in names:
        raise BundleInvalid(
            f"There is no bundle at {address}: it has no {MANIFEST}.",
            "Check the address; it is the folder that holds the manifest.",
        )
    if len(names) > _MOST_FILES:
        raise BundleInvalid(
            f"{address} holds {len(names):,} files, which no bundle does.", "Check the address."
        )
    return names


def _storage(address: str) -> tuple[Any, str]:
    """Arrow's client, and the bucket with the prefix.

    The endpoint and the credentials are those that the AWS tools use.
    """
    parts = urlsplit(address)
    if parts.scheme != "s3" or not parts.netloc or not parts.path.strip("/"):
        raise ObjectsUnavailable(
            f"The address {address} names no folder in a bucket.", "Write it as s3://bucket/path."
        )
    try:
        from pyarrow.fs import S3FileSystem
    except ImportError as error:
        raise MissingExtra("pyarrow", "parquet") from error
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    try:
        store = S3FileSystem(endpoint_override=endpoint, region=os.environ.get("AWS_REGION") or None)
    except OSError as error:
        raise _unavailable(address, "reached", error) from error
    return store, parts.netloc + "/" + parts.path.strip("/")


def _unavailable(address: str, done: str, error: OSError) -> ObjectsUnavailable:
    return ObjectsUnavailable(
        f"{address} cannot be {done}: {str(error).partition(chr(10))[0][:300]}",
        "Check the address, the credentials and AWS_ENDPOINT_URL: aws s3 ls " + address,
    )
