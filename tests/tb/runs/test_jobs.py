"""Jobs: each field by its name, each value by its rules, the same in Python, in files and on the command line."""

import json
from pathlib import Path

import numpy as np
import pytest

from bridgebnn.hdl.spec import PRESETS, Combine, ReadMode, Timing, preset
from bridgebnn.model.mapping.fit import geometry_for
from bridgebnn.model.mapping.mapping import MappingError
from bridgebnn.model.parameters.params import MacroParams
from bridgebnn.names import UnknownName
from bridgebnn.tb.__main__ import main
from bridgebnn.tb.commands.schemas import RECORDS
from bridgebnn.tb.runs.jobs import CampaignJob, InferJob, Job, ProgramJob, RegistersJob

from .stand_in import GEOMETRY, job, network

KINDS = [kind for kind in RECORDS if issubclass(kind, Job)]
FIELDS = [(kind, name) for kind in KINDS for name in kind.__struct_fields__]


assert len(KINDS) >= 5


def misspelt(name):
    """One letter too few, one too many, two that changed places."""
    return sorted({name[:-1], name + "s", name[1] + name[0] + name[2:]} - {name})


@pytest.mark.parametrize(("kind", "name"), FIELDS, ids=lambda v: v if isinstance(v, str) else v.__name__)
def test_each_misspelt_field_is_told(kind, name, tmp_path):
    for wrong in misspelt(name):
        if wrong in kind.__struct_fields__:
            continue
        message = f"{kind.__name__} has no field '{wrong}'; did you mean '{name}'"
        with pytest.raises(UnknownName, match=message):
            kind(**{wrong: 1})
        path = tmp_path / "job.json"
        path.write_text(json.dumps({wrong: 1}))
        with pytest.raises(UnknownName, match=rf"job\.json: {message}"):
            kind.load(path)


OPTIONS = [
    ("infer", name)
    for name in (
        *(
            "preset",
            "images",
            "macro",
            "macro-params",
            "chip",
            "combine",
            "network",
            "data",
            "labels",
            "binarize",
            "break",
            "sim",
            "attach",
        ),
        *("final", "program", "repair", "jobs", "seed", "waves", "job", "json"),
    )
]
OPTIONS += [("program", name) for name in ("preset", "network", "random", "chip", "macro", "sim", "out")]


@pytest.mark.parametrize(("command", "name"), OPTIONS)
def test_each_misspelt_option_is_told(command, name, capsys):
    for wrong in misspelt(name):
        if (command, wrong) in OPTIONS:
            continue  # --jobs is not --job misspelt
        with pytest.raises(SystemExit) as end:
            main([command, f"--{wrong}", "1"])
        assert end.value.code == 2
        err = capsys.readouterr().err
        assert err.startswith(
            f"bridgebnn tb {command}: error: no option '--{wrong}'; did you mean '--{name}'?"
        )
        assert err.count("\n") == 1


def test_a_misspelt_field_in_a_job_file_on_the_command_line(tmp_path, capsys):
    path = tmp_path / "job.json"
    path.write_text('{"preset": "paper23", "images": 1, "macros": "real"}')
    assert main(["infer", "--job", str(path)]) == 2
    assert f"{path}: InferJob has no field 'macros'; did you mean 'macro'?" in capsys.readouterr().err


def test_what_is_left_out():
    """One default of every seed, the same for each kind of run."""
    plain = job()
    assert (plain.chip, plain.seed, plain.sim, plain.macro) == (1, 1, "icarus", MacroParams.ideal())
    assert (plain.timing, plain.combine, plain.final_mode) == (Timing(), Combine.ADD, ReadMode.COUNT)
    assert ProgramJob(random="2x3").chip == ProgramJob(random="2x3").seed == 1
    assert ProgramJob(random="2x3").macro == MacroParams.real()
    assert CampaignJob(faults=()).seed == RegistersJob(geometry=GEOMETRY).seed == 1


