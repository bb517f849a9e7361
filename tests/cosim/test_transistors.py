"""One testbench on three macros: ideal, behavioural, transistors answered by ngspice."""

import numpy as np
import pytest

from bridgebnn.hdl.spec import Geometry
from bridgebnn.tb import run_layers
from bridgebnn.tb.__main__ import main
from bridgebnn.tb.runs.parts import split
from examples import three_macros

from . import small
from .test_commands import call
from .test_infer import same_as_model

GEOMETRY = Geometry(tiles=2, rows=4, inputs=7, bias=2, thresholds=64, layers=2, scores=4, count_width=8)
NETWORK = small.network(3, (7, 3, 2), 3)


def job(macro, count=2, **fields):
    """A job of a tiny network on two tiles of four rows, 7 + 2 columns."""
    given = {"network": NETWORK, "geometry": GEOMETRY, "attach": "strobe", "chip": 5, "comparisons": None}
    return small.job("icarus", count=count, macro=macro, **given | fields)


@pytest.mark.icarus
@pytest.mark.spice
def test_three_macros_give_the_same_classes():
    """Far from every threshold transistors decide as the model and golden do; each dV is within 2 % of a count."""
    layers = (three_macros.weights, three_macros.vectors)
    given = {"attach": "strobe", "program": "preload", "chip": 7, "thresholds": three_macros.thresholds}
    reports = {macro: run_layers(*layers, macro=macro, **given) for macro in ("ideal", "real", "spice")}
    for report in reports.values():
        same_as_model(report)
        assert report.scores == reports["ideal"].scores
        assert report.golden_mismatches == 0
    assert reports["ideal"].transistors is reports["real"].transistors is None
    beside = reports["spice"].transistors
    assert beside.reads == beside.runs + beside.kept == reports["spice"].agent.row_reads == 2 * (3 + 2)
    assert beside.decisions == 2 * 3
    assert beside.decisions_differ == beside.bits_differ == beside.unresolved == 0
    assert 0 < beside.dv_worst_V < 0.02 * beside.lsb_V


@pytest.mark.icarus
@pytest.mark.spice
def test_the_example():
    """It asks what the test before it asked: the answers are there."""
    done = call("-m", "examples.three_macros")
    assert done.returncode == 0, done.stderr
    ideal, real, spice, told = done.stdout.splitlines()
    assert ideal.split()[1:] == real.split()[1:] == spice.split()[1:]
    assert told.startswith("0 of 6 decisions and 0 of ")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"attach": "prefetch"}, "macro spice with attachment 'prefetch': must be strobe"),
        (
            {"geometry": small.GEOMETRY},
            "macro spice on 2 tiles of 24 rows and 25 columns: at most 2 tiles of 8 rows",
        ),
        (
            {"broken_lines": ["word_open:0:1"], "repair": True, "program": "bus"},
            "broken lines on macro spice",
        ),
        ({"trim": 4}, "trim = 4 of transistors: must be 0"),
    ],
)
def test_what_transistors_cannot_do_is_told(fields, message):
    """One sentence, before anything is built."""
    with pytest.raises(ValueError, match=message):
        job("spice", **fields)


def test_several_processes_are_refused():
    """Each would run ngspice for the same reads."""
    with pytest.raises(ValueError, match=r"macro spice with jobs = 2: must be 1"):
        split(job("spice"), 2)


def test_a_missing_ngspice_is_one_sentence(monkeypatch, capsys, tmp_path):
    """It is told before anything is built."""
    NETWORK.save(tmp_path / "tiny.npz")
    np.save(tmp_path / "images.npy", small.vectors(1, 7))
    monkeypatch.setenv("NGSPICE", "/absent")
    monkeypatch.setenv("BRIDGEBNN_BUILD", str(tmp_path / "build"))
    options = [
        "--network",
        str(tmp_path / "tiny.npz"),
        "--data",
        str(tmp_path / "images.npy"),
        "--binarize",
        "bits",
    ]
    assert main(["infer", "--macro", "spice", "--sim", "icarus", "--images", "1", *options]) == 2
    told = capsys.readouterr().err
    assert told.startswith("bridgebnn tb infer: error: NGSPICE=/absent is not a program; ")
    assert told.count("\n") == 1
    assert not (tmp_path / "build").exists()
