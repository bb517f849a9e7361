"""`run_layers`: every misspelt option is told, every odd array is one error, real thresholds mean what they say."""

import inspect

import numpy as np
import pytest

from bridgebnn.tb import run_layers
from bridgebnn.tb.runs.layers import network_of

from .stand_in import stand_in

W, V = [[[1, -1]], [[1]]], [[0, 0], [0, 1], [1, 0], [1, 1]]
OPTIONS = [n for n, p in inspect.signature(run_layers).parameters.items() if p.kind is p.KEYWORD_ONLY]


def test_no_option_is_swallowed():
    assert len(OPTIONS) > 20
    assert not any(p.kind is p.VAR_KEYWORD for p in inspect.signature(run_layers).parameters.values())


@pytest.mark.parametrize("name", OPTIONS)
def test_each_misspelt_option_is_told(name):
    for wrong in {name[:-1], name + "s", name[1] + name[0] + name[2:]} - {name, *OPTIONS}:
        for kind in (TypeError, ValueError):
            with pytest.raises(kind, match=rf"run_layers\(\) has no option '{wrong}'; did you mean '{name}'"):
                run_layers(W, V, **{wrong: 1})


def test_the_example_of_the_issue():
    with pytest.raises(TypeError, match="did you mean 'macro'"):
        run_layers(W, V, macros="real")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"thresholds": [[0]]}, "thresholds have 1 entries: must be one per layer, 2"),
        ({"thresholds": [[0], [0], [0]]}, "thresholds have 3 entries"),
        ({"thresholds": 3}, "thresholds = 3: must be a sequence"),
        ({"thresholds": [0, 0]}, r"thresholds\[0\] has shape \(\): must be \(n_out,\)"),
        ({"thresholds": [[0, 0], [0]]}, r"layer 0: thresholds have shape \(1, 2\): must be \(1, 1\)"),
        ({"thresholds": [[2**32], [0]]}, r"layer 0: thresholds\[0, 0\] = 4294967296: must be from -3 to 3"),
        ({"thresholds": [[float("nan")], [0]]}, r"layer 0: thresholds\[0, 0\] = nan: must be from -3 to 3"),
        ({"thresholds": [[float("inf")], [0]]}, r"layer 0: thresholds\[0, 0\] = inf"),
        ({"thresholds": [[0], [0.5]]}, r"layer 1: thresholds\[0, 0\] = 0.5: must be whole"),
        ({"weights": []}, "weights hold no layer"),
        ({"weights": 1}, "weights = 1: must be a sequence"),
        ({"weights": [[[1, -1], [1]], [[1, 1]]]}, r"weights\[0\]: rows of different lengths"),
        ({"weights": [[[1, 0]], [[1]]]}, r"layer 0: weights\[0, 1\] = 0: must be -1 or \+1"),
        ({"weights": [[1, -1], [[1]]]}, r"weights\[0\] has shape \(2,\): must be \(n_out, n_in\)"),
        ({"weights": [[[1, -1]], [[1, 1]]]}, "operation 1: n_in = 2: must be 1"),
        ({"weights": [[[1.5, -1]], [[1]]]}, "layer 0: weights are float64: must be integers"),
        ({"vectors": [[1, 1], [-1, 1]]}, r"vectors\[1, 0\] = -1: must be binary, 0 or 1"),
        ({"vectors": np.zeros((0, 2), int)}, "no input vectors"),
        ({"vectors": [[1, 1, 1]]}, r"vectors have shape \(1, 3\): must be \(batch, 2\)"),
        ({"inputs": 0}, "Geometry.inputs = 0: must be an integer from 1 to 4064"),
        ({"inputs": 1.5}, "Geometry.inputs = 1.5"),
        ({"bias": -1}, "Geometry.bias = -1: must be an integer from 0 to 1024"),
        ({"chip": -1}, "InferJob.chip = -1"),
        ({"macro": "reel"}, "macro = 'reel': must be ideal, real, published, published-like or spice"),
        ({"sim": "modelsim"}, "InferJob.sim = 'modelsim'"),
        ({"labels": [0]}, "InferJob.labels has 1 entries: must be one per image, 4"),
    ],
)
def test_odd_input_is_one_error(fields, message, monkeypatch):
    simulator = stand_in(monkeypatch)
    with pytest.raises(ValueError, match=message) as caught:
        run_layers(**({"weights": W, "vectors": V} | fields))
    assert "\n" not in str(caught.value)
    assert simulator.calls == []


def test_real_thresholds_in_golden():
    from bridgebnn.model.networks.golden import forward

    assert forward(network_of(W, [[0.5], [0]]), np.array(V)).scores.ravel().tolist() == [-1, -1, 1, -1]


@pytest.mark.parametrize(
    "sim", [pytest.param(s, marks=getattr(pytest.mark, s)) for s in ("icarus", "verilator")]
)
def test_real_thresholds_on_the_rtl(sim):
    """(-1, 1) -> -2: below 0.5; (1, -1) -> 2: above; equal bits -> 0: below, where it would be above 0."""
    report = run_layers(W, V, thresholds=[[0.5], [0]], sim=sim)
    assert report.scores == report.golden_scores == [[-1], [-1], [1], [-1]]
    assert report.ok
