"""Result banks: scores, bits and class of the last layer, two vectors deep."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from bridgebnn.hdl.memory import SyncMemory
from bridgebnn.hdl.signatures import WindowPort
from bridgebnn.hdl.spec import WORD_WIDTH, Geometry, words

from .vectors import write_layout

__all__ = ["ResultBanks"]


class ResultBanks(wiring.Component):
    """Keeps the scores, the bits, the class and the number of two vectors, first in, first out.

    The class is the index of the largest score, the lowest one on ties, found as the scores pass; it is 0
    when the layer gives no scores. The bank in progress shows only when its last row is in: a vector that is
    cut short leaves nothing.

    Latency: a result is visible 2 cycles after its last score (``valid``), or in the cycle after ``pop`` of
    the one before.
    Throughput: one score a cycle.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    begin : In(1)
        One cycle, before the first score of a vector; only while ``free``.
    keep : In(1)
        The running layer is the last one; its bits are kept.
    scored : In(1)
        Its scores and class are kept too.
    valid, last, score : In
        One row of the layer; the layer's last.
    write : In(write_layout(geometry))
        Words of bits; taken while ``keep``, up to the cycle after ``last``.
    index : In(32)
        Number of the vector.
    commit : Out(1)
        The cycle after ``last`` of a kept layer, in which the bank is handed over.
    free : Out(1)
        A bank is free for the next vector.
    pop : In(1)
        Free the oldest result; ignored while there is none.
    result_valid, result_class, result_index : Out
        The oldest result.
    scores, bits : In(WindowPort)
        Its scores, sign-extended, and bits; read only.
    """

    def __init__(self, geometry: Geometry):
        self.geometry = g = geometry
        super().__init__(
            {
                "begin": In(1),
                "keep": In(1),
                "scored": In(1),
                "valid": In(1),
                "last": In(1),
                "score": In(signed(g.score_width)),
                "write": In(write_layout(g)),
                "index": In(32),
                "commit": Out(1),
                "free": Out(1),
                "pop": In(1),
                "result_valid": Out(1),
                "result_class": Out(16),
                "result_index": Out(32),
                "scores": In(WindowPort(max(1, bits_for(g.scores - 1)))),
                "bits": In(WindowPort(max(1, bits_for(words(g.rows) - 1)))),
            }
        )

    def elaborate(self, platform):
        g = self.geometry
        m = Module()

        # Banks: `kept` results, the oldest in `out_bank`.
        in_bank, out_bank = Signal(), Signal()
        kept = Signal(2)
        pop = Signal()
        m.d.comb += [
            self.free.eq(~kept[1]),
            self.result_valid.eq(kept != 0),
            pop.eq(self.pop & self.result_valid),
        ]
        m.d.sync += [
            kept.eq(kept + self.commit - pop),
            in_bank.eq(in_bank ^ self.commit),
            out_bank.eq(out_bank ^ pop),
        ]

        # Scores: one cycle behind the adder, with the running maximum.
        score = Signal(signed(g.score_width))
        best = Signal(signed(g.score_width))
        best_index, place = Signal(16), Signal(range(g.scores))
        stored, better, winner = Signal(), Signal(), Signal(16)
        m.d.sync += [stored.eq(self.valid & self.keep & self.scored), self.commit.eq(self.last & self.keep)]
        with m.If(self.valid & self.keep & self.scored):
            m.d.sync += score.eq(self.score)
        m.d.comb += [
            better.eq(stored & ((place == 0) | (score > best))),
            winner.eq(Mux(better, place, best_index)),
        ]
        with m.If(self.begin):
            m.d.sync += [place.eq(0), best_index.eq(0)]
        with m.Elif(stored):
            m.d.sync += [place.eq(place + 1), best_index.eq(winner)]
            with m.If(better):
                m.d.sync += best.eq(score)

        classes = [Signal(16, name=f"class_{bank}") for bank in range(2)]
        indices = [Signal(32, name=f"index_{bank}") for bank in range(2)]
        with m.If(self.commit):
            for bank in range(2):
                with m.If(in_bank == bank):
                    m.d.sync += [classes[bank].eq(winner), indices[bank].eq(self.index)]
        m.d.comb += [
            self.result_class.eq(Mux(out_bank, classes[1], classes[0])),
            self.result_index.eq(Mux(out_bank, indices[1], indices[0])),
        ]

        # Memories: bank 1 after bank 0.
        m.submodules.score_memory = memory = SyncMemory(width=g.score_width, depth=2 * g.scores)
        m.d.comb += [
            memory.w_addr.eq(place + Mux(in_bank, g.scores, 0)),
            memory.w_data.eq(score),
            memory.w_en.eq(stored),
            memory.r_addr.eq(self.scores.addr + Mux(out_bank, g.scores, 0)),
            memory.r_en.eq(self.scores.r_en),
            self.scores.r_data.eq(memory.r_data.as_signed()),
        ]
        bank_words = words(g.rows)
        m.submodules.bit_memory = memory = SyncMemory(width=WORD_WIDTH, depth=2 * bank_words)
        m.d.comb += [
            memory.w_addr.eq(self.write.word + Mux(in_bank, bank_words, 0)),
            memory.w_data.eq(self.write.bits),
            memory.w_en.eq(self.write.en & self.keep),
            memory.r_addr.eq(self.bits.addr + Mux(out_bank, bank_words, 0)),
            memory.r_en.eq(self.bits.r_en),
            self.bits.r_data.eq(memory.r_data),
        ]
        return m
