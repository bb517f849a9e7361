"""Wires and droop on the pins: what breaks the conventional array leaves the RTL without loss, and what breaks
the bridge array shows on the RTL as the model alone predicts it, bit for bit."""

import dataclasses
import json

import numpy as np
import pytest

from bridgebnn.model.flows import inference
from bridgebnn.model.macro.array import Array
from bridgebnn.model.mapping.mapping import map_network
from bridgebnn.model.networks.golden import Golden
from bridgebnn.model.parameters.params import BridgeParams, MacroParams, NeuronParams
from bridgebnn.model.studies.current_mode import CurrentParams
from bridgebnn.model.studies.immunity import Circuit, Setting, classify
from bridgebnn.tb.runs.jobs import InferJob
from bridgebnn.tb.runs.reports import verdict
from bridgebnn.tb.runs.runner import infer
from tests import ROOT
from tests.cosim.test_infer import SIM_ATTACH, same_as_model

from . import small

MAPPING = map_network(small.network(), small.GEOMETRY)
IMAGES = small.vectors(24)
WIRES = ("r_bl_ohm", "r_blb_ohm", "r_supply_ohm", "r_ground_ohm")


def macro(wire_ohm: float, feed_ohm: float) -> MacroParams:
    """Real devices and bridges with these wires, and a neuron that adds nothing of its own."""
    bridge = BridgeParams(**dict.fromkeys(WIRES, wire_ohm), r_feed_ohm=feed_ohm)
    return MacroParams(name="rails", bridge=bridge, neuron=NeuronParams.ideal())


HOLDS, FAILS = macro(100.0, 1e3), macro(1000.0, 1e5)


def test_the_conventional_array_breaks_with_these_wires():
    """Even without device spread and read noise; and it is right without wires."""
    golden = Golden(MAPPING.network)(IMAGES).classes
    wrong = []
    for wire, feed in ((0.0, 0.0), (100.0, 1e3)):
        current = CurrentParams(r_row_ohm=wire, r_column_ohm=wire, r_feed_ohm=feed, read_noise=0.0)
        at = Setting(spread=0.0, macro=MacroParams.ideal(), current=current)
        found = classify(MAPPING, at, 1, IMAGES, [Circuit.CONVENTIONAL])[Circuit.CONVENTIONAL]
        wrong.append(int((found != golden).sum()))
    assert wrong[0] == 0
    assert wrong[1] >= 5


@pytest.mark.parametrize(("sim", "attach"), SIM_ATTACH)
def test_the_rtl_with_them_is_golden(sim, attach):
    result = small.run(sim, attach, images=IMAGES, macro=HOLDS)
    same_as_model(result)
    assert result["golden_mismatches"] == 0


@pytest.mark.parametrize(("sim", "attach"), SIM_ATTACH)
@pytest.mark.parametrize("program", ["preload", "bus"])
def test_what_breaks_the_bridges_is_what_the_model_predicts(sim, attach, program):
    result = small.run(sim, attach, images=IMAGES, macro=FAILS, program=program)
    same_as_model(result)
    assert result["golden_mismatches"] > 0
    assert result.ok
    array = Array(small.GEOMETRY, FAILS, 1)
    inference.load(MAPPING, array)
    alone = inference.run(MAPPING, array, IMAGES)
    if program == "preload":
        assert np.array_equal(result["scores"], alone.scores)
    # another chip of the same parameters has other bits: the agreement is no accident
    other = Array(small.GEOMETRY, FAILS, 2)
    inference.load(MAPPING, other)
    assert not np.array_equal(result["scores"], inference.run(MAPPING, other, IMAGES).scores)


@pytest.mark.verilator
@pytest.mark.slow
def test_mnist_with_the_parameter_files(tmp_path):
    """examples/rails-*.json, which ``bridgebnn tb infer --macro-params`` takes; bits, not statistics."""
    seen = {}
    for name in ("rails-conventional-fails", "rails-bridge-fails"):
        macro = ROOT / "examples" / f"{name}.json"
        seen[name] = infer(
            InferJob(preset="mnist", images=20, sim="verilator", program="preload", macro=macro)
        )
        same_as_model(seen[name])
    holds, fails = seen.values()
    assert holds["accuracy"] >= holds["golden_accuracy"] - 0.05
    assert fails["accuracy"] < 0.5 < fails["golden_accuracy"]
    assert fails["golden_mismatches"] > 10 * holds["golden_mismatches"]


def test_an_ideal_set_by_any_name_must_be_golden(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(MacroParams.ideal().as_dict() | {"name": "mine"}))
    mine = MacroParams.load(path)
    assert mine.is_ideal
    assert not HOLDS.is_ideal
    assert not dataclasses.replace(MacroParams.real(), name="ideal").is_ideal
    assert not verdict(ideal=mine.is_ideal, golden=1, model=0)
    assert verdict(ideal=False, golden=1, model=0)
