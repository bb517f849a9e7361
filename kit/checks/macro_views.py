"""The macro's Liberty and LEF, beside its black box."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

from .kit import Kit, Missing, Refused, edit, yosys

__all__ = ["a_pin_of_liberty", "a_pin_of_the_lef", "lef", "liberty"]


def _ports_of_liberty(kit: Kit, corner: str) -> dict[str, tuple[str, int]]:
    with tempfile.NamedTemporaryFile(suffix=".json", dir=kit.work) as out:
        yosys(
            kit,
            f'read_liberty -lib -ignore_miss_func "{kit.macro(f"_{corner}.lib")}"',
            f'write_json "{out.name}"',
        )
        module = json.loads(Path(out.name).read_text())["modules"][f"{kit.name}_macro"]
    return {name: (port["direction"], len(port["bits"])) for name, port in module["ports"].items()}


def _same_pins(kit: Kit, found: dict[str, tuple[str, int]], what: str) -> None:
    pins = kit.pins()
    for name in sorted(pins.keys() ^ found.keys()):
        raise Refused(f"pin {name}: is only in the {'black box' if name in pins else what}")
    for name, is_ in pins.items():
        if found[name] != is_:
            raise Refused(f"pin {name}: {found[name]} in the {what}, {is_} in the black box")


def liberty(kit: Kit) -> str:
    """Yosys reads every Liberty file; its pins are those of the black box."""
    files = sorted((kit.folder / "macro").glob("*.lib"))
    for file in files:
        _same_pins(kit, _ports_of_liberty(kit, file.stem.removeprefix(f"{kit.name}_macro_")), "Liberty")
    return f"{len(files)} corners, {len(kit.pins())} pins"


def lef(kit: Kit) -> str:
    """KLayout reads the LEF; each bit of the black box is a labelled pin at the edge."""
    try:
        import klayout.db as db
    except ImportError:
        raise Missing("klayout not found: pip install 'bridgebnn[kit]'") from None
    layout, options = db.Layout(), db.LoadLayoutOptions()
    try:
        layout.read(str(kit.macro(".lef")), options)
    except RuntimeError as error:
        raise Refused(f"KLayout: {' '.join(str(error).split())[:160]}") from None
    cell = layout.cell(f"{kit.name}_macro")
    if cell is None:
        raise Refused(f"KLayout finds no cell {kit.name}_macro")
    names, off = set(), []
    for index in layout.layer_indexes():
        for shape in cell.shapes(index).each():
            if shape.is_text():
                names.add(shape.text.string)
                if shape.text.x % 230 and shape.text.string not in ("VDD", "VPP", "VSS"):
                    off.append(shape.text.string)
    bits = set()
    for name, (_, width) in kit.pins().items():
        one = width == 1 and f"{name}[0]" not in names
        bits |= {name} if one else {f"{name}[{i}]" for i in range(width)}
    supplies = {"VDD", "VPP", "VSS"}
    for name in sorted(names ^ (bits | supplies)):
        raise Refused(f"pin {name}: is only in the {'LEF' if name in names else 'black box'}")
    if off:
        raise Refused(f"pin {off[0]}: is not on a track")
    return f"{len(bits)} signal pins on track, 3 supplies"


def a_pin_of_liberty(kit: Kit) -> None:
    """A renamed pin."""
    edit(kit.macro("_ss_1p62V_100C.lib"), "bus (sl)", "bus (sel)")


def a_pin_of_the_lef(kit: Kit) -> None:
    """A missing pin."""
    file = kit.macro(".lef")
    file.write_text(re.sub(r"  PIN wl_en\[0\]\n.*?  END wl_en\[0\]\n", "", file.read_text(), flags=re.DOTALL))
