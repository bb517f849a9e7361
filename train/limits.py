"""What the array can hold: bias cells in use, the thresholds they reach, groups of inputs (plain Python)."""

from __future__ import annotations


def usable_bias(fan_in: int, bias_cells: int) -> int:
    """Largest number of at most ``bias_cells`` cells that makes ``fan_in`` plus it odd: no ties."""
    return bias_cells - (fan_in + bias_cells + 1) % 2


def threshold_range(fan_in: int, bias_cells: int) -> tuple[int, int]:
    """Least and greatest integer threshold that ``bias_cells`` enabled cells hold beside ``fan_in`` inputs.

    The cells hold ``b = 1 - threshold`` with ``|b| <= bias_cells``; the threshold has the parity of
    ``fan_in``, which follows when ``fan_in + bias_cells`` is odd.

    Raises
    ------
    ValueError
        When ``fan_in + bias_cells`` is even: the comparator would see ties.
    """
    if (fan_in + bias_cells) % 2 == 0:
        raise ValueError(
            f"{fan_in} inputs and {bias_cells} bias cells: their sum must be odd, ties have no sign"
        )
    return 1 - bias_cells, 1 + bias_cells


def groups_of(n_in: int, group: int | None) -> list[int]:
    """Sizes of contiguous groups of ``group`` inputs, the last one smaller; None: one group."""
    if group is None:
        return [n_in]
    return [min(group, n_in - start) for start in range(0, n_in, group)]
