"""Confusion matrix of a run, and the images that it got wrong."""

from __future__ import annotations

import numpy as np

from .parts import Confusion, Gallery, Part, Shown
from .pictures import image_uri
from .results import Result

__all__ = ["MOST_CLASSES", "confusion", "gallery", "wrong"]

MOST_CLASSES = 20
"""A matrix of more classes is no longer read."""


def confusion(run: Result) -> list[Confusion]:
    """The matrix; none without labels, or with too many classes.

    Raises
    ------
    ValueError
        Labels and classes that do not belong together.
    """
    r = run.record
    if not r.labels:
        return []
    if len(r.labels) != len(r.classes):
        raise ValueError(
            f"{run.name}: {len(r.labels)} labels and {len(r.classes)} classes: must be one per image each"
        )
    labels, answers = np.array(r.labels), np.array(r.classes)
    if min(labels.min(), answers.min()) < 0:
        raise ValueError(f"{run.name}: labels and classes must not be negative")
    size = int(max(labels.max(), answers.max())) + 1
    if size > MOST_CLASSES:
        return []
    counts = np.zeros((size, size), np.int64)
    np.add.at(counts, (labels, answers), 1)
    right = int(counts.trace())
    caption = f"{run.name}: {len(labels):,} images, {len(labels) - right:,} wrong"
    return [Confusion(caption=caption, counts=counts.tolist())]


def gallery(run: Result) -> list[Gallery]:
    """The images; none where there are none.

    Raises
    ------
    ValueError
        Pixels that are no image.
    """
    try:
        shown = [
            Shown(
                image=w.image,
                label=w.label,
                answer=w.answer,
                golden=w.golden,
                scores=w.scores,
                uri=image_uri(w.shape, w.pixels),
            )
            for w in run.record.wrong
        ]
    except ValueError as error:
        raise ValueError(f"{run.name}: {error}") from None
    return [Gallery(caption=f"{run.name}: wrong or unlike golden", images=shown)] if shown else []


def wrong(run: Result) -> list[Part]:
    """Both, as far as the run has them."""
    return [*confusion(run), *gallery(run)]
