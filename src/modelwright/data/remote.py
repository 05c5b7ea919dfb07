"""Objects under ``s3://``, through Arrow's own client."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from modelwright.data.faults import DataUnreadable
from modelwright.errors import MissingExtra
from modelwright.files import write_stream

PREFIX = "s3://"


def object_name(address: str) -> str:
    """The last part of an object's key.

    Raises:
        DataUnreadable: The address names a bucket only, or a folder.
    """
    parts = urlsplit(address)
    name = Path(parts.path).name
    if not parts.netloc or not name or parts.path.endswith("/"):
        raise DataUnreadable(
            f"The address {address} names no single object.", "Write it as s3://bucket/path/file.csv."
        )
    return name


def download(address: str, path: Path) -> None:
    """Copy the object at ``address`` to the file ``path``, atomically.

    The endpoint and the credentials are those that the AWS tools use (``AWS_ENDPOINT_URL``,
    ``AWS_ACCESS_KEY_ID``, profile, instance role, …).

    Raises:
        DataUnreadable: It is not there or may not be read.
        MissingExtra: Arrow was built without S3.
        StorageFailure: ``path`` cannot be written.
    """
    try:
        from pyarrow.fs import S3FileSystem
    except ImportError as error:
        raise MissingExtra("pyarrow with S3", "s3") from error
    object_name(address)
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    parts = urlsplit(address)
    try:
        store = S3FileSystem(endpoint_override=endpoint, region=os.environ.get("AWS_REGION") or None)
        source = store.open_input_stream(parts.netloc + parts.path, compression=None)
    except OSError as error:
        raise DataUnreadable(
            f"The object {address} cannot be read: {error}",
            "Check the address, the credentials and AWS_ENDPOINT_URL: aws s3 ls " + address,
        ) from error
    with source:
        write_stream(path, iter(lambda: source.read(1 << 20), b""), f"copying {address}")
