"""JPEG copies in one file, as CIFAR-10 is passed on, of random images."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def jpeg_archive(
    path: Path, shape: tuple[int, int] = (4, 6), counts: tuple[int, int] = (3, 2), **changes: Any
) -> np.ndarray:
    """Write training and test images of ``shape``; returns all as they are decoded, (count, height, width, 3)."""
    rng = np.random.default_rng(1)
    arrays: dict[str, Any] = {"classes": ["cat", "dog"]}
    images = []
    for part, count in zip(("train", "test"), counts, strict=True):
        files = []
        for _ in range(count):
            stream = io.BytesIO()
            Image.fromarray(rng.integers(0, 256, (*shape, 3), dtype=np.uint8)).save(stream, "JPEG")
            files.append(stream.getvalue())
            images.append(np.asarray(Image.open(stream).convert("RGB")))
        arrays[f"{part}_jpeg"] = np.frombuffer(b"".join(files), np.uint8)
        arrays[f"{part}_offsets"] = np.cumsum([0, *map(len, files)])
        arrays[f"{part}_labels"] = np.arange(count) % 2
    np.savez(path, **{k: v for k, v in (arrays | changes).items() if v is not None})
    return np.stack(images)
