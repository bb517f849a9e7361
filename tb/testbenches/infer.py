"""A mapped network on the RTL: programmed over the bus (or preloaded), then run over input vectors.

Every hidden bit, score and class is compared with golden and with the analog model evaluated alone.
"""

from __future__ import annotations

import dataclasses
import gc
import time
from pathlib import Path
from typing import Any

import numpy as np

from bridgebnn.hdl.spec import Combine, Geometry, PulseConditions, ReadMode, Timing
from bridgebnn.model.flows import inference
from bridgebnn.model.macro.array import Array
from bridgebnn.model.macro.broken_lines import FaultyArray, LineFault
from bridgebnn.model.mapping.mapping import Mapping, map_network
from bridgebnn.model.networks import golden
from bridgebnn.model.networks.network import Network
from bridgebnn.model.parameters.params import MacroParams
from bridgebnn.tb.agents.array_agent import MacroFaults
from bridgebnn.tb.checks.monitors import LayerMonitor, comparisons
from bridgebnn.tb.checks.scoreboard import InferenceScoreboard, Reference
from bridgebnn.tb.env import Env
from bridgebnn.tb.host.programming import Pass, program_alone, program_chip
from bridgebnn.tb.runs.job import Progress, testbench

GEOMETRY_FIELDS = [f.name for f in dataclasses.fields(Geometry)]


def geometry_of(job: dict[str, Any]) -> Geometry:
    """Geometry of the job."""
    return Geometry(**{name: job["geometry"][name] for name in GEOMETRY_FIELDS})


def timing_of(job: dict[str, Any]) -> Timing:
    """Timing of the job; the default where it names none."""
    fields = dict(job.get("timing") or {})
    for op in ("form", "set", "reset"):
        if op in fields:
            fields[op] = PulseConditions(**fields[op])
    return Timing(**fields)


def mapping_of(job: dict[str, Any]) -> Mapping:
    """Mapping of the job's network."""
    network = Network.load(job["network"])
    combine, final_mode = Combine(job["combine"]), ReadMode(job["final_mode"])
    return map_network(network, geometry_of(job), combine=combine, final_mode=final_mode)


def chip_of(job: dict[str, Any]) -> Array:
    """A fresh, unformed chip, with the job's broken lines."""
    arguments = geometry_of(job), MacroParams.from_dict(job["macro"]), int(job["chip"])
    lines = [LineFault.parse(text) for text in job.get("broken_lines", ())]
    return FaultyArray(*arguments, lines=lines) if lines else Array(*arguments)


def environment(dut: Any, job: dict[str, Any], mapping: Mapping, array: Array | None) -> Env:
    """Environment for a mapping, with the job's attachment, faults and gaps."""
    options: dict[str, Any] = {}
    attach = job["attach"]
    if attach == "strobe":
        options = {"watch": job.get("watch", True)}
    elif attach == "prefetch":
        most = job.get("comparisons") or max(comparisons(d) for d in mapping.descriptors)
        options = {"comparisons": most}
    return Env(
        dut,
        mapping.geometry,
        array,
        attach=attach,
        timing=timing_of(job),
        sim=job["sim"],
        seed=int(job.get("seed", 1)),
        faults=MacroFaults(**job.get("faults", {})),
        agent_options=options,
        bus_gaps=job.get("bus_gaps", "none"),
        push_gaps=job.get("push_gaps", "none"),
        pop_gaps=job.get("pop_gaps", "none"),
        limit_cyc=int(job.get("limit_cyc", 2_000_000)),
    )


