"""What a parameter set is made of: numbers, words and flags, each with unit, legal range, mark and meaning.

A parameter is one line, ``name: float = quantity(default, "unit", low, high, "[mark] what it is")``: the range
check, the JSON round trip and the table of ``describe`` follow from it. One of a few words is a ``choice``,
true or false a ``flag``.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self, cast

from bridgebnn.names import check_names


def quantity(default: float, unit: str, low: float, high: float, about: str) -> Any:
    """Dataclass field of a physical number: default, unit, legal range (ends included), mark and meaning."""
    return field(default=default, metadata={"unit": unit, "low": low, "high": high, "about": about})


def choice(default: str, options: tuple[str, ...], about: str) -> Any:
    """Dataclass field that takes one of a few words: default, options, mark and meaning."""
    return field(default=default, metadata={"unit": "", "options": options, "about": about})


def flag(default: bool, about: str) -> Any:
    """Dataclass field that is True or False: default, mark and meaning."""
    return field(default=default, metadata={"unit": "", "flag": True, "about": about})


@dataclass(frozen=True, kw_only=True)
class Quantities:
    """Base of the parameter sets: range checks and the JSON round trip, from the fields' ``quantity``.

    Raises
    ------
    ValueError
        A value outside its range or not a finite number, with both; a word that is not among the options.
    """

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            value, about = getattr(self, item.name), item.metadata
            if "flag" in about:
                if not isinstance(value, bool):
                    raise ValueError(f"{type(self).__name__}.{item.name} = {value!r}: must be true or false")
                continue
            if "options" in about:
                if value not in about["options"]:
                    options = " or ".join(about["options"])
                    raise ValueError(f"{type(self).__name__}.{item.name} = {value!r}: must be {options}")
                continue
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not number or not math.isfinite(value) or not about["low"] <= value <= about["high"]:
                raise ValueError(
                    f"{type(self).__name__}.{item.name} = {value!r}: must be from {about['low']} to "
                    f"{about['high']} {about['unit']}"
                )
            object.__setattr__(self, item.name, float(value))

    def as_dict(self) -> dict[str, float | str]:
        """Fields by name."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Inverse of ``as_dict``; missing fields take their default, unknown ones are a ``ValueError``."""
        return cls(**known(cls, values))

    @classmethod
    def describe(cls) -> list[tuple[str, float | str, str, str]]:
        """Rows of a table: name, default, unit (none for a word), mark and meaning."""
        return [
            (f.name, cast("float | str", f.default), f.metadata["unit"], f.metadata["about"])
            for f in dataclasses.fields(cls)
        ]

    @classmethod
    def legal(cls, name: str) -> str:
        """What a field may be, for people: a range, or the words."""
        about = next(f.metadata for f in dataclasses.fields(cls) if f.name == name)
        if "flag" in about:
            return "true, false"
        if "options" in about:
            return ", ".join(about["options"])
        return f"{about['low']:g} to {about['high']:g}"


def known(cls: Any, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """``values``, which name fields of ``cls`` only; ``ValueError`` with the first that does not."""
    check_names(cls.__name__, values, [item.name for item in dataclasses.fields(cls)])
    return values
