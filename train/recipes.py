"""The networks under ``data/``: shapes and training settings (no PyTorch needed to read them)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bridgebnn.hdl.spec import bias_columns

Estimator = Literal["box", "triangle"]


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
    )
}
