"""Options that commands over the testbenches of the pins share: which controllers, which testbenches."""

from __future__ import annotations

import argparse

from bridgebnn.tb.campaign.mutation import GEOMETRIES, TESTS

__all__ = ["add_subjects", "asked_tests"]


def add_subjects(parser: argparse.ArgumentParser) -> None:
    """``--geometry`` and ``--test``."""
    for option, names, what in (("--geometry", GEOMETRIES, "controller; "), ("--test", TESTS, "")):
        parser.add_argument(
            option,
            action="append",
            choices=names,
            metavar="NAME",
            help=f"{what}all when none is named; of: {', '.join(names)}",
        )


def asked_tests(arguments: argparse.Namespace) -> tuple[str, ...]:
    """The tests of ``--test``, in the order in which they run."""
    return tuple(test for test in TESTS if test in (arguments.test or TESTS))
