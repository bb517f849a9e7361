"""The main job in one command: Verilog, a fresh array programmed over the bus, digits on both simulators.

Generates the controller, programs an unformed array over Wishbone on Verilator and classifies test
images; classifies the first of them on Icarus too, with waveforms. Every hidden bit, score and class is
compared with golden. Writes everything under --out. Exit status: 0; 1 on any mismatch or when a simulation
failed; 2 on bad input.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
from rich.console import Console

from bridgebnn.command_line import output_file, output_folder, told_to, whole, write_json
from bridgebnn.hdl.spec import preset
from bridgebnn.model.networks.dataset import load_mnist_test
from bridgebnn.model.options import add_preset
from bridgebnn.progress import shown
from bridgebnn.tb.runs.jobs import How, InferJob, Sim
from bridgebnn.tb.runs.reports import RunReport
from bridgebnn.tb.runs.runner import infer
from bridgebnn.tb.runs.summaries import DemoReport
from bridgebnn.tb.runs.tables import show_reports

from . import waves

SIDE = 28
SHADES = {(0, 0): " ", (1, 0): "▀", (0, 1): "▄", (1, 1): "█"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``demo``."""
    add = parser.add_argument
    add_preset(parser)
    add(
        "--images",
        type=whole(1, 10_000),
        default=100,
        metavar="K",
        help="images on Verilator (default %(default)s)",
    )
    add(
        "--icarus-images",
        type=whole(1, 100),
        default=5,
        metavar="K",
        help="images on Icarus (default %(default)s)",
    )
    add(
        "--out",
        type=output_folder,
        default=Path("build/demo"),
        metavar="DIR",
        help="where to write (default %(default)s)",
    )
    add("--json", type=output_file, metavar="F", help="results as JSON (default DIR/demo.json)")


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    from bridgebnn.hdl.output.verilog import generate  # Amaranth and Yosys are slow to load

    start = time.monotonic()
    chosen, out = preset(arguments.preset), arguments.out
    images, labels = load_mnist_test()
    say = Console(stderr=True, highlight=False).print

    say(f"1/3  Verilog of preset {chosen.name}: {chosen.summary}")
    verilog = generate(out / "verilog", chosen.geometry, chosen.timing, preset=chosen.name)
    reports = []
    # Both attachments of the model: every strobe in Python on Icarus, where analog nodes are traced as well.
    steps: tuple[tuple[int, Sim, int, How], ...] = (
        (2, "verilator", arguments.images, "bus"),
        (3, "icarus", arguments.icarus_images, "preload"),
    )
    for step, sim, count, program in steps:
        how = "program a fresh array over Wishbone" if program == "bus" else "preload the array"
        say(f"{step}/3  {sim}: {how}, classify {count} image{'s' * (count > 1)}")
        job = InferJob(
            preset=chosen.name,
            images=images[:count],
            labels=tuple(labels[:count].tolist()),
            sim=sim,
            attach="strobe" if sim == "icarus" else "prefetch",
            program=program,
            verilog=verilog,
            waves=out / "icarus.vcd" if sim == "icarus" else None,
        )
        with shown(sim, "build") as show:
            reports.append(infer(job, show=show))
    show_reports(reports)

    seen = reports[0]
    some = interesting(seen.classes, labels)
    print(ascii_digits(images, labels, seen, some[:4]))
    picture(out / "digits.png", images, labels, seen, some)
    waves.picture(out / "icarus.vcd", 0, 6, out / "reads.png")
    wall_s = time.monotonic() - start
    target = arguments.json or out / "demo.json"
    done = DemoReport(wall_s=round(wall_s, 1), runs=reports, command=told_to(arguments))
    write_json(target, done.as_dict())
    for what, path in (
        ("Verilog", out / "verilog" / "bridgebnn.v"),
        ("digits", out / "digits.png"),
        ("waveform", f"{out / 'icarus.vcd'}  (pins; VP, VN, dV, SL and rails as real variables)"),
        ("row reads", f"{out / 'reads.png'}  (the first six, drawn)"),
        ("results", target),
    ):
        print(f"  {what:9} {os.fspath(path)}")
    ok = all(r.ok for r in reports)
    print(f"  {'bit for bit as golden says' if ok else 'MISMATCHES, see the table'}, {wall_s:.0f} s in all")
    return 0 if ok else 1


def interesting(classes: list[int], labels: np.ndarray, most: int = 12) -> list[int]:
    """Image numbers worth a look: wrong answers first, then the first of each digit."""
    wrong = [i for i, c in enumerate(classes) if c != labels[i]]
    firsts = [
        int(np.flatnonzero(labels[: len(classes)] == d)[0]) for d in range(10) if d in labels[: len(classes)]
    ]
    return list(dict.fromkeys(wrong[: most // 3] + firsts))[:most]


def ascii_digits(images: np.ndarray, labels: np.ndarray, report: RunReport, chosen: list[int]) -> str:
    """Some digits side by side, two pixel rows a line, with label, answer and the two best scores."""
    columns = []
    for i in chosen:
        pixels = images[i].reshape(SIDE, SIDE)
        lines = [
            "".join(SHADES[int(a), int(b)] for a, b in zip(*pair, strict=True))
            for pair in pixels.reshape(-1, 2, SIDE)
        ]
        scores = (report.scores or [])[i]
        best = sorted(range(len(scores)), key=lambda k: -scores[k])[:2]
        judged = "right" if report.classes[i] == labels[i] else "WRONG"
        lines.append(f"#{i}: label {labels[i]}, answer {report['classes'][i]}, {judged}".ljust(SIDE))
        lines.append("scores " + ", ".join(f"{k}: {scores[k]:+d}" for k in best).ljust(SIDE - 7))
        columns.append(lines)
    return "\n".join("   " + "  ".join(parts) for parts in zip(*columns, strict=True))


def picture(path: Path, images: np.ndarray, labels: np.ndarray, report: RunReport, chosen: list[int]) -> None:
    """The chosen digits with label, answer and all scores, as PNG."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, len(chosen), figsize=(1.5 * len(chosen), 3.6), squeeze=False)
    for (digit, bars), i in zip(axes.T, chosen, strict=True):
        right = report.classes[i] == labels[i]
        digit.imshow(images[i].reshape(SIDE, SIDE), cmap="gray_r")
        digit.set_title(
            f"#{i} label {labels[i]}\nanswer {report['classes'][i]}",
            fontsize=8,
            color="black" if right else "crimson",
        )
        digit.set_axis_off()
        scores = (report.scores or [])[i]
        colours = [
            "crimson" if k == report.classes[i] and not right else "tab:blue" for k in range(len(scores))
        ]
        bars.barh(range(len(scores)), scores, color=colours)
        bars.set_yticks(range(len(scores)), [str(k) for k in range(len(scores))], fontsize=6)
        bars.tick_params(axis="x", labelsize=6)
        bars.invert_yaxis()
    axes[1, 0].set_xlabel("score", fontsize=7)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
