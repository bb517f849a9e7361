"""The images that went wrong, with their scores and a picture of what the network was shown."""

from __future__ import annotations

import base64

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridgebnn.model.networks.encoding import Encoding

from .reports import WrongImage

__all__ = ["MOST", "wrong_images"]

MOST = 24
"""So many are kept, the first."""


def wrong_images(
    encoding: Encoding,
    bits: NDArray[np.uint8],
    *,
    labels: ArrayLike | None,
    classes: ArrayLike,
    golden: ArrayLike,
    scores: ArrayLike | None,
) -> list[WrongImage]:
    """Images whose answer is not the label, or not that of golden, at most `MOST`.

    Parameters
    ----------
    encoding : Encoding
        Of the network: gives the picture its shape.
    bits : {0, 1}, (images, inputs)
        What the network was shown.
    labels : optional
        One per image; without them an answer is wrong where it is not golden's.
    classes, golden
        Answers of the chip and of golden, one per image.
    scores : (images, outputs), optional
        Of the chip.
    """
    answers, wanted = np.asarray(classes), np.asarray(golden)
    known = None if labels is None else np.asarray(labels)
    wrong = answers != wanted
    if known is not None:
        wrong |= answers != known
    rows = None if scores is None else np.asarray(scores)
    return [
        WrongImage(
            image=i,
            label=None if known is None else int(known[i]),
            answer=int(answers[i]),
            golden=int(wanted[i]),
            scores=[] if rows is None else rows[i].tolist(),
            shape=list(encoding.shape),
            pixels=base64.b64encode(_grey(encoding, bits[i])).decode(),
        )
        for i in np.flatnonzero(wrong)[:MOST].tolist()
    ]


def _grey(encoding: Encoding, bits: NDArray[np.uint8]) -> bytes:
    """Values 0..255, of thermometer codes the share of their levels."""
    if encoding.planes:
        return np.packbits(bits, bitorder="little").tobytes()
    levels = bits.reshape(-1, encoding.levels).sum(axis=1, dtype=np.int64)
    return (255 * levels // encoding.levels).astype(np.uint8).tobytes()
