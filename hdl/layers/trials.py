"""The comparisons of a row: which tiles answer, against which reference, and what the answer says."""

from amaranth.hdl import Const, Module, Mux, Signal, signed
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import bits_for

from bridgebnn.hdl.spec import Geometry, ReadMode

from .descriptor_table import plan_layout

__all__ = ["FirstTrial", "Trials", "trial_layout"]


def trial_layout(geometry: Geometry) -> data.StructLayout:
    """One comparison: the tiles that make it, and the reference.

    SEARCH asks one tile whether its popcount is ``at`` or more; ``step`` is the power of two that a yes adds.
    """
    count = bits_for(geometry.columns)
    return data.StructLayout(
        {"wl_en": geometry.tiles, "at": count, "step": count, "cmp_ref": signed(geometry.ref_width)}
    )


class FirstTrial(Component):
    """The first comparison of a row, by the mode of its layer.

    SIGN asks every tile at once, against the row's threshold or 0; SEARCH the first tile, for the highest
    power of two in C_en; COUNT reads every tile and compares nothing.

    Latency: combinational. Throughput: one row a cycle.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    plan : In(plan_layout(geometry))
        The layer of the row.
    threshold : In(signed(16))
        Of the row; it clamps to the range of ``cmp_ref``, beyond which every comparison has the same answer.
    trial : Out(trial_layout(geometry))
        ``at``, ``step`` of SEARCH alone.
    searches : Out(1)
        The layer's mode is SEARCH.
    """

    def __init__(self, geometry: Geometry):
        self.geometry = geometry
        super().__init__(
            {
                "plan": In(plan_layout(geometry)),
                "threshold": In(signed(16)),
                "trial": Out(trial_layout(geometry)),
                "searches": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        g, plan, trial, asked = self.geometry, self.plan, self.trial, self.threshold
        limit = Const(g.columns, signed(g.ref_width))
        one_tile = plan.first == plan.last
        top = Mux(one_tile, plan.top_last, plan.top)
        m.d.comb += [
            self.searches.eq(plan.mode == ReadMode.SEARCH),
            trial.wl_en.eq(plan.used),
            trial.at.eq(top),
            trial.step.eq(top),
        ]
        with m.If(self.searches):
            m.d.comb += trial.wl_en.eq(plan.first)
            m.d.comb += trial.cmp_ref.eq(Mux(one_tile, plan.ref_top_last, plan.ref_top))
        with m.Elif((plan.mode == ReadMode.SIGN) & plan.use_threshold):
            m.d.comb += trial.cmp_ref.eq(Mux(asked > limit, limit, Mux(asked < -limit, -limit, asked)))
        return m


class Trials(Component):
    """Keeps the comparison under way and goes to the next: a row's first one, or what SEARCH asks next.

    SEARCH finds the popcount of one tile after the other, bit by bit from the top: a yes adds ``step``.

    Latency: the pins show a comparison in the cycle after ``begin`` or ``proceed``; ``hit``, ``complete`` are
    combinational.
    Throughput: one comparison a cycle.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    plan : In(plan_layout(geometry))
        The layer being read.
    begin, first, searches : In(1), In(trial_layout(geometry)), In(1)
        A row begins with comparison ``first``; from :class:`FirstTrial`.
    proceed : In(1)
        The answer is there: go to the comparison that follows from it. Only while not ``complete``.
    rest : In(1)
        Nothing is read: no word line in the next cycle.
    cmp : In(T)
        The macro's answers.
    wl_en, cmp_ref : Out
        Registers.
    hit : Out
        SEARCH: what the answer adds to the popcount; 0 for a no, and for what more columns than C_en would say.
    complete : Out(1)
        The comparison under way is the row's last.
    """

    def __init__(self, geometry: Geometry):
        self.geometry = g = geometry
        super().__init__(
            {
                "plan": In(plan_layout(g)),
                "begin": In(1),
                "first": In(trial_layout(g)),
                "searches": In(1),
                "proceed": In(1),
                "rest": In(1),
                "cmp": In(g.tiles),
                "wl_en": Out(g.tiles),
                "cmp_ref": Out(signed(g.ref_width)),
                "hit": Out(bits_for(g.columns)),
                "complete": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        plan, first, count = self.plan, self.first, bits_for(self.geometry.columns)
        trial = Signal(count)
        step = Signal(count)

        # The answer, and where SEARCH stands.
        on_last = (self.wl_en & plan.last).any()
        enabled = Mux(on_last, plan.enabled_last, plan.enabled)
        taken = (self.cmp & self.wl_en).any() & (trial <= enabled)
        m.d.comb += [
            self.hit.eq(Mux(taken, step, 0)),
            self.complete.eq((plan.mode != ReadMode.SEARCH) | (step[0] & on_last)),
        ]

        # Half a step up or down in the same tile, or the first trial of the next one.
        half = step >> 1
        trial_next = Signal(count)
        next_wl = (self.wl_en << 1)[: self.geometry.tiles]
        next_on_last = (next_wl & plan.last).any()
        top = Mux(next_on_last, plan.top_last, plan.top)
        m.d.comb += trial_next.eq(Mux(taken, trial + half, trial - half))
        with m.If(self.proceed & step[0]):
            m.d.sync += [self.wl_en.eq(next_wl), trial.eq(top), step.eq(top)]
            m.d.sync += self.cmp_ref.eq(Mux(next_on_last, plan.ref_top_last, plan.ref_top))
        with m.Elif(self.proceed):
            m.d.sync += [trial.eq(trial_next), step.eq(half)]
            with m.If(trial_next <= enabled):
                m.d.sync += self.cmp_ref.eq(((enabled + 1) >> 1) - trial_next)

        with m.If(self.begin):
            m.d.sync += [self.wl_en.eq(first.wl_en), self.cmp_ref.eq(first.cmp_ref)]
            with m.If(self.searches):
                m.d.sync += [trial.eq(first.at), step.eq(first.step)]
        with m.If(self.rest):
            m.d.sync += self.wl_en.eq(0)
        return m
