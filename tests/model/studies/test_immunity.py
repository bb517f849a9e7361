"""immunity: the study's circuits against the macro and golden, and the effect of each ablation."""

import dataclasses
import json

import numpy as np
import pytest

from bridgebnn.hdl.spec import Geometry
from bridgebnn.model.__main__ import main
from bridgebnn.model.flows import inference
from bridgebnn.model.macro.array import Array
from bridgebnn.model.mapping.mapping import map_network
from bridgebnn.model.networks import golden
from bridgebnn.model.networks.golden import Golden
from bridgebnn.model.parameters.params import BridgeParams, MacroParams, NeuronParams
from bridgebnn.model.studies.current_mode import CurrentParams
from bridgebnn.model.studies.immunity import (
    Circuit,
    Setting,
    accuracies,
    cells_of,
    classify,
    setting,
    sweeps,
)
from bridgebnn.model.studies.reports import ImmunityReport
from tests.model.reference import random_network

GEOMETRY = Geometry(tiles=2, rows=40, inputs=60, bias=6)
NO_WIRES = CurrentParams(r_row_ohm=0.0, r_column_ohm=0.0, read_noise=0.0)
IDEAL = Setting(spread=0.0, macro=MacroParams.ideal(), current=NO_WIRES)


@pytest.fixture(scope="module")
def mapping():
    network = random_network(np.random.default_rng(3), [60, 40, 10], spread=5)
    return map_network(network, GEOMETRY)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(4).integers(0, 2, (150, 60)).astype(np.uint8)


def changed(at, **parts):
    """A setting with some fields of its bridges or neurons replaced."""
    kinds = {part: dataclasses.replace(getattr(at.macro, part), **values) for part, values in parts.items()}
    return dataclasses.replace(at, macro=dataclasses.replace(at.macro, **kinds))


def same(mapping, at, images, circuit, chip=0):
    """Share of images that a circuit classifies as golden does."""
    golden = Golden(mapping.network)(images).classes
    return accuracies(mapping, at, chip, images, golden, [circuit])[circuit.value]


@pytest.mark.parametrize("circuit", [c for c in Circuit if c is not Circuit.ANALOG])
def test_ideal_circuits_are_golden(mapping, images, circuit):
    assert same(mapping, IDEAL, images, circuit) == 1.0


def test_the_bridge_is_the_macro(mapping, images):
    """Static spreads, rails and mismatch, but no noise: the same classes as the array itself."""
    macro = MacroParams(
        device=MacroParams.real().device,
        bridge=BridgeParams(
            read_noise=0.0, buffer_noise_V=0.0, buffer_sigma_V=0.3, r_supply_ohm=500.0, r_feed_ohm=2e3
        ),
        neuron=NeuronParams(noise_V=0.0, temperature_K=0.0, cu_sigma=0.1, offset_sigma_V=0.02),
    )
    at = Setting(spread=5.0, macro=macro, current=NO_WIRES)
    array = Array(GEOMETRY, macro, 7)
    for layer, d in enumerate(mapping.descriptors):
        rows = slice(d.row_first, d.row_first + d.row_count)
        array.devices.resistance_ohm[d.tile_first, rows] = cells_of(mapping, layer, macro.device, 5.0, 7)[0]
    array.devices.row_version += 1
    expected = inference.run(mapping, array, images)
    found = classify(mapping, at, 7, images, [Circuit.BRIDGE])[Circuit.BRIDGE]
    assert np.array_equal(found, expected.classes)
    assert expected.differences(Golden(mapping.network)(images))["images"] > 50  # it is not the ideal chip


def test_cells_are_the_same_for_all_and_follow_the_seed(mapping):
    device = MacroParams.real().device
    one = cells_of(mapping, 0, device, 1.0, 5)
    assert np.array_equal(one, cells_of(mapping, 0, device, 1.0, 5))
    assert not np.array_equal(one, cells_of(mapping, 0, device, 1.0, 6))
    low = np.stack([mapping.images[0, :40] == 1, mapping.images[0, :40] == 0], axis=-1)
    for spread in (0.0, 1.0, 3.0):
        ohm = np.log(cells_of(mapping, 0, device, spread, 5)[0])
        sigma = np.hypot(device.hrs_sigma_device, device.hrs_sigma_cycle)
        assert np.std(ohm[~low]) == pytest.approx(spread * sigma, rel=0.1, abs=0.1)
        assert np.median(ohm[low]) == pytest.approx(np.log(device.lrs_nominal_ohm), abs=0.05)


def test_stuck_devices_appear_with_their_probability(mapping):
    device = dataclasses.replace(MacroParams.real().device, stuck_unformed_probability=0.2)
    ohm = cells_of(mapping, 0, device, 1.0, 0)
    assert np.mean(ohm == device.pristine_median_ohm) == pytest.approx(0.2, abs=0.03)


def test_device_spread_hits_one_device_before_the_pair(mapping, images):
    at = Setting(spread=4.0, macro=MacroParams.real(), current=NO_WIRES)
    assert same(mapping, at, images, Circuit.ONE_DEVICE) < same(mapping, at, images, Circuit.BRIDGE) - 0.1


