"""Training of a recipe's network, and its export as integers.

Needs PyTorch. The same seed, thread count, PyTorch version and processor type give the same file, byte for
byte; all four are written into the file.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from bridgebnn.model.networks import golden
from bridgebnn.model.networks.encoding import Encoding
from bridgebnn.model.networks.network import Network

from .layers import FilterLayer, HostScoreLayer, HostSignLayer, ScoreLayer, SignLayer, WideLayer
from .recipes import Recipe


class BinaryNetwork(nn.Module):
    """Filter layers, sign layers and a score layer, as a recipe says, with seeded initial weights.

    Parameters
    ----------
    recipe : Recipe
    side : int
        Rows and columns of an image.
    generator : torch.Generator
    """

    def __init__(self, recipe: Recipe, side: int, generator: torch.Generator) -> None:
        super().__init__()
        sizes, layers = recipe.sizes, []
        channels = recipe.levels * recipe.channels
        for filters in recipe.filters:
            layers.append(FilterLayer(filters, side, channels, generator))
            side, channels = filters.side(side), filters.count
        for i, (n_in, n_out) in enumerate(pairwise(sizes[:-1])):
            if recipe.host and i == 0:
                layers.append(HostSignLayer(n_in, n_out, generator))
                continue
            if not recipe.limited:
                layers.append(WideLayer(n_in, n_out, generator))
                continue
            cells = recipe.bias_cells[i]
            layers.append(SignLayer(n_in, n_out, cells, recipe.group, generator, recipe.estimator))
        self.hidden = nn.Sequential(*layers)
        self.last = (
            HostScoreLayer(sizes[-2], sizes[-1], generator)
            if recipe.host
            else ScoreLayer(sizes[-2], sizes[-1], recipe.group, generator)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.hidden(x).float())

    def clamp(self) -> None:
        """Keep latent weights within [-1, 1], so that none drifts out of reach of a change of sign."""
        with torch.no_grad():
            for layer in (*self.hidden, self.last):
                layer.weight.clamp_(-1, 1)

    def freeze(self) -> None:
        """Keep the batch-norm statistics as they are from now on."""
        for layer in self.hidden:
            layer.frozen = True

    def scores(self, images: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Scores of the float network in evaluation mode; (count, n_in) bits to (count, n_out)."""
        self.eval()
        with torch.no_grad():
            parts = (part.float() * 2 - 1 for part in torch.from_numpy(images).split(500))
            return torch.cat([self.last.scores(self.hidden(part)) for part in parts]).long().numpy()

    def export(self, name: str, meta: dict[str, Any], encoding: Encoding) -> Network:
        """The network in integers."""
        operations = tuple(layer.export() for layer in (*self.hidden, self.last))
        return Network(name=name, operations=operations, meta=meta, encoding=encoding)


class Shifter:
    """Training images, each batch shifted, and mirrored, at random over a background of 0, then encoded.

    Parameters
    ----------
    images : uint8, (count, side, side, values of a pixel)
    thresholds : tuple of int
        A value becomes a bit for each: 1 where it is at least that.
    shift : int, pixels
        Largest shift, in both directions.
    flip : bool
        Mirror every other image, at random.
    """

    def __init__(
        self, images: NDArray[np.uint8], thresholds: tuple[int, ...], shift: int, flip: bool = False
    ) -> None:
        side, values = images.shape[1], images.shape[3]
        padded = np.pad(images, ((0, 0), (shift, shift), (shift, shift), (0, 0)))
        self.stride = side + 2 * shift
        self.span = 2 * shift + 1
        self.values, self.flip = values, flip
        self.images = torch.tensor(padded).view(len(padded), -1)
        window = torch.arange(side)[:, None] * self.stride * values + torch.arange(side * values)
        self.window = window.view(-1)
        self.mirrored = window.view(side, side, values).flip(1).reshape(-1)
        self.thresholds = torch.tensor(thresholds, dtype=torch.int16)

    def batch(self, index: Tensor, generator: torch.Generator) -> Tensor:
        """Bipolar float images (batch, n_in) of the image numbers ``index``."""
        offsets = torch.randint(0, self.span, (len(index), 2), generator=generator)
        corner = (offsets[:, :1] * self.stride + offsets[:, 1:]) * self.values
        window = self.window
        if self.flip:
            mirror = torch.randint(0, 2, (len(index), 1), generator=generator) == 1
            window = torch.where(mirror, self.mirrored, self.window)
        values = self.images[index].gather(1, corner + window)
        return (values[..., None] >= self.thresholds).view(len(index), -1).float() * 2 - 1


def train(
    recipe: Recipe,
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    *,
    thresholds: tuple[int, ...],
    seed: int,
    report: Callable[[int, float, float], None] = lambda epoch, loss, seconds: None,
) -> BinaryNetwork:
    """Train the network of ``recipe``.

    Parameters
    ----------
    images : uint8, (count, side, side) or (count, side, side, values of a pixel)
    thresholds : tuple of int
        Of the encoding, see `Shifter`.
    labels : uint8 in 0..9, (count,)
    seed : int
        Of initial weights, order of the images, shifts and mirrors.
    report : callable
        Called after each epoch with its number from 1, its mean loss, and the seconds since the start.
    """
    generator = torch.Generator().manual_seed(seed)
    network = BinaryNetwork(recipe, images.shape[1], generator)
    source = Shifter(images.reshape(*images.shape[:3], -1), thresholds, shift=recipe.shift, flip=recipe.flip)
    classes = torch.tensor(labels, dtype=torch.long)
    optimizer = torch.optim.Adam(
        [
            {"params": network.hidden.parameters(), "lr": recipe.rate},
            {"params": network.last.parameters(), "lr": recipe.rate * recipe.last_rate},
        ],
        fused=not recipe.limited,  # faster, but rounds otherwise
    )
    steps = math.ceil(len(images) / recipe.batch)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps * recipe.epochs)
    start = time.monotonic()
    for epoch in range(1, recipe.epochs + 1):
        network.train()
        if epoch > recipe.epochs - recipe.frozen:
            network.freeze()
        total = 0.0
        for index in torch.randperm(len(images), generator=generator).split(recipe.batch):
            loss = functional.cross_entropy(network(source.batch(index, generator)), classes[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            rate.step()
            network.clamp()
            total += loss.item()
        report(epoch, total / steps, time.monotonic() - start)
    return network


def check_export(network: Network, trained: BinaryNetwork, images: NDArray[np.uint8]) -> golden.Forward:
    """Integer inference of ``images``, after comparing every score with the float network.

    Raises
    ------
    AssertionError
        A score differs: the export lost something.
    """
    result = golden.forward(network, images)
    differing = np.flatnonzero((result.scores != trained.scores(images)).any(axis=1))
    if len(differing):
        raise AssertionError(
            f"integer and float scores differ for {len(differing)} of {len(images)} images, "
            f"first image {differing[0]}"
        )
    return result
