"""An image encoder trained on a project's pictures: the built-in features, and what networks say beside them.

A network that learned from a picture with its class knows the class too well: a model on top would take its
word for everything. So several are trained, each without one fold of the training pictures. For a training
picture the features are what the network says that has not seen it (stacking: Wolpert, "Stacked
Generalization", 1992); for any other picture, what all of them say on average. How much that weighs beside
the built-in features is what leaves the least error on the training pictures, each left out in turn.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import selectors
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from modelwright.bundle.image_fit import BUILT_IN, BuiltIn, built_in_parts, encoder_of
from modelwright.bundle.image_graph import SIDE as GIVEN_SIDE
from modelwright.bundle.image_graph import encoder_graph
from modelwright.bundle.images import PIXELS, ImageRunner
from modelwright.bundle.pictures import Picture
from modelwright.bundle.session import session_of
from modelwright.errors import ExitCode, MissingExtra, ModelwrightError, StorageFailure
from modelwright.train.vision.layers import Layers, answering_graph, network_graph
from modelwright.train.vision.weighing import best_weight

FOLDS = 4
LEAST = 40
"""Different pictures there have to be."""

TOLERANCE = 1e-3
"""Largest difference of a score between PyTorch and ONNX Runtime."""

_VISITS = 40_000  # pictures looked at by one network, where the project file does not say how often
_FEWEST, _MOST = 3, 90  # epochs
_PATIENCE = 3  # a third of the epochs without a better one
_SOURCE = "the built-in encoder and {networks} networks trained on {pictures:,} pictures"


class EncoderNotTrained(ModelwrightError):
    """The image encoder could not be trained."""

    code = ExitCode.TRAINING


@dataclass(frozen=True)
class Wish:
    """What is to be learned from.

    Attributes:
        name: The column.
        target: Label indices (int64), or values (float64), one a training row.
        classes: How many labels there are; 0 for values.
        seed: Of everything drawn.
        epochs: At most; ``None`` for what suits the number of pictures.
        seconds: At most, for all networks together.
        cores: Networks trained at once.
    """

    name: str
    target: np.ndarray
    classes: int
    seed: int
    epochs: int | None
    seconds: float
    cores: int


@dataclass(frozen=True)
class Trained:
    """The encoder.

    Attributes:
        runner: Ready to run; training pictures already have their features.
        notes: What a person should know, sentences.
    """

    runner: ImageRunner
    notes: tuple[str, ...]


def need_torch() -> None:
    """Raise ``MissingExtra`` unless PyTorch is installed; it is not imported."""
    if importlib.util.find_spec("torch") is None:
        raise MissingExtra("torch", "vision")


def train_encoder(
    pictures: Sequence[Picture | str], wish: Wish, told: Callable[[int, int], None] = lambda _done, _all: None
) -> Trained:
    """Train the encoder of an image column.

    Args:
        pictures: The training rows' cells; "" where one is missing.
        wish: What from.
        told: Is told how many epochs of how many were done.

    Raises:
        MissingExtra: PyTorch or Pillow is not installed.
        EncoderNotTrained: There are too few pictures, or a network failed.
        StorageFailure: There is no room for the pixels.
    """
    need_torch()
    rows = np.array([row for row, cell in enumerate(pictures) if isinstance(cell, Picture)], dtype=np.int64)
    cells = [cell for cell in pictures if isinstance(cell, Picture)]
    names = np.unique([str(cell) for cell in cells], return_inverse=True)[1] if cells else np.zeros(0)
    different = len(set(names.tolist()))
    if different < LEAST:
        raise EncoderNotTrained(
            f"Column {wish.name!r} has {different} different pictures to learn from, fewer than {LEAST}.",
            "Leave out 'encoder: train': the built-in encoder needs no training.",
        )
    target = _target(wish, rows)
    fold = _folds(names, wish.seed)
    known = built_in_parts(cells, seed=wish.seed)
    with _workshop() as folder:
        networks, answers, notes = _networks(folder, cells, target, fold, wish, told)
    if wish.classes:
        answers = np.sqrt(_softmax(answers))
    features = known.features(cells)
    weight = best_weight(features, answers, target, classes=wish.classes, seed=wish.seed)
    if weight == 0:
        return _without_networks(wish.name, cells, known, features, notes)
    graph = network_graph(
        networks, classes=wish.classes > 0, weight=weight, mean=known.mean, projection=known.projection
    )
    source = _SOURCE.format(networks=len(networks), pictures=len(cells))
    runner = encoder_of(wish.name, graph, features.shape[1] + answers.shape[1], source)
    learned = np.concatenate([features, (answers * np.float32(weight)).astype(np.float32)], axis=1)
    for cell, own in zip(cells, learned, strict=True):
        cell.features[runner.column.file] = own
    return Trained(runner, notes)


def _without_networks(
    name: str, cells: Sequence[Picture], known: BuiltIn, features: np.ndarray, notes: tuple[str, ...]
) -> Trained:
    """The built-in encoder alone, where the networks are no help."""
    graph = encoder_graph(known.mean, known.projection)
    runner = encoder_of(name, graph, features.shape[1], BUILT_IN)
    for cell, own in zip(cells, features, strict=True):
        cell.features[runner.column.file] = own
    note = (
        f"The networks trained on the pictures of '{name}' tell nothing beside the built-in encoder, which "
        "stands alone; 'encoder: train' can be left out."
    )
    return Trained(runner, (*notes, note))


def _target(wish: Wish, rows: np.ndarray) -> np.ndarray:
    if wish.classes:
        return np.ascontiguousarray(wish.target[rows], dtype=np.int64)
    values = wish.target[rows].astype(np.float64)
    spread = float(values.std()) or 1.0
    return np.ascontiguousarray((values - values.mean()) / spread, dtype=np.float32)


def _folds(names: np.ndarray, seed: int) -> np.ndarray:
    """Which network must not see each picture; equal pictures stay together."""
    order = np.random.default_rng(seed).permutation(int(names.max()) + 1)
    return np.ascontiguousarray(order[names] % FOLDS)


def _networks(  # noqa: PLR0917 - the steps' results, in their order
    folder: Path,
    cells: Sequence[Picture],
    target: np.ndarray,
    fold: np.ndarray,
    wish: Wish,
    told: Callable[[int, int], None],
) -> tuple[list[Layers], np.ndarray, tuple[str, ...]]:
    """The trained networks, their scores for the pictures each has not seen, and notes."""
    epochs = wish.epochs or int(np.clip(_VISITS // max(1, len(cells)), _FEWEST, _MOST))
    pixels = np.lib.format.open_memmap(
        folder / "pixels.npy", mode="w+", dtype=np.uint8, shape=(len(cells), GIVEN_SIDE, GIVEN_SIDE, 3)
    )
    for place, cell in enumerate(cells):
        pixels[place] = cell.pixels(GIVEN_SIDE, GIVEN_SIDE, "pad")
    pixels.flush()
    np.save(folder / "target.npy", target)
    np.save(folder / "fold.npy", fold)
    at_once = max(1, min(FOLDS, wish.cores))
    job = {
        "outputs": max(1, wish.classes),
        "classes": wish.classes > 0,
        "seed": wish.seed,
        "epochs": epochs,
        "patience": max(3, epochs // _PATIENCE),
        "seconds": wish.seconds * at_once / FOLDS,
    }
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    _run(folder, at_once, wish.name, lambda done: told(done, FOLDS * epochs))
    networks: list[Layers] = []
    answers = np.zeros((len(cells), max(1, wish.classes)), dtype=np.float32)
    ended: list[int] = []
    for place in range(FOLDS):
        with np.load(folder / f"network-{place}.npz", allow_pickle=False) as found:
            layers = {name: found[name] for name in found.files if name.endswith((".weight", ".bias"))}
            own = np.flatnonzero(fold == place)
            answers[own] = found["answers"]
            _checked(wish.name, layers, pixels[own[: len(found["tried"])]], found["tried"])
            networks.append(layers)
            ended += [int(found["epochs"])] if bool(found["stopped"]) else []
    notes = (
        (
            f"The networks of '{wish.name}' were stopped by their time after {min(ended)} of {epochs} "
            "epochs; trained again they would differ a little. Give them more with "
            f"features.{wish.name}.encoder.train.time.",
        )
        if ended
        else ()
    )
    return networks, answers, notes


def _checked(name: str, layers: Layers, pixels: np.ndarray, expected: np.ndarray) -> None:
    """Refuse a network whose exported form answers otherwise than PyTorch did."""
    session = session_of(answering_graph(layers))
    found = session.run(None, {PIXELS: np.ascontiguousarray(pixels)})[0]
    worst = float(np.abs(found - expected).max(initial=0.0))
    if not worst <= TOLERANCE:
        raise EncoderNotTrained(
            f"A network trained on the pictures of '{name}' answers otherwise once exported: a score "
            f"differs by {worst:.3g}.",
            "Another seed (data.split.seed) or the built-in encoder does without it; please report it.",
        )


def _run(folder: Path, at_once: int, name: str, told: Callable[[int], None]) -> None:
    """Train the networks in processes, ``at_once`` at a time; none is left when this ends."""
    waiting = list(range(FOLDS))
    running: dict[int, subprocess.Popen[bytes]] = {}
    done = dict.fromkeys(range(FOLDS), 0)
    selector = selectors.DefaultSelector()
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                place = waiting.pop(0)
                running[place] = _child(folder, place)
                selector.register(running[place].stdout, selectors.EVENT_READ, place)  # type: ignore[arg-type]
            for key, _ in selector.select():
                line = key.fileobj.readline()  # type: ignore[union-attr]
                if line:
                    done[key.data] = int(json.loads(line)["epoch"])
                    told(sum(done.values()))
                    continue
                selector.unregister(key.fileobj)
                _ended(running.pop(key.data), folder, key.data, name)
    finally:
        selector.close()
        for process in running.values():
            process.kill()
            process.wait()
            process.stdout.close()  # type: ignore[union-attr]


def _child(folder: Path, place: int) -> subprocess.Popen[bytes]:
    with (folder / f"log-{place}").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "modelwright.train.vision.child", str(folder), str(place)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            bufsize=0,  # what is buffered here would not wake the selector
            env={
                **os.environ,
                "OMP_NUM_THREADS": "1",
                "MKL_NUM_THREADS": "1",
                "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            },
        )


def _ended(process: subprocess.Popen[bytes], folder: Path, place: int, name: str) -> None:
    assert process.stdout is not None  # noqa: S101 - made with a pipe
    process.stdout.close()
    if process.wait() == 0:
        return
    said = (folder / f"log-{place}").read_text(encoding="utf-8", errors="replace").strip()
    raise EncoderNotTrained(
        f"Training a network on the pictures of '{name}' failed with exit status {process.returncode}: "
        f"{said.rpartition(chr(10))[2][:300] or 'it said nothing'}",
        "Look at the lines above it, or leave out 'encoder: train'.",
        details=said.splitlines()[-8:-1],
    )


@contextlib.contextmanager
def _workshop() -> Any:
    """A folder for the pixels, gone afterwards.

    Raises:
        StorageFailure: The disk refused.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="modelwright-vision-") as folder:
            yield Path(folder)
    except OSError as error:
        raise StorageFailure.from_os_error(error, "training the image encoder") from error


def _softmax(scores: np.ndarray) -> np.ndarray:
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=np.float32)
