"""The rails of the column drivers: what the bridges of one row leave of the read voltage at each column.

The drivers stand side by side along the top of a tile. The read supply comes in beside column 0 through
``r_feed`` and runs along them with ``r_supply`` per column, their ground with ``r_ground``. With one row on,
column c loads the two rails with the conductance ``g_c`` of its series path. What flows out of one rail flows
into the other at the same column, so both rails carry the same currents, and the drop of the loop,
``d_c = V - (vh_c - vg_c)``, obeys one tridiagonal system [std, Kirchhoff], with ``r = r_supply + r_ground``:

    c = 0:    (q + 1 + r g_0) d_0 - d_1 = r g_0 V,     q = r / (r_feed + r)
    between:  -d_(c-1) + (2 + r g_c) d_c - d_(c+1) = r g_c V
    last:     -d_(c-1) + (1 + r g_c) d_c = r g_c V

    vg_c = r_ground / r * (d_c - r_feed * d_0 / (r_feed + r)),     vh_c = V - d_c + vg_c

It is solved exactly; the rows of a tile are one system whose parts do not touch, so a row alone and all rows
give the same bits. More load anywhere lowers every ``vh`` and raises every ``vg`` (resistors only), which is
what bounds a column's voltages for any set of enabled columns.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridgebnn.model.parameters.params import BridgeParams

__all__ = ["has_rails", "rail_voltages", "supply_V"]

FloatArray = NDArray[np.float64]


def supply_V(params: BridgeParams) -> float:
    """Voltage of the read supply before its source resistance, in volt."""
    return max(params.v_read_V - params.droop_V, 0.0)


def has_rails(params: BridgeParams) -> bool:
    """Whether a column's voltage depends on which other columns are enabled."""
    return params.r_supply_ohm + params.r_ground_ohm + params.r_feed_ohm > 0


def rail_voltages(load_S: FloatArray, params: BridgeParams) -> tuple[FloatArray, FloatArray]:
    """Rail voltages at every column's drivers.

    Parameters
    ----------
    load_S : float64, (n, C), at least 0
        Conductance of each column's path between the rails; 0 where the column is disabled.
    params : BridgeParams

    Returns
    -------
    v_high_V, v_low_V : float64, (n, C)
        Supply and ground at the drivers.
    """
    p, supply = params, supply_V(params)
    rows, columns = load_S.shape
    wire = p.r_supply_ohm + p.r_ground_ohm
    if wire == 0:
        # summed in order, so that the result does not depend on how numpy splits the axes
        total = np.add.accumulate(load_S, axis=1)[:, -1:]
        high = np.broadcast_to(supply / (1.0 + p.r_feed_ohm * total), load_S.shape)
        return high.copy(), np.zeros_like(load_S)
    from scipy.linalg import lapack  # slow to load, and each simulation is a process

    weight = wire * load_S
    diagonal = weight + 2.0
    diagonal[:, -1] -= 1.0
    diagonal[:, 0] += wire / (p.r_feed_ohm + wire) - 1.0
    beside = np.full((rows, columns), -1.0)
    beside[:, -1] = 0.0  # the next row is another system
    _, _, drop, info = lapack.dptsv(
        diagonal.ravel(), beside.ravel()[: max(rows * columns - 1, 1)], (weight * supply).ravel()
    )
    if info != 0:
        raise ArithmeticError(f"rails: the system is not positive definite, LAPACK info = {info}")
    drop = drop.reshape(rows, columns)
    feed = p.r_feed_ohm / (p.r_feed_ohm + wire) * drop[:, :1]
    low = p.r_ground_ohm / wire * (drop - feed)
    return supply - drop + low, low
