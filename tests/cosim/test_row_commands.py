"""The four row commands on the pins of the Verilog: every strobe in its cycle; levels, columns, log and counters."""

import functools
import tempfile
from pathlib import Path

import pytest

from bridgebnn.hdl.spec import Geometry
from bridgebnn.tb.runs.runner import generated
from bridgebnn.tb.testbenches.row_groups import GROUPS
from bridgebnn.tb.testbenches.row_script import Script, with_backdoors

GEOMETRIES = {
    "one_word": Geometry(tiles=2, rows=24, inputs=23, bias=2, thresholds=8, layers=2, scores=4, log_depth=8),
    "three_words": Geometry(
        tiles=3, rows=20, inputs=66, bias=4, thresholds=8, layers=2, scores=4, log_depth=5
    ),
}
RUNS = (("icarus", "one_word"), ("icarus", "three_words"), ("verilator", "three_words"))


SLOW_ON_ICARUS = ("longest_times",)
LONG = ("icarus", "three_words")
"""Left to `make test-long`: its parts are in the other two runs."""


@functools.cache
def outcomes(sim: str, name: str) -> dict[str, dict[str, str]]:
    """All groups in one run."""
    script = Script(GEOMETRIES[name])
    for group, fill in GROUPS.items():
        if sim != "icarus" or group not in SLOW_ON_ICARUS:
            script.group = group
            fill(script)
    with tempfile.TemporaryDirectory() as folder:
        verilog, backdoors = with_backdoors(generated(script.geometry), Path(folder))
        return script.run(sim, verilog, backdoors)


@pytest.mark.parametrize(
    ("sim", "name", "group"),
    [
        pytest.param(
            sim,
            name,
            group,
            marks=[getattr(pytest.mark, sim), *[pytest.mark.long] * ((sim, name) == LONG)],
            id=f"{sim}-{name}-{group}",
        )
        for sim, name in RUNS
        for group in GROUPS
        if sim != "icarus" or group not in SLOW_ON_ICARUS
    ],
)
def test_row_commands(sim, name, group):
    found = outcomes(sim, name)[group]
    assert found
    wrong = [f"{step}: {said}" for step, said in found.items() if said != "ok"]
    assert not wrong, f"{len(wrong)} of {len(found)} steps:\n" + "\n".join(wrong[:8])
