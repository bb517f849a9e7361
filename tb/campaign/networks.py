"""Small networks on the campaign's geometry, one for each way of reading."""

from __future__ import annotations

import itertools

import numpy as np

from bridgebnn.hdl.spec import Combine, ReadMode, Repairs
from bridgebnn.model.mapping.mapping import Mapping, map_network
from bridgebnn.model.networks.dense import Dense
from bridgebnn.model.networks.network import Network

from .faults import GEOMETRY

__all__ = ["networks"]


REPAIRED = {
    "vote": Repairs(columns=((0, 0, 4),), rows=((0, 1),)),
    "search": Repairs(columns=((0, 0, GEOMETRY.inputs), (1, 0, 2)), rows=((0, 0),)),
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
        layers = []
        for n_in, n_out in itertools.pairwise(sizes):
            last = n_out == sizes[-1]
            layers.append(
                Dense(
                    weights=rng.choice([-1, 1], (n_out, n_in)),
                    thresholds=np.zeros((1, n_out), int) if last else rng.integers(-3, 4, (1, n_out)),
                    polarity=np.ones((1, n_out), int),
                    group_sizes=np.array([n_in]),
                    combine=Combine.ADD,
                    output="score" if last else "sign",
                )
            )
        network = Network(name=name, operations=tuple(layers))
        repairs = REPAIRED.get(name)
        made[name] = map_network(network, GEOMETRY, combine=combine, final_mode=final, repairs=repairs)
    return made
