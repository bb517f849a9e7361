"""JSON Schemas (draft 2020-12) of records, for tools that write jobs or read reports."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect as kinds

from .conversion import plain
from .records import Record, fields

__all__ = ["file_name", "schema_of", "write_schemas"]

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def file_name(cls: type[Record]) -> str:
    """``InferJob`` is ``infer-job.json``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower() + ".json"


def schema_of(cls: type[Record]) -> dict[str, Any]:
    """The schema of one kind of record; texts are those of its docstring."""
    typed = {name: hint for name, (hint, _) in fields(cls).items() if name not in cls.OPAQUE}
    schemas, parts = msgspec.json.schema_components(
        typed.values(), schema_hook=_hook, ref_template="#/$defs/{name}"
    )
    about = {name: text for base in reversed(cls.__mro__) for name, text in _parameters(base).items()}
    infos = {f.name: f for f in msgspec.structs.fields(cls)}
    properties = {}
    for name in fields(cls):
        schema = dict(cls.OPAQUE.get(name) or schemas[list(typed).index(name)])
        if name in cls.ALSO:
            schema = {"anyOf": [dict(cls.ALSO[name]), schema]}
        if name in about:
            schema["description"] = about[name]
        default = None if infos[name].required else plain(_default(infos[name]))
        if default is not None and not isinstance(default, dict):  # those stand in the parts
            schema["default"] = default
        properties[name] = schema
    enums = {e.__name__: e for _, info in fields(cls).values() for e in _enums(info)}
    for name, part in parts.items():
        part["description"] = part.get("description", name).split("\n\n")[0].replace("\n", " ")
        if "properties" in part:
            part["additionalProperties"] = False
            for inner in part["properties"].values():
                if "default" in inner:
                    inner["default"] = plain(inner["default"])
        if name in enums:
            part["enum"] = [member.name.lower() for member in enums[name]]
    return {
        "$schema": DRAFT,
        "title": cls.__name__,
        "description": _first(cls),
        "type": "object",
        "properties": properties,
        "required": [name for name, info in infos.items() if info.required],
        "additionalProperties": False,
        "$defs": parts,
    }


def write_schemas(classes: Iterable[type[Record]], folder: Path) -> list[Path]:
    """One file per kind; equal kinds give equal bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for cls in classes:
        paths.append(folder / file_name(cls))
        paths[-1].write_text(json.dumps(schema_of(cls), indent=2, sort_keys=True) + "\n")
    return paths


def _hook(kind: type) -> dict[str, Any]:
    if kind is Path:
        return {"type": "string", "format": "path"}
    raise NotImplementedError(f"{kind} has no schema")


def _default(info: Any) -> Any:
    if info.default_factory is not msgspec.NODEFAULT:
        return info.default_factory()
    return None if info.default is msgspec.NODEFAULT else info.default


def _enums(info: kinds.Type) -> list[Any]:
    match info:
        case kinds.EnumType():
            return [info.cls]
        case kinds.UnionType():
            return [e for part in info.types for e in _enums(part)]
        case kinds.StructType() | kinds.DataclassType():
            return [e for f in info.fields for e in _enums(f.type)]
        case kinds.ListType() | kinds.VarTupleType():
            return _enums(info.item_type)
        case kinds.Metadata():
            return _enums(info.type)
    return []


def _first(cls: type) -> str:
    return (inspect.getdoc(cls) or "").split("\n\n")[0].replace("\n", " ")


def _parameters(cls: type) -> dict[str, str]:
    """Texts of the numpy docstring's section Parameters, by name; the type where there is no text."""
    doc = inspect.cleandoc(cls.__dict__.get("__doc__") or "")
    section = re.search(r"Parameters\n-+\n(.*?)(?:\n\n|\Z)", doc, re.DOTALL)
    found: dict[str, str] = {}
    for names, kind, text in re.findall(
        r"^(\w[\w, ]*) : (.*)\n?((?:    .*\n?)*)", section.group(1) if section else "", re.MULTILINE
    ):
        words = " ".join(text.split()) or kind
        found |= {name.strip(): words for name in names.split(",")}
    return found
