"""The conventional array: differential 1T1R pairs, all rows on, currents summed down the columns.

The baseline that the bridge array is compared with. Input i drives row line i with +Vread or -Vread against
the columns' virtual ground; neuron j has two columns, one of devices P and one of devices N, and its sum is
the difference of their currents. Every select transistor is on. The circuit is linear [std]: with the
conductance ``G_ij = 1 / (r_on + R_ij)`` and the matrix T of currents per volt,

    I_j = sum_i T_ji v_i,     T = G^T without wires,     dot_j = (I_P - I_N) / (Vread (G_LRS - G_HRS)).

Wires: a segment ``r_row`` from the driver to the first crossing and between crossings of a row line, a
segment ``r_column`` between crossings of a column and from the last one to the virtual ground. Then T comes
from the nodal equations, in two independent ways:

* ``node_voltages``: all nodes at once by sparse LU, factored once for any number of inputs;
* ``transfer``: exact elimination column by column, dense in the rows of a tile. With D the conductances of a
  column, L the Laplacian of its wire, a column draws ``S w`` from the row nodes w,
  ``S = D - D (L + D)^-1 D``, and what lies at and beyond column j draws ``Y_j w_j``:

      Y_j = S_j + g - g P_(j+1),   P_j = g (g + Y_j)^-1,   w_j = P_j w_(j-1),   g = 1 / r_row,
      I_j = c_j . w_j,             c_j = g_out D (L + D)^-1 e_last.

  (L + D)^-1 of a chain is semiseparable [std]: its entries are products of the pivots of one elimination.

An array is cut into tiles, whose sums are added without error; the sense amplifiers are ideal. Both favour
this array, as does leaving out the resistance of drivers and sense nodes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.linalg import SuperLU, splu

from bridgebnn.model.parameters.params import Quantities, quantity

__all__ = ["CurrentParams", "NodeVoltages", "fed_inputs", "node_voltages", "tiled_transfer", "transfer"]

FloatArray = NDArray[np.float64]

_SPLIT = 300.0
"""A column that lets through less than exp(-_SPLIT) is evaluated entry by entry: exp overflows beyond 709."""


@dataclass(frozen=True, kw_only=True)
class CurrentParams(Quantities):
    """Wires, transistor and tile of the conventional array."""

    v_read_V: float = quantity(0.2, "V", 0.01, 5.0, "[std] read voltage of a single ReRAM device, 0.1-0.2 V")
    r_on_ohm: float = quantity(3000.0, "ohm", 0.0, 1e6, "[ours] select transistor, as of the bridge")
    r_row_ohm: float = quantity(0.5, "ohm", 0.0, 1e4, "[ours] row line per column crossed")
    r_column_ohm: float = quantity(0.5, "ohm", 0.0, 1e4, "[ours] column line per row crossed")
    r_feed_ohm: float = quantity(
        0.0, "ohm", 0.0, 1e6, "[ours] source resistance of each read supply, + and -"
    )
    read_noise: float = quantity(0.02, "ln R", 0.0, 2.0, "[ours] rms read noise of a device, read to read")
    tile_rows: float = quantity(64, "1", 1, 4096, "[ours] rows (inputs) of a tile; sums of tiles are exact")
    tile_columns: float = quantity(128, "1", 2, 8192, "[ours] columns of a tile, two a neuron")


@dataclass(frozen=True, eq=False)
class NodeVoltages:
    """Voltages on both lines at every crossing, (k, R, C) in volt, and the columns' currents, (k, C) in A."""

    row_V: FloatArray
    column_V: FloatArray
    current_A: FloatArray


def node_voltages(
    conductance_S: FloatArray, inputs_V: FloatArray, r_row_ohm: float, r_column_ohm: float
) -> NodeVoltages:
    """All node voltages of one array, by sparse LU of Kirchhoff's current law.

    Parameters
    ----------
    conductance_S : float64, (R, C), at least 0
    inputs_V : float64, (k, R)
        Driver voltages, a vector a row.
    r_row_ohm, r_column_ohm : float, above 0

    Raises
    ------
    ValueError
        For a wire without resistance: its nodes are one.
    """
    if not (r_row_ohm > 0 and r_column_ohm > 0):
        raise ValueError(f"r_row_ohm = {r_row_ohm!r}, r_column_ohm = {r_column_ohm!r}: must be above 0")
    rows, columns = conductance_S.shape
    solver, g = _factor(conductance_S, r_row_ohm, r_column_ohm), 1.0 / r_row_ohm
    right = np.zeros((2, rows, columns, len(inputs_V)))
    right[0, :, 0] = g * inputs_V.T
    found = solver.solve(right.reshape(-1, len(inputs_V))).reshape(right.shape)
    row_V, column_V = np.moveaxis(found, -1, 1)
    return NodeVoltages(row_V, column_V, column_V[:, -1] / r_column_ohm)


