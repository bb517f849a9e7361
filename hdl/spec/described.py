"""Geometry and timing of a controller that was generated before, from its ``geometry.json``."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from .geometry import Geometry
from .timing import PulseConditions, Timing

__all__ = ["read_description"]


def read_description(file: str | Path) -> tuple[Geometry, Timing]:
    """Geometry and timing in a ``geometry.json``, as ``bridgebnn hdl generate`` writes it beside the Verilog.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        It is no such description, or holds what no geometry or timing may be.
    """
    try:
        facts = json.loads(Path(file).read_text())
        shape = {f.name: facts["geometry"][f.name] for f in dataclasses.fields(Geometry)}
        times = dict(facts["timing"])
        for name, value in times.items():
            if isinstance(value, dict):
                times[name] = PulseConditions(**value)
        return Geometry(**shape), Timing(**times)
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(
            f"{file}: must be a geometry.json of `bridgebnn hdl generate` of this version ({error})"
        ) from None
