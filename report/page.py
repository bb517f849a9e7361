"""The page: sections through a template."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import jinja2

from bridgebnn import __version__

from .results import Result
from .sections import sections

__all__ = ["page"]


@cache
def _templates() -> jinja2.Environment:
    folder = files("bridgebnn.report") / "templates"
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (folder / name).read_text(encoding="utf-8")),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page(results: Sequence[Result], *, title: str = "bridgebnn report", command: str = "") -> str:
    """The HTML text; the same results give the same bytes.

    Parameters
    ----------
    results : list of Result
        As `bridgebnn.report.results.load` gives them.
    title : str
    command : str
        That made the page, for its last section.

    Raises
    ------
    ValueError
        Results that contradict themselves, with the file and what is legal.
    """
    template = _templates().get_template("page.html.j2")
    return template.render(title=title, version=__version__, sections=sections(results, command))
