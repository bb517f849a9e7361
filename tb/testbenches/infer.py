"""A mapped network on the RTL: programmed over the bus (or preloaded), then run over input vectors.

Every hidden bit, score and class is compared with golden and with the analog model evaluated alone.
"""

from __future__ import annotations

import gc
import time
from functools import partial
from typing import Any

import numpy as np
from cocotb.triggers import Timer

from bridgebnn.model.flows import inference
from bridgebnn.model.flows.ledger import ReadLedger, inference_events
from bridgebnn.model.flows.trim import measured, self_tests
from bridgebnn.model.macro.array import Array
from bridgebnn.model.macro.broken_lines import LineFault
from bridgebnn.model.macro.energy import report_of
from bridgebnn.model.macro.events import Events
from bridgebnn.model.mapping.mapping import Mapping
from bridgebnn.model.mapping.row_programs import row_reads
from bridgebnn.model.networks import golden
from bridgebnn.model.networks.host import host_layers
from bridgebnn.model.spice.chip import TransistorArray, chip_of, model_of
from bridgebnn.tb.agents.array_agent import StrobeAgent
from bridgebnn.tb.agents.prefetch_agent import PrefetchAgent
from bridgebnn.tb.bus.wishbone import WishboneMonitor
from bridgebnn.tb.checks.energy import EnergyMonitor
from bridgebnn.tb.checks.monitors import LayerMonitor, ResultMonitor
from bridgebnn.tb.checks.scoreboard import InferenceScoreboard, Reference
from bridgebnn.tb.env import Env
from bridgebnn.tb.runs.job import Progress, testbench
from bridgebnn.tb.runs.jobs import InferJob, ProgramJob
from bridgebnn.tb.runs.reports import AgentCounts, RunReport, chip_differences
from bridgebnn.tb.testbenches.bring_up import Pass, program_alone, program_chip
from bridgebnn.tb.testbenches.trimming import trim_chip


def fresh_chip(job: InferJob | ProgramJob, *, alone: bool = False) -> Array:
    """An unformed chip, with the job's broken lines; ``alone``: as the model has it, without transistors."""
    lines = [LineFault.parse(text) for text in job.get("broken_lines", ())]
    timing = job.timing if isinstance(job, InferJob) else job.work.timing
    macro = job.macro.at_timing(timing)
    return chip_of(job.geometry, model_of(macro) if alone else macro, job.chip, lines, timing)


def environment(dut: Any, job: InferJob, array: Array | None) -> Env:
    """Environment for the job's mapping, with its attachment, faults and gaps."""
    options: dict[str, Any] = {}
    if job.attach == "strobe":
        options = {"watch": job.watch}
    elif job.attach == "prefetch":
        options = {"comparisons": job.most_comparisons}
    return Env(
        dut,
        job.geometry,
        array,
        attach=job.attach,
        timing=job.timing,
        sim=job.sim,
        seed=job.seed,
        faults=job.faults,
        agent_options=options,
        bus_gaps=job.bus_gaps,
        push_gaps=job.push_gaps,
        pop_gaps=job.pop_gaps,
        limit_cyc=job.limit_cyc,
    )


@testbench(InferJob)
async def infer(dut: Any, job: InferJob, progress: Progress) -> RunReport:
    """Program, infer, compare."""
    images = job.images
    tied = job.attach == "none"
    array = None if tied else fresh_chip(job)
    env = environment(dut, job, array)
    trace = None
    if job.waves:
        from bridgebnn.tb.checks.waves import Trace

        trace = Trace(env, job.waves, tile=job.waves_tile, column=job.waves_column)

    async def main() -> RunReport:
        await env.start()
        if trace is not None and job.waves_program:
            trace.start()
        mapping, passes, programmed = await program_chip(env, job, progress)
        result: dict[str, Any] = {"programming": programmed}
        untrimmed, offsets = mapping, dict[int, float]()
        if job.trim:
            mapping, offsets = await trim_chip(env, mapping, job.trim)
            result["trimmed"] = {str(tile): offset for tile, offset in offsets.items()}
        references, alone, energy, expected = {}, None, None, None
        if array is not None:
            alone, found, said = model_alone(job, untrimmed, env, passes)
            result |= said
            if job.trim:
                result["trim_equal"] = found == offsets
            seen_before = job.before * row_reads(mapping.programs, job.geometry)
            for chip in (env.array, alone):
                chip.reads += seen_before
            ledger = ReadLedger(alone, mapping.programs, job.timing)
            references = {
                "golden": Reference.of(golden.forward(mapping.network, images), job.before),
                "model": Reference.of(
                    inference.run(mapping, alone, images, ledger=ledger, progress=partial(progress, "model")),
                    job.before,
                ),
            }
            expected = inference_events(ledger, mapping, len(images))
        scoreboard = InferenceScoreboard(images, references, mapping.programs, mapping.behind)
        if array is not None:
            assert env.agent is not None
            energy = EnergyMonitor(ReadLedger(array, mapping.programs, job.timing), env.bus.map)
            LayerMonitor(dut, env.agent, mapping, scoreboard.observe_inputs, energy.visited).start()
        outputs = mapping.programs[-1].n_out
        results = ResultMonitor(env.bus.map, scoreboard.observe_result, outputs=outputs)
        running = False

        def accessed(address: int, write: bool, data: int) -> None:
            results.accessed(address, write, data)
            if energy is not None and running:
                energy.accessed(address, write)

        async def reading() -> None:
            """An image may take minutes: row reads are a sign of life, too."""
            while env.agent is not None:
                await Timer(1000 * env.period_ns, "ns")
                if running:
                    progress("infer", len(scoreboard.seen), len(images), row_reads=env.agent.row_reads)

        env.spawn(WishboneMonitor(dut, accessed).run())
        env.spawn(reading())
        await env.host.load_network(mapping.descriptors, mapping.thresholds, mapping.repairs)
        vectors = mapping.pack_inputs(images)
        if trace is not None and not job.waves_program:
            trace.start()

        def seen(outcome: Any) -> None:
            scoreboard.taken(outcome)
            progress("infer", len(scoreboard.seen), len(images))

        gc.collect()
        gc.freeze()  # what is here now stays: not to be looked through again and again
        strobes = 0 if env.agent is None else env.agent.row_reads
        running = True
        start, begin, busy = time.monotonic(), env.cycle(), time.process_time()
        await env.host.infer(mapping.descriptors, vectors, seen)
        wall_s, cycles, cpu_s = time.monotonic() - start, env.cycle() - begin, time.process_time() - busy
        running = False
        if not tied:
            scoreboard.close()
        counts = {name.lower(): await env.bus.read(name) for name in ("PERF_ROWS", "PERF_READ", "PERF_BUSY")}
        if isinstance(env.agent, PrefetchAgent):
            env.agent.flush()
        env.check()
        if energy is not None and expected is not None:
            events = energy.close(read_cycles=counts["perf_read"], cycles=counts["perf_busy"])
            result |= energy_of(job, events, expected, energy.polls)
        result["read_numbers_equal"] = (
            alone is None or array is None or bool((alone.reads == array.reads).all())
        )
        result |= summary(job, env, scoreboard, alone, wall_s, cycles, counts) | {"cpu_s": round(cpu_s, 3)}
        if env.agent is not None:
            result["agent"] = agent_counts(env.agent, strobes)
        if isinstance(array, TransistorArray):
            result["transistors"] = array.report()
        report = RunReport(**result)
        if wrong := chip_differences(report):
            report = report.replace(
                model_mismatches=(report.model_mismatches or 0) + len(wrong),
                model_first=report.model_first or ", ".join(wrong),
            )
        return report

    try:
        return await env.run(main())
    finally:
        if trace is not None:
            trace.close()


