"""Waveform files of this project, read and drawn: pins and analog nodes of some row reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Wave", "draw", "lay_out", "picture", "read", "stretch"]

PINS = ("clk", "precharge", "evaluate", "sense", "cmp", "hv_en", "pulse", "verify")
Value = int | float | str  # of reals: float; of known bits: int; else text with x and z
LINES = (("VP_V", "VN_V"), ("dV_V",), ("SL_V",))


def picture(file: Path, first: int, reads: int, out: Path) -> None:
    """Draw ``reads`` row reads of ``file`` from number ``first`` on."""
    wave, start, stop = stretch(file, first, reads)
    draw(wave, start, stop, out)


def stretch(file: Path, first: int, reads: int) -> tuple[Wave, int, int]:
    """A waveform, and when ``reads`` row reads from number ``first`` on begin and end in it (ns).

    Raises
    ------
    ValueError
        The file is no waveform, or holds fewer row reads.
    """
    wave = read(file, first + reads)
    starts = [t for t, value in wave.steps("precharge") if value == "1"]
    if first >= len(starts):
        raise ValueError(f"--first {first}: {file} holds {len(starts)} row reads")
    after = starts[first + reads :]
    return wave, starts[first], after[0] if after else wave.end


@dataclass
class Wave:
    """Changes of every variable of a VCD file, by name; times in nanoseconds."""

    changes: dict[str, list[tuple[int, Value]]] = field(default_factory=dict)
    end: int = 0

    def steps(self, name: str) -> list[tuple[int, Value]]:
        """(time, new value), oldest first."""
        return self.changes[name]

    def window(self, name: str, start: int, stop: int) -> tuple[list[int], list[Value]]:
        """Steps from ``start`` to ``stop``, with the value that holds at each end."""
        before = [v for t, v in self.changes[name] if t <= start]
        inside = [(t, v) for t, v in self.changes[name] if start < t < stop]
        values = [before[-1] if before else "x", *(v for _, v in inside)]
        return [start, *(t for t, _ in inside), stop], [*values, values[-1]]


def read(path: Path, reads: int | None = None) -> Wave:
    """Read a file of `bridgebnn.tb.checks.waves.Trace`, to the end or until so many row reads are over.

    Raises
    ------
    ValueError
        It is none.
    """
    from vcd.reader import RealChange, ScalarChange, TokenKind, VCDParseError, VectorChange, tokenize

    wave, names, time, started = Wave(), {}, 0, 0
    try:
        with path.open("rb") as stream:
            for token in tokenize(stream):
                if token.kind is TokenKind.VAR:
                    names[token.var.id_code] = token.var.reference
                    wave.changes[token.var.reference] = []
                elif token.kind is TokenKind.CHANGE_TIME:
                    time = wave.end = token.time_change
                elif isinstance(change := token.data, (ScalarChange, VectorChange, RealChange)):
                    name = names[change.id_code]
                    wave.changes[name].append((time, change.value))
                    started += name == "precharge" and change.value == "1"
                    if reads is not None and started > reads:
                        break
    except (VCDParseError, UnicodeDecodeError, KeyError, IndexError) as error:
        raise ValueError(f"{path}: not a VCD file ({' '.join(str(error).split())})") from None
    missing = {"VP_V", "precharge", "evaluate", "sense"} - set(wave.changes)
    if missing:
        raise ValueError(f"{path}: holds no {', '.join(sorted(missing))}: not a waveform of this project")
    return wave


def draw(wave: Wave, start: int, stop: int, path: Path) -> None:
    """A file of what `lay_out` draws, PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # slow to load
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 7), layout="tight")
    FigureCanvasAgg(figure)
    lay_out(figure, wave, start, stop)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)


def lay_out(figure: Figure, wave: Wave, start: int, stop: int) -> None:
    """Pins above, analog nodes below, over one stretch of time."""
    moving = [n for n in PINS if n in wave.changes and len(set(wave.window(n, start, stop)[1])) > 1]
    ratios = [0.3 * len(moving), 1.6, 1.2, 1.0]
    axes = figure.subplots(4, 1, sharex=True, height_ratios=ratios)
    for place, name in enumerate(reversed(moving)):
        times, values = wave.window(name, start, stop)
        axes[0].step(times, [place + 0.7 * _level(v) for v in values], where="post", linewidth=1)
    axes[0].set_yticks([k + 0.35 for k in range(len(moving))], list(reversed(moving)))
    rows, numbers = wave.window("row", start, stop)
    for t, number in zip(rows[:-1], numbers, strict=False):
        axes[0].text(t, len(moving), f"row {number}", fontsize=8)
    for axis, names in zip(axes[1:], LINES, strict=True):
        for name in names:
            found = next(n for n in wave.changes if n == name or (name == "SL_V" and n.startswith("SL")))
            times, values = wave.window(found, start, stop)
            axis.step(times, [float(v) for v in values], where="post", label=found.removesuffix("_V"))
        axis.set_ylabel("V")
        axis.legend(loc="right", fontsize=8)
        axis.grid(alpha=0.3)
    axes[-1].set_xlabel("ns")


def _level(value: int | float | str) -> float:
    """Level of a pin: 0, 1, a half where no bit is known."""
    text = value if isinstance(value, str) else f"{int(value):b}"
    return 1.0 if "1" in text else 0.0 if "0" in text else 0.5
