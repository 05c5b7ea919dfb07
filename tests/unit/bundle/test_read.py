"""Reading a bundle: read, check, and only then construct."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnxruntime
import pytest

from bundles import fit_tree, make_table, tiny_bundle
from modelwright.bundle.derive import Derive
from modelwright.bundle.format import FORMAT, Manifest
from modelwright.bundle.integrity import NO_SEAL, content_hash, seal_of, sha256
from modelwright.bundle.read import BundleInvalid, RowsRefused, open_bundle, verify
from modelwright.errors import ExitCode, MissingExtra

EXPLOSIVE = "raise SystemError('the project code ran')\n"
ROW = {"n 1": 5, "n 3": 15, "size": "x"}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "v1"
    tiny_bundle(folder, derive_source="def derive(row, now):\n    return row\n")
    return folder


@pytest.fixture
def bundle(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "v1"))


def reseal(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the manifest as somebody would who knows how it is sealed."""
    raw = msgspec.json.decode((folder / "manifest.json").read_bytes())
    change(raw)
    raw["seal"] = NO_SEAL
    blank = msgspec.json.encode(raw)
    (folder / "manifest.json").write_bytes(blank.replace(NO_SEAL.encode(), seal_of(blank, NO_SEAL).encode()))


def rehash(folder: Path) -> None:
    """Make every hash right again after files were changed, keeping the listed names."""

    def change(raw: dict[str, Any]) -> None:
        raw["files"] = {name: sha256((folder / name).read_bytes()) for name in raw["files"]}
        manifest = msgspec.convert(raw, Manifest)
        raw["content_hash"] = content_hash(
            number=manifest.format,
            task=manifest.task,
            models=manifest.models,
            dataset_md5=manifest.dataset_md5,
            files=manifest.files,
        )

    reseal(folder, change)


def refused(folder: Path, *said: str) -> None:
    """Both ways in refuse the bundle, with these words and the exit code of a bad bundle."""
    for way in (verify, open_bundle):
        with pytest.raises(BundleInvalid) as caught:
            way(folder)
        assert caught.value.code is ExitCode.BUNDLE
        assert caught.value.instruction
        for words in said:
            assert words in str(caught.value)


def test_it_answers_rows(tmp_path: Path) -> None:
    """Opened, it answers what the trained model answers; a row that does not fit is told."""
    table = make_table(300)
    tiny_bundle(tmp_path / "v1")
    opened = open_bundle(tmp_path / "v1")
    opened.warm_up()
    fitted = fit_tree(table)
    expected = fitted.estimator.predict(
        fitted.preprocessor.transform(fitted.encoder.transform(table.columns))
    )
    answers = opened.answer(table.columns)["model"]
    assert [answer.prediction for answer in answers] == [f"label {label}" for label in expected]
    row = {name: values[0] for name, values in table.part(slice(1, 2)).items()}
    row = {name: None if value != value else value for name, value in row.items()}
    assert opened.predict_rows([row]) == [{"model": answers[1]}]
    with pytest.raises(RowsRefused) as caught:
        opened.predict_rows([row, row | {"n 1": "many"}])
    assert caught.value.details == ("row 1: n 1: 'many' is not a number",)
    assert opened.reference == b'{"rows":0,"columns":[]}'


def test_batches_answer_like_single_rows(tmp_path: Path) -> None:
    """Bit for bit, through the whole of reading, encoding and answering."""
    table = make_table(300, text=True)
    from bundles import contents_of
    from modelwright.bundle.write import write_bundle

    write_bundle(tmp_path / "v1", contents_of(fit_tree(table)))
    opened = open_bundle(tmp_path / "v1")
    rows = [
        {name: None if value != value else value for name, value in zip(table.columns, values, strict=True)}
        for values in zip(*(column.tolist() for column in table.columns.values()), strict=True)
    ]
    together = opened.predict_rows(rows)
    assert together == [opened.predict_rows([row])[0] for row in rows]


