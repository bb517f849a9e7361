"""Values of record fields: from what a caller or a JSON file gives to the field's type, and back.

`msgspec` converts; here is what goes around it: enumerations go by lower-case name, unknown names are refused in
dataclasses too, and an error says the place, the value and what is legal, in one line.
"""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import inspect as kinds

from .names import UnknownName, check_names

__all__ = ["converted", "legal", "plain"]


def plain(value: Any) -> Any:
    """The value as JSON has it: structures as objects, members of enumerations by lower-case name."""
    if isinstance(value, enum.Enum):
        return value.name.lower()
    if isinstance(value, msgspec.Struct):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, range)):
        return [plain(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    return str(value) if isinstance(value, Path) else value


def converted(where: str, value: Any, wanted: Any, info: kinds.Type) -> Any:
    """``value`` as the type ``wanted``.

    Parameters
    ----------
    where : str
        ``Owner.field``, for errors.
    value
        Of the type, or anything that `plain` makes of it.
    wanted
        Annotation of the field.
    info : msgspec.inspect.Type
        The same, taken apart.

    Raises
    ------
    ValueError
        ``Owner.field = value: must be ...``.
    """
    tree = _prepared(where, plain(value), info)
    try:
        return msgspec.convert(tree, wanted, dec_hook=_decode)
    except msgspec.ValidationError as error:
        cause = error.__cause__
        if isinstance(cause, ValueError):
            raise type(cause)(str(cause)) from None  # of a structure inside, complete in itself
        place, wrong, at = _place(str(error), tree, info)
        must = legal(at) if at is not None else str(error)
        raise ValueError(f"{where}{place} = {wrong!r:.100}: must be {must}") from None


def _decode(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise msgspec.ValidationError(f"{value!r} is no {kind.__name__}")


def _members(info: kinds.EnumType) -> dict[str, Any]:
    return {member.name.lower(): member.value for member in info.cls}


def _prepared(where: str, tree: Any, info: kinds.Type) -> Any:
    """The tree with values in place of names of enumerations; unknown names and members are refused."""
    match info:
        case kinds.Metadata():
            return _prepared(where, tree, info.type)
        case kinds.EnumType():
            members = _members(info)
            if not isinstance(tree, str) or tree not in members:
                raise ValueError(f"{where} = {tree!r}: must be {legal(info)}")
            return members[tree]
        case kinds.StructType() | kinds.DataclassType() if isinstance(tree, dict):
            fields = {f.name: f for f in info.fields}
            check_names(where, tree, fields)
            if missing := [f.name for f in info.fields if f.required and f.name not in tree]:
                raise UnknownName(f"{where} needs {', '.join(missing)}")
            return {name: _prepared(f"{where}.{name}", v, fields[name].type) for name, v in tree.items()}
        case kinds.ListType() | kinds.VarTupleType() if isinstance(tree, list):
            return [_prepared(f"{where}[{i}]", item, info.item_type) for i, item in enumerate(tree)]
        case kinds.DictType() if isinstance(tree, dict):
            return {key: _prepared(f"{where}[{key!r}]", v, info.value_type) for key, v in tree.items()}
        case kinds.UnionType() if tree is not None:
            for part in info.types:
                structure = isinstance(part, (kinds.StructType, kinds.DataclassType, kinds.DictType))
                sequence = isinstance(part, (kinds.ListType, kinds.VarTupleType))
                if (
                    (isinstance(tree, dict) and structure)
                    or (isinstance(tree, list) and sequence)
                    or (isinstance(tree, str) and isinstance(part, kinds.EnumType))
                ):
                    return _prepared(where, tree, part)
    return tree


def _place(message: str, tree: Any, info: kinds.Type) -> tuple[str, Any, kinds.Type | None]:
    """Where in the tree msgspec found fault: the rest of the name, the value, and the type asked there."""
    found = re.search(r" - at `\$([^`]*)`$", message)
    at: kinds.Type | None = info
    place = ""
    for key, index in re.findall(r"\.(\w+)|\[(\d+|\.\.\.)\]", found.group(1) if found else ""):
        if index == "...":
            return place, tree, at  # msgspec does not tell which key of an object
        place += f".{key}" if key else f"[{index}]"
        tree = tree[key] if key else tree[int(index)]
        at = _inside(at, key)
    return place, tree, at


def _inside(info: kinds.Type | None, key: str) -> kinds.Type | None:
    match info:
        case kinds.Metadata():
            return _inside(info.type, key)
        case kinds.UnionType():
            return next((t for t in (_inside(part, key) for part in info.types) if t is not None), None)
        case kinds.StructType() | kinds.DataclassType():
            return next((f.type for f in info.fields if f.name == key), None)
        case kinds.ListType() | kinds.VarTupleType():
            return None if key else info.item_type
        case kinds.DictType():
            return info.value_type
    return None


def legal(info: kinds.Type) -> str:
    """What a field may hold, in words."""
    match info:
        case kinds.Metadata():
            return legal(info.type)
        case kinds.EnumType():
            return " or ".join(_members(info))
        case kinds.LiteralType():
            return " or ".join(map(str, info.values))
        case kinds.IntType() | kinds.FloatType():
            kind = "an integer" if isinstance(info, kinds.IntType) else "a number"
            if info.ge is not None and info.le is not None:
                return f"{kind} from {info.ge} to {info.le}"
            return f"{kind} of at least {info.ge}" if info.ge is not None else kind
        case kinds.BoolType():
            return "true or false"
        case kinds.StrType():
            return "a text"
        case kinds.NoneType():
            return "none"
        case kinds.CustomType():
            return "a path" if info.cls is Path else info.cls.__name__
        case kinds.ListType() | kinds.VarTupleType():
            return f"a list, each {legal(info.item_type)}"
        case kinds.StructType() | kinds.DataclassType():
            return f"an object with fields of {info.cls.__name__}"
        case kinds.UnionType():
            return " or ".join(legal(part) for part in info.types)
    return type(info).__name__.removesuffix("Type").lower()
