"""Word-serial walk over a row's columns, and the choice of the lowest set bits within a budget."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import bits_for

from bridgebnn.hdl.spec import WORD_WIDTH

__all__ = ["LowestBits", "WordScan", "several"]


def several(bits):
    """Whether two bits or more are set, as a tree of depth log2(len(bits))."""

    def any_and_two(part):
        if len(part) == 1:
            return part[0], Const(0, 1)
        (low, low_two), (high, high_two) = (
            any_and_two(half) for half in (part[: len(part) // 2], part[len(part) // 2 :])
        )
        return low | high, low_two | high_two | (low & high)

    return any_and_two(bits)[1]


def _prefix_counts(bits):
    """Sums ``bits[0] + .. + bits[i]`` for every ``i``, as a tree of depth log2(len(bits))."""
    if len(bits) == 1:
        return [bits[0]]
    half = len(bits) // 2
    low, high = _prefix_counts(bits[:half]), _prefix_counts(bits[half:])
    return low + [(low[-1] + count)[: bits_for(len(bits))] for count in high]


class LowestBits(Component):
    """Takes the lowest set bits of a word, at most as many as the budget allows.

    Taking from one word after the other, with the budget reduced to ``left`` each time, takes exactly the
    lowest ``budget`` set bits of the whole vector.

    Latency: 0 cycles (combinational). Throughput: one word a cycle.

    Parameters
    ----------
    width : int, 1..64
        Bits of a word.
    budget_width : int, 1..32
        Bits of the budget.

    Members
    -------
    offered : In(width)
        Bits to choose from.
    budget : In(budget_width)
        Most bits to take; 0 takes none.
    taken : Out(width)
        The lowest ``min(budget, ones(offered))`` set bits of ``offered``.
    left : Out(budget_width)
        What is left of the budget, ``budget`` less the number of bits taken.
    short : Out(1)
        The budget is less than the bits offered, so ``taken`` is not ``offered``.
    position : Out(range(width))
        Position of the taken bit; meaningful only when exactly one is taken.

    Raises
    ------
    ValueError
        With the offending value and its legal range.
    """

    def __init__(self, width: int = WORD_WIDTH, budget_width: int = 16):
        if not 1 <= width <= 64:
            raise ValueError(f"LowestBits.width = {width!r}: must be an integer from 1 to 64")
        if not 1 <= budget_width <= 32:
            raise ValueError(f"LowestBits.budget_width = {budget_width!r}: must be an integer from 1 to 32")
        super().__init__(
            {
                "offered": In(width),
                "budget": In(budget_width),
                "taken": Out(width),
                "left": Out(budget_width),
                "short": Out(1),
                "position": Out(range(width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        width = len(self.offered)
        counts = _prefix_counts(list(self.offered))
        few = bits_for(width)  # bits of a count: a budget with a higher bit is above all of them
        budget, more = self.budget[:few], self.budget[few:]
        for taken, offered, count in zip(self.taken, self.offered, counts, strict=True):
            m.d.comb += taken.eq(offered & (more.any() | (count <= budget)))
        total = counts[-1]
        rest = Signal(few + 1)  # its top bit: a borrow
        m.d.comb += [rest.eq(budget - total), self.short.eq(rest[few] & ~more.any())]
        with m.If(~rest[few]):
            m.d.comb += self.left.eq(Cat(rest[:few], more))
        with m.Elif(more.any()):
            m.d.comb += self.left.eq(Cat(rest[:few], (more - 1)[: len(more)]))
        # An OR of positions instead of a priority encoder: only asked when one bit is taken.
        for b in range(len(self.position)):
            column = Const(sum(1 << i for i in range(width) if i >> b & 1), width)
            m.d.comb += self.position[b].eq((self.taken & column).any())
        return m


class WordScan(Component):
    """Addresses the words of a row one after the other, for memories with one cycle of read latency.

    While ``run`` is high, ``addr`` walks from 0 upwards; one cycle behind, ``valid`` says that the memories'
    outputs hold word ``index``. ``last`` marks the last word of the row; the walk then ends by itself, and
    the next one begins in the next cycle if ``run`` is still high. A walk whose ``run`` falls early is
    forgotten.

    Latency: 1 cycle from ``run`` to the first word. Throughput: one word a cycle, so a walk over n words
    takes n + 1 cycles, plus one for every cycle with ``hold``.

    Parameters
    ----------
    words : int, at least 1
        Words of a row.

    Members
    -------
    run : In(1)
        Walk. While low, the next walk is prepared.
    hold : In(1)
        Stay at word ``index`` for one more cycle; only with ``valid``.
    addr, fetch : Out
        Read address and read enable of the memories.
    index : Out(addr)
        Word that the memories' outputs hold, while ``valid``.
    begins : Out(1)
        The first cycle of a walk, in which no word is valid yet.
    valid : Out(1)
    last : Out(1)
        ``valid``, the last word of the row, not held.

    Raises
    ------
    ValueError
        With the offending value and its legal range.
    """

    def __init__(self, words: int):
        if words < 1:
            raise ValueError(f"WordScan.words = {words!r}: must be an integer of at least 1")
        self._words = words
        addr_width = max(1, bits_for(words - 1))
        super().__init__(
            {
                "run": In(1),
                "hold": In(1),
                "addr": Out(addr_width),
                "fetch": Out(1),
                "index": Out(addr_width),
                "begins": Out(1),
                "valid": Out(1),
                "last": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [
            self.fetch.eq(self.run & ~self.hold),
            self.begins.eq(self.run & ~self.valid),
            self.last.eq(self.valid & ~self.hold & (self.index == self._words - 1)),
        ]
        with m.If(~self.run | self.last):
            m.d.sync += [self.addr.eq(0), self.valid.eq(0)]
        with m.Elif(~self.hold):
            m.d.sync += [self.addr.eq(self.addr + 1), self.index.eq(self.addr), self.valid.eq(1)]
        return m