@pytest.mark.parametrize("name", PRESETS)
def test_presets(name, tmp_path):
    images = {}
    if name == "cifar-conv":  # no images of its own
        with pytest.raises(ValueError, match="no test images of that shape come with the package, say data"):
            InferJob(preset=name, images=3)
        np.savez(tmp_path / "d.npz", images=np.full((3, 32, 32, 3), 9, np.uint8), labels=[0, 1, 2])
        images = {"data": tmp_path / "d.npz"}
    chosen, made = preset(name), InferJob(preset=name, images=3, **images)
    assert (made.geometry, made.timing, made.combine) == (chosen.geometry, chosen.timing, chosen.combine)
    assert made.images.shape == (3, made.network.n_in)
    assert len(made.labels) == 3
    other = InferJob(preset=name, images=1, combine="vote", final_mode=ReadMode.SEARCH, **images)
    assert (other.combine, other.final_mode) == (Combine.VOTE, ReadMode.SEARCH)


def test_data_of_ones_own(tmp_path):
    np.savez(tmp_path / "d.npz", images=np.array([[[0, 200, 1], [128, 127, 255]]] * 4), labels=[0, 1, 0, 1])
    made = InferJob(network=network(), data=tmp_path / "d.npz", images=3)
    assert made.images.tolist() == [[0, 1, 0, 1, 0, 1]] * 3
    assert made.labels == (0, 1, 0)
    assert made.geometry == geometry_for(made.network)
    assert len(InferJob(network=network(), data=tmp_path / "d.npz", images=30).images) == 4
    np.save(tmp_path / "i.npy", np.ones((2, 6), np.uint8))
    assert InferJob(network=network(), data=tmp_path / "i.npy", binarize="bits", images=2).labels is None
    np.save(tmp_path / "l.npy", [1, 0])
    more = {"data_labels": tmp_path / "l.npy", "binarize": "bits"}
    assert InferJob(network=network(), data=tmp_path / "i.npy", images=2, **more).labels == (1, 0)


def test_images_and_networks_from_files(tmp_path):
    np.save(tmp_path / "v.npy", job().images)
    network().save(tmp_path / "n.npz")
    read = job(network=tmp_path / "n.npz", images=str(tmp_path / "v.npy"), macro="real", geometry={"rows": 8})
    assert (read.images == job().images).all()
    assert read.network.n_in == 6
    assert read.macro.name == "real"
    assert (
        InferJob(
            network="mnist-784-512-512-10.npz", geometry=preset("mnist").geometry, images=1
        ).network.n_out
        == 10
    )
    (tmp_path / "bad.npy").write_text("x")
    for name, message in (("absent.npy", "No such file"), ("bad.npy", r"no \.npy file")):
        with pytest.raises(ValueError, match=message):
            job(images=tmp_path / name)


