"""The monitor around the controller: its Verilog, its rules, and the registers whose bits it flips."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import itertools
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amaranth.hdl import UnusedElaboratable

from bridgebnn.hdl.layers.layer_sequencer import LayerSequencer, LayerState
from bridgebnn.hdl.layers.read_sequencer import ReadSequencer, ReadState
from bridgebnn.hdl.layers.walk_table import WalkCheck, WalkCheckState
from bridgebnn.hdl.layers.window_gather import GatherState, WindowGather
from bridgebnn.hdl.programming.activity import BLOCKS, Activity, activity
from bridgebnn.hdl.spec import UNLOCK_KEYS, Geometry, Timing, words
from bridgebnn.hdl.spec.pins import MACRO_OUTPUTS
from bridgebnn.hdl.spec.register_map import Access, register_map
from bridgebnn.paths import build_root
from bridgebnn.tb.agents import shell
from bridgebnn.tb.simulators import Simulation

__all__ = ["RULES", "SEQUENCERS", "TOP", "Target", "codes", "rules_of", "simulation", "targets", "wrapped"]

TOP = "bridgebnn_watch"
SOURCE = Path(__file__).with_name("watch.v")
RULES = (
    "pulse without rails or word line",
    "pulse while locked",
    "read phases overlap",
    "read phase while the rails are asked for",
    "pins moved during a pulse",
    "pulse longer than programmed",
    "more columns in a pulse than the budget",
    "pulse, verify and read overlap",
    "pulse or verify on other than one word line",
    "pulse, verify or rails in the cycle after an abort",
    "pins active in the cycle after a reset",
    "pins active while no command runs",
    "a control pin is X",
    "wb_ack and wb_err together",
    "weights read under the read-back lock",
    "pulse on a row outside the array",
)
"""What bit ``i`` of the monitor's ``broken`` means."""

_WRITTEN: tuple[str, ...] = ("cmp", "cmp_valid", "sl", "hv_ready", "watch_clear", "watch_shape")
_WRITTEN += ("flip_go", "flip_target", "flip_word", "flip_bit")
SEQUENCERS = {
    "program": Activity,
    "layer": LayerState,
    "read": ReadState,
    "gather": GatherState,
    "walk": WalkCheckState,
}
"""Sequencers that the monitor follows, and what each can be doing: the last two gather the windows of activation maps
and check the walks over them."""
_READ: tuple[str, ...] = ("broken", "busy", "struck")
_READ += tuple(f"{name}_{what}" for name in SEQUENCERS for what in ("state", "struck"))
_MEMORIES = {
    "ROW_IMAGE": "program_.columns.image.memory.words",
    "ROW_MASK": "program_.columns.mask.memory.words",
    "DESCRIPTOR": "layer.table_.memory.words",
    "WALK": "layer.maps.table_.memory.words",
    "THRESHOLD": "layer.thresholds.memory.words",
}
"""Windows that hold configuration, and the memories behind them."""
_ACTIVATIONS = {
    "INPUT": "layer.inputs.memory.words",
    "map 0": "layer.maps.map_0.words",
    "map 1": "layer.maps.map_1.words",
    "SCORES": "layer.results.score_memory.words",
    "RESULT_BITS": "layer.results.bit_memory.words",
}
"""Memories of what is on its way: input bank, activation maps, results."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A register or memory whose bits can be flipped.

    Parameters
    ----------
    name : str
        Of the register or window.
    words : int
        Memory words; 1 of a register.
    bits : tuple of int
        Bits of a word that exist.
    path : str
        Place inside the controller.
    stride : int
        Bits from word to word of a register that holds several.
    """

    name: str
    words: int
    bits: tuple[int, ...]
    path: str
    stride: int = 0

    @property
    def memory(self) -> bool:
        """Whether it is a memory."""
        return self.name in _MEMORIES or not self.configured

    @property
    def configured(self) -> bool:
        """Whether it holds configuration, which the host can read back; else activations."""
        return self.name not in _ACTIVATIONS


