"""State machines of the controller as they are built: states and arcs, for test plan, monitors and coverage."""

from __future__ import annotations

import functools
import gc
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import UnusedElaboratable
from amaranth.hdl._ast import Switch
from amaranth.hdl._dsl import FSMNextStatement

from .bus.axi4lite import AxiLiteBridge
from .bus.frames import FrameRunner
from .bus.wishbone import WishboneResponder
from .control.arbiter import CommandArbiter, UnlockSequence
from .layers.descriptor_table import DescriptorCheck
from .layers.layer_sequencer import HALTED, LayerSequencer
from .layers.read_sequencer import ReadSequencer
from .layers.repair_table import RepairTable
from .layers.vectors import InputBanks
from .layers.walk_table import WalkCheck
from .layers.window_gather import WindowGather
from .programming.activity import BLOCKS
from .spec import Geometry

__all__ = ["Machine", "machines", "stream_machines"]


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One state machine.

    Parameters
    ----------
    name : str
        Of the block, from the controller down; as the test plan has it.
    path : str
        Of the state's register in the generated Verilog, from the controller down.
    states : tuple of str
        By their codes, from 0 on.
    start : str
        State after reset.
    arcs : tuple of tuple of str
        ``(from, to)``, each once, in the order of the source; staying is none.
    """

    name: str
    path: str
    states: tuple[str, ...]
    start: str
    arcs: tuple[tuple[str, str], ...]


def machines(geometry: Geometry) -> tuple[Machine, ...]:
    """Every state machine that a controller of this geometry has; spares and maps bring theirs."""
    blocks: dict[str, Callable[[], Any]] = {
        f"program.{name}".rstrip("."): functools.partial(make, geometry) for name, make in BLOCKS.items()
    }
    blocks |= {
        "layer": lambda: LayerSequencer(geometry),
        "layer.reader": lambda: ReadSequencer(geometry),
        "layer.check": lambda: DescriptorCheck(geometry),
        "layer.inputs": lambda: InputBanks(geometry),
        "arbiter": CommandArbiter,
        "unlock": UnlockSequence,
        "wishbone": WishboneResponder,
    }
    if geometry.repair_entries:
        blocks["layer.repairs"] = lambda: RepairTable(geometry)
    if geometry.map_words:
        blocks["layer.walk_check"] = lambda: WalkCheck(geometry)
        blocks["layer.maps.gather"] = lambda: WindowGather(geometry)
    return _found(blocks)


def stream_machines(geometry: Geometry) -> tuple[Machine, ...]:
    """Those that stand beside the controller's behind AXI4-Lite and streams: bridge, and runner of frames."""
    return _found({"bridge": AxiLiteBridge, "frames": lambda: FrameRunner(geometry)})


def _found(blocks: dict[str, Callable[[], Any]]) -> tuple[Machine, ...]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusedElaboratable)  # only the state machines are looked at
        found = tuple(
            _machine(name, make(), halted=name.removeprefix("layer.") in HALTED)
            for name, make in blocks.items()
        )
        gc.collect()
    return found


def _machine(name: str, block: Any, *, halted: bool) -> Machine:
    """One machine; a ``halted`` one goes back to its start from every state, by its block's reset."""
    module = block.elaborate(None)
    ((own, machine),) = module._generated.items()
    states = {code: str(state.name) for state, code in machine.encoding.items()}
    module._flush()
    arcs: dict[tuple[str, str], None] = {}
    for statements in module._statements.values():
        for switch in statements:
            if isinstance(switch, Switch) and switch.test is machine.state:
                for patterns, inner, _ in switch.cases:
                    (code,) = (int(pattern, 2) for pattern in patterns)
                    arcs |= {(states[code], to.name): None for to in _next(inner) if to.name != states[code]}
    start = states[machine.state.init]
    if halted:
        arcs |= {(state, start): None for state in states.values() if state != start}
    instance = name.replace("program", "program_", 1)
    return Machine(
        name=name,
        path=f"{instance}.{own}_state",
        states=tuple(states[code] for code in sorted(states)),
        start=start,
        arcs=tuple(arcs),
    )


def _next(statements: Iterable[Any]) -> Iterator[Any]:
    """States that any of these statements goes to."""
    for statement in statements:
        if isinstance(statement, FSMNextStatement):
            yield statement.state
        elif isinstance(statement, Switch):
            for _, inner, _ in statement.cases:
                yield from _next(inner)
