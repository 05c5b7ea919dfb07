"""Bundles in object storage: put whole, fetched and checked. A folder stands for the storage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyarrow.fs import LocalFileSystem

from bundles import tiny_bundle
from modelwright.bundle import objects
from modelwright.bundle.format import MANIFEST
from modelwright.bundle.objects import ObjectsUnavailable, address_of, pull, pulled, push
from modelwright.bundle.read import BundleInvalid, verify

ADDRESS = "s3://bucket/models/p/v1"


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that Arrow reads and writes as it does S3's objects."""
    root = tmp_path / "storage"
    root.mkdir()

    def local(address: str) -> tuple[Any, str]:
        place = root / address.removeprefix("s3://")
        place.mkdir(parents=True, exist_ok=True)  # object storage has no folders to make
        return LocalFileSystem(), str(place)

    monkeypatch.setattr(objects, "_storage", local)
    return root


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A small bundle."""
    tiny_bundle(tmp_path / "v1")
    return tmp_path / "v1"


def test_what_was_put_is_fetched(storage: Path, bundle: Path, tmp_path: Path) -> None:
    """The same bytes arrive under another folder, and nothing else is left beside them."""
    push(bundle, ADDRESS)
    fetched = pull(ADDRESS, tmp_path / "host" / "bundles" / "v1")
    assert verify(fetched) == verify(bundle)
    assert [path.name for path in fetched.parent.iterdir()] == ["v1"]
    assert {path.name: path.read_bytes() for path in fetched.iterdir()} == {
        path.name: path.read_bytes() for path in bundle.iterdir()
    }


def test_a_damaged_object_is_no_bundle(storage: Path, bundle: Path, tmp_path: Path) -> None:
    """It is found before the folder appears, and the next try may succeed."""
    push(bundle, ADDRESS)
    stored = storage / "bucket/models/p/v1/model.onnx"
    whole = stored.read_bytes()
    stored.write_bytes(whole[:-1] + b"x")
    with pytest.raises(BundleInvalid, match=r"model\.onnx"):
        pull(ADDRESS, tmp_path / "host" / "v1")
    assert list((tmp_path / "host").iterdir()) == []
    stored.write_bytes(whole)
    assert verify(pull(ADDRESS, tmp_path / "host" / "v1"))


def test_without_its_manifest_it_is_none(storage: Path, bundle: Path, tmp_path: Path) -> None:
    """What a crash left of a put is told as no bundle, as is a wrong address."""
    push(bundle, ADDRESS)
    (storage / "bucket/models/p/v1" / MANIFEST).unlink()
    for address in (ADDRESS, "s3://bucket/elsewhere"):
        with pytest.raises(BundleInvalid, match=f"no {MANIFEST}"):
            pull(address, tmp_path / "host" / "v1")


def test_what_is_here_is_checked_and_not_fetched(storage: Path, bundle: Path) -> None:
    """A bundle on the own disk needs no storage, but must be whole."""
    assert pull(ADDRESS, bundle) == bundle
    (bundle / "model.onnx").write_bytes(b"x")
    with pytest.raises(BundleInvalid):
        pull(ADDRESS, bundle)


def test_a_bundle_by_its_address_is_fetched_anew(storage: Path, bundle: Path, tmp_path: Path) -> None:
    """Another bundle put under the same address is the one that is served."""
    push(bundle, ADDRESS)
    first = verify(pulled(ADDRESS, tmp_path / "work"))
    tiny_bundle(tmp_path / "v2", version=2)
    push(tmp_path / "v2", ADDRESS)
    assert (first.version, verify(pulled(ADDRESS, tmp_path / "work")).version) == (1, 2)


def test_a_damaged_bundle_is_not_put(storage: Path, bundle: Path) -> None:
    """Nobody else is given what is broken here."""
    (bundle / "model.onnx").write_bytes(b"x")
    with pytest.raises(BundleInvalid):
        push(bundle, ADDRESS)
    assert not list(storage.rglob(MANIFEST))


@pytest.mark.parametrize("address", ["s3://bucket", "s3:///path", "http://bucket/path"])
def test_an_address_names_a_folder_in_a_bucket(address: str, tmp_path: Path) -> None:
    """Anything else is told before a connection is tried."""
    with pytest.raises(ObjectsUnavailable, match="names no folder in a bucket"):
        pull(address, tmp_path / "v1")


def test_storage_that_is_away_is_told(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused connection is an error that says what to check, and leaves nothing behind."""
    for name, value in (("AWS_ENDPOINT_URL", "http://127.0.0.1:9"), ("AWS_ACCESS_KEY_ID", "k")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(ObjectsUnavailable) as told:
        pull(ADDRESS, tmp_path / "host" / "v1")
    assert ADDRESS in told.value.reason and "AWS_ENDPOINT_URL" in told.value.instruction
    assert not (tmp_path / "host" / "v1").exists()


def test_versions_have_their_places() -> None:
    """Projects and versions do not meet."""
    assert address_of("s3://bucket/models/", "fraud", 3) == "s3://bucket/models/fraud/v3"
