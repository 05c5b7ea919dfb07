"""Pictures as they might have been taken, too: turned, moved, nearer, lighter, partly hidden.

Hidden squares: DeVries, Taylor, "Improved Regularization of Convolutional Neural Networks with Cutout",
2017. Needs PyTorch; runs in the child process only.
"""

from __future__ import annotations

import torch
from torch.nn import functional

_ZOOM = 0.2
_ASPECT = 0.15
_TURN = 0.2  # radians
_SHIFT = 0.15  # of a side
_LIGHT = 0.1
_CONTRAST = 0.3
_HIDDEN = 0.25  # side of the square, of the picture's


def augmented(pictures: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """Each of ``pictures``, float [n, 3, side, side] from 0 to 1, changed in its own way; white comes in."""
    count = len(pictures)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.rand(shape or (count,), generator=random) * 2 - 1

    flip = torch.where(drawn() < 0, -1.0, 1.0)
    zoom, aspect = 1 / (1 + _ZOOM * drawn()), torch.exp(_ASPECT * drawn())
    turn = _TURN * drawn()
    cos, sin = torch.cos(turn), torch.sin(turn)
    across = torch.stack([cos * flip * zoom * aspect, -sin * zoom, 2 * _SHIFT * drawn()], dim=1)
    down = torch.stack([sin * flip * zoom, cos * zoom / aspect, 2 * _SHIFT * drawn()], dim=1)
    grid = functional.affine_grid(torch.stack([across, down], dim=1), pictures.shape, align_corners=False)
    moved = 1 - functional.grid_sample(1 - pictures, grid, align_corners=False)
    contrast, light = 1 + _CONTRAST * drawn(count, 1, 1, 1), _LIGHT * drawn(count, 3, 1, 1)
    return _partly_hidden((moved - 0.5) * contrast + 0.5 + light, random)


def _partly_hidden(pictures: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    count, _, side, _ = pictures.shape
    places = torch.arange(side)
    near = [
        (places[None] - torch.randint(0, side, (count, 1), generator=random)).abs() < _HIDDEN * side / 2
        for _ in range(2)
    ]
    hidden = near[0][:, None, :, None] & near[1][:, None, None, :]
    return torch.where(hidden, torch.tensor(0.5), pictures)
