"""Kept broken designs: the generated Verilog with one fault, chosen by ``+mutant=N`` so that one build
serves all.

The generated controller is renamed and wrapped; the wrapper spoils one pin or one answer the way a wrong
controller would. Mutant 0 spoils nothing, and must pass.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from bridgebnn.hdl.spec import Geometry
from bridgebnn.hdl.spec.pins import PORTS, Flow
from bridgebnn.tb.runs.controller import CONTROLLER, generated

__all__ = ["MUTANTS", "Mutant", "broken_controller"]


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One broken design.

    Parameters
    ----------
    number : int
        Value of ``+mutant``.
    about : str
    pins : dict of str to str
        Replacement, by output pin (``x_pin`` is the controller's own) or by input of the controller (prefix
        ``i_``).
    caught : str
        Regular expression over how the run must fail.
    program : str
        ``bus`` where the fault shows in programming.
    macro : str
        ``real`` where the fault shows only on devices that feel it.
    """

    number: int
    about: str
    pins: dict[str, str]
    caught: str
    program: str = "preload"
    macro: str = "ideal"


UNKNOWN = r"UNKNOWN_PIN|X or Z|invalid literal"  # what wrong timing looks like where X can be driven
MUTANTS = {
    name: Mutant(number=number, **fields)
    for number, (name, fields) in enumerate(
        {
            "none": {"about": "the controller as it is", "pins": {}, "caught": "$^"},
            "mute_output": {
                "about": "no interrupt ever",
                "pins": {"irq": "1'b0"},
                "caught": r"HostTimeout: no interrupt",
            },
            "early_sample": {
                "about": "takes the comparators one cycle early",
                "pins": {"i_cmp": "early_cmp", "i_cmp_valid": "{T{1'b1}}"},
                "caught": rf"mismatches|{UNKNOWN}",
            },
            "swapped_columns": {
                "about": "two columns change places",
                "pins": {"bl": "{x_bl[T*C-1:2], x_bl[0], x_bl[1]}"},
                "caught": "mismatches",
            },
            "off_by_one_threshold": {
                "about": "references are one too large",
                "pins": {"cmp_ref": "x_cmp_ref + 1'b1"},
                "caught": "mismatches",
            },
            "other_bit_lines": {
                "about": "in pulses the bit lines are not those of the enabled columns",
                "pins": {"bl": "x_pulse ? ~x_bl : x_bl"},
                "caught": "COLUMNS_MOVED_IN_PULSE",
                "program": "bus",
            },
            "skipped_verify": {
                "about": "takes every verify read for passed, and asks none",
                "pins": {"verify": "1'b0", "i_sl": "x_verify ? {T*C{1'b1}} : sl"},
                "caught": r"mismatches",
                "program": "bus",
            },
            "pulse_without_rails": {
                "about": "does not ask for the rails",
                "pins": {"hv_en": "1'b0", "i_hv_ready": "x_hv_en"},
                "caught": "PULSE_WITHOUT_RAILS",
                "program": "bus",
            },
            "no_precharge": {
                "about": "evaluates lines that were not precharged",
                "pins": {"precharge": "1'b0"},
                "caught": "EVALUATE_WITHOUT_PRECHARGE",
            },
            "overlapping_phases": {
                "about": "precharge does not end when evaluate begins",
                "pins": {"precharge": "x_precharge | x_evaluate"},
                "caught": "PRECHARGE_WITH_EVALUATE|EVALUATE_WITHOUT_PRECHARGE",
            },
            "row_moves": {
                "about": "the word line moves while the comparator is clocked",
                "pins": {"row": "x_sense ? x_row ^ 1'b1 : x_row"},
                "caught": "ROW_MOVED_IN_EVALUATE",
            },
            "columns_move": {
                "about": "the column data move while the comparator is clocked",
                "pins": {"bl": "x_sense ? ~x_bl : x_bl"},
                "caught": "COLUMNS_MOVED_IN_EVALUATE",
            },
            "reads_with_rails": {
                "about": "rails stay on while rows are read",
                "pins": {"hv_en": "1'b1"},
                "caught": "READ_WITH_RAILS",
            },
            "two_word_lines": {
                "about": "pulses go to both tiles",
                "pins": {"wl_en": "x_pulse ? {T{1'b1}} : x_wl_en"},
                "caught": "NOT_ONE_WORD_LINE|SETTINGS_MOVED",
                "program": "bus",
            },
            "no_word_line": {
                "about": "no word line is on",
                "pins": {"wl_en": "{T{1'b0}}"},
                "caught": "EVALUATE_WITHOUT_WORD_LINE",
            },
            "levels_move": {
                "about": "the level changes within a pulse",
                "pins": {"prog_level": "x_pulse & pulse_q ? x_prog_level + 1'b1 : x_prog_level"},
                "caught": "SETTINGS_MOVED_IN_PULSE",
                "program": "bus",
            },
            "wrong_side": {
                "about": "pulses go to the other device of the pair",
                "pins": {"prog_side": "x_prog_side ^ ~x_verify"},
                "caught": "mismatches",
                "program": "bus",
            },
            "long_pulse": {
                "about": "a pulse lasts one cycle longer than programmed",
                "pins": {"pulse": "x_pulse | pulse_q"},
                "caught": "mismatches|COLUMNS_MOVED|SETTINGS_MOVED",
                "program": "bus",
                "macro": "real",
            },
            "deaf_to_tile_1": {
                "about": "source lines of the second tile read 0",
                "pins": {"i_sl": "{{C{1'b0}}, sl[C-1:0]}"},
                "caught": "mismatches",
            },
        }.items()
    )
}


