"""What a section of the page is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

__all__ = [
    "Command",
    "Confusion",
    "Gallery",
    "Part",
    "Picture",
    "Section",
    "Shown",
    "Table",
    "number",
    "share",
]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of texts; the first of each row is its head, the others are numbers unless ``words``."""

    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: bool = False
    kind: str = "table"


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A plot with its caption."""

    caption: str
    svg: Markup
    kind: str = "picture"


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """How many images of each label got each answer: ``counts[label][answer]``."""

    caption: str
    counts: Sequence[Sequence[int]]
    kind: str = "confusion"

    def strength(self, label: int, answer: int) -> float:
        """0..1, the share of the label's images; what is there at all is seen."""
        count, total = self.counts[label][answer], sum(self.counts[label])
        return max(0.12, count / total) if count else 0.0


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One image that went wrong; ``uri`` None where it has no picture."""

    image: int
    label: int | None
    answer: int
    golden: int
    scores: Sequence[int]
    uri: str | None


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """Images that went wrong."""

    caption: str
    images: Sequence[Shown]
    kind: str = "gallery"


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command line; None where there was none."""

    caption: str
    line: str | None
    kind: str = "command"


Part = Table | Picture | Confusion | Gallery | Command


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the page with a title, in the contents list; left out where it holds nothing."""

    name: str
    title: str
    text: str = ""
    parts: Sequence[Part] = field(default=())


def share(value: float | None) -> str:
    """A share 0..1 in percent; a dash where there is none."""
    return "–" if value is None else f"{100 * value:.2f} %"


def number(value: float | None) -> str:
    """A count with its thousands apart; a dash where there is none."""
    return "–" if value is None else f"{value:,}"
