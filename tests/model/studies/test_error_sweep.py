"""The sweep over the published statistics: exact where nothing errs, and wrong as often as the tables say."""

import csv
import json

import numpy as np
import pytest

from bridgebnn.hdl.spec import bias_columns
from bridgebnn.model.__main__ import main
from bridgebnn.model.networks.golden import Golden
from bridgebnn.model.networks.network import Network
from bridgebnn.model.studies import error_sweep
from bridgebnn.model.studies.error_sweep import SweepReport, circuit_layers, sweep
from bridgebnn.model.studies.statistics import neuron_error
from bridgebnn.paths import network_file
from tests.model.networks.convolutions import random_network as random_convolutions
from tests.model.reference import random_network


def cases():
    rng = np.random.default_rng(3)
    return {
        "dense": random_network(rng, [90, 41, 30, 10], spread=9),
        "vote": Network.load(network_file("mnist-split-vote.npz")),
        "convolution": random_convolutions(rng),
    }


@pytest.mark.parametrize("name", ["dense", "vote", "convolution"])
def test_without_errors_it_is_golden(name, monkeypatch):
    network = cases()[name]
    images = np.random.default_rng(1).integers(0, 2, (600, network.n_in), dtype=np.uint8)
    labels = Golden(network)(images).classes
    every = [i for i, o in enumerate(network.operations[:-1]) if o.output == "sign"]
    monkeypatch.setattr(
        error_sweep, "_errors", lambda size, *_: np.zeros((size + bias_columns(size)) // 2 + 1)
    )
    points = sweep(network, images, labels, layers=every, clocks_ns=[6], rates=[0], draws=2)
    assert [(p.mean, p.wrong_bits) for p in points] == [(1.0, 0.0)]


@pytest.mark.parametrize("clock", [6, 20])
def test_neurons_err_as_often_as_the_table_says(clock):
    """One layer of known distances: the share of wrong bits against the mean of `neuron_error`."""
    rng = np.random.default_rng(2)
    network = random_network(rng, [201, 50, 10], spread=5)
    images = rng.integers(0, 2, (400, 201), dtype=np.uint8)
    layer = network.operations[0]
    dot = layer.polarity[0] * ((2 * images.astype(int) - 1) @ layer.weights.T)
    h = np.floor((dot - np.ceil(layer.polarity[0] * layer.thresholds[0])) / 2).astype(int)
    distance = np.minimum(np.where(h >= 0, h, -h - 1), (201 + bias_columns(201)) // 2)
    for rate in (0, 0.02, 0.2):
        found = sweep(
            network, images, np.zeros(400, int), layers=[0], clocks_ns=[clock], rates=[rate], draws=5
        )[0]
        each = neuron_error(201, rate, clock, distance)
        sigma = np.sqrt((each * (1 - each)).sum() * 5) / (5 * each.size)
        assert abs(found.wrong_bits - each.mean()) < 4 * sigma
        # a neuron of one input more or less, or the other clock, would be seen
        other = neuron_error(201, rate, 6 if clock == 20 else 20, distance).mean()
        assert rate > 0.1 or abs(found.wrong_bits - other) > 5 * sigma


def test_draws_are_keyed_by_what_is_drawn():
    network, rng = cases()["dense"], np.random.default_rng(5)
    images, labels = rng.integers(0, 2, (700, 90), dtype=np.uint8), rng.integers(0, 10, 700)
    given = {"clocks_ns": [8], "rates": [0.05], "layers": [0, 1]}
    whole = sweep(network, images, labels, draws=4, **given)[0]
    assert sweep(network, images, labels, draws=2, **given)[0].accuracies == whole.accuracies[:2]
    more = sweep(network, images, labels, draws=4, **given | {"rates": [0.3, 0.05]})
    assert more[1] == whole
    assert more[0].wrong_bits > whole.wrong_bits
    assert sweep(network, images, labels, draws=4, seed=2, **given)[0].accuracies != whole.accuracies
    assert len(set(whole.accuracies)) > 1


def test_which_layers():
    network = cases()["dense"]
    assert circuit_layers(network) == [1]
    assert circuit_layers(network, [1, 0, 1]) == [0, 1]
    with pytest.raises(ValueError, match=r"layer 2 of .*: decisions can be drawn for 0, 1"):
        circuit_layers(network, [2])
    single = Network(name="one", operations=network.operations[1:], meta={})
    assert circuit_layers(single) == [0]


def test_command(tmp_path, capsys):
    files = {name: tmp_path / f"s.{name}" for name in ("json", "csv", "png")}
    options = [x for name, path in files.items() for x in (f"--{name}", str(path))]
    more = ["--images", "60", "--draws", "2", "--clock", "6", "8", "--cell-errors", "0", "0.1"]
    assert main(["sweep", *more, *options]) == 0
    report = SweepReport.load(files["json"])
    assert [(p.clock_ns, p.cell_error_rate) for p in report.points] == [(6, 0), (6, 0.1), (8, 0), (8, 0.1)]
    assert (report.images, report.draws, report.layers) == (60, 2, [1])
    assert json.loads(files["json"].read_text())["published"][3]["low"] == 0.94
    lines = list(csv.DictReader(files["csv"].read_text().splitlines()))
    assert [line["source"] for line in lines] == ["drawn"] * 4 + ["published"] * 5
    assert files["png"].read_bytes()[:4] == b"\x89PNG"
    assert "98.1-98.4" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--clock", "7"], "invalid choice: 7"),
        (["--cell-errors", "1.5"], "'1.5': must be a number from 0 to 1"),
        (["--layers", "5"], "layer 5 of mnist-784-512-512-10: decisions can be drawn for 0, 1"),
        (["--cellerrors", "0"], "did you mean '--cell-errors'"),
    ],
)
def test_bad_options_are_one_line(options, message, capsys):
    try:
        status = main(["sweep", "--images", "5", *options])
    except SystemExit as end:
        status = end.code
    assert status == 2
    assert message in capsys.readouterr().err
