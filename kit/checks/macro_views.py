"""The macro's Liberty and LEF, beside its black box."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any

from bridgebnn.kit.gds import DRAWN, LABELS, PINS

from .kit import Kit, Missing, Refused, edit, ports, yosys

__all__ = ["a_pin_of_liberty", "a_pin_of_the_gds", "a_pin_of_the_lef", "gds", "lef", "liberty", "same_pins"]


def _ports_of_liberty(kit: Kit, file: Path, cell: str) -> dict[str, tuple[str, int]]:
    with tempfile.NamedTemporaryFile(suffix=".json", dir=kit.work) as out:
        yosys(
            kit,
            f'read_liberty -lib -ignore_miss_func "{file}"',
            f'write_json "{out.name}"',
        )
        modules = json.loads(Path(out.name).read_text())["modules"]
    if cell not in modules:
        raise Refused(f"{file.name} has no cell {cell}")
    module = modules[cell]
    return {name: (port["direction"], len(port["bits"])) for name, port in module["ports"].items()}


def same_pins(pins: dict[str, tuple[str, int]], found: dict[str, tuple[str, int]], what: str) -> None:
    """Pins are those of a black box; `Refused` names one that is not."""
    for name in sorted(pins.keys() ^ found.keys()):
        raise Refused(f"pin {name}: is only in the {'black box' if name in pins else what}")
    for name, is_ in pins.items():
        if found[name] != is_:
            raise Refused(f"pin {name}: {found[name]} in the {what}, {is_} in the black box")


def liberty(kit: Kit) -> str:
    """Yosys reads every Liberty file, those of SRAM macros too; its pins are those of the black box."""
    said = []
    for cell in (f"{kit.name}_macro", *kit.srams):
        files = sorted((kit.folder / "macro").glob(f"{cell}_*.lib"))
        pins = ports((kit.folder / "macro" / f"{cell}_stub.v").read_text())
        for file in files:
            same_pins(pins, _ports_of_liberty(kit, file, cell), "Liberty")
        said += [f"{len(files)} corner{'s' * (len(files) > 1)}, {len(pins)} pins"] * bool(files)
    return "; ".join(said)


def _klayout() -> Any:
    try:
        import klayout.db as db
    except ImportError:
        raise Missing("klayout not found: pip install 'bridgebnn[kit]'") from None
    return db


def _read(kit: Kit, suffix: str) -> tuple[Any, Any]:
    """Layout and cell of the macro in a view."""
    layout = _klayout().Layout()
    try:
        layout.read(str(kit.macro(suffix)))
    except RuntimeError as error:
        raise Refused(f"KLayout: {' '.join(str(error).split())[:160]}") from None
    cell = layout.cell(f"{kit.name}_macro")
    if cell is None:
        raise Refused(f"KLayout finds no cell {kit.name}_macro")
    return layout, cell


def _labels(layout: Any, cell: Any) -> dict[str, tuple[int, int, str]]:
    """Place in database units, and layer, of each pin's name."""
    found = {}
    for index in layout.layer_indexes():
        for shape in cell.shapes(index).each():
            if shape.is_text():
                found[shape.text.string] = (shape.text.x, shape.text.y, layout.get_info(index).to_s())
    return found


SUPPLIES = {"VDD", "VPP", "VSS"}


def lef(kit: Kit) -> str:
    """KLayout reads the LEF; each bit of the black box is a labelled pin at the edge."""
    labels = _labels(*_read(kit, ".lef"))
    bits = set()
    for name, (_, width) in kit.pins().items():
        one = width == 1 and f"{name}[0]" not in labels
        bits |= {name} if one else {f"{name}[{i}]" for i in range(width)}
    for name in sorted(labels.keys() ^ (bits | SUPPLIES)):
        raise Refused(f"pin {name}: is only in the {'LEF' if name in labels else 'black box'}")
    for name, (x, _, _) in labels.items():
        if x % 230 and name not in SUPPLIES:
            raise Refused(f"pin {name}: is not on a track")
    return f"{len(bits)} signal pins on track, 3 supplies"


def gds(kit: Kit) -> str:
    """KLayout reads the frame GDS; its outline and every pin are those of the LEF, each name on metal of its layer."""
    if not kit.macro(".gds").is_file():
        raise Missing("the kit has no GDS: write it where klayout is, pip install 'bridgebnn[kit]'")
    db = _klayout()
    (abstract, cell), (layout, frame) = _read(kit, ".lef"), _read(kit, ".gds")
    wanted, found = _labels(abstract, cell), _labels(layout, frame)
    for name in sorted(wanted.keys() ^ found.keys()):
        raise Refused(f"pin {name}: is only in the {'LEF' if name in wanted else 'GDS'}")

    named = {abstract.get_info(index).name: index for index in abstract.layer_indexes()}

    for name in ("met2", "met4"):
        metal = db.Region(cell.shapes(named[f"{name}.PIN"]))
        for number, datatype in (PINS[name], DRAWN[name]):
            if not (metal ^ db.Region(frame.shapes(layout.layer(number, datatype)))).is_empty():
                raise Refused(f"layer {number}/{datatype} is not {name} of the LEF's pins")
        for pin, (x, y, layer) in wanted.items():
            if layer.startswith(name) and (
                pin not in found or found[pin] != (x, y, "{}/{}".format(*LABELS[name]))
            ):
                raise Refused(f"pin {pin}: its name is at {found[pin]}, must be at {x}, {y} on {name}")
    if cell.bbox() != frame.bbox():
        raise Refused(f"outline {frame.bbox()}, in the LEF {cell.bbox()}")
    return f"{len(found)} pins where the LEF has them"


def a_pin_of_liberty(kit: Kit) -> None:
    """A renamed pin."""
    edit(kit.macro("_ss_1p62V_100C.lib"), "bus (sl)", "bus (sel)")


def a_pin_of_the_lef(kit: Kit) -> None:
    """A missing pin."""
    file = kit.macro(".lef")
    file.write_text(re.sub(r"  PIN wl_en\[0\]\n.*?  END wl_en\[0\]\n", "", file.read_text(), flags=re.DOTALL))


def a_pin_of_the_gds(kit: Kit) -> None:
    """The shape of one pin is one track further on."""
    db = _klayout()
    layout, cell = _read(kit, ".gds")
    shapes = cell.shapes(layout.layer(*PINS["met2"]))
    next(shapes.each()).transform(db.Trans(460, 0))
    layout.write(str(kit.macro(".gds")))
