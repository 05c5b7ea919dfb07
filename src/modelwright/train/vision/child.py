"""The process that trains one network: ``python -m modelwright.train.vision.child FOLDER PLACE``.

It reads ``job.json``, ``pixels.npy`` (uint8 [n, 96, 96, 3]), ``target.npy`` and ``fold.npy`` of the folder,
learns from the rows of all folds but its own, and writes ``network-PLACE.npz``: the layers, what the
network answers for the rows of its fold, and again for a few of them, for checking what is exported. A
line ``{"epoch": …}`` tells of each epoch. One thread, all drawn from a seed: the same numbers each time.

AdamW with one cycle of the learning rate (Smith, Topin, "Super-Convergence", 2019), label smoothing
(Szegedy et al., "Rethinking the Inception Architecture", 2016). A tenth of its rows it does not learn from
but looks at after each epoch: the best epoch's network is kept, and it stops when long none was better.
"""

from __future__ import annotations

import json
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from modelwright.train.vision.augment import augmented
from modelwright.train.vision.layers import SIDE
from modelwright.train.vision.network import Network, layers_of

_BATCH = 32
_RATE = 2e-3
_DECAY = 5e-2
_SMOOTHED = 0.1
_LOOKED_AT = 10  # every tenth row judges the epochs
_TRIED = 8  # pictures the export is checked with


@dataclass(frozen=True)
class Job:
    """What is to be learned.

    Attributes:
        outputs: Classes, or 1 for a value.
        classes: Whether there are classes.
        seed: Of everything drawn.
        epochs: At most.
        patience: Epochs without a better one after which it stops.
        seconds: At most.
    """

    outputs: int
    classes: bool
    seed: int
    epochs: int
    patience: int
    seconds: float


def main(folder: Path, place: int) -> None:
    """Train the network that answers for fold ``place``."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    job = Job(**json.loads((folder / "job.json").read_text(encoding="utf-8")))
    pixels = np.load(folder / "pixels.npy", mmap_mode="r", allow_pickle=False)
    target = torch.from_numpy(np.load(folder / "target.npy", allow_pickle=False))
    fold = np.load(folder / "fold.npy", allow_pickle=False)
    learning, own = np.flatnonzero(fold != place), np.flatnonzero(fold == place)
    network, epochs, stopped = _fitted(pixels, target, learning, job, place)
    tried = own[:_TRIED]
    found = {
        "answers": _answers(network, pixels, own),
        "tried": _answers(network, pixels, tried),
        "epochs": np.array(epochs),
        "stopped": np.array(stopped),
        **layers_of(network),
    }
    np.savez(folder / f"network-{place}.npz", **found)  # type: ignore[arg-type]


def _fitted(
    pixels: np.ndarray, target: torch.Tensor, learning: np.ndarray, job: Job, place: int
) -> tuple[Network, int, bool]:
    """The best epoch's network, how many epochs there were, and whether time ended them."""
    began = time.monotonic()
    random = torch.Generator().manual_seed(job.seed * 1_000 + place)
    torch.manual_seed(job.seed * 1_000 + place)
    shuffled = learning[torch.randperm(len(learning), generator=random).numpy()]
    judged = shuffled[: len(shuffled) // _LOOKED_AT]
    learned = np.sort(shuffled[len(judged) :])
    network = Network(job.outputs).to(memory_format=torch.channels_last)
    steps = math.ceil(len(learned) / _BATCH)
    optimiser = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=_DECAY)
    rates = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, _RATE, total_steps=job.epochs * steps + 1, pct_start=0.15
    )
    best, best_epoch, kept = math.inf, 0, _state(network)
    for epoch in range(1, job.epochs + 1):
        _epoch(network, (pixels, target, learned), job, optimiser, rates, random)
        loss = _loss(network, pixels, target, judged, job) if len(judged) else -float(epoch)
        if loss < best:
            best, best_epoch, kept = loss, epoch, _state(network)
        print(json.dumps({"epoch": epoch}), flush=True)  # noqa: T201 - the parent reads it
        spent = time.monotonic() - began
        out_of_time = epoch < job.epochs and spent + spent / epoch > job.seconds
        if out_of_time or epoch - best_epoch >= job.patience:
            break
    network.load_state_dict(kept)
    return network, epoch, out_of_time


def _epoch(  # noqa: PLR0917 - what a step of learning takes
    network: Network,
    rows: tuple[np.ndarray, torch.Tensor, np.ndarray],
    job: Job,
    optimiser: Any,
    rates: Any,
    random: torch.Generator,
) -> None:
    pixels, target, learned = rows
    network.train()
    for batch in torch.randperm(len(learned), generator=random).split(_BATCH):
        if len(batch) < 2:  # one picture has no spread to be brought to one
            continue
        chosen = learned[batch.numpy()]
        seen = (augmented(_pictures(pixels, chosen), random) * 2 - 1).contiguous(
            memory_format=torch.channels_last
        )
        answers = network(seen)
        loss = (
            functional.cross_entropy(answers, target[chosen], label_smoothing=_SMOOTHED)
            if job.classes
            else functional.smooth_l1_loss(answers[:, 0], target[chosen])
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rates.step()


def _loss(network: Network, pixels: np.ndarray, target: torch.Tensor, rows: np.ndarray, job: Job) -> float:
    answers = torch.from_numpy(_answers(network, pixels, rows))
    if job.classes:
        return float(functional.cross_entropy(answers, target[rows]))
    return float(functional.mse_loss(answers[:, 0], target[rows]))


def _answers(network: Network, pixels: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Scores for some rows, float32 [rows, outputs], of pictures as they are."""
    network.eval()
    with torch.no_grad():
        parts = [
            network(_pictures(pixels, rows[start : start + 256]) * 2 - 1).numpy()
            for start in range(0, len(rows), 256)
        ]
    return np.concatenate(parts) if parts else np.zeros((0, network.head.out_features), np.float32)


def _pictures(pixels: np.ndarray, rows: np.ndarray) -> torch.Tensor:
    """Some pictures at the network's size, float [n, 3, SIDE, SIDE] from 0 to 1."""
    chosen = torch.from_numpy(np.ascontiguousarray(pixels[rows])).permute(0, 3, 1, 2).float() / 255
    return functional.interpolate(chosen, (SIDE, SIDE), mode="bilinear", align_corners=False)


def _state(network: Network) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
