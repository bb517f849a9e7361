"""No parameter of bridge or neuron is without effect: each, changed alone, changes what the macro shows."""

import dataclasses

import numpy as np
import pytest

from bridgebnn.hdl.spec import Geometry
from bridgebnn.model.macro.array import Array
from bridgebnn.model.parameters.params import BridgeParams, MacroParams, NeuronParams

BRIDGE = {
    "v_read_V": 1.5,
    "droop_V": 0.2,
    "select": "resistor",
    "v_wl_V": 2.5,
    "r_on_ohm": 9e3,
    "r_driver_ohm": 1e3,
    "r_bl_ohm": 50.0,
    "r_blb_ohm": 50.0,
    "r_supply_ohm": 50.0,
    "r_ground_ohm": 50.0,
    "r_feed_ohm": 1e3,
    "leak_S": 1e-6,
    "c_sl_F": 1e-11,
    "read_s": 1e-10,
    "temperature_K": 400.0,
    "hrs_activation_eV": 0.2,
    "buffer_threshold_V": 0.8,
    "buffer_sigma_V": 0.1,
    "buffer_noise_V": 0.1,
    "read_noise": 0.2,
}
NEURON = {
    "vdd_V": 1.2,
    "plate_droop": 0.1,
    "v_common_V": 0.4,
    "cu_F": 2e-15,
    "cu_sigma": 0.05,
    "cpar_F": 100e-15,
    "cpar_column_F": 2e-15,
    "temperature_K": 400.0,
    "settle_tau_s": 20e-9,
    "evaluate_s": 1e-9,
    "leak_tau_s": 1e-8,
    "leak_doubling_K": 3.0,
    "injection_sigma_V": 0.05,
    "offset_sigma_V": 0.05,
    "noise_V": 0.05,
    "ref_gain_sigma": 0.1,
    "regeneration_tau_s": 5e-9,
    "sense_delay_s": 5e-9,
    "decide_s": 1e-10,
    "hysteresis_V": 0.05,
    "kickback_C": 1e-13,
}
BASE = {
    # these matter beside another one only
    "r_on_ohm": {"select": "resistor"},
    "hrs_activation_eV": {"temperature_K": 400.0},
    "leak_doubling_K": {"temperature_K": 310.0, "leak_tau_s": 1e-7},
    "buffer_noise_V": {"buffer_threshold_V": 1.7},
    "read_noise": {"buffer_threshold_V": 1.7},
}
GEOMETRY = Geometry(rows=3, inputs=24, bias=1)


def shown(params):
    """What pins and waveforms show of a few reads, as bytes."""
    array, rng, found = Array(GEOMETRY, params, 5), np.random.default_rng(0), []
    for row in range(3):
        array.preload(0, row, rng.integers(0, 2, 25), np.ones(25, bool))
    for row in (2, 0, 1):
        bl, col_en = rng.integers(0, 2, (2, 25)).astype(bool)
        array.begin_read([True], row)
        found += list(array.analog(0, row, bl, col_en, 2).values())
        found += [
            array.decisions(0, np.array([row]), col_en).p1,
            array.decisions(0, np.array([row])).margin_V,
        ]
        found += [array.min_ref(0, row, bl, col_en), array.resolve_cyc(0, row, bl, col_en, 0, 1e-10)]
        neuron = array.neuron(0)
        found += [neuron.offset, neuron.noise, neuron.ref_gain]
    return b"".join(np.asarray(item).tobytes() for item in found)


@pytest.mark.parametrize(("part", "name"), [("bridge", n) for n in BRIDGE] + [("neuron", n) for n in NEURON])
def test_a_parameter_changes_what_is_seen(part, name):
    value = (BRIDGE if part == "bridge" else NEURON)[name]
    real = MacroParams.real()
    before = dataclasses.replace(getattr(real, part), **BASE.get(name, {}))
    after = dataclasses.replace(before, **{name: value})
    first, again, changed = (
        shown(dataclasses.replace(real, **{part: quantities})) for quantities in (before, before, after)
    )
    assert first == again
    assert first != changed


def test_every_parameter_is_here():
    for kind, values in ((BridgeParams, BRIDGE), (NeuronParams, NEURON)):
        assert set(values) == {field.name for field in dataclasses.fields(kind)}
