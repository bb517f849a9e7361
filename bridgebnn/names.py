"""Names that a caller gives and that must exist: fields, options. A wrong one is told with the nearest right one."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

__all__ = ["UnknownName", "check_names", "nearest", "options_named"]

Function = TypeVar("Function", bound=Callable[..., Any])


class UnknownName(TypeError, ValueError):
    """A field or option that does not exist: a wrong call in Python, bad input from a file or a terminal."""


def nearest(name: str, legal: Iterable[str]) -> str | None:
    """The legal name that was probably meant."""
    found = difflib.get_close_matches(name, sorted(legal), 1, 0.6)
    return found[0] if found else None


def check_names(owner: str, given: Iterable[str], legal: Iterable[str], what: str = "field") -> None:
    """Refuse names that are not legal.

    Raises
    ------
    UnknownName
        Of the first such name: ``OWNER has no WHAT 'x'; did you mean 'y'? It has: ...``.
    """
    names = list(legal)
    for name in given:
        if name not in names:
            near = nearest(str(name), names)
            hint = f"; did you mean {near!r}?" if near else "."
            raise UnknownName(f"{owner} has no {what} {name!r}{hint} It has: {', '.join(names)}")


def options_named(function: Function) -> Function:
    """Decorate a function of keyword options: a misspelt option is an `UnknownName` that names the right one."""
    parameters = inspect.signature(function).parameters.values()
    legal = [p.name for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)]

    @functools.wraps(function)
    def checked(*values: Any, **options: Any) -> Any:
        check_names(f"{function.__name__}()", options, legal, "option")
        return function(*values, **options)

    return checked  # type: ignore[return-value]