def targets(geometry: Geometry) -> tuple[Target, ...]:
    """Everything that the host configures: writable registers, row buffers, descriptors, walks, thresholds, spares.

    And the memories of activations, which a loss of power leaves with anything in them.
    """
    found = []
    for register in register_map(geometry).registers:
        if register.access in (Access.RW, Access.RW1S):
            bits = tuple(bit for bit in range(32) if register.mask >> bit & 1)
            path = f"bank.{register.name.lower()}__value"
            found.append(Target(name=register.name, words=1, bits=bits, path=path))
    shapes = {
        "ROW_IMAGE": (geometry.row_words, 32),
        "ROW_MASK": (geometry.row_words, 32),
        "DESCRIPTOR": (geometry.layers, 128),
        "WALK": (geometry.layers, 128),
        "THRESHOLD": (geometry.thresholds, 16),
    }
    for name, (count, width) in shapes.items():
        found.append(Target(name=name, words=count, bits=tuple(range(width)), path=_MEMORIES[name]))
    spares = {
        "REPAIR_COLUMN": (geometry.tiles * geometry.spare_columns, "columns"),
        "REPAIR_ROW": (geometry.spare_rows, "rows"),
    }
    for name, (count, lines) in spares.items():
        if count:  # 16 bits of the line, then whether it is valid
            path = f"layer.repairs.{lines}"
            found.append(Target(name=name, words=count, bits=tuple(range(17)), path=path, stride=17))
    activations = {
        "INPUT": (2 * geometry.input_words, 32),
        "map 0": (geometry.map_words, 32),
        "map 1": (geometry.map_words, 32),
        "SCORES": (2 * geometry.scores, geometry.score_width),
        "RESULT_BITS": (2 * words(geometry.rows), 32),
    }
    for name, (count, width) in activations.items():
        found.append(Target(name=name, words=count, bits=tuple(range(width)), path=_ACTIVATIONS[name]))
    return tuple(found)


def codes(geometry: Geometry) -> dict[str, dict[int, str]]:
    """What each sequencer is doing, by the value of its state signal of the monitor.

    That of the program sequencer has one byte per block of `BLOCKS`, the first one lowest.
    """
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusedElaboratable)  # only the state machines are looked at
        plain = {"layer": LayerSequencer, "read": ReadSequencer, "gather": WindowGather, "walk": WalkCheck}
        for name, block in plain.items():
            found[name] = _states(block(geometry))
        blocks = [
            {code: (name, state) for code, state in _states(make(geometry)).items()}
            for name, make in BLOCKS.items()
        ]
        gc.collect()
    found["program"] = {}
    for values in itertools.product(*blocks):
        states = dict(block[code] for block, code in zip(blocks, values, strict=True))
        with contextlib.suppress(ValueError):  # states that do not go together
            number = sum(code << 8 * place for place, code in enumerate(values))
            found["program"][number] = activity(states).name
    return found


def _states(block: Any) -> dict[int, str]:
    """Names of the states of a block's state machine by their code in the generated Verilog."""
    (machine,) = block.elaborate(None)._generated.values()
    return {code: state.name for state, code in machine.encoding.items()}


def rules_of(broken: int) -> list[str]:
    """Names of the rules in a value of ``broken``."""
    return [rule for bit, rule in enumerate(RULES) if broken >> bit & 1]


def wrapped(geometry: Geometry) -> Path:
    """The monitor's Verilog with the flips of this geometry; cached by content."""
    lines = []
    for number, target in enumerate(targets(geometry)):
        word = "[flip_word]" if target.memory else ""
        place = f"dut.{target.path}{word}"
        shift = f"{target.stride} * flip_word + " if target.stride else ""
        lines.append(f"      {number}: {place} = {place} ^ (128'd1 << {shift}flip_bit);")
    text = SOURCE.read_text().replace("FLIPS", "\n".join(lines))
    folder = build_root() / "campaign" / hashlib.sha256(text.encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{TOP}.v"
    if not path.exists():
        part = folder / f"{TOP}.{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}.part"
        part.write_text(text)
        part.replace(path)
    return path


def simulation(sim: str, geometry: Geometry, timing: Timing, verilog: Path) -> Simulation:
    """What is built: monitor and controller.

    Raises
    ------
    ValueError
        The controller has not the registers that the flips name.
    """
    text = verilog.read_text()
    for target in targets(geometry):
        name = target.path.rsplit(".", 1)[1]
        if not re.search(rf"^  reg .*\b{re.escape(name)}\b", text, re.MULTILINE):
            raise ValueError(f"{verilog}: no register {name} to flip bits of {target.name}")
    parameters = {
        "T": geometry.tiles,
        "C": geometry.columns,
        "AW": geometry.row_width,
        "FW": geometry.ref_width,
        "ROWS": geometry.rows,
        "WIDTH_FORM": timing.form.width_cyc,
        "WIDTH_SET": timing.set.width_cyc,
        "WIDTH_RESET": timing.reset.width_cyc,
        "BUDGET": timing.max_parallel,
        "KEY0": UNLOCK_KEYS[0],
        "KEY1": UNLOCK_KEYS[1],
    }
    return Simulation(
        sim=sim,
        top=TOP,
        sources=[wrapped(geometry), verilog],
        parameters=parameters,
        written=[*shell.BUS_WRITTEN, *_WRITTEN],
        read=[*shell.BUS_READ, *MACRO_OUTPUTS, *_READ],
    )
