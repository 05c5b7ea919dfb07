"""The network: a small residual one (He et al., "Deep Residual Learning for Image Recognition", 2016).

Half a million numbers, some twenty million multiplications a picture: what a few hundred to some ten thousand
pictures can teach in minutes of one core. Needs PyTorch; runs in the child process only.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from modelwright.train.vision.layers import WIDTHS, Layers


class Block(nn.Module):  # type: ignore[misc]
    """Two convolutions and a way around them, at half the size."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, 2, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(after)
        self.second = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(after)
        self.around = nn.Conv2d(before, after, 1, bias=False)
        self.around_norm = nn.BatchNorm2d(after)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """[n, before, side, side] to [n, after, side / 2, side / 2]."""
        found = functional.relu(self.first_norm(self.first(pictures)))
        found = self.second_norm(self.second(found))
        around = self.around_norm(self.around(functional.avg_pool2d(pictures, 2)))
        return functional.relu(found + around)


class Network(nn.Module):  # type: ignore[misc]
    """Pictures, float [n, 3, SIDE, SIDE] from -1 to 1, to a score for each class or to a value."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, WIDTHS[0], 3, 2, 1, bias=False)
        self.stem_norm = nn.BatchNorm2d(WIDTHS[0])
        self.blocks = nn.ModuleList(Block(before, after) for before, after in pairwise(WIDTHS))
        self.head = nn.Linear(WIDTHS[-1], outputs)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Scores [n, outputs]."""
        found = functional.relu(self.stem_norm(self.stem(pictures)))
        for block in self.blocks:
            found = block(found)
        return self.head(found.mean((2, 3)))


def layers_of(network: Network) -> Layers:
    """The trained network's numbers, each normalisation folded into the convolution before it."""
    found = dict(_folded("stem", network.stem, network.stem_norm))
    for place, block in enumerate(network.blocks):
        found |= _folded(f"{place}.first", block.first, block.first_norm)
        found |= _folded(f"{place}.second", block.second, block.second_norm)
        found |= _folded(f"{place}.around", block.around, block.around_norm)
    found["head.weight"] = network.head.weight.detach().numpy()
    found["head.bias"] = network.head.bias.detach().numpy()
    return found


def _folded(name: str, convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> Layers:
    """In float64: rounded once."""
    spread = np.sqrt(norm.running_var.numpy().astype(np.float64) + norm.eps)
    scale = norm.weight.detach().numpy().astype(np.float64) / spread
    weight = convolution.weight.detach().contiguous().numpy().astype(np.float64)
    bias = norm.bias.detach().numpy().astype(np.float64) - norm.running_mean.numpy() * scale
    return {
        f"{name}.weight": (weight * scale[:, None, None, None]).astype(np.float32),
        f"{name}.bias": bias.astype(np.float32),
    }