def test_supply_resistance_hits_the_conventional_array_first_and_the_bridge_in_the_end(mapping, images):
    """60 rows of 80 LRS columns draw about a million times what 66 bridges do."""

    def at(ohm):
        return dataclasses.replace(
            changed(IDEAL, bridge={"r_feed_ohm": ohm}),
            current=dataclasses.replace(NO_WIRES, r_feed_ohm=ohm),
        )

    images = images & np.roll(images, 1, axis=0)  # a quarter at +1: the two supplies fall by different shares
    assert same(mapping, at(1e-4), images, Circuit.CONVENTIONAL) > 0.9  # the rest are ties of two scores
    assert same(mapping, at(300.0), images, Circuit.CONVENTIONAL) < 0.7
    assert same(mapping, at(300.0), images, Circuit.BRIDGE) == 1.0
    assert same(mapping, at(1e5), images, Circuit.BRIDGE) < 0.5


def test_wires_hit_the_conventional_array_first(mapping, images):
    def at(ohm):
        lines = dict.fromkeys(("r_bl_ohm", "r_blb_ohm", "r_supply_ohm", "r_ground_ohm"), ohm)
        return dataclasses.replace(
            changed(IDEAL, bridge=lines),
            current=CurrentParams(r_row_ohm=ohm, r_column_ohm=ohm, read_noise=0.0),
        )

    assert same(mapping, at(1e-3), images, Circuit.CONVENTIONAL) > 0.9
    assert same(mapping, at(100.0), images, Circuit.CONVENTIONAL) < 0.8
    assert same(mapping, at(100.0), images, Circuit.BRIDGE) == 1.0


def test_without_buffer_the_rails_are_seen(mapping, images):
    lines = {"r_supply_ohm": 300.0, "r_ground_ohm": 300.0}
    at = changed(IDEAL, bridge=lines)
    assert same(mapping, at, images, Circuit.BRIDGE) == 1.0
    assert same(mapping, at, images, Circuit.ANALOG) < 0.9
    assert same(mapping, IDEAL, images, Circuit.ANALOG) > 0.9


def test_droop_of_the_plates_cancels_only_between_two_lines(mapping, images):
    at = changed(IDEAL, neuron={"plate_droop": 0.2})
    assert same(mapping, at, images, Circuit.BRIDGE) > 0.9  # references weigh more counts, thresholds shift
    assert same(mapping, at, images, Circuit.SINGLE_ENDED) < 0.5


def test_read_noise_of_the_conventional_array_shows(mapping, images):
    at = dataclasses.replace(IDEAL, current=dataclasses.replace(NO_WIRES, read_noise=1.0))
    assert same(mapping, at, images, Circuit.CONVENTIONAL) < 0.9


def test_results_come_from_the_seed(mapping, images):
    at = Setting(spread=3.0, macro=MacroParams.real(), current=CurrentParams())
    runs = [classify(mapping, at, chip, images, list(Circuit)) for chip in (1, 1, 2)]
    for circuit in Circuit:
        assert np.array_equal(runs[0][circuit], runs[1][circuit])
    assert any(not np.array_equal(runs[0][c], runs[2][c]) for c in Circuit)


def test_sweeps_and_settings():
    for name, (label, values, circuits) in sweeps().items():
        assert "(" in label
        assert Circuit.BRIDGE in circuits
        assert sorted(values) == values
        for value in values:
            setting(name, value)
        assert set(sweeps(quick=True)[name][1]) <= set(values)
    with pytest.raises(ValueError, match="sweep = 'heat': must be"):
        setting("heat", 1)
    with pytest.raises(ValueError, match="spread = -1: must be from 0 to 100"):
        setting("spread", -1)


def test_command_writes_picture_and_report_and_does_not_depend_on_processes(tmp_path, capsys):
    reports = []
    for jobs in (1, 2):
        out = tmp_path / f"{jobs}.json"
        arguments = ["immunity", "--quick", "--sweep", "plates", "--chips", "1", "--images", "20"]
        picture = ["--out", str(tmp_path / "a.png")] if jobs == 2 else []
        assert main([*arguments, "--jobs", str(jobs), "--json", str(out), *picture]) == 0
        reports.append(json.loads(out.read_text()))
        assert ImmunityReport.load(out).as_dict() == reports[-1]
        del reports[-1]["wall_s"], reports[-1]["command"]
    assert reports[0] == reports[1]
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"
    found = reports[0]["sweeps"]["plates"]["circuits"]
    assert set(found) == {"bridge", "single-ended"}
    assert "mean (std; lowest chip)" in capsys.readouterr().out


def test_command_on_a_network_and_images_of_ones_own(tmp_path, capsys):
    network = random_network(np.random.default_rng(0), [12, 8, 3], spread=4)
    network.save(tmp_path / "n.npz")
    images = np.random.default_rng(1).integers(0, 256, (20, 3, 4))
    np.savez(tmp_path / "d.npz", images=images)
    out = tmp_path / "r.json"
    arguments = [
        "immunity",
        "--network",
        str(tmp_path / "n.npz"),
        "--data",
        str(tmp_path / "d.npz"),
        "--quick",
    ]
    assert main(arguments) == 2
    assert "d.npz: holds no labels: accuracies need them" in capsys.readouterr().err
    classes = golden.forward(network, network.encoding(images)).classes
    np.save(tmp_path / "l.npy", classes)
    arguments += ["--labels", str(tmp_path / "l.npy"), "--sweep", "plates", "--chips", "1", "--jobs", "1"]
    assert main([*arguments, "--json", str(out)]) == 0
    report = json.loads(out.read_text())
    assert (report["network"], report["images"], report["golden_accuracy"]) == (network.name, 20, 1.0)
    assert report["data"].endswith("d.npz")


@pytest.mark.parametrize("tile", ["64", "1x8", "axb"])
def test_bad_tile(tile, capsys):
    with pytest.raises(SystemExit):
        main(["immunity", "--tile", tile])
    assert "must be ROWSxCOLUMNS" in capsys.readouterr().err
