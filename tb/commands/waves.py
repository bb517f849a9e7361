"""Draw some row reads of a waveform file (--waves of infer, or the demo's) as PNG: pins and analog nodes.

Exit status: 0; 2 on bad input.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path

from bridgebnn.command_line import output_file, whole

PINS = ("clk", "precharge", "evaluate", "sense", "cmp", "hv_en", "pulse", "verify")
Value = int | float | str  # of reals: float; of known bits: int; else text with x and z
LINES = (("VP_V", "VN_V"), ("dV_V",), ("SL_V",))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``waves``."""
    add = parser.add_argument
    add("file", type=Path, metavar="VCD", help="waveform that this project wrote")
    add("--out", type=output_file, required=True, metavar="PNG", help="picture to write")
    add("--first", type=whole(0, 10**9), default=0, metavar="N", help="first row read (default %(default)s)")
    add("--reads", type=whole(1, 100), default=6, metavar="K", help="row reads to show (default %(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    picture(arguments.file, arguments.first, arguments.reads, arguments.out)
    print(arguments.out)
    return 0


def picture(file: Path, first: int, reads: int, out: Path) -> None:
    """Draw ``reads`` row reads of ``file`` from number ``first`` on."""
    wave = read(file, first + reads)
    starts = [t for t, value in wave.steps("precharge") if value == "1"]
    if first >= len(starts):
        raise ValueError(f"--first {first}: {file} holds {len(starts)} row reads")
    after = starts[first + reads :]
    draw(wave, starts[first], after[0] if after else wave.end, out)


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
    """Pins above, analog nodes below, over one stretch of time."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    moving = [n for n in PINS if n in wave.changes and len(set(wave.window(n, start, stop)[1])) > 1]
    ratios = [0.3 * len(moving), 1.6, 1.2, 1.0]
    figure, axes = pyplot.subplots(4, 1, sharex=True, figsize=(10, 7), height_ratios=ratios)
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
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def _level(value: int | float | str) -> float:
    """Level of a pin: 0, 1, a half where no bit is known."""
    text = value if isinstance(value, str) else f"{int(value):b}"
    return 1.0 if "1" in text else 0.0 if "0" in text else 0.5
