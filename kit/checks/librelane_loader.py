"""Loads configurations with LibreLane's own loader, as its flow Classic does, on a PDK folder that is made for it.

A program of its own, because LibreLane keeps global state: ``python -m bridgebnn.kit.checks.librelane_loader FOLDER
SCRATCH``, where FOLDER holds ``config.json``. Reads names of mutants and their configurations from
SCRATCH/mutants.json; writes SCRATCH/answers.json: version and number of PDK variables, and of the kit's configuration
(``""``) and of each mutant what the loader says against it, warnings included; nothing where it accepts.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

from librelane.__version__ import __version__
from librelane.common import Path as FlowPath
from librelane.config import Config, InvalidConfig
from librelane.config.variable import is_optional
from librelane.flows import Flow

CORNERS = ["nom_tt_025C_1v80", "nom_ss_100C_1v60", "nom_ff_n40C_1v95"]


class _Heard(logging.Handler):
    """What the loader logs as a warning or worse."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def stub_pdk(root: Path, variables: list[Any]) -> int:
    """A PDK ``sky130A`` in which every variable that LibreLane asks of a PDK has some value; how many these are."""
    folder = root / "sky130A" / "libs.tech" / "librelane"
    (folder / "sky130_fd_sc_hd").mkdir(parents=True, exist_ok=True)
    file = root / "any"
    file.write_text("")
    needed = [v for v in variables if v.pdk and not is_optional(v.type) and v.default is None]
    known = {
        "STD_CELL_LIBRARY": "sky130_fd_sc_hd",
        "DEFAULT_CORNER": CORNERS[0],
        "STA_CORNERS": " ".join(CORNERS),
    }
    lines = []
    for variable in needed:
        text = str(variable.type)
        value = str(file) if FlowPath.__name__ in text else "1"
        if "Dict" in text:
            value = f"nom_* {value}"
        lines.append(f"set ::env({variable.name}) {{{known.get(variable.name, value)}}}\n")
    (folder / "config.tcl").write_text("".join(lines))
    (folder / "sky130_fd_sc_hd" / "config.tcl").write_text("")
    return len(needed)


def all_variables(flow: Any) -> list[Any]:
    """Of the flow and of its steps, as `Flow.get_all_config_variables` gives them to the loader."""
    return list(flow.get_all_config_variables(flow))


def main() -> int:
    """Run the program."""
    folder, scratch = Path(sys.argv[1]), Path(sys.argv[2])
    flow = Flow.factory.get("Classic")
    variables = all_variables(flow)
    stubs = stub_pdk(scratch, variables)
    heard = _Heard()
    for name in ("", "librelane", *logging.root.manager.loggerDict):
        logging.getLogger(name).addHandler(heard)

    def said(config: Any) -> str:
        heard.lines.clear()
        try:
            Config.load(config, variables, pdk="sky130A", pdk_root=str(scratch), design_dir=str(folder))
        except InvalidConfig as error:
            return "; ".join(error.errors)
        except (TypeError, ValueError, KeyError) as error:
            return str(error) or type(error).__name__
        return "; ".join(heard.lines)

    answers = {"": said(str(folder / "config.json"))}
    answers |= {
        name: said(config) for name, config in json.loads((scratch / "mutants.json").read_text()).items()
    }
    found = {"version": __version__, "variables": stubs, "said": answers}
    (scratch / "answers.json").write_text(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