VECTORS = [
    ([[1, 1, 0, 0, 1, 1], [1, -1, 0, 0, 1, 1]], r"images\[1, 1\] = -1: must be binary, 0 or 1"),
    ([[0] * 6, [0] * 6, [0, 0, 0, 0, 0, 2]], r"images\[2, 5\] = 2: must be binary, 0 or 1"),
    ([[0, 1], [1]], r"rows of different lengths, must be \(batch, inputs\)"),
    ([[0, 1]], r"images have shape \(1, 2\): must be \(batch, 6\)"),
    ([0, 1, 0, 1, 0, 1], r"images have shape \(6,\): must be \(batch, inputs\)"),
    (np.zeros((0, 6), int), "no input vectors"),
    ([], r"shape \(0,\): must be"),
    ([[0.5] * 6], "images are float64: must be binary"),
    ([[float("nan")] * 6], "images are float64: must be binary"),
    ([[2**70] * 6], "images are object: must be binary"),
]
OTHERS = [
    ({"chip": -1}, "InferJob.chip = -1: must be an integer from 0 to 18446744073709551615"),
    ({"chip": 2**64}, "InferJob.chip = 18446744073709551616"),
    ({"chip": 0.5}, "InferJob.chip = 0.5: must be an integer"),
    ({"seed": 2**32}, "InferJob.seed = 4294967296: must be an integer from 0 to 4294967295"),
    ({"sim": "modelsim"}, "InferJob.sim = 'modelsim': must be icarus or verilator"),
    ({"attach": "pins"}, "InferJob.attach = 'pins': must be none or prefetch or strobe"),
    ({"program": "jtag"}, "InferJob.program = 'jtag': must be bus or preload"),
    ({"macro": "reel"}, "macro = 'reel': must be ideal, real, published, published-like or spice"),
    ({"macro": {"bridge": {"v_read": 1}}}, "no field 'v_read'; did you mean 'v_read_V'"),
    ({"bus_gaps": "many"}, "InferJob.bus_gaps = 'many': must be long or none or some"),
    ({"faults": {"rail_never": True}}, "no field 'rail_never'; did you mean 'rails_never'"),
    ({"final_mode": "sign"}, "InferJob.final_mode = sign: must be count or search"),
    ({"labels": [1]}, "InferJob.labels has 1 entries: must be one per image, 2"),
    ({"labels": [1, -1]}, r"InferJob.labels\[1\] = -1: must be an integer of at least 0"),
    ({"preset": "nope"}, "unknown preset 'nope'"),
    ({"network": 3}, "InferJob.network = 3: must be a Network or the path"),
    ({"network": "absent.npz"}, "absent.npz: no such file"),
    ({"tied": 1}, "tied = 1 with attachment 'prefetch': must be none"),
    ({"waves": "w.vcd"}, "waves with attachment 'prefetch': the analog nodes need strobe"),
    ({"waves": "w.fst", "attach": "strobe"}, r"InferJob.waves = 'w.fst': must end in \.vcd"),
    ({"waves_tile": 2}, "InferJob.waves_tile = 2: must be from 0 to 1"),
    ({"waves_column": 8}, "InferJob.waves_column = 8: must be from 0 to 7"),
    ({"repair": True, "program": "preload"}, "repair with program = 'preload'"),
    ({"broken_lines": ["word_open:0:1"]}, "broken lines without repair"),
    ({"broken_lines": ["word_open:0:99"], "repair": True}, "word_open"),
    ({"comparisons": 0}, "InferJob.comparisons = 0"),
]


@pytest.mark.parametrize(("vectors", "message"), VECTORS, ids=[m[:24] for _, m in VECTORS])
def test_every_vector_is_checked(vectors, message):
    with pytest.raises(ValueError, match=message) as caught:
        job(images=vectors)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("count", [0, 10_001])
def test_there_are_so_many_test_images(count):
    with pytest.raises(
        ValueError, match=f"InferJob.images = {count}: must be from 1 to 10000, the images of"
    ):
        InferJob(preset="mnist", images=count)
    with pytest.raises(ValueError, match="no test images of that shape come with the package, say data"):
        job(images=count)


@pytest.mark.parametrize(("fields", "message"), OTHERS, ids=[m[:24] for _, m in OTHERS])
def test_values_that_are_not_legal(fields, message):
    with pytest.raises(ValueError, match=message) as caught:
        job(**fields)
    assert "\n" not in str(caught.value)


def test_what_is_missing():
    for fields, message in (
        ({}, "InferJob needs images"),
        ({"images": [[1]]}, "InferJob needs network and geometry, or a preset"),
    ):
        with pytest.raises(UnknownName, match=message):
            InferJob(**fields)
    with pytest.raises(ValueError, match="ProgramJob with nothing: needs preset, random or work"):
        ProgramJob()
    with pytest.raises(ValueError, match="ProgramJob with preset and random"):
        ProgramJob(preset="mnist", random="2x2")
    with pytest.raises(ValueError, match="must be ROWSxCOLUMNS"):
        ProgramJob(random="8")


def test_the_mapping_is_made_once(monkeypatch):
    made = job()
    assert made.mapping is made.mapping
    with pytest.raises(MappingError, match="tiles = 4 would fit"):
        _ = job(network=network(20), images=[[0] * 20]).mapping


def test_a_job_file(tmp_path):
    path = tmp_path / "job.json"
    path.write_text(json.dumps({"preset": "paper23", "images": 2, "macro": "real", "waves": None, "seed": 4}))
    read = InferJob.load(path)
    assert (read.preset, read.seed, read.macro.name, read.labels) == ("paper23", 4, "real", (7, 2))
    assert Path(PRESETS["paper23"].network).suffix == ".npz"
