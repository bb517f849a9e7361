"""Records: frozen, checked structures for what crosses a boundary (Python call, JSON file, command line, process)."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, get_type_hints

import msgspec
from msgspec import inspect as kinds

from .conversion import converted, plain
from .names import UnknownName, check_names

__all__ = ["Document", "Record", "fields"]


class _Kind(msgspec.StructMeta):
    """Checks the names of a call before msgspec does, so that the error says which were meant."""

    def __call__(cls, **given: Any) -> Any:
        check_names(cls.__name__, given, cls.__struct_fields__)
        known: Any = cls
        if missing := [f.name for f in msgspec.structs.fields(known) if f.required and f.name not in given]:
            raise UnknownName(f"{cls.__name__} needs {', '.join(missing)}")
        return super().__call__(**given)


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, metaclass=_Kind):
    """A frozen structure whose names and values are checked, however it is made.

    Fields are also reached by subscript, as in the record's JSON: ``record["chip"]`` is ``record.chip``, and
    ``dict(record)`` and ``{**record}`` have all of them. A subclass repeats ``frozen=True, kw_only=True``.

    Raises
    ------
    UnknownName
        A field that does not exist (with the nearest that does), or a missing one.
    ValueError
        A value that is not legal, with the value and what is.
    """

    ADAPT: ClassVar[Mapping[str, Callable[[Any], Any]]] = {}
    """Functions by field: from what a caller or a file may give to what the field holds."""
    OPAQUE: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Fields of objects that JSON does not have (arrays, networks): schema of what a file has instead."""
    ALSO: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Schema of what a file may have as well, where ``ADAPT`` takes more than the field's type."""

    def __post_init__(self) -> None:
        owner = type(self).__name__
        for name, (wanted, info) in fields(type(self)).items():
            value = getattr(self, name)
            if name in self.ADAPT:
                value = self.ADAPT[name](value)
            if name not in self.OPAQUE:
                value = converted(f"{owner}.{name}", value, wanted, info)
            msgspec.structs.force_setattr(self, name, value)

    def __getitem__(self, name: str) -> Any:
        if name not in self.__struct_fields__:
            raise KeyError(name)
        return getattr(self, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.__struct_fields__)

    def keys(self) -> tuple[str, ...]:
        """Names of the fields."""
        return self.__struct_fields__

    def get(self, name: str, default: Any = None) -> Any:
        """The field, or ``default`` where there is none of this name."""
        return getattr(self, name, default) if name in self.__struct_fields__ else default

    def replace(self, **changes: Any) -> Self:
        """The same record with other values in some fields; all are checked again."""
        return type(self)(**{**self, **changes})

    def as_dict(self) -> dict[str, Any]:
        """The fields as JSON has them."""
        return plain(self)

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        """Inverse of ``as_dict``; a field that is left out has its default."""
        if not isinstance(values, Mapping):
            raise ValueError(f"{cls.__name__} = {values!r:.60}: must be an object of fields by name")
        return cls(**values)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """A record from a JSON file; an error's message starts with the path."""
        try:
            return cls.from_dict(json.loads(Path(path).read_text()))
        except UnknownName as error:
            raise UnknownName(f"{path}: {error}") from None
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None


class Document(Record, frozen=True, kw_only=True):
    """A record with a JSON file of its own.

    Parameters
    ----------
    schema_version : int
        Changes when a field goes or changes its meaning; new fields alone leave it.
    command : str, optional
        Command line that gives this document; None where Python code made it.
    """

    schema_version: Literal[1] = 1
    command: str | None = None


@functools.cache
def fields(cls: type[Record]) -> dict[str, tuple[Any, kinds.Type]]:
    """Annotation of each field, whole and taken apart; of opaque fields without meaning."""
    hints = get_type_hints(cls, include_extras=True)
    return {
        name: (hints[name], kinds.AnyType() if name in cls.OPAQUE else kinds.type_info(hints[name]))
        for name in cls.__struct_fields__
    }
