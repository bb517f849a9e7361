"""Every bad input of the contract, on both simulators and attachments; see ``tb/testbenches/faults.py``."""

import functools

import pytest

from bridgebnn.hdl.spec import Geometry
from bridgebnn.tb.runs.jobs import ScenariosJob
from bridgebnn.tb.runs.runner import run_scenarios

from . import small, test_repair

NAMES = (
    *("nothing", "unmapped_address", "bad_size", "command_while_busy", "unknown_command", "bad_descriptor"),
    "bad_repair",
    *("program_without_unlock", "lock_bit", "read_back_lock", "bad_address", "rails_never_up", "rails_lost"),
    *("devices_that_do_not_converge", "comparator_never_resolves", "comparator_resolves_late"),
    *("result_bank_empty_and_input_banks_full", "abort_inference", "abort_programming"),
    *("reset_in_inference", "reset_in_programming"),
)


GEOMETRIES = {"plain": small.GEOMETRY, "spares": test_repair.GEOMETRY}


@functools.cache
def outcomes(sim: str, attach: str, geometry: Geometry) -> dict[str, str]:
    """All scenarios in one run."""
    job = ScenariosJob(**small.job(sim, attach, limit_cyc=100_000, geometry=geometry))
    return run_scenarios(job, timeout_s=300.0).outcomes


@pytest.mark.parametrize(
    ("geometry", "sim", "attach"),
    [
        pytest.param(name, sim, attach, marks=getattr(pytest.mark, sim), id=f"{name}-{sim}-{attach}")
        for name in GEOMETRIES
        for sim in small.SIMS
        for attach in small.ATTACHMENTS
        if name == "plain" or (sim, attach) in (("icarus", "strobe"), ("verilator", "prefetch"))
    ],
)
def test_bad_input_leaves_weights_and_results(geometry, sim, attach):
    found = outcomes(sim, attach, GEOMETRIES[geometry])
    assert set(found) == set(NAMES)
    assert {name: text for name, text in found.items() if text != "ok"} == {}
