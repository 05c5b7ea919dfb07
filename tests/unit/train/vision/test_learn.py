"""Image encoders trained on a project's own pictures. Without PyTorch only the refusals are tested."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from modelwright.bundle.image_fit import built_in_parts
from modelwright.bundle.image_graph import encoder_graph
from modelwright.bundle.pictures import Picture
from modelwright.errors import MissingExtra
from modelwright.train.vision import learn
from modelwright.train.vision.learn import EncoderNotTrained, Trained, Wish, train_encoder
from modelwright.train.vision.weighing import best_weight

TORCH = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs PyTorch (extra vision)")
COLOURS = ((200, 40, 40), (40, 160, 60))


def pictures(folder: Path, count: int = 48) -> tuple[list[Picture | str], np.ndarray]:
    """Noisy squares in two colours, and which colour each is."""
    random = np.random.default_rng(0)
    cells: list[Picture | str] = []
    for place in range(count):
        pixels = np.full((40, 30, 3), 255, dtype=np.uint8)
        pixels[8:32, 6:24] = COLOURS[place % 2] + random.integers(-30, 30, 3)
        path = folder / f"{place}.png"
        Image.fromarray(pixels).save(path)
        cells.append(Picture.stored(path))
    return cells, np.arange(count) % 2


def weighed(*_: object, **__: object) -> float:
    return 0.5


def wish(target: np.ndarray, classes: int = 2, seconds: float = 600) -> Wish:
    return Wish("photo", target, classes, seed=3, epochs=2, seconds=seconds, cores=2)


def test_without_torch_the_install_line_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing extra is told before anything is decoded."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"modelwright\[vision\]"):
        train_encoder([], wish(np.zeros(0, np.int64)))


def test_a_few_pictures_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is trained on ten pictures; missing ones are not counted."""
    monkeypatch.setattr(learn, "need_torch", lambda: None)
    cells, target = pictures(tmp_path, 10)
    with pytest.raises(EncoderNotTrained, match="10 different pictures"):
        train_encoder([*cells, ""], wish(np.append(target, 0)))


def test_answers_that_tell_nothing_get_no_weight() -> None:
    """Noise beside features that tell everything is given no say; the truth beside noise is."""
    random = np.random.default_rng(1)
    target = random.integers(0, 2, 120)
    truth = np.stack([target == 0, target == 1], axis=1).astype(np.float32)
    noise = random.normal(size=(120, 8)).astype(np.float32)
    assert best_weight(truth, noise, target, classes=2, seed=0) == 0.0
    assert best_weight(noise, truth, target, classes=2, seed=0) > 0.0
    assert best_weight(noise, np.zeros((120, 2), np.float32), target, classes=2, seed=0) == 0.0


def test_the_built_in_encoder_stands_alone_where_networks_are_no_help(tmp_path: Path) -> None:
    """No network goes into the bundle that has no say, and the person is told."""
    cells = [cell for cell in pictures(tmp_path, 6)[0] if isinstance(cell, Picture)]
    known = built_in_parts(cells, seed=0)
    found = learn._without_networks("photo", cells, known, known.features(cells), ("before",))
    assert found.runner.graph == encoder_graph(known.mean, known.projection)
    np.testing.assert_array_equal(found.runner.features(cells[0]), found.runner.encode(cells[0]))
    assert found.notes[0] == "before" and "tell nothing" in found.notes[1]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Trained, list[Picture | str]]:
    """An encoder of two epochs, whose networks have a say whatever they are worth."""
    cells, target = pictures(tmp_path_factory.mktemp("pictures"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learn, "best_weight", weighed)
        return train_encoder([*cells, ""], wish(np.append(target, 0))), cells


@TORCH
@pytest.mark.slow
def test_a_picture_has_the_features_of_networks_that_have_not_seen_it(
    trained: tuple[Trained, list[Picture | str]],
) -> None:
    """Of a training picture one network's answer stands; asked anew, all networks answer."""
    runner, cells = trained[0].runner, trained[1]
    cell = cells[0]
    assert isinstance(cell, Picture)
    kept, anew = cell.features[runner.column.file], runner.encode(cell)
    assert kept.shape == anew.shape == (runner.column.width,)
    own = runner.column.width - 2
    np.testing.assert_allclose(kept[:own], anew[:own], atol=1e-5)
    assert np.isfinite(kept).all()


@TORCH
@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes(
    trained: tuple[Trained, list[Picture | str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On one machine a training is repeated bit for bit, however many networks learn at once."""
    monkeypatch.setattr(learn, "best_weight", weighed)
    cells, target = pictures(tmp_path)
    alone = Wish("photo", np.append(target, 0), 2, seed=3, epochs=2, seconds=600, cores=1)
    assert train_encoder([*cells, ""], alone).runner.graph == trained[0].runner.graph


@TORCH
@pytest.mark.slow
def test_values_are_learned_too_and_time_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A regression has one number beside the built-in features; what time cut short is told."""
    monkeypatch.setattr(learn, "best_weight", weighed)
    cells, target = pictures(tmp_path)
    found = train_encoder(cells, wish(target.astype(np.float64), classes=0, seconds=0.01))
    assert any("stopped by their time after 1 of 2 epochs" in note for note in found.notes)
    assert found.runner.column.width == 47 + 1
