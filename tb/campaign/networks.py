"""Small networks on the campaign's geometry, one for each way of reading."""

from __future__ import annotations

import itertools

import numpy as np

from bridgebnn.hdl.spec import Combine, ReadMode, Repairs
from bridgebnn.model.mapping.mapping import Mapping, map_network
from bridgebnn.model.networks.convolution import Convolution
from bridgebnn.model.networks.dense import Dense
from bridgebnn.model.networks.network import Network
from bridgebnn.model.networks.operations import Operation

from .faults import GEOMETRY

__all__ = ["networks", "random_dense"]


REPAIRED = {
    "vote": Repairs(columns=((0, 0, 4),), rows=((0, 1),)),
    "search": Repairs(columns=((0, 0, GEOMETRY.inputs), (1, 0, 2)), rows=((0, 0),)),
    "conv": Repairs(columns=((0, 0, 4), (1, 0, 2)), rows=((0, 1),)),
}
"""Networks that run over the spares: an input column, a bias column, a row in the middle, the first one."""


def networks() -> dict[str, Mapping]:
    """Small networks on the campaign's geometry, by name: one for each way of reading."""
    kinds = {
        "count": ((18, 4, 3), Combine.ADD, ReadMode.COUNT),
        "vote": ((18, 4, 3), Combine.VOTE, ReadMode.COUNT),
        "sign": ((11, 6, 4), Combine.ADD, ReadMode.COUNT),
        "search": ((11, 6, 4), Combine.ADD, ReadMode.SEARCH),
    }
    made: dict[str, Mapping] = {}
    for name, (sizes, combine, final) in kinds.items():
        rng = np.random.default_rng(len(made))
        layers = tuple(
            random_dense(rng, n_in, n_out, last=n_out == sizes[-1])
            for n_in, n_out in itertools.pairwise(sizes)
        )
        made[name] = _mapped(name, layers, combine, final)
    made["conv"] = _mapped("conv", _convolutions(), Combine.ADD, ReadMode.COUNT)
    return made


def _mapped(name: str, operations: tuple[Operation, ...], combine: Combine, final: ReadMode) -> Mapping:
    return map_network(
        Network(name=name, operations=operations),
        GEOMETRY,
        combine=combine,
        final_mode=final,
        repairs=REPAIRED.get(name),
    )


def random_dense(rng: np.random.Generator, n_in: int, n_out: int, *, last: bool = False) -> Dense:
    """A layer of random signs and small thresholds, or of scores."""
    return Dense(
        weights=rng.choice([-1, 1], (n_out, n_in)),
        thresholds=np.zeros((1, n_out), int) if last else rng.integers(-3, 4, (1, n_out)),
        polarity=np.ones((1, n_out), int),
        group_sizes=np.array([n_in]),
        combine=Combine.ADD,
        output="score" if last else "sign",
    )


def _convolutions() -> tuple[Operation, ...]:
    """A map of two words to one of 8 bits, pooled; over padding to one of 18 bits; scores of two tiles.

    Two filters are read faster than a window is gathered, so reads wait for windows.
    """
    rng = np.random.default_rng(4)
    first = Convolution(window=random_dense(rng, 9, 2), width=6, height=6, channels=1, kernel=3, pool=2)
    second = Convolution(window=random_dense(rng, 8, 2), width=2, height=2, channels=2, kernel=2, padding=1)
    return first, second, random_dense(rng, 18, 3, last=True)
