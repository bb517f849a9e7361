"""bridgebnn model: exit status, messages, JSON; never a traceback."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from bridgebnn.hdl.spec import PRESETS
from bridgebnn.model import commands
from bridgebnn.model.__main__ import main
from bridgebnn.model.commands import infer
from bridgebnn.model.networks.encoding import Encoding
from bridgebnn.model.parameters.params import MacroParams
from tests import ROOT
from tests.model.reference import random_network

needs_network = pytest.mark.skipif(
    not (ROOT / "data" / PRESETS["mnist"].network).exists(), reason="trained network not in data/"
)


@pytest.fixture
def network_file(tmp_path):
    path = tmp_path / "net.npz"
    random_network(np.random.default_rng(0), [784, 20, 10], spread=20).save(path)
    return path


@pytest.mark.parametrize("macro", ["ideal", "real"])
def test_infer_writes_a_report(macro, network_file, tmp_path, capsys):
    out = tmp_path / "out.json"
    arguments = ["--network", str(network_file), "--images", "40", "--macro", macro, "--chip", "5"]
    assert main(["infer", *arguments, "--json", str(out)]) == 0
    report = json.loads(out.read_text())
    assert report["images"] == 40
    assert report["chip"] == 5
    assert report["schema_version"] == 1
    assert report["macro"] == macro
    assert (report["preset"], report["data"]) == ("fitted", "mnist-test-1bit.npz")
    assert report["binarize"] == "threshold:128"
    assert report["model_mismatches"] == 0
    assert report["model_checked"] == 3
    assert report["golden_images_per_s"] > 0
    assert report["wall_s"] > 0
    assert report["programming"]["rows"] == 30
    assert set(report["versions"]) == {"bridgebnn", "python", "numpy"}
    assert 0 <= report["accuracy"] <= 1
    if macro == "ideal":
        assert report["golden_mismatches"] == 0
        assert report["accuracy"] == report["golden_accuracy"]
    assert "images that differ from golden" in capsys.readouterr().out


def test_infer_with_images_of_ones_own(tmp_path, capsys):
    """A network of thermometer code on a folder of images without labels, on a chip made for it."""
    rng = np.random.default_rng(0)
    network = random_network(rng, [6 * 5 * 3, 20, 10], spread=20)
    encoding = Encoding(shape=(6, 5), thresholds=(64, 128, 192))
    dataclasses.replace(network, encoding=encoding).save(tmp_path / "net.npz")
    images = rng.integers(0, 256, (12, 6, 5)).astype(np.uint8)
    for i, image in enumerate(images):
        (tmp_path / "images").mkdir(exist_ok=True)
        Image.fromarray(image).save(tmp_path / "images" / f"{i}.png")
    out = tmp_path / "out.json"
    arguments = ["infer", "--network", str(tmp_path / "net.npz"), "--data", str(tmp_path / "images")]
    assert main([*arguments, "--json", str(out)]) == 0
    report = json.loads(out.read_text())
    assert (report["images"], report["accuracy"], report["golden_mismatches"]) == (12, None, 0)
    assert (report["data"], report["binarize"]) == ("images", "thermometer:64,128,192")
    assert "no labels" in capsys.readouterr().out
    assert main([*arguments, "--binarize", "threshold"]) == 2
    assert "was made for thermometer:64,128,192" in capsys.readouterr().err


def test_infer_with_parameters_from_a_file(network_file, tmp_path, capsys):
    """The effect shows, the model still equals itself row by row, and bad files end in 2."""
    out, params = tmp_path / "out.json", tmp_path / "starved.json"
    arguments = ["infer", "--network", str(network_file), "--images", "40", "--preload"]
    arguments += ["--json", str(out), "--macro-params", str(params)]
    reports = []
    for feed_ohm in (10.0, 1e6):
        params.write_text(json.dumps({"bridge": {"r_feed_ohm": feed_ohm}}))
        assert main(arguments) == 0
        reports.append(json.loads(out.read_text()))
    assert {r["macro"] for r in reports} == {"starved"}
    assert [r["model_mismatches"] for r in reports] == [0, 0]
    assert reports[0]["differences"]["hidden"][0] < reports[1]["differences"]["hidden"][0] / 2
    params.write_text('{"bridge": {"r_feed": 1}}')
    assert main(arguments) == 2
    assert "starved.json: BridgeParams has no field 'r_feed'" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["conventional", "bridge"])
def test_examples_of_parameters_load(name):
    params = MacroParams.load(ROOT / f"examples/rails-{name}-fails.json")
    assert params.name == f"rails-{name}-fails"
    assert params.bridge.r_supply_ohm > MacroParams.real().bridge.r_supply_ohm


def test_same_seed_same_report(network_file, tmp_path):
    reports, path = [], tmp_path / "report"
    for _ in range(2):
        main(
            [
                "infer",
                "--network",
                str(network_file),
                "--images",
                "20",
                "--macro",
                "real",
                "--json",
                str(path),
            ]
        )
        reports.append(json.loads(path.read_text()))
    for report in reports:
        del report["wall_s"], report["golden_images_per_s"]
    assert reports[0] == reports[1]


def test_an_ideal_macro_that_differs_ends_in_1(network_file, monkeypatch):
    real = infer.program

    def wrong(array, images, masks, *args, **kwargs):
        images = images.copy()
        images[0, :5] ^= masks[0, :5]
        return real(array, images, masks, *args, **kwargs)

    monkeypatch.setattr(infer, "program", wrong)
    assert main(["infer", "--network", str(network_file), "--images", "50"]) == 1


def test_a_model_that_differs_from_itself_ends_in_1(network_file, tmp_path, monkeypatch):
    noisy = tmp_path / "noisy.json"
    noisy.write_text('{"neuron": {"noise_V": 0.005}}')
    monkeypatch.setattr(infer.Array, "begin_read", lambda self, tiles, row: None)
    arguments = ["infer", "--network", str(network_file), "--images", "200", "--check", "200", "--preload"]
    assert main([*arguments, "--macro-params", str(noisy)]) == 1


@needs_network
def test_trained_network_of_the_default_preset(tmp_path):
    out = tmp_path / "out.json"
    assert main(["infer", "--images", "300", "--preload", "--json", str(out)]) == 0
    report = json.loads(out.read_text())
    assert report["accuracy"] > 0.95
    assert report["golden_mismatches"] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["infer", "--images", "0"], "'0': must be an integer from 1 to 10000"),
        (["infer", "--images", "many"], "'many': must be an integer"),
        (["infer", "--chip", "-1"], "'-1': must be an integer from 0"),
        (["infer", "--network", "nowhere.npz"], "nowhere.npz: no such file"),
        (["infer", "--network", __file__], "test_main.py: not a whole bridgebnn-network file"),
        (["infer", "--macro", "perfect"], "invalid choice: 'perfect'"),
        (["infer", "--combine", "sum"], "invalid choice: 'sum'"),
        (["infer", "--frobnicate"], "no option '--frobnicate'. It has: --help, --preset"),
        ([], "the following arguments are required: COMMAND"),
        (["frobnicate"], "invalid choice: 'frobnicate'"),
    ],
)
def test_bad_input_ends_in_2(arguments, message, capsys):
    try:
        status = main(arguments)
    except SystemExit as stop:  # argparse
        status = stop.code
    assert status == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.out == ""


def test_as_a_program():
    """The whole way through the interpreter: exit status, stderr, no traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "bridgebnn.model", "infer", "--preset", "nothing"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2, done.stderr
    assert "unknown preset 'nothing': known are paper23" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_more_bad_input(network_file, tmp_path, capsys):
    small = tmp_path / "small.npz"
    random_network(np.random.default_rng(0), [20, 10]).save(small)
    wide = tmp_path / "wide.npz"
    random_network(np.random.default_rng(0), [784, 600, 10]).save(wide)
    for arguments, message in (
        (
            ["--network", str(small)],
            "random takes images of 20 values: no test images of that shape come with the package, say data",
        ),
        (["--network", str(wide), "--preset", "mnist"], "layer 0: 600 neurons, 88 more than a tile has rows"),
        (["--network", str(network_file), "--macro-params", str(small)], "small.npz"),
    ):
        assert main(["infer", *arguments]) == 2
        assert message in capsys.readouterr().err


def test_commands_are_found_by_their_module():
    found = commands.find()
    assert "infer" in found
    for name, module in found.items():
        assert module.__doc__, name
        assert callable(module.add_arguments)
        assert callable(module.run)


def test_parameters_are_listed_and_written(tmp_path, capsys):
    path = tmp_path / "real.json"
    assert main(["parameters"]) == 0
    said = capsys.readouterr().out
    for name in ("r_supply_ohm", "plate_droop", "vt0_V", "tile_rows", "c_bl_row_F"):
        assert name in said
    assert "[ours]" in said
    assert main(["parameters", "--json", str(path)]) == 0
    assert MacroParams.load(path) == MacroParams.real()
