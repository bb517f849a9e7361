"""The networks under ``data/``: shapes and training settings (no PyTorch needed to read them)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bridgebnn.hdl.spec import bias_columns

Estimator = Literal["box", "triangle"]
Dataset = Literal["mnist", "fashion-mnist", "digits", "cifar-10-jpeg"]


@dataclass(frozen=True, kw_only=True)
class Filters:
    """A binary convolution of a recipe, with OR-pooling behind it.

    Parameters
    ----------
    count : int
        Filters: channels of the map that goes out.
    kernel, stride : int, pixels
    padding : int, pixels
        Of bit 0 on every side.
    pool : int
        Pooling window and step; 1: none.
    """

    count: int
    kernel: int
    stride: int = 1
    padding: int = 0
    pool: int = 1

    def side(self, side: int) -> int:
        """Rows and columns of the map that goes out, for those of the one that comes in."""
        return ((side + 2 * self.padding - self.kernel) // self.stride + 1) // self.pool


FASHION_FILTERS = (48, 64, 64)
MNIST_FILTERS = (24, 32, 32)


def _convolutions(counts: tuple[int, int, int]) -> tuple[Filters, ...]:
    """28 x 28 pixels to 3 x 3: one strided convolution, two pooled ones."""
    first, second, third = counts
    return (
        Filters(count=first, kernel=5, stride=2, padding=2),
        Filters(count=second, kernel=3, padding=1, pool=2),
        Filters(count=third, kernel=3, padding=1, pool=2),
    )


CIFAR_FILTERS = (
    Filters(count=64, kernel=4, stride=2, padding=1),
    Filters(count=64, kernel=3, padding=1, pool=2),
    Filters(count=128, kernel=3, padding=1, pool=2),
)
"""32 x 32 pixels to 4 x 4."""


VOTE_WIDTHS = (64, 128, 256)
"""Fan-ins that networks of the study are trained for, beside those of mnist-paper23 and mnist-split-vote."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A network and how to train it.

    Parameters
    ----------
    name : str
        Network name, as in the file.
    file : str
        File name under ``data/``.
    sizes : tuple of int
        Inputs, neurons of the hidden layers, classes.
    group : int or None
        Inputs that one analog neuron sees; None: all of its layer's.
    epochs : int
        Passes over the training images.
    batch : int
        Images a step.
    rate : float
        First learning rate of Adam; falls to zero along half a cosine.
    shift : int, pixels
        Training images move at random by up to this much, in both directions.
    last_rate : float
        Learning rate of the last layer, in parts of ``rate``.
    estimator : "box" or "triangle"
        Gradient of the hidden layers' sign, see ``bridgebnn.train.layers.sign``.
    dataset : str
        What it is trained on.
    levels : int
        Bits of a value: bit ``j`` is 1 where it is at least ``256 * (j + 1) / (levels + 1)``.
    channels : int
        Values of a pixel: 1 grey, 3 in colour.
    flip : bool
        Every other training image, at random, is mirrored left to right.
    filters : tuple of Filters
        Convolutions before the dense layers; ``sizes`` begins behind them.
    host : bool
        First and last layer have real weights and are evaluated by the host.
    limited : bool
        Thresholds stay within what the bias cells hold.
    frozen : int
        Last epochs, in which the batch-norm statistics stand still.
    summary : str
        One line for the command line's help.
    """

    name: str
    file: str
    sizes: tuple[int, ...]
    group: int | None
    epochs: int
    batch: int = 100
    rate: float = 2e-3
    shift: int = 1
    last_rate: float = 1.0
    estimator: Estimator = "box"
    dataset: Dataset = "mnist"
    levels: int = 1
    channels: int = 1
    flip: bool = False
    filters: tuple[Filters, ...] = ()
    host: bool = False
    limited: bool = True
    frozen: int = 0
    summary: str

    @property
    def bias_cells(self) -> list[int]:
        """Bias columns beside each hidden layer's analog neurons: the published 5 % rule [data]."""
        return [bias_columns(self.group or n_in) for n_in in self.sizes[:-2]]


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="mnist-784-512-512-10",
            file="mnist-784-512-512-10.npz",
            sizes=(784, 512, 512, 10),
            group=None,
            epochs=40,
            batch=200,
            last_rate=0.2,
            estimator="triangle",
            summary="unsplit layers, thresholds within 77 and 49 bias cells",
        ),
        Recipe(
            name="mnist-paper23",
            file="mnist-paper23.npz",
            sizes=(784, 256, 256, 10),
            group=23,
            epochs=20,
            summary="784-256-256-10, groups of 23 inputs and 2 bias cells that vote",
        ),
        Recipe(
            name="mnist-split-vote",
            file="mnist-split-vote.npz",
            sizes=(784, 512, 512, 10),
            group=196,
            epochs=16,
            batch=200,
            last_rate=0.2,
            estimator="triangle",
            summary="784-512-512-10 trained for tiles of 196 inputs that vote",
        ),
        *(
            Recipe(
                name=f"mnist-vote{width}",
                file=f"mnist-vote{width}.npz",
                sizes=(784, 512, 512, 10),
                group=width,
                epochs=6,
                batch=200,
                last_rate=0.2,
                estimator="triangle",
                summary=f"784-512-512-10 trained for tiles of {width} inputs that vote, short",
            )
            for width in VOTE_WIDTHS
        ),
        Recipe(
            name="mnist1025",
            file="mnist1025.npz",
            sizes=(784, 1025, 1025, 1025, 10),
            group=None,
            epochs=12,
            batch=200,
            shift=2,
            host=True,
            limited=False,
            summary="784-1025-1025-1025-10, the published one: first layer real-valued and last one exact, on the host",
        ),
        Recipe(
            name="fashion-conv",
            file="fashion-conv.npz",
            dataset="fashion-mnist",
            levels=8,
            filters=_convolutions(FASHION_FILTERS),
            sizes=(576, 10),
            group=None,
            epochs=14,
            batch=100,
            shift=0,
            limited=False,
            frozen=3,
            summary="Fashion-MNIST, thermometer code of 8 levels, three binary convolutions with pooling",
        ),
        Recipe(
            name="mnist-conv",
            file="mnist-conv.npz",
            filters=_convolutions(MNIST_FILTERS),
            sizes=(288, 10),
            group=None,
            epochs=8,
            batch=100,
            shift=0,
            limited=False,
            frozen=2,
            summary="MNIST, three binary convolutions with pooling",
        ),
        Recipe(
            name="cifar-conv",
            file="cifar-conv.npz",
            dataset="cifar-10-jpeg",
            levels=8,
            channels=3,
            flip=True,
            filters=CIFAR_FILTERS,
            sizes=(2048, 10),
            group=None,
            epochs=45,
            batch=100,
            shift=1,
            limited=False,
            frozen=4,
            summary="CIFAR-10 from JPEG copies, thermometer code of 8 levels, three binary convolutions with pooling",
        ),
        Recipe(
            name="digits",
            file="digits.npz",
            dataset="digits",
            levels=3,
            sizes=(192, 64, 64, 10),
            group=None,
            epochs=60,
            batch=50,
            shift=0,
            summary="192-64-64-10 on the 8 x 8 digits of scikit-learn, trained in seconds",
        ),
    )
}
