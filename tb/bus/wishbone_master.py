"""The Wishbone master of cocotbext-wishbone 2.0.1 on our bus, made to work with cocotb 2.1 on Icarus Verilog.

The master gives its lines their idle values with ``Immediate`` writes when it is made. On Icarus 11 such a
write to an undriven input net at time 0 stays in that net: gates behind it keep their Z for the whole run,
and later writes do not reach them. Ordinary writes do, so these take their place.
"""

from __future__ import annotations

import logging
from typing import Any

from cocotbext.wishbone import driver

__all__ = ["master"]

SIGNALS = {n: n for n in ("cyc", "stb", "we", "adr", "sel", "ack", "err")} | {
    "datwr": "dat_w",
    "datrd": "dat_r",
}


def _write(signal: Any, value: int) -> None:
    signal.value = value


def master(dut: Any, *, timeout: int = 20) -> driver.WishboneMaster:
    """Make a master on the ``wb_*`` ports of ``dut``; the bus is idle from the first time step.

    Parameters
    ----------
    timeout : int
        Cycles without an answer after which a transfer fails.
    """
    original, driver.set_immediate = driver.set_immediate, _write
    try:
        made = driver.WishboneMaster(dut, "wb", dut.clk, width=32, timeout=timeout, signals_dict=SIGNALS)
    finally:
        driver.set_immediate = original
    made.log.setLevel(logging.WARNING)
    return made
