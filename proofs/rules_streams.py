"""Rules of the AXI4-Streams: what is held, one answer for each frame, and that the host never comes between.

After ARM IHI 0051 (AXI4-Stream: handshake, reset), and section 10 of docs/architecture.md.
"""

from __future__ import annotations

import functools

from amaranth.hdl import Mux, Value

from bridgebnn.hdl.bus.frames import LOCKED

from . import rules_axi
from .observer import Check, View

__all__ = ["CHECKS", "COVERS"]

PAYLOAD = ("tdata", "tlast", "tuser")


def takes(v: View) -> Value:
    return v.pin.s_axis_tvalid & v.pin.s_axis_tready


def gives(v: View) -> Value:
    return v.pin.m_axis_tvalid & v.pin.m_axis_tready


def holds_back(v: View) -> Value:
    """A word of the output is there, and not taken; no reset."""
    return v.past(v.pin.m_axis_tvalid & ~v.pin.m_axis_tready) & ~v.past(v.rst)


def withdrawn(v: View):
    return holds_back(v) & ~v.pin.m_axis_tvalid


def unstable(v: View):
    return holds_back(v) & v.changed(*(getattr(v.pin, f"m_axis_{name}") for name in PAYLOAD))


def owed(v: View) -> Value:
    """A frame was taken, and its answer has not left."""
    complete, answered = takes(v) & v.pin.s_axis_tlast, gives(v) & v.pin.m_axis_tlast
    return v.register("owed", 1, lambda now: Mux(complete, 1, Mux(answered, 0, now)))


def other_answers(v: View):
    return (takes(v) & owed(v)) | (v.pin.m_axis_tvalid & ~owed(v))


def error_in_company(v: View):
    first = v.register("answer_begun", 1, lambda now: Mux(gives(v), ~v.pin.m_axis_tlast, now))
    return v.pin.m_axis_tvalid & v.pin.m_axis_tuser & (first | ~v.pin.m_axis_tlast)


def output_in_reset(v: View):
    return v.past(v.rst) & v.pin.m_axis_tvalid


def dropped_under_way(v: View):
    return v.tap("frames.input_drop") & (v.tap("controller.arbiter.busy") | v.tap("controller.layer.active"))


def step_refused(v: View):
    """An access between the look at STATUS and COMMAND is not the runner's, or is refused."""
    at = functools.partial(v.state, "frames")
    err = v.tap("frames.wb__err")
    return err & at("DROP_RESULT", "READ_LAYERS", "PUSH", "SET_COUNT", "START")


MAPS = ("READ_WALK", "READ_MAP", "MULTIPLY")
"""States of runners whose controller has activation maps."""


def frame_lemmas(v: View) -> list[Value]:
    """What the state of the runner says of the streams."""
    at = functools.partial(v.state, "frames")
    begun = v.register("answer_begun", 1, lambda now: Mux(gives(v), ~v.pin.m_axis_tlast, now))
    return [
        v.no_state("frames"),
        owed(v) == at("TAKE_WORDS", "FREE_BANK"),
        v.pin.m_axis_tvalid != at("SEND", "SEND_LAST"),
        at("SEND") & (v.pin.m_axis_tlast | v.pin.m_axis_tuser),
        at("SEND_LAST") & ~v.pin.m_axis_tlast,
        begun & ~at("SEND", "READ_VALUE", "READ_CLASS", "FREE_RESULT", "SEND_LAST"),
        begun & v.pin.m_axis_tvalid & v.pin.m_axis_tuser,
    ]


def bus_lemmas(v: View) -> list[Value]:
    """From the look at STATUS to COMMAND the bus is the runner's, no command runs, no input is pushed before PUSH.

    The access that ends has had its effect.
    """
    at = functools.partial(v.state, "frames")
    idle = v.state("controller.arbiter", "AWAIT_COMMAND") & ~v.tap("controller.layer.active")
    before = [state.name for state in LOCKED if state.name not in ("PUSH", "SET_COUNT", *MAPS)]
    turn, ended = v.tap("shared.turn"), v.tap("frames.wb__ack") | v.tap("frames.wb__err")
    pushed = v.tap("controller.layer.inputs.pushed")
    return [
        v.no_state("frames"),
        at(*before, "PUSH", "SET_COUNT", "START") & ~turn,
        at(*before, "PUSH", "SET_COUNT") & ~idle,
        at("START") & ~ended & ~idle,
        at(*before) & (pushed != 0),
        at("PUSH") & ~ended & (pushed != 0),
    ]


FRAMES = [
    Check("stream_valid_held", "3.11", "`m_axis_tvalid` stays high until `m_axis_tready`", withdrawn),
    Check("stream_payload_stable", "3.11", "a word of the output does not move until it is taken", unstable),
    Check(
        "stream_one_answer",
        "3.11",
        "no word is taken while an answer is owed, and no word is given while none is",
        other_answers,
        lemmas=frame_lemmas,
    ),
    Check(
        "stream_error_alone",
        "3.11",
        "a word with `m_axis_tuser` is the first and the last of its frame",
        error_in_company,
        lemmas=frame_lemmas,
    ),
    Check("stream_reset", "3.11", "after a reset no word of the output is there", output_in_reset),
    Check(
        "stream_drops_idle",
        "3.11",
        "pushed inputs are dropped only while no command runs",
        dropped_under_way,
    ),
    Check(
        "stream_accepted",
        "3.11",
        "INPUT_PUSH, INFER_COUNT and COMMAND of a frame are never refused: the host cannot come between",
        step_refused,
        lemmas=bus_lemmas,
    ),
]


CHECKS = [*(check for check in rules_axi.CHECKS if check.name not in ("axi_answers", "axi_takes")), *FRAMES]

COVERS = [
    Check(
        "cover_stream_error",
        "3.11",
        "an error frame is given",
        lambda v: gives(v) & v.pin.m_axis_tuser & (v.pin.m_axis_tdata[:8] != 0),
    ),
]