def agent_counts(agent: StrobeAgent | PrefetchAgent, before: int) -> AgentCounts:
    """What the agent counted, ``before`` row reads of it until the inference."""
    return AgentCounts(
        pulses=agent.pulses,
        verifies=agent.verifies,
        row_reads=agent.row_reads,
        inferring=agent.row_reads - before,
    )


def energy_of(job: InferJob, events: Events, expected: Events, polls: int) -> dict[str, Any]:
    """What the inference cost, and whether the model alone counts the same."""
    n = len(job.images)
    # What waits for a host that takes its results late, or for a late comparator, only the controller knows.
    waits = {name: events[name] for name in ("read_cycles", "cycles") if events[name] > expected[name]}
    return {
        "energy": report_of(events, job.macro, job.geometry, job.timing, inferences=n),
        "energy_equal": events == expected.replace(**waits),
        "energy_waits_cyc": sum(waits.values()) - sum(expected[name] for name in waits),
        "bus_polls": polls,
    }


def model_alone(
    job: InferJob, mapping: Mapping, env: Env, passes: list[Pass]
) -> tuple[Array, dict[int, float], dict[str, Any]]:
    """A second chip of the same seed, programmed and tested by the model; its offsets, and fields of the report."""
    alone = fresh_chip(job, alone=True)
    report = program_alone(alone, mapping, passes, job.timing)
    offsets = measured(self_tests(mapping, job.trim), alone) if job.trim else {}
    if isinstance(env.agent, PrefetchAgent):
        env.agent.flush()
    wrong = alone.devices.differences(env.array.devices)
    same = alone.same_state(env.array)
    return alone, offsets, {"state_equal": same, "model_programming": report.replace(differ=wrong)}


def summary(
    job: InferJob,
    env: Env,
    scoreboard: InferenceScoreboard,
    alone: Array | None,
    wall_s: float,
    cycles: int,
    counts: dict[str, int],
) -> dict[str, Any]:
    """What the report says of job, inference and scoreboard."""
    n = len(scoreboard.images)
    labels = job.labels
    classes = [outcome.label for outcome in scoreboard.outcomes]
    record: dict[str, Any] = {name: job[name] for name in ("sim", "attach", "preset", "chip", "seed")}
    record |= {
        "network": job.network.name,
        "data": None if job.data is None else str(job.data),
        "binarize": job.network.encoding.rule,
        "macro": job.macro.name,
        "ideal": job.macro.is_ideal,
        "host_layers": host_layers(job.network.operations),
        "waves": None if job.waves is None else str(job.waves),
        "images": n,
        "compared": scoreboard.compared if scoreboard.references else None,
        "accuracy": float(np.mean(np.array(labels) == classes)) if labels else None,
        "classes": classes,
        "scores": [outcome.scores.tolist() for outcome in scoreboard.outcomes] if job.keep_scores else None,
        "busy_cycles": counts["perf_busy"],
        "cycles_per_image": round(counts["perf_busy"] / n, 2),
        "row_reads": counts["perf_rows"],
        "read_cycles": counts["perf_read"],
        "cycles": cycles,
        "cycles_per_s": round(cycles / wall_s, 1),
        "row_reads_per_s": round(counts["perf_rows"] / wall_s, 1),
        "wall_s": round(wall_s, 3),
    }
    if labels and "golden" in scoreboard.references:
        record["golden_accuracy"] = float(
            np.mean(np.array(labels) == scoreboard.references["golden"].classes)
        )
    for name, reference in scoreboard.references.items():
        record[f"{name}_mismatches"] = reference.mismatches
        record[f"{name}_first"] = reference.first
        record[f"{name}_images"] = len(reference.images)
    if alone is not None and env.agent is not None:
        record["state_equal_after"] = alone.same_state(env.array)
    return record
