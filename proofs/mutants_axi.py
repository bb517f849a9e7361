"""Deliberately broken designs behind AXI4-Lite and with streams: each breaks one property of these buses."""

from __future__ import annotations

from .design import Patch

__all__ = ["AXI_MUTANTS", "STREAM_MUTANTS"]

BRIDGE, FRAMES, TOP = "hdl/bus/axi4lite.py", "hdl/bus/frames.py", "hdl/control/axi_controller.py"

AXI_MUTANTS: dict[str, tuple[str, tuple[Patch, ...]]] = {
    "axi_valid_held": (
        "a write response lasts one cycle",
        (Patch(BRIDGE, "with m.If(axi.bready):", "with m.If(1):"),),
    ),
    "axi_payload_stable": (
        "the next read does not wait for the response",
        (Patch(BRIDGE, "axi.arvalid & (~axi.rvalid | axi.rready)", "axi.arvalid"),),
    ),
    "axi_write_whole": (
        "a write does not wait for its data",
        (Patch(BRIDGE, "axi.awvalid & axi.wvalid &", "axi.awvalid &"),),
    ),
    "axi_only_answers": (
        "the end of a write answers a read, too",
        (Patch(BRIDGE, "axi.bvalid.eq(1), axi.bresp", "Cat(axi.bvalid, axi.rvalid).eq(0b11), axi.bresp"),),
    ),
    "axi_answers_once": (
        "the next write does not wait for the response",
        (Patch(BRIDGE, "axi.wvalid & (~axi.bvalid | axi.bready)", "axi.wvalid"),),
    ),
    "axi_answers": (
        "a refused read has no end",
        (Patch(BRIDGE, "with m.State(State.READ), m.If(ended):", "with m.State(State.READ), m.If(wb.ack):"),),
    ),
    "axi_takes": (
        "reads go before writes, always",
        (Patch(BRIDGE, "may_write & (~may_read | write_next)", "may_write & ~may_read"),),
    ),
    "axi_reset": (
        "the bridge has no reset",
        (
            Patch(
                TOP,
                "m.submodules.bridge = bridge = AxiLiteBridge()",
                "m.domains.held = ClockDomain(reset_less=True)\n"
                '        m.d.comb += ClockSignal("held").eq(ClockSignal())\n'
                "        bridge = AxiLiteBridge()\n"
                '        m.submodules.bridge = DomainRenamer("held")(bridge)',
            ),
            Patch(
                TOP,
                "from amaranth.hdl import Module",
                "from amaranth.hdl import ClockDomain, ClockSignal, DomainRenamer, Module",
            ),
        ),
    ),
    "axi_one_access": (
        "a read goes to the address of a write",
        (Patch(BRIDGE, "wb.adr.eq(axi.araddr[2:])", "wb.adr.eq(axi.awaddr[2:])"),),
    ),
}
"""By property: what is broken, and how."""

STREAM_MUTANTS: dict[str, tuple[str, tuple[Patch, ...]]] = {
    "stream_valid_held": (
        "the last word does not wait",
        (Patch(FRAMES, "FrameState.SEND_LAST), m.If(self.m_axis_tready)", "FrameState.SEND_LAST), m.If(1)"),),
    ),
    "stream_payload_stable": (
        "the output follows the input",
        (
            Patch(
                FRAMES,
                "m.d.comb += [self.ended.eq(",
                "m.d.sync += self.m_axis_tdata[0].eq(self.s_axis_tdata[0])\n        m.d.comb += [self.ended.eq(",
            ),
        ),
    ),
    "stream_one_answer": (
        "an error is followed by a result",
        (Patch(FRAMES, "FrameState.SEND_LAST if last or error else", "FrameState.SEND_LAST if last else"),),
    ),
    "stream_error_alone": (
        "an error is not the last word",
        (Patch(FRAMES, "self.m_axis_tlast.eq(last or error)", "self.m_axis_tlast.eq(last)"),),
    ),
    "stream_reset": (
        "the output has no reset",
        (
            Patch(
                TOP,
                "m.submodules.frames = frames = FrameRunner(self.geometry)",
                "m.domains.held = ClockDomain(reset_less=True)\n"
                '        m.d.comb += ClockSignal("held").eq(ClockSignal())\n'
                "        frames = FrameRunner(self.geometry)\n"
                '        m.submodules.frames = DomainRenamer("held")(frames)',
            ),
            Patch(
                TOP,
                "from amaranth.hdl import Module",
                "from amaranth.hdl import ClockDomain, ClockSignal, DomainRenamer, Module",
            ),
        ),
    ),
    "stream_drops_idle": (
        "inputs are dropped although a command runs",
        (
            Patch(
                FRAMES,
                'self.input_drop.eq(~self._status("busy"))',
                "self.input_drop.eq(1)",
            ),
        ),
    ),
    "stream_accepted": (
        "the host may come between INPUT_PUSH and COMMAND",
        (
            Patch(
                FRAMES,
                "locked = [state for state in LOCKED if state in fsm.encoding]",
                "locked = [state for state in LOCKED[:-1] if state in fsm.encoding]",
            ),
        ),
    ),
}
"""The same with streams; the rules of AXI4-Lite have theirs above."""