def broken_controller(geometry: Geometry, folder: Path) -> Path:
    """Write the wrapped controller of a geometry of two tiles.

    Returns
    -------
    Path
        A Verilog file with a module of the controller's name and ports.
    """
    t = geometry.tiles
    inputs = {port.name: port.width(geometry) for port in PORTS if port.flow is Flow.IN}
    outputs = {port.name: port.width(geometry) for port in PORTS if port.flow is Flow.OUT}
    whole = f"{CONTROLLER}_whole"
    text = re.sub(rf"\bmodule {CONTROLLER}\(", f"module {whole}(", generated(geometry).read_text())
    if f"module {whole}(" not in text:
        raise ValueError("the generated Verilog has no module to wrap")
    lines = [f"module {CONTROLLER}("]
    ports = [f"  input [{w - 1}:0] {n}" if w > 1 else f"  input {n}" for n, w in inputs.items()]
    ports += [f"  output [{w - 1}:0] {n}" if w > 1 else f"  output {n}" for n, w in outputs.items()]
    lines += [",\n".join(ports), ");", f"  localparam T = {t}, C = {geometry.columns};"]
    lines += ["  reg [7:0] mutant = 0;", '  initial if (!$value$plusargs("mutant=%d", mutant)) mutant = 0;']
    lines += [f"  wire [{w - 1}:0] x_{n};" for n, w in outputs.items()]
    lines += ["  reg pulse_q = 0; always @(posedge clk) pulse_q <= x_pulse;"]
    lines += [f"  reg [{t - 1}:0] early_cmp = 0; always @(posedge clk) early_cmp <= cmp;"]
    spoiled = {n: choice(n, f"x_{n}") for n in outputs}
    lines += [f"  assign {n} = {expression};" for n, expression in spoiled.items()]
    lines += [f"  wire [{w - 1}:0] i_{n} = {choice(f'i_{n}', n)};" for n, w in inputs.items()]
    connections = [f".{n}(i_{n})" for n in inputs] + [f".{n}(x_{n})" for n in outputs]
    # Clocks pass unspoiled: a gate in the clock would be a race, not a mutant.
    connections[0] = ".clk(clk)"
    lines += [f"  {whole} whole ({', '.join(connections)});", "endmodule", ""]
    path = folder / f"{CONTROLLER}.v"
    path.write_text(text + "\n".join(lines))
    return path


def choice(pin: str, plain: str) -> str:
    """Expression for a pin: what the chosen mutant makes of it, else the plain value."""
    expression = plain
    for mutant in MUTANTS.values():
        if pin in mutant.pins:
            expression = f"mutant == {mutant.number} ? {mutant.pins[pin]} : {expression}"
    return expression
