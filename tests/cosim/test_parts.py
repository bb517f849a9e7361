"""A run in several processes gives what one process gives, bit for bit: also with noise, which follows the image."""

import functools

import pytest

from bridgebnn.hdl.spec import ReadMode
from bridgebnn.model.parameters.params import MacroParams
from bridgebnn.tb.runs.parts import DERIVED, LONGEST
from bridgebnn.tb.runs.runner import infer
from bridgebnn.tb.simulators import SimulationError

from . import small

OWN = {*DERIVED, *LONGEST, "log", "cpu_s", "busy_cycles", "cycles", "bus_polls", "energy_waits_cyc"}
"""Fields that may differ: times, and the cycles in which each process begins and ends."""


def noisy():
    """Real, with so much noise of devices and comparator that every image feels it."""
    real = MacroParams.real().as_dict()
    neuron, bridge = real["neuron"] | {"noise_V": 0.05}, real["bridge"] | {"read_noise": 0.5}
    return MacroParams.from_dict(real | {"name": "noisy", "neuron": neuron, "bridge": bridge})


MACROS = {"ideal": "ideal", "noisy": noisy(), "published": "published"}


@functools.cache
def whole(macro, attach):
    """Job and report of one process."""
    job = small.job("icarus", attach, 10, macro=MACROS[macro], labels=[0, 1, 2, 3, 4] * 2)
    return job, infer(job)


def same(one, several):
    """But for times and cycles nothing differs; cycles do by a few per process."""
    for name in one:
        if name == "programming":
            assert one[name].replace(wall_s=0.0, cpu_s=0.0) == several[name].replace(wall_s=0.0, cpu_s=0.0)
        elif name not in OWN:
            assert one[name] == several[name], name
    assert (one.ok, one.agent) == (several.ok, several.agent)
    assert one.ok is True
    each = len(several.parts)
    assert 0 <= several.busy_cycles - one.busy_cycles < 200 * each


@pytest.mark.icarus
@pytest.mark.parametrize(
    ("macro", "attach"),
    [("ideal", "prefetch"), ("noisy", "prefetch"), ("noisy", "strobe"), ("published", "strobe")],
)
def test_three_processes_give_what_one_gives(macro, attach):
    job, one = whole(macro, attach)
    several = infer(job, jobs=3)
    same(one, several)
    assert [(part.before, part.images) for part in several.parts] == [(0, 3), (3, 3), (6, 4)]
    if macro == "noisy":
        assert one.golden_mismatches > 0


@pytest.mark.icarus
def test_programmed_over_the_bus_and_searched():
    job = small.job("icarus", "prefetch", 6, macro=noisy(), program="bus", final_mode=ReadMode.SEARCH)
    one, several = infer(job), infer(job, jobs=2)
    same(one, several)
    assert several.programming.pulses == several.agent.pulses > 0


@pytest.mark.icarus
def test_noise_follows_the_image_not_the_process():
    """The last images alone: as in the whole run where they know what came before them, otherwise not."""
    job, one = whole("noisy", "prefetch")
    last = job.replace(images=job.images[6:], labels=None)
    assert infer(last.replace(before=6)).scores == one.scores[6:]
    assert infer(last).scores != one.scores[6:]


@pytest.mark.icarus
def test_a_part_that_fails_ends_the_run():
    job = small.job("icarus", "prefetch", 6, faults={"resolve_never": True}, limit_cyc=5000)
    with pytest.raises(SimulationError, match=r"^\w+: images \d to \d: .*\(log: "):
        infer(job, jobs=3)
