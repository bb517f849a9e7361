"""Whole inferences: RTL and macro against golden and against the model alone, bit for bit."""

import numpy as np
import pytest

from bridgebnn.hdl.spec import Combine, ReadMode, Timing
from bridgebnn.tb.runs.jobs import InferJob
from bridgebnn.tb.runs.reports import RunReport
from bridgebnn.tb.runs.runner import infer

from . import small

SIM_ATTACH = [
    pytest.param(sim, attach, marks=getattr(pytest.mark, sim), id=f"{sim}-{attach}")
    for sim in small.SIMS
    for attach in small.ATTACHMENTS
]
OTHER = Timing(precharge_cyc=2, evaluate_cyc=3, sense_cyc=1, max_parallel=7)
"""A timing that is not the default: one, because each is a build."""
TIMINGS = (Timing(), OTHER, Timing(sense_cyc=4))
SAME = ("classes", "scores", "cycles_per_image", "row_reads", "read_cycles", "golden_mismatches")


def clean(result: RunReport) -> None:
    """Nothing differs from golden or the model, and something was compared."""
    assert result["golden_mismatches"] == 0, result["golden_first"]
    same_as_model(result)


def same_as_model(result: RunReport) -> None:
    """Nothing differs from the model alone: bits, scores, pulses, devices, read numbers."""
    assert result["model_mismatches"] == 0, result["model_first"]
    assert result["state_equal"]
    assert result["read_numbers_equal"]
    assert result["energy_equal"]
    assert result["images"] == len(result["classes"]) > 0


@pytest.mark.parametrize(("sim", "attach"), SIM_ATTACH)
@pytest.mark.parametrize("final", [ReadMode.COUNT, ReadMode.SEARCH], ids=lambda m: m.name.lower())
@pytest.mark.parametrize("combine", [Combine.ADD, Combine.VOTE], ids=lambda c: c.name.lower())
def test_ideal_macro_is_golden(sim, attach, final, combine):
    clean(small.run(sim, attach, count=8, final_mode=final, combine=combine))


@pytest.mark.parametrize(("sim", "attach"), SIM_ATTACH)
def test_unformed_array_over_the_bus(sim, attach):
    result = small.run(sim, attach, program="bus", timing=OTHER)
    clean(result)
    assert result["programming"]["pulses"] == result["agent"]["pulses"] > 0
    assert result["programming"]["verify_reads"] == result["agent"]["verifies"] > 0
    assert result["programming"]["failures"] == 0


@pytest.mark.icarus
@pytest.mark.parametrize("chip", [1, 2, 3])
@pytest.mark.parametrize("final", [ReadMode.COUNT, ReadMode.SEARCH], ids=lambda m: m.name.lower())
def test_real_macro_is_the_model_and_attachments_agree(chip, final):
    results = [
        small.run("icarus", attach, count=8, macro="real", chip=chip, program="bus", final_mode=final)
        for attach in small.ATTACHMENTS
    ]
    for result in results:
        same_as_model(result)
    assert all(results[0][key] == results[1][key] for key in SAME)
    assert results[0].energy == results[1].energy
    assert results[0].energy_waits_cyc == results[1].energy_waits_cyc == 0


@pytest.mark.parametrize("sim", [pytest.param(s, marks=getattr(pytest.mark, s)) for s in small.SIMS])
def test_the_baselines_of_the_bench_do_the_same_work(sim):
    """Comparator tied off, bare and in the shell: as many cycles and reads as with the physics attached."""
    bare, shell = (small.run(sim, "none", tied=tied) for tied in (0, 1))
    attached = small.run(sim, "prefetch")
    assert bare["scores"] == shell["scores"] != attached["scores"]
    for name in ("cycles", "row_reads", "read_cycles"):
        assert bare[name] == shell[name] == attached[name]


def phases_of(timing: Timing) -> tuple[int, int, int]:
    return timing.precharge_cyc, timing.evaluate_cyc, timing.sense_cyc


@pytest.mark.parametrize(
    ("sim", "attach", "timing"),
    [
        pytest.param(
            sim,
            attach,
            timing,
            id=f"{sim}-{attach}-{phases_of(timing)}",
            marks=[getattr(pytest.mark, sim), *[pytest.mark.long] * (sim == "verilator" and n == 2)],
        )
        for sim in small.SIMS
        for attach in small.ATTACHMENTS
        for n, timing in enumerate(TIMINGS)
    ],
)
def test_phase_lengths(sim, attach, timing):
    phases = phases_of(timing)
    result = small.run(sim, attach, timing=timing)
    clean(result)
    # docs/architecture.md section 3: 9 rows COUNT, 7 rows SIGN, 5 rows COUNT.
    count = phases[0] + phases[1] + -(-small.GEOMETRY.columns // small.GEOMETRY.count_width)
    assert result["row_reads"] == 4 * (9 + 7 + 5)
    assert result["read_cycles"] == 4 * (14 * count + 7 * sum(phases))


@pytest.mark.parametrize(("sim", "attach"), [SIM_ATTACH[0], SIM_ATTACH[3]])
@pytest.mark.parametrize("bus", ["none", "some", "long"])
@pytest.mark.parametrize("push", ["none", "long"])
@pytest.mark.parametrize("pop", ["none", "some"])
def test_idle_and_backpressure(sim, attach, bus, push, pop):
    clean(small.run(sim, attach, count=10, bus_gaps=bus, push_gaps=push, pop_gaps=pop))


@pytest.mark.icarus
def test_layers_of_any_shape():
    rng = np.random.default_rng(5)
    for sizes in ((1, 1), (23, 23, 1), (46, 2, 16), (5, 12, 11, 3)):
        network = small.network(int(rng.integers(1000)), sizes, limit=1)
        clean(small.run("icarus", "prefetch", network=network))


@pytest.mark.verilator
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "combine", "images"),
    [
        ("mnist", Combine.ADD, 4),
        ("paper23", Combine.ADD, 3),
        ("split", Combine.ADD, 3),
        ("split", Combine.VOTE, 3),
        pytest.param("mnist", Combine.ADD, 100, marks=pytest.mark.long),
        pytest.param("paper23", Combine.ADD, 50, marks=pytest.mark.long),
        pytest.param("split", Combine.ADD, 20, marks=pytest.mark.long),
        pytest.param("split", Combine.VOTE, 20, marks=pytest.mark.long),
    ],
)
def test_preset_on_verilator(name, combine, images):
    job = InferJob(preset=name, images=images, sim="verilator", program="preload", combine=combine)
    result = infer(job)
    clean(result)
    if name == "mnist":
        overhead = result["cycles_per_image"] - result["read_cycles"] / images
        assert overhead <= 0.02 * result["read_cycles"] / images


@pytest.mark.icarus
@pytest.mark.slow
@pytest.mark.parametrize("name", ["mnist", "paper23", "split"])
def test_preset_on_icarus(name):
    records = []
    clean(infer(InferJob(preset=name, images=1, sim="icarus", program="preload"), show=records.append))
    reads = [record["row_reads"] for record in records if "row_reads" in record]
    assert sorted(set(reads)) == reads
    assert (
        reads or name != "split"
    )  # an image that takes long shows that it goes on; the others may be too quick
