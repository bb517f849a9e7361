"""Options that ``bridgebnn model infer`` and ``bridgebnn tb infer`` share: which network on which chip."""

from __future__ import annotations

import argparse
from pathlib import Path

from bridgebnn.command_line import share, whole
from bridgebnn.hdl.spec import PRESETS
from bridgebnn.model.macro.broken_lines import SPARED_KINDS
from bridgebnn.model.networks.data import Data, load_data
from bridgebnn.model.networks.encoding import RULES
from bridgebnn.model.networks.network import Network
from bridgebnn.model.parameters.params import MacroParams
from bridgebnn.model.parameters.published import CLOCKS_NS
from bridgebnn.model.products import BACKENDS, check_backend
from bridgebnn.model.studies.measured_devices import macro_of

__all__ = [
    "add_backend",
    "add_chip",
    "add_data",
    "add_inference",
    "add_network",
    "add_preset",
    "add_work",
    "given_data",
    "given_macro",
]

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


def add_backend(parser: argparse.ArgumentParser) -> None:
    """``--backend``."""
    parser.add_argument(
        "--backend",
        type=_backend,
        default=BACKENDS[0],
        metavar="B",
        help=f"what computes the products of whole numbers, of {', '.join(BACKENDS)}: the results are the same; torch "
        "takes a GPU where there is one (default %(default)s)",
    )


def _backend(name: str) -> str:
    try:
        return check_backend(name)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_work(parser: argparse.ArgumentParser) -> None:
    """``--preset --network --random --chip``: what ``bridgebnn.model.flows.work.work_of`` takes."""
    add_network(parser)
    parser.add_argument(
        "--random",
        metavar="ROWSxCOLUMNS",
        help="one tile of this size with random weights instead of a network",
    )
    add_chip(parser)


def add_network(parser: argparse.ArgumentParser) -> None:
    """``--preset --network``: what ``bridgebnn.model.mapping.fit.choose`` takes."""
    known = ", ".join(PRESETS)
    parser.add_argument(
        "--preset",
        metavar="P",
        help=f"one of {known} (default mnist; with --network a chip made for that network)",
    )
    parser.add_argument(
        "--network",
        type=Path,
        metavar="FILE",
        help="network file, .npz or what `bridgebnn model import` takes (default: the preset's)",
    )


def add_data(parser: argparse.ArgumentParser, images: int | None, default: str | None = None) -> None:
    """``--data --labels --binarize --images``: what ``bridgebnn.model.networks.data.load_data`` takes."""
    add = parser.add_argument
    add(
        "--data",
        type=Path,
        metavar="FILE",
        help="images: .npz, .npy, idx, a CIFAR-10 batch, or a folder of images by class (default: the MNIST test set)",
    )
    add("--labels", type=Path, metavar="FILE", help="their labels, where they lie apart: .npy or idx")
    add(
        "--binarize",
        metavar="RULE",
        help=f"{RULES}: how the values become bits (default: as the network's file records; bits: they are bits)",
    )
    add(
        "--images",
        type=whole(1, 10_000_000),
        default=images,
        metavar="K",
        help=f"first K images (default {default or images})",
    )


def add_inference(parser: argparse.ArgumentParser, images: int) -> None:
    """`add_network`, `add_data`, ``--macro --macro-params --devices --chip --combine --break``; ``images``: default."""
    add = parser.add_argument
    add_network(parser)
    add_data(parser, images)
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--macro",
        choices=("ideal", "real", "published", "published-like", "spice"),
        default="ideal",
        help="parameter set: no error, our physics, the authors' published statistics, our physics fitted to them, a "
        "small chip in transistors (default ideal)",
    )
    which.add_argument(
        "--macro-params",
        type=Path,
        metavar="FILE",
        help="parameter set from a JSON file; what it leaves out has the value of real",
    )
    which.add_argument(
        "--devices",
        type=Path,
        metavar="FILE",
        help="the real set with device populations fitted to measured resistances (CSV; see `bridgebnn model devices`)",
    )
    add(
        "--clock",
        type=int,
        choices=tuple(CLOCKS_NS),
        metavar="NS",
        help="of --macro published and published-like: time that the comparator has, 6, 8 or 20 ns (default 8)",
    )
    add(
        "--cell-errors",
        type=share,
        metavar="P",
        help="of --macro published: probability that a cell reads the wrong bit (default 0)",
    )
    add_chip(parser)
    add(
        "--combine",
        choices=("add", "vote"),
        help="how layers wider than a tile split (default: the preset's)",
    )
    add(
        "--break",
        dest="broken_lines",
        action="append",
        default=[],
        metavar="KIND:TILE:LINE",
        help=f"a broken line of the chip, may be repeated, needs --repair; KIND is one of {', '.join(SPARED_KINDS)}",
    )


def given_data(arguments: argparse.Namespace, network: Network) -> Data:
    """The images that the options of `add_data` ask for; errors as of ``load_data``."""
    return load_data(
        arguments.data, network, labels=arguments.labels, binarize=arguments.binarize, most=arguments.images
    )


def given_macro(arguments: argparse.Namespace) -> MacroParams | None:
    """The macro that the options of `add_inference` ask for; None: none of them.

    Raises
    ------
    ValueError
        Options of another macro than the one asked for.
    """
    options = {"--clock": arguments.clock, "--cell-errors": arguments.cell_errors}
    given = [name for name, value in options.items() if value is not None]
    measured = arguments.devices
    named = None if arguments.macro_params or measured else arguments.macro
    if "--cell-errors" in given and named != "published":
        raise ValueError("--cell-errors without --macro published: only the published statistics have it")
    if "--clock" in given and named not in ("published", "published-like"):
        raise ValueError("--clock without --macro published or published-like: no other macro has it")
    if measured:
        return macro_of(measured)
    if arguments.macro_params:
        return MacroParams.load(arguments.macro_params)
    if arguments.macro is None:
        return None
    if not given:
        return MacroParams.named(arguments.macro)
    clock_ns = 8 if arguments.clock is None else arguments.clock
    if named == "published-like":
        return MacroParams.published_like(clock_ns)
    return MacroParams.of_published(clock_ns=clock_ns, cell_error_rate=arguments.cell_errors or 0.0)