def test_one_changed_byte_in_any_file_is_found(bundle: Path) -> None:
    """Wherever the byte is, the file is named, and nothing is made of the bundle."""
    for path in sorted(bundle.iterdir()):
        data = path.read_bytes()
        for place in {0, len(data) // 3, len(data) // 2, len(data) - 2, len(data) - 1}:
            for flip in (1, 0x20):
                path.write_bytes(data[:place] + bytes([data[place] ^ flip]) + data[place + 1 :])
                refused(bundle, path.name)
        path.write_bytes(data)
    verify(bundle)


def test_a_truncated_file_is_found(bundle: Path) -> None:
    """Cut short, or empty."""
    for path in sorted(bundle.iterdir()):
        data = path.read_bytes()
        for length in (0, len(data) - 1):
            path.write_bytes(data[:length])
            refused(bundle, path.name)
        path.write_bytes(data)


def test_nothing_runs_before_every_check_has_passed(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a file damaged that is read last, neither is derive.py run nor an ONNX session made."""
    made: list[str] = []
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *a, **k: made.append("session"))
    monkeypatch.setattr(Derive, "__init__", lambda self, source: made.append("derive"))
    (bundle / "derive.py").write_text(EXPLOSIVE)
    refused(bundle, "derive.py")
    names = list(verify_order(bundle))
    (bundle / "derive.py").write_text("def derive(row, now):\n    return row\n")
    last = bundle / names[-1]
    last.write_bytes(last.read_bytes() + b" ")
    refused(bundle, last.name)
    assert made == []


def verify_order(bundle: Path) -> list[str]:
    return list(msgspec.json.decode((bundle / "manifest.json").read_bytes())["files"])


def test_a_rightly_hashed_derive_does_run(bundle: Path) -> None:
    """The counter-proof: verify leaves it alone, opening runs it."""
    (bundle / "derive.py").write_text(EXPLOSIVE)
    rehash(bundle)
    verify(bundle)
    with pytest.raises(Exception, match="the project code ran"):
        open_bundle(bundle)


def test_a_newer_format_asks_for_an_upgrade(bundle: Path) -> None:
    """Before anything else of the manifest is looked at, so unknown fields do not matter."""
    (bundle / "manifest.json").write_bytes(msgspec.json.encode({"format": FORMAT + 1, "models": "other"}))
    refused(bundle, f"format {FORMAT + 1}", "pip install --upgrade modelwright")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"[]",
        b'"x"',
        b"{}",
        b'{"format": "1"}',
        b'{"format": 0}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_a_manifest_that_is_none_is_refused(bundle: Path, content: bytes) -> None:
    """Whatever stands in the file."""
    (bundle / "manifest.json").write_bytes(content)
    refused(bundle, "manifest.json")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("models", []),
        ("models", [{"name": "x"}]),
        ("files", {"a": 5}),
        ("task", "divination"),
        ("version", "one"),
        ("created", None),
        ("content_hash", "0" * 64),
        ("dataset_md5", "other"),
    ],
)
def test_wrong_values_in_a_sealed_manifest_are_refused(bundle: Path, field: str, value: Any) -> None:
    """A right seal is not enough: types and content hash are checked as well."""
    reseal(bundle, lambda raw: raw.update({field: value}))
    refused(bundle, "manifest.json")


@pytest.mark.parametrize(
    "name", ["../outside", "/etc/hostname", "sub/file", "a\\b", "..", "", ".hidden", "manifest.json"]
)
def test_names_that_lead_elsewhere_are_refused(bundle: Path, name: str) -> None:
    """A listed file is a plain name in the folder."""

    def change(raw: dict[str, Any]) -> None:
        raw["files"][name] = "1" * 64
        manifest = msgspec.convert(raw, Manifest)
        raw["content_hash"] = content_hash(
            number=1,
            task=manifest.task,
            models=manifest.models,
            dataset_md5=manifest.dataset_md5,
            files=manifest.files,
        )

    reseal(bundle, change)
    refused(bundle, "by the name")


def test_a_missing_an_extra_and_an_unlisted_file_are_named(bundle: Path) -> None:
    """The folder holds exactly what the manifest lists."""
    (bundle / "notes.txt").write_text("hello")
    refused(bundle, "'notes.txt'", "does not list")
    (bundle / "notes.txt").unlink()
    (bundle / "schema.json").unlink()
    refused(bundle, "'schema.json' is missing")


def test_links_and_folders_are_refused(bundle: Path, tmp_path: Path) -> None:
    """Even a link to the right content."""
    path = bundle / "schema.json"
    path.rename(tmp_path / "elsewhere.json")
    path.symlink_to(tmp_path / "elsewhere.json")
    refused(bundle, "'schema.json'", "a link")
    path.unlink()
    (tmp_path / "elsewhere.json").rename(path)
    (bundle / "sub").mkdir()
    refused(bundle, "'sub'", "not a plain file")
    (bundle / "sub").rmdir()
    os.mkfifo(bundle / "pipe")
    refused(bundle, "'pipe'", "not a plain file")


def test_a_path_that_is_no_bundle_gets_help(bundle: Path, tmp_path: Path) -> None:
    """Nothing there, a file, another folder, or the folder above."""
    refused(tmp_path / "nothing", "no bundle at", "Check the path")
    (tmp_path / "file.tar").write_bytes(b"x")
    refused(tmp_path / "file.tar", "a bundle is a folder")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "no manifest.json", ".modelwright/bundles")
    refused(tmp_path, "Did you mean", "v1")


def test_rightly_hashed_nonsense_is_refused_when_opened(bundle: Path) -> None:
    """A graph, a schema or an encoding that cannot be understood names its file."""
    for name in ("model.onnx", "schema.json", "encoding.json"):
        data = (bundle / name).read_bytes()
        (bundle / name).write_bytes(b'{"nonsense": 1}')
        rehash(bundle)
        verify(bundle)
        with pytest.raises(BundleInvalid, match=name):
            open_bundle(bundle)
        (bundle / name).write_bytes(data)
        rehash(bundle)
    assert open_bundle(bundle).predict_rows([ROW])[0]["model"].probabilities


def test_warming_up_finds_a_bundle_that_cannot_answer(bundle: Path) -> None:
    """A graph for other columns verifies and loads, but the first answer fails: told beforehand."""
    (bundle / "model.onnx").write_bytes(fit_tree(make_table(200, seed=5, strings=False)).graph)
    rehash(bundle)
    opened = open_bundle(bundle)
    opened.models[0].encoder = fit_tree(make_table(200, seed=5)).encoder
    opened.models[0].runner._numbers = False
    with pytest.raises(BundleInvalid, match="cannot answer"):
        opened.warm_up()


@pytest.mark.parametrize(
    ("fault", "told", "words"),
    [
        (MissingExtra("PIL", "images"), MissingExtra, "pip install 'modelwright\\[images\\]'"),
        (MemoryError(), BundleInvalid, "needs more memory"),
    ],
)
def test_warming_up_tells_what_is_missing(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception, told: type[Exception], words: str
) -> None:
    """A library or memory that is not there is not said to be damage of the bundle."""

    def fail(*_: object) -> None:
        raise fault

    opened = open_bundle(bundle)
    monkeypatch.setattr(type(opened), "answer", fail)
    with pytest.raises(told, match=words):
        opened.warm_up()


def test_threads_may_be_given(bundle: Path) -> None:
    """More threads, same labels."""
    columns = make_table(50).columns
    one, two = open_bundle(bundle), open_bundle(bundle, threads=2)
    first, second = one.answer(columns)["model"], two.answer(columns)["model"]
    assert [answer.prediction for answer in first] == [answer.prediction for answer in second]
    assert np.allclose([answer.confidence for answer in first], [answer.confidence for answer in second])


def test_a_model_too_large_for_the_memory_is_said_to_be_that(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bundle is whole, so the remedy is not to restore it."""

    def full(*_arguments: object, **_settings: object) -> None:
        raise MemoryError

    monkeypatch.setattr("modelwright.bundle.read.LoadedModel", full)
    with pytest.raises(BundleInvalid, match="needs more memory than there is") as caught:
        open_bundle(bundle)
    assert "more memory" in caught.value.instruction
