"""Every size of the reference circuits, each with its reason, in one frozen object."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT_SIZES", "CircuitSizes"]


@dataclass(frozen=True, kw_only=True)
class CircuitSizes:
    """Sizes and supplies of the bridge, buffer, neuron and comparator in SKY130.

    Widths and lengths in um, capacitors in farad, voltages in volt. All of them are our choice [ours] in a
    process whose device models are public [std]; none is a figure of the fabricated chip.
    """

    # supplies
    vdd_V: float = 1.8  #: nominal supply of the thin-oxide transistors [std]
    v_wl_V: float = 3.3  #: word line: 1.8 V read level + V_T with body effect (1.1 V) + overdrive
    v_read_V: float = 1.8  #: equal to vdd, so that the source line spans the buffer's input range

    # bridge
    select_w_um: float = 1.0  #: 2-5 kohm when on: a third of a 7 kohm LRS; twice the minimum area per ampere
    select_l_um: float = (
        0.5  #: shortest channel of nfet_g5v0d10v5 (it must stand the 3.3 V word line and forming)
    )
    c_sl_F: float = 30e-15  #: source line of about 64 rows: 64 x 0.4 fF junction + wire
    c_bl_F: float = 50e-15  #: bit line of about 64 rows: wire and device electrodes

    # source-line buffer, two inverters (thin oxide)
    buffer_l_um: float = 0.15  #: shortest channel
    buffer_wn_um: float = 0.42  #: minimum width that the models cover with a full contact
    buffer_wp_um: float = 1.0  #: puts the threshold near the middle between the two source-line levels

    # plate gates: NOR2(buffer, evaluate_n), so that all plates rest at 0 V until evaluation
    gate_wn_um: float = 0.65  #: as the standard cells of the process
    gate_wp_um: float = 2.0  #: two in series: drives 5 fF in well under 1 ns

    # neuron
    c_unit_F: float = 5e-15  #: about 2.5 um2 MiM or a metal finger cap; kT/C of 23 of them: 0.2 mV
    c_unit_sigma: float = 0.01  #: 1 % spread of one unit capacitor (small MiM), drawn per capacitor
    c_line_F: float = 20e-15  #: wire parasitic of each line at 23 columns
    c_line_per_column_F: float = 0.2e-15  #: added for each column above 23
    precharge_w_um: float = (
        1.0  #: settles 135 fF within 1 ns, little charge injected; scaled with the columns
    )
    precharge_l_um: float = 0.15

    # comparator: StrongARM latch
    input_w_um: float = 12.0  #: offset against the (non-linear) load that the gates put on the neuron's lines
    input_l_um: float = 0.15
    tail_w_um: float = 10.0  #: keeps the input pair in saturation long enough to integrate
    latch_wn_um: float = 5.0
    latch_wp_um: float = 5.0
    reset_wp_um: float = 3.0  #: resets both outputs within 1 ns

    # timing
    phase_s: float = (
        8e-9  #: one of precharge, evaluate, sense; 8 ns is one of the published comparator clocks [data]
    )
    edge_s: float = 0.1e-9  #: rise and fall time of every ideal driver

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if not value > 0.0:
                raise ValueError(f"CircuitSizes.{name}={value!r} must be above 0")
        if self.c_unit_sigma >= 0.2:
            raise ValueError(f"CircuitSizes.c_unit_sigma={self.c_unit_sigma!r} must be below 0.2")
        if self.edge_s * 10 > self.phase_s:
            raise ValueError(f"CircuitSizes.edge_s={self.edge_s!r} must be at most a tenth of phase_s")

    @property
    def read_s(self) -> float:
        """One row read: precharge, evaluate, sense."""
        return 3.0 * self.phase_s

    def line_capacitance_F(self, columns: int) -> float:
        """Return the wire parasitic of each neuron line with ``columns`` columns."""
        return self.c_line_F + self.c_line_per_column_F * max(0, columns - 23)

    def precharge_width_um(self, columns: int) -> float:
        """Return the width of each precharge switch; settles ``columns`` capacitors in the same time."""
        return self.precharge_w_um * max(1.0, columns / 23.0)


DEFAULT_SIZES = CircuitSizes()
