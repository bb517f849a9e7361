"""Last gate before the macro pins: what must never reach the array does not, whatever the sequencers do."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from bridgebnn.hdl.signatures import MacroPins, ProgramPins, ReadPins
from bridgebnn.hdl.spec import Geometry

__all__ = ["SafetyGate"]


class SafetyGate(wiring.Component):
    """Merge the pins of the two sequencers and keep the rules of the array in every cycle.

    Guaranteed, with any values on the inputs:

    * ``pulse`` only with ``hv_en``, ``hv_ready``, a word line enabled and ``unlocked``, and never with
      ``verify``;
    * ``precharge``, ``evaluate``, ``sense`` low while ``hv_en`` is high; ``precharge`` and ``evaluate``
      never together; ``sense`` only with ``evaluate``;
    * at most one word line in a tile: there is one ``row`` address, and ``wl_en`` is an enable of each tile;
    * while the program sequencer drives the pins, at most one tile has a word line, and no column of another
      tile is enabled; while it does not, no ``pulse``, ``hv_en`` or ``verify``.

    The gate holds no state. Each pin is one or two gates behind the sequencers' registers, and only one of
    the two sequencers is active at a time, so the pins change once per cycle as the registers do.

    *Latency*: 0 cycles.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    unlocked : In(1)
    program : In(ProgramPins)
    read : In(ReadPins)
    read_bl, read_col_en : In(T*C)
        Column registers of the layer sequencer.
    read_active : In(1)
        The layer sequencer owns the pins.
    row .. verify_ref : Out; cmp, cmp_valid, sl, hv_ready : In
        Macro pins (`MacroPins`); the inputs are passed on to the sequencers.
    """

    def __init__(self, geometry: Geometry):
        self.geometry = geometry
        vector = geometry.tiles * geometry.columns
        super().__init__(
            {
                "unlocked": In(1),
                "program": In(ProgramPins(geometry)),
                "read": In(ReadPins(geometry)),
                "read_bl": In(vector),
                "read_col_en": In(vector),
                "read_active": In(1),
                **MacroPins(geometry).members,
            }
        )

    def elaborate(self, platform):
        m = Module()
        program, read = self.program, self.read
        self._columns(m)

        m.d.comb += [
            self.hv_en.eq(program.active & program.hv_en),
            self.verify.eq(program.active & program.verify),
            self.pulse.eq(
                program.pulse & self.hv_en & self.hv_ready & self.wl_en.any() & self.unlocked & ~self.verify
            ),
            self.prog_op.eq(program.op),
            self.prog_side.eq(program.side),
            self.wl_level.eq(program.wl_level),
            self.prog_level.eq(program.prog_level),
            self.verify_ref.eq(program.verify_ref),
        ]

        precharge = Signal()
        evaluate = Signal()
        m.d.comb += [
            precharge.eq(Mux(program.active, program.precharge, read.precharge)),
            evaluate.eq(Mux(program.active, program.evaluate, read.evaluate)),
            self.precharge.eq(precharge & ~self.hv_en),
            self.evaluate.eq(evaluate & ~precharge & ~self.hv_en),
            self.sense.eq(read.sense & self.evaluate & ~program.active),
            self.row.eq(Mux(program.active, program.row, read.row)),
            self.cmp_ref.eq(read.cmp_ref),
        ]

        m.d.comb += [
            read.cmp.eq(self.cmp),
            read.cmp_valid.eq(self.cmp_valid),
            read.sl.eq(self.sl),
            program.hv_ready.eq(self.hv_ready),
        ]
        return m

    def _columns(self, m: Module):
        """Word-line enables, column data and the way back of ``sl``, by tile."""
        g, program = self.geometry, self.program
        with m.If(program.active):
            # A tile number outside the geometry selects no tile.
            with m.Switch(program.tile):
                for tile in range(g.tiles):
                    columns = slice(tile * g.columns, (tile + 1) * g.columns)
                    with m.Case(tile):
                        m.d.comb += [
                            self.wl_en[tile].eq(program.wl_en),
                            self.bl[columns].eq(program.select),
                            self.col_en[columns].eq(program.select),
                            program.sl.eq(self.sl[columns]),
                        ]
        with m.Elif(self.read_active):
            m.d.comb += [
                self.wl_en.eq(self.read.wl_en),
                self.bl.eq(self.read_bl),
                self.col_en.eq(self.read_col_en),
            ]
