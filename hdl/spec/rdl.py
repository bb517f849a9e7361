"""``registers.rdl``, compiled and elaborated: with the sizes, reset values and code points of the specification."""

from __future__ import annotations

import enum
import functools
import re
from pathlib import Path

from systemrdl import RDLCompiler
from systemrdl.node import AddrmapNode, FieldNode, RegNode

from .codes import UNLOCK_KEYS, Combine, Command, ProgOp, ProgSide, ReadMode, words
from .geometry import Geometry
from .timing import Timing

__all__ = ["BYTES_PER_WORD", "RDL_FILE", "member_of", "rdl_root"]

RDL_FILE = Path(__file__).with_name("registers.rdl")
BYTES_PER_WORD = 4


def rdl_parameters(geometry: Geometry) -> dict[str, int]:
    """Values of the parameters of ``registers.rdl``, by name."""
    return {
        "GEO_TILES": geometry.tiles,
        "GEO_ROWS": geometry.rows,
        "GEO_INPUTS": geometry.inputs,
        "GEO_BIAS": geometry.bias,
        "GEO_THRESHOLDS": geometry.thresholds,
        "GEO_LAYERS": geometry.layers,
        "GEO_SCORES": geometry.scores,
        "GEO_LOG_DEPTH": geometry.log_depth,
        "GEO_ROW_WORDS": geometry.row_words,
        "GEO_RESULT_WORDS": words(geometry.rows),
        "GEO_SPARE_COLUMNS": geometry.spare_columns,
        "GEO_SPARE_ROWS": geometry.spare_rows,
        "GEO_MAP_WORDS": geometry.map_words,
        "GEO_INPUT_WORDS": geometry.input_words,
    }


@functools.cache
def _compiler() -> RDLCompiler:
    compiler = RDLCompiler()
    compiler.compile_file(str(RDL_FILE))
    return compiler


def rdl_root(geometry: Geometry, timing: Timing) -> AddrmapNode:
    """Elaborated address map, for the exporters of PeakRDL too.

    Settings get their reset values from ``timing``; code points in braces in descriptions are spelt out.

    Raises
    ------
    ValueError
        A setting has no reset value, neither in the file nor in the timing, or one in both.
    """
    root = _compiler().elaborate(parameters=dict(rdl_parameters(geometry))).top
    for node in root.descendants():
        if description := node.inst.properties.get("desc"):
            node.inst.properties["desc"] = _BRACES.sub(lambda m: _CODES.get(m[1], m[0]), description)
        if isinstance(node, FieldNode):
            _set_reset(node, timing)
    return root


def member_of(register: str, settings: str, field: str, setting: str | None) -> tuple[ProgOp | None, str]:
    """Member of the settings that a field sets, and for ``pulse`` the operation whose settings these are."""
    if settings != "pulse":
        return None, setting or field
    op, _, level = register.partition("_")
    return ProgOp[op], setting or (field if level == "PULSE" else f"{level.lower()}_{field}")


def _set_reset(node: FieldNode, timing: Timing) -> None:
    register = node.parent
    settings = register.get_property("settings") if isinstance(register, RegNode) else None
    if settings is None:
        return
    op, name = member_of(register.inst_name, settings, node.inst_name, node.get_property("setting"))
    owner = timing if op is None else timing.conditions(op)
    here, there = node.get_property("reset"), getattr(owner, name, None)
    if (here is None) == (there is None):
        raise ValueError(
            f"{register.inst_name}.{node.inst_name}: must have one reset value, in registers.rdl (now {here}) or "
            f"in {type(owner).__name__}.{name} (now {there})"
        )
    if here is None:
        node.inst.properties["reset"] = there


def _listed(codes: type[enum.IntEnum]) -> str:
    return ", ".join(f"{code.value} {code.name}" for code in codes)


_CODES = {codes.__name__: _listed(codes) for codes in (Command, ReadMode, Combine, ProgOp, ProgSide)}
_CODES["UNLOCK_KEYS"] = ", then ".join(f"0x{key:08X}" for key in UNLOCK_KEYS)
_BRACES = re.compile(r"\{(\w+)\}")