def _factor(conductance_S: FloatArray, r_row_ohm: float, r_column_ohm: float) -> SuperLU:
    """Nodal matrix over (line, row, column), factored."""
    rows, columns = conductance_S.shape
    node = np.arange(2 * rows * columns).reshape(2, rows, columns)
    links: list[tuple[NDArray[np.intp], NDArray[np.intp], FloatArray | float]] = [
        (node[0, :, :-1], node[0, :, 1:], 1.0 / r_row_ohm),
        (node[1, :-1], node[1, 1:], 1.0 / r_column_ohm),
        (node[0], node[1], conductance_S),
    ]
    first, second, value = (
        np.concatenate([np.broadcast_to(link[k], link[0].shape).ravel() for link in links]) for k in range(3)
    )
    ends = np.concatenate([node[0, :, 0], node[1, -1]])  # to the drivers and to the virtual ground
    to_ends = np.repeat([1.0 / r_row_ohm, 1.0 / r_column_ohm], [rows, columns])
    matrix = coo_array(
        (
            np.concatenate([value, value, -value, -value, to_ends]),
            (
                np.concatenate([first, second, first, second, ends]),
                np.concatenate([first, second, second, first, ends]),
            ),
        )
    )
    return splu(matrix.tocsc())


def transfer(
    conductance_S: FloatArray, r_row_ohm: float, r_column_ohm: float, *, pairs: bool = False
) -> tuple[FloatArray, FloatArray]:
    """Currents of every column per volt on every row, and what the rows draw, exactly.

    Parameters
    ----------
    conductance_S : float64, (..., R, C), at least 0
        One array, or many of one size.
    r_row_ohm, r_column_ohm : float, at least 0
    pairs : bool
        Give the differences of columns 0 and 1, 2 and 3, ... instead: half the work on the results.

    Returns
    -------
    currents_S : float64, (..., C, R)
        T of the module's docstring; with ``pairs`` (..., C/2, R).
    input_S : float64, (..., R, R)
        Current into the row lines per volt on them, symmetric. A difference: of its digits about
        ``log10(r_row * conductance)`` are lost.
    """
    *lead, rows, columns = conductance_S.shape
    d = np.moveaxis(conductance_S, -1, 0)  # (C, ..., R)
    eye = np.eye(rows)
    if r_row_ohm == 0:
        loads = [_column_load(d[j], r_column_ohm) for j in range(columns)]
        currents = np.stack([sums for _, sums in loads], axis=-2)
        if pairs:
            currents = currents[..., 0::2, :] - currents[..., 1::2, :]
        return currents, np.sum([drawn for drawn, _ in loads], axis=0)
    g = 1.0 / r_row_ohm
    found = np.zeros((*lead, columns // 2 if pairs else columns, rows))
    beyond = np.zeros((*lead, rows, rows))  # g - g P_(j+1): what lies beyond column j draws
    for j in range(columns - 1, -1, -1):
        drawn, sums = _column_load(d[j], r_column_ohm)
        passed = g * np.linalg.inv(drawn + beyond + g * eye)  # P_j
        first = j // 2 if pairs else j
        found[..., first, :] += -sums if pairs and j % 2 else sums
        found[..., first:, :] = found[..., first:, :] @ passed
        beyond = g * (eye - passed)
    return found, beyond


def _column_load(d: FloatArray, r_column_ohm: float) -> tuple[FloatArray, FloatArray]:
    """S (..., R, R) and c (..., R) of one column with the conductances ``d`` (..., R): see the docstring."""
    rows = d.shape[-1]
    along = np.arange(rows)
    if r_column_ohm == 0:
        drawn = np.zeros((*d.shape, rows))
        drawn[..., along, along] = d
        return drawn, d
    g = 1.0 / r_column_ohm
    diagonal = d + 2.0 * g  # the last crossing ends in the virtual ground
    diagonal[..., 0] -= g
    down, up = diagonal.copy(), diagonal.copy()  # pivots of eliminations from either end
    for i in range(1, rows):
        down[..., i] -= g * g / down[..., i - 1]
        up[..., -1 - i] -= g * g / up[..., -i]
    fall = np.cumsum(np.log(g / down), axis=-1)  # logs of the product of the pivots before each crossing
    fall = np.concatenate([np.zeros((*d.shape[:-1], 1)), fall[..., :-1]], axis=-1)
    pivot = down + up - diagonal
    # D (L + D)^-1 D is d_i * exp(fall_k - fall_i) / pivot_k * d_k above the diagonal, and its mirror below
    if float(fall.min()) > -_SPLIT:
        late, early = np.exp(fall - fall[..., -1:]) / pivot, np.exp(fall[..., -1:] - fall) * d
        product = early[..., :, None] * (-late * d)[..., None, :]
    else:  # the factors would leave the range of float64, their products do not
        passed = np.exp(np.minimum(fall[..., None, :] - fall[..., :, None], 0.0))
        product = d[..., :, None] * passed * (-d / pivot)[..., None, :]
    drawn = np.where(np.tri(rows, dtype=bool), np.swapaxes(product, -1, -2), product)
    drawn[..., along, along] += d
    return drawn, g * np.exp(fall[..., -1:] - fall) * d / pivot[..., -1:]


def tiled_transfer(resistance_ohm: FloatArray, params: CurrentParams) -> tuple[FloatArray, FloatArray]:
    """Transfer of a whole layer, tile by tile.

    Parameters
    ----------
    resistance_ohm : float64, (n, C, 2)
        The cells of n neurons with C inputs, devices P and N, as in a bridge array.
    params : CurrentParams

    Returns
    -------
    currents_S : float64, (n, C)
        Difference of a neuron's two columns per volt on each input.
    input_S : float64, (C,)
        Current into a row line per volt on it, the other rows at 0.
    """
    p = params
    conductance = 1.0 / (p.r_on_ohm + resistance_ohm)
    neurons, inputs, _ = conductance.shape
    if p.r_row_ohm == 0 and p.r_column_ohm == 0:
        return conductance[..., 0] - conductance[..., 1], conductance.sum(axis=(0, 2))
    rows, pairs = int(p.tile_rows), max(int(p.tile_columns) // 2, 1)
    found, drawn = np.empty((neurons, inputs)), np.zeros(inputs)
    # columns side by side: P and N of one neuron, then of the next
    lines = conductance.transpose(1, 0, 2).reshape(inputs, -1)
    for i in range(0, inputs, rows):
        here = slice(i, min(i + rows, inputs))
        for j, count in ((0, neurons // pairs), (neurons // pairs * pairs, 1)):  # whole tiles, and the rest
            if j == neurons or count == 0:
                continue
            part = lines[here, 2 * j : 2 * (j + pairs * count)].reshape(len(lines[here]), count, -1)
            currents, load = transfer(part.transpose(1, 0, 2), p.r_row_ohm, p.r_column_ohm, pairs=True)
            found[j : j + currents.shape[0] * currents.shape[1], here] = currents.reshape(
                -1, currents.shape[2]
            )
            drawn[here] += np.diagonal(load, axis1=1, axis2=2).sum(axis=0)
    return found, drawn


def fed_inputs(signs: FloatArray, input_S: FloatArray, params: CurrentParams) -> FloatArray:
    """Voltages that two supplies with source resistance leave on the row lines.

    The rows at +1 share the supply +Vread, those at -1 the supply -Vread; each supply sees its rows'
    conductances in parallel, ``V = Vread / (1 + r_feed * sum)``. Exact without wires; with them the small
    current from row to row through the wires is left out [ours].

    Parameters
    ----------
    signs : float64 of -1 and +1, (k, R)
    input_S : float64, (R,)

    Returns
    -------
    float64, (k, R), volt
    """
    p = params
    plus = np.where(signs > 0, input_S, 0.0).sum(axis=1, keepdims=True)
    minus = np.where(signs > 0, 0.0, input_S).sum(axis=1, keepdims=True)
    return np.where(
        signs > 0, p.v_read_V / (1.0 + p.r_feed_ohm * plus), -p.v_read_V / (1.0 + p.r_feed_ohm * minus)
    )
