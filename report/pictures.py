"""Pictures inside the page: plots as SVG in the page's own colours, images as PNG in a data URI."""

from __future__ import annotations

import base64
import io
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib
import numpy as np
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from PIL import Image

__all__ = ["COLOURS", "image_uri", "plot", "svg"]

COLOURS = ("#3b6fb6", "#d1743c", "#3f9a6b", "#8a5fb0", "#8c8c8c")
"""Seen on white and on black."""

STYLE: dict[Any, Any] = {
    "font.size": 10,
    "svg.fonttype": "none",  # text stays text: found by a search, in the page's colour
    "legend.frameon": False,
}

SIZE = (5.4, 3.4)
"""Inches; small, so that the text is still read at the width of a phone."""


def plot(name: str, about: str, draw: Callable[[Axes], None]) -> Markup:
    """What ``draw`` draws on one pair of axes, see `svg`."""
    return svg(name, about, lambda figure: draw(figure.subplots()))


def svg(name: str, about: str, draw: Callable[[Figure], None], size: tuple[float, float] = SIZE) -> Markup:
    """What ``draw`` draws, as an ``<svg>`` for the page.

    The same drawing gives the same bytes. Black is the colour of the page's text, which is white in the dark.

    Parameters
    ----------
    name : str
        Its own on the page: identifiers within the picture start with it.
    about : str
        What it shows, for those who do not see it.
    """
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    box = re.search(r'viewBox="([^"]+)"', text)
    start = text.index(">", text.index("<svg")) + 1
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", text[start:], flags=re.DOTALL)
    body = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", body)
    body = body.replace("#000000", "currentColor")
    assert box is not None
    return Markup(
        f'<svg viewBox="{box[1]}" role="img" aria-label="{escape(about)}" stroke-linejoin="round">{body}'
    )


def image_uri(shape: Sequence[int], pixels: str) -> str | None:
    """A data URI of an image; None where its shape has no picture.

    Parameters
    ----------
    shape : (pixels,), (height, width) or (height, width, channels)
        Pixels alone are taken for a square where they fill one; 1 or 3 channels have a picture.
    pixels : str
        Values 0..255 in base64.

    Raises
    ------
    ValueError
        Not base64, or not as many pixels as the shape says.
    """
    values = np.frombuffer(base64.b64decode(pixels, validate=True), np.uint8)
    if len(values) != math.prod(shape) or not values.size:
        raise ValueError(
            f"{len(values)} pixels for an image of shape {list(shape)}: must be as many as that has"
        )
    if len(shape) == 1 and math.isqrt(len(values)) ** 2 == len(values):
        shape = [math.isqrt(len(values))] * 2
    if len(shape) == 3 and shape[2] == 1:
        shape = shape[:2]
    if len(shape) < 2 or (len(shape) == 3 and shape[2] != 3):
        return None
    stream = io.BytesIO()
    Image.fromarray(values.reshape(shape)).save(stream, "png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
