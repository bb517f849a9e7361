"""Options that ``bridgebnn model infer`` and ``bridgebnn tb infer`` share: which network on which chip."""

from __future__ import annotations

import argparse
from pathlib import Path

from bridgebnn.command_line import whole
from bridgebnn.hdl.spec import PRESETS
from bridgebnn.model.macro.broken_lines import SPARED_KINDS

__all__ = ["add_chip", "add_inference", "add_preset", "add_work"]

SEEDS = 2**64 - 1
CHIP = 1
"""Seed of the chip wherever none is given, here and in jobs."""


def add_preset(parser: argparse.ArgumentParser) -> None:
    """``--preset``."""
    known = ", ".join(PRESETS)
    parser.add_argument("--preset", default="mnist", metavar="P", help=f"one of {known} (default mnist)")


def add_chip(parser: argparse.ArgumentParser) -> None:
    """``--chip``."""
    parser.add_argument(
        "--chip",
        type=whole(0, SEEDS),
        default=CHIP,
        metavar="SEED",
        help=f"seed of the chip (default {CHIP})",
    )


def add_work(parser: argparse.ArgumentParser) -> None:
    """``--preset --random --chip``: what ``bridgebnn.model.flows.work.work_of`` takes."""
    add_preset(parser)
    parser.add_argument(
        "--random",
        metavar="ROWSxCOLUMNS",
        help="one tile of this size with random weights instead of a preset",
    )
    add_chip(parser)


def add_inference(parser: argparse.ArgumentParser, images: int) -> None:
    """``--preset --images --macro --macro-params --chip --combine --network --break``; ``images``: default."""
    add = parser.add_argument
    add_preset(parser)
    add(
        "--images",
        type=whole(1, 10_000),
        default=images,
        metavar="K",
        help=f"first K test images (default {images})",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--macro", choices=("ideal", "real"), default="ideal", help="parameter set (default ideal)"
    )
    which.add_argument(
        "--macro-params",
        type=Path,
        metavar="FILE",
        help="parameter set from a JSON file; what it leaves out has the value of real",
    )
    add_chip(parser)
    add(
        "--combine",
        choices=("add", "vote"),
        help="how layers wider than a tile split (default: the preset's)",
    )
    add("--network", type=Path, metavar="FILE", help="network file (default: the preset's)")
    add(
        "--break",
        dest="broken_lines",
        action="append",
        default=[],
        metavar="KIND:TILE:LINE",
        help=f"a broken line of the chip, may be repeated, needs --repair; KIND is one of {', '.join(SPARED_KINDS)}",
    )
