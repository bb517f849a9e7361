"""What runs measured: accuracy, mismatches, programming, cycles, energy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes

from bridgebnn.model.flows.reports import ModelReport
from bridgebnn.model.macro.program_events import ProgramEnergy
from bridgebnn.model.studies.reports import ChipMapSummary
from bridgebnn.tb.runs.reports import RunReport
from bridgebnn.tb.runs.summaries import RtlMapReport

from .chips import attempts, resistances
from .parts import Part, Picture, Table, number, share
from .pictures import COLOURS, plot
from .results import Result, of_kind

__all__ = ["accuracy", "cycles", "programming"]


def accuracy(inferences: Sequence[Result]) -> list[Part]:
    rows = []
    for run in inferences:
        r = run.record
        unit = "images" if isinstance(r, ModelReport) else "bits, scores, classes"
        first = r.get("golden_first") or r.get("model_first") or ""
        model = f"{number(r.model_mismatches)} of {r.model_checked}" if isinstance(r, ModelReport) else None
        rows.append(
            [
                run.name,
                f"{r.macro}, chip {r.chip}",
                number(r.images),
                share(r.accuracy),
                share(r.golden_accuracy),
                number(r.golden_mismatches),
                model or number(r.model_mismatches),
                unit + (f"; first: {first}" if first else ""),
            ]
        )
    if not rows:
        return []
    heads = ["run", "macro", "images", "accuracy", "of golden", "mismatches: golden", "model", "counted"]
    caption = "Accuracy, and what differs from golden and from the model"
    return [Table(caption=caption, heads=heads, rows=rows), *_transistors(inferences)]


def _transistors(inferences: Sequence[Result]) -> list[Part]:
    """Reads that transistors answered, beside the model."""
    rows = [
        [
            run.name,
            number(t.reads),
            f"{t.decisions_differ:,} of {t.decisions:,}",
            f"{t.unresolved:,}",
            f"{t.bits_differ:,} of {t.bits:,}",
            f"{1e3 * t.dv_worst_V:.3g}",
            f"{1e3 * t.dv_rms_V:.3g}",
            f"{1e3 * t.lsb_V:.4g}",
        ]
        for run in inferences
        if (t := run.record.transistors) is not None
    ]
    heads = [
        "run",
        "reads",
        "decisions differ",
        "none in time",
        "source lines differ",
        "dV, most, mV",
        "rms",
        "a count",
    ]
    caption = "Reads answered by transistors in SPICE, beside the model"
    return [Table(caption=caption, heads=heads, rows=rows)] if rows else []


def programming(results: Sequence[Result], inferences: Sequence[Result]) -> list[Part]:
    rows = []
    for run in inferences:
        done = run.record.programming
        if isinstance(run.record, RunReport):
            counts = [done.pulses, done.verify_reads, done.failures, done.failed_rows, done.cycles]
            rows.append([run.name, done.how, *(number(n) for n in counts)])
        elif done.get("preloaded"):
            rows.append([run.name, "preload", *["–"] * 5])
        else:
            rows.append([run.name, "model", *_counts(done)])
    maps = of_kind(results, ChipMapSummary)
    rows += [
        [m.name, m.kind.partition(" ")[2] + f", {m.record.devices}", *_counts(m.record.programming)]
        for m in maps
    ]
    if not rows:
        return []
    heads = ["run", "how", "pulses", "verify reads", "failures", "failed rows", "cycles"]
    caption = "What programming took. Written directly (preload), there is nothing to count."
    parts: list[Part] = [Table(caption=caption, heads=heads, rows=rows)]
    for result in maps:
        parts += [_map(result), *attempts(result), *resistances(result)]
    return parts


def _counts(done: dict[str, Any]) -> list[str]:
    """Of the dictionary that ``ProgramReport.as_dict`` gives; what a repaired chip lacks is a dash."""

    def total(value: Any) -> int | None:
        if isinstance(value, dict):
            return sum(value.values())
        return len(value) if isinstance(value, list) else value

    names = ("pulses", "verifies", "failures", "failed_rows", "cycles")
    return [number(total(done.get(name))) for name in names]


def _map(result: Result) -> Table:
    r = result.record
    errors, bound = r.cell_errors, r.programming.get("lower_bound", {})
    rows = [
        ["pulses, the least that the devices ask", number(bound.get("pulses"))],
        ["cycles, the least", number(bound.get("cycles"))],
        ["forming yield", share(r.forming_yield)],
        ["devices that failed, of them stuck", f"{r.failed_devices:,}, {r.failed_stuck:,}"],
        *(
            [f"predicted cell error rate, {what}", f"{rate:.1e}"]
            for what, rate in (("1T1R", errors.one_device), ("2T2R", errors.pair), ("bridge", errors.bridge))
        ),
    ]
    if isinstance(r, RtlMapReport):
        rows += [
            ["cycles through the RTL", number(r.rtl.cycles)],
            ["differences between RTL and model", number(len(r.differences))],
        ]
    return Table(
        caption=f"{r.work}, {r.devices} devices, chip {r.chip} ({result.name})", heads=["", ""], rows=rows
    )


def cycles(results: Sequence[Result], inferences: Sequence[Result]) -> list[Part]:
    rtl = of_kind(inferences, RunReport)
    parts: list[Part] = []
    if rtl:
        rows = [
            [
                run.name,
                f"{r.cycles_per_image:,.1f}",
                *map(number, (r.row_reads, r.read_cycles, r.cycles)),
                f"{r.cycles_per_s:,.0f}",
                f"{r.wall_s:,.1f}",
            ]
            for run in rtl
            for r in [run.record]
        ]
        heads = ["run", "cycles an image", "row reads", "read cycles", "cycles in all", "cycles/s", "seconds"]
        caption = "Cycles of the controller, counted on the RTL, and how fast they were simulated"
        parts.append(Table(caption=caption, heads=heads, rows=rows))
    parts += _energy(inferences)
    spent = [
        (run.name, run.record.programming)
        for run in [*of_kind(inferences, ModelReport), *of_kind(results, ChipMapSummary)]
        if run.record.programming.get("energy_J")
    ]
    if spent:
        names = list(dict.fromkeys(name for _, done in spent for name in done["energy_J"]))
        rows = [
            [
                name,
                *(f"{1e6 * done['energy_J'].get(part, 0):.3g}" for part in names),
                f"{1e12 * done['energy_per_bit_J']:.1f}",
                f"{1e3 * done['time_s']:.2f}",
            ]
            for name, done in spent
        ]
        heads = ["run", *(f"{name}, µJ" for name in names), "a bridge, pJ", "on the chip, ms"]
        parts.append(Table(caption="Energy and time of programming, by the model", heads=heads, rows=rows))
    return parts + _programming_energy(results)


def _programming_energy(results: Sequence[Result]) -> list[Part]:
    """Of programmed chips, by part, as counted by the model and on the RTL's pins."""
    found: list[tuple[str, ProgramEnergy]] = []
    for run in of_kind(results, ChipMapSummary):
        if (by_part := run.record.programming.get("energy_by_part_J")) is not None:
            found.append((f"{run.name}, model", ProgramEnergy.from_dict(by_part)))
        if isinstance(run.record, RtlMapReport) and run.record.rtl.energy is not None:
            found.append((f"{run.name}, RTL", run.record.rtl.energy))
    if not found:
        return []
    parts = list(ProgramEnergy.__struct_fields__)
    rows = [
        [part.removesuffix("_J").replace("_", " "), *(f"{1e9 * energy[part]:,.1f}" for _, energy in found)]
        for part in parts
    ]
    rows.append(["all", *(f"{1e9 * energy.total_J:,.1f}" for _, energy in found)])
    caption = "Energy of programming by part, in nJ, of counted events; the controller: an estimate (docs/energy.md)"
    return [Table(caption=caption, heads=["part", *(name for name, _ in found)], rows=rows)]


