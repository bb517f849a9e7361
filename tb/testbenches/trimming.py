"""The self-tests of a programmed chip over its bus, and what they find taken back by the threshold entries."""

from __future__ import annotations

import numpy as np

from bridgebnn.model.flows.trim import SelfTest, self_tests, trimmed
from bridgebnn.model.mapping.mapping import Mapping
from bridgebnn.tb.env import Env
from bridgebnn.tb.host.driver import VectorResult

__all__ = ["trim_chip"]


async def trim_chip(env: Env, mapping: Mapping, patterns: int) -> tuple[Mapping, dict[int, float]]:
    """Trim a chip as a host does: by INFER commands alone.

    Parameters
    ----------
    env : Env
    mapping : Mapping
        What the chip holds.
    patterns : int
        Of each self-test.

    Returns
    -------
    mapping : Mapping
        With the offsets taken back; not yet written to the chip.
    offsets : dict of float
        By tile, in counts.
    """
    offsets = {test.tile: await _offset(env, test) for test in self_tests(mapping, patterns)}
    held = trimmed(mapping, offsets)
    if env.agent is not None:
        env.agent.load(held)
    return held, offsets


async def _offset(env: Env, test: SelfTest) -> float:
    return test.offset(await _scores(env, test.search, test), await _scores(env, test.count, test))


async def _scores(env: Env, one: Mapping, test: SelfTest) -> np.ndarray:
    """Scores of the patterns, (batch, rows)."""
    found: list[VectorResult] = []
    if env.agent is not None:
        env.agent.load(one)
    await env.host.load_network(one.descriptors, one.thresholds, one.repairs)
    await env.host.infer(one.descriptors, one.pack_inputs(test.patterns), found.append)
    return np.stack([result.scores for result in found])