@testbench
async def infer(dut: Any, job: dict[str, Any]) -> dict[str, Any]:
    """Program, infer, compare. The job's fields: ``bridgebnn.tb.runs.runner.infer``."""
    planned, images = mapping_of(job), np.load(job["inputs"])
    progress = Progress(job["progress"])
    tied = job["attach"] == "none" or job.get("tied", False)
    array = None if tied and job["attach"] == "none" else chip_of(job)
    env = environment(dut, job, planned, array)
    trace = None
    if job.get("waves"):
        from bridgebnn.tb.checks.waves import Trace

        trace = Trace(
            env, Path(job["waves"]), tile=job.get("waves_tile", 0), column=job.get("waves_column", 0)
        )

    async def main() -> dict[str, Any]:
        await env.start()
        if trace is not None and job.get("waves_program"):
            trace.start()
        network = Network.load(job["network"])
        mapping, passes, programmed = await program_chip(env, job, network, planned, progress)
        result: dict[str, Any] = {"programming": programmed}
        references, alone = {}, None
        if not tied:
            alone, result["state_equal"], result["model_programming"] = model_alone(job, mapping, env, passes)
            references = {
                "golden": Reference.of(golden.forward(mapping.network, images)),
                "model": Reference.of(inference.run(mapping, alone, images)),
            }
        scoreboard = InferenceScoreboard(images, references, len(mapping.descriptors))
        if not tied:
            LayerMonitor(env, mapping, scoreboard.observe_layer).start()
        await env.host.load_network(mapping.descriptors, mapping.thresholds, mapping.repairs)
        vectors = mapping.pack_inputs(images)
        if trace is not None and not job.get("waves_program"):
            trace.start()

        def seen(outcome: Any) -> None:
            scoreboard.observe_result(outcome)
            progress("infer", scoreboard.compared, len(images))

        gc.collect()
        gc.freeze()  # what is here now stays: not to be looked through again and again
        start, begin, busy = time.monotonic(), env.cycle(), time.process_time()
        await env.host.infer(mapping.descriptors, vectors, seen, scoreboard.send)
        wall_s, cycles, cpu_s = time.monotonic() - start, env.cycle() - begin, time.process_time() - busy
        if not tied:
            scoreboard.close()
        counts = {name.lower(): await env.bus.read(name) for name in ("PERF_ROWS", "PERF_READ", "PERF_BUSY")}
        if env.attach == "prefetch" and not tied:
            env.agent.flush()
        env.check()
        result["read_numbers_equal"] = tied or bool((alone.reads == array.reads).all())
        result |= summary(job, env, scoreboard, alone, wall_s, cycles, counts) | {"cpu_s": round(cpu_s, 3)}
        if not tied:
            # The chip itself is a result, too: each of these that differs counts as one more mismatch.
            checks = ("state_equal", "state_equal_after", "read_numbers_equal")
            wrong = [name for name in checks if not result[name]]
            wrong += ["programming"] if not result["model_programming"].get("equal", True) else []
            result["model_mismatches"] += len(wrong)
            if wrong:
                result["model_first"] = result["model_first"] or ", ".join(wrong)
        return result

    try:
        return await env.run(main())
    finally:
        if trace is not None:
            trace.close()


def model_alone(
    job: dict[str, Any], mapping: Mapping, env: Env, passes: list[Pass]
) -> tuple[Array, bool, dict[str, Any]]:
    """A second chip of the same seed, programmed by the model itself; is it in the first one's state?"""
    alone = chip_of(job)
    report = program_alone(alone, mapping, passes, timing_of(job))
    if env.attach == "prefetch":
        env.agent.flush()
    ours, theirs = env.array.devices.snapshot(), alone.devices.snapshot()
    wrong = [
        name for name in theirs if name != "row_version" and not np.array_equal(ours[name], theirs[name])
    ]
    if wrong:
        report["differ"] = wrong
    return alone, alone.state_hash() == env.array.state_hash(), report


def summary(
    job: dict[str, Any],
    env: Env,
    scoreboard: InferenceScoreboard,
    alone: Array | None,
    wall_s: float,
    cycles: int,
    counts: dict[str, int],
) -> dict[str, Any]:
    """The result record."""
    n = len(scoreboard.images)
    labels = job.get("labels")
    classes = [s["label"] for s in scoreboard.seen]
    record: dict[str, Any] = {
        "images": n,
        "accuracy": float(np.mean(np.array(labels) == classes)) if labels else None,
        "classes": classes,
        "scores": [s["scores"] for s in scoreboard.seen] if job.get("keep_scores", True) else None,
        "cycles_per_image": round(counts["perf_busy"] / n, 2),
        "row_reads": counts["perf_rows"],
        "read_cycles": counts["perf_read"],
        "cycles": cycles,
        "cycles_per_s": round(cycles / wall_s, 1),
        "row_reads_per_s": round(counts["perf_rows"] / wall_s, 1),
        "wall_s": round(wall_s, 3),
    }
    if labels and "golden" in scoreboard.references:
        record["golden_accuracy"] = float(np.mean(labels == scoreboard.references["golden"].classes))
    for name, reference in scoreboard.references.items():
        record[f"{name}_mismatches"] = reference.mismatches
        record[f"{name}_first"] = reference.first
        record[f"{name}_images"] = len(reference.images)
    if alone is not None:
        record["state_equal_after"] = alone.state_hash() == env.array.state_hash()
        record["agent"] = {
            "pulses": env.agent.pulses,
            "verifies": env.agent.verifies,
            "row_reads": env.agent.row_reads,
        }
    return record
