"""Run reports side by side, for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from bridgebnn.model.flows.transistors import transistor_table

from .reports import Repaired, RunReport

__all__ = ["show_reports"]


def show_reports(reports: Sequence[RunReport]) -> None:
    """Print reports of runs with labels, one column each."""
    shown = Table(box=SIMPLE, show_header=False, padding=(0, 1, 0, 0))
    shown.add_column()
    for _ in reports:
        shown.add_column(justify="right")

    def row(title: str, text: Callable[[RunReport], str]) -> None:
        shown.add_row(title, *(text(r) for r in reports))

    row("simulator", lambda r: r.sim)
    row("network", lambda r: r.network or "-")
    row("preset, macro, chip", lambda r: f"{r.preset or '-'}, {r.macro}, {r.chip}")
    if any(r.host_layers for r in reports):
        row("layers on the host", lambda r: "\n".join(r.host_layers) or "-")
    row("attachment", lambda r: r.attach)
    row("images", lambda r: f"{r.images:,}")
    if any(r.parts for r in reports):
        row("processes", lambda r: str(len(r.parts) or 1))
    row("accuracy", lambda r: _share(r.accuracy))
    if not all(r.ideal for r in reports):
        row("accuracy of golden", lambda r: _share(r.golden_accuracy))
    row("mismatches against golden", lambda r: _number(r.golden_mismatches))
    row("mismatches against the model", lambda r: _number(r.model_mismatches))
    row("programmed by", lambda r: r.programming.how)
    row("programming pulses", lambda r: f"{r.programming.pulses:,}")
    row("verify reads", lambda r: f"{r.programming.verify_reads:,}")
    row("devices that failed", lambda r: f"{r.programming.failures:,}")
    if any(r.programming.repair for r in reports):
        row("spare columns, rows in use", lambda r: _spares(r.programming.repair))
        row("neurons moved, cells still wrong", lambda r: _moved(r.programming.repair))
    row("cycles of programming", lambda r: f"{r.programming.cycles:,}")
    row("cycles per image", lambda r: f"{r.cycles_per_image:,}")
    row("row reads", lambda r: f"{r.row_reads:,}")
    row("clock cycles per second", lambda r: f"{r.cycles_per_s:,.0f}")
    row(
        "build, program, infer",
        lambda r: f"{r.build_s:.1f}, {r.programming.wall_s:.1f}, {r.wall_s:.1f} s",
    )
    Console().print(shown)
    for r in reports:
        if r.transistors is not None:
            Console().print(transistor_table(r.transistors))


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _spares(repair: Repaired | None) -> str:
    return "-" if repair is None else f"{len(repair.columns)}, {len(repair.rows)}"


def _moved(repair: Repaired | None) -> str:
    return "-" if repair is None else f"{repair.moved_neurons}, {repair.wrong_cells}"