def _energy(inferences: Sequence[Result]) -> list[Part]:
    """Energy of one inference by part; RTL and model count the same events."""
    priced = [(run.name, run.record.energy) for run in inferences if run.record.energy is not None]
    if not priced:
        return []
    parts = {name: name.removesuffix("_J").replace("_", " ") for name in priced[0][1].parts}
    rows = [
        [label, *(f"{1e9 * energy.parts[part]:,.3f}" for _, energy in priced)]
        for part, label in parts.items()
    ]
    rows += [
        ["all", *(f"{1e9 * energy.per_inference_J:,.3f}" for _, energy in priced)],
        ["fJ per operation", *(f"{1e15 * energy.per_operation_J:.3f}" for _, energy in priced)],
        ["TOPS/W", *(f"{energy.tops_per_w:.1f}" for _, energy in priced)],
        ["TOPS/W of the macro", *(f"{energy.macro_tops_per_w:.1f}" for _, energy in priced)],
    ]

    def draw(axis: Axes) -> None:
        high = 0.8 / len(priced)
        for at, (name, energy) in enumerate(priced):
            places = [place + at * high for place in range(len(parts))]
            values = [1e9 * energy.parts[part] for part in parts]
            label = name.replace("$", r"\$")
            axis.barh(places, values, high, color=COLOURS[at % len(COLOURS)], label=label)
        axis.set_yticks([place + 0.4 - high / 2 for place in range(len(parts))], list(parts.values()))
        axis.invert_yaxis()
        axis.set(xlabel="nJ an inference")
        axis.grid(axis="x", alpha=0.25)
        axis.legend(fontsize=9)

    caption = "Energy of an inference by part, in nJ, of counted events; controller and bus: estimates (docs/energy.md)"
    table = Table(caption=caption, heads=["part", *(name for name, _ in priced)], rows=rows)
    about = "Energy of an inference by part"
    return [table, Picture(caption=about, svg=plot("energy", about, draw))]
