"""Cycle formulas by hand; that the RTL keeps them is tested with the RTL."""

import ast
import inspect

import pytest

from bridgebnn.hdl.spec import Combine, Descriptor, Geometry, ReadMode, Timing, latency

GEOMETRY = Geometry(tiles=3, rows=512, inputs=784, bias=78, thresholds=64)
TIMING = Timing(precharge_cyc=2, evaluate_cyc=3, sense_cyc=4)


@pytest.mark.parametrize(
    ("mode", "enabled", "cycles"),
    [
        (ReadMode.SIGN, [784, 10], 9),
        (ReadMode.SEARCH, [1], 9),
        (ReadMode.SEARCH, [511, 512], 9 * (9 + 10)),
        (ReadMode.COUNT, [784, 10], 5 + 27),
    ],
)
def test_rows(mode, enabled, cycles):
    assert latency.row_cycles(mode, enabled, TIMING, GEOMETRY) == cycles


def test_network():
    layers = [
        Descriptor(tile_count=2, cols=300, cols_last=100, row_count=500, combine=Combine.VOTE),
        Descriptor(cols=500, cols_last=500, row_count=1, bias_last=12, mode=ReadMode.SEARCH, score=True),
    ]
    assert latency.layer_cycles(layers[0], TIMING, GEOMETRY) == 4500
    assert latency.layer_cycles(layers[1], TIMING, GEOMETRY) == 10 * 9
    assert latency.vector_cycles(layers, TIMING, GEOMETRY) == 4500 + 3 + 90 + 3
    assert latency.load_cycles(layers, GEOMETRY) == 2 * 27
    assert latency.infer_cycles(layers, TIMING, GEOMETRY, vectors=3) == (2 + 2 + 1 + 2) + 54 + 5 + 3 * 4596


def test_imports_no_amaranth():
    tree = ast.parse(inspect.getsource(latency))
    names = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert names == {"__future__", "collections.abc", None}  # None: its own room
