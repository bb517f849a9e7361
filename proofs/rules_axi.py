"""Rules of AXI4-Lite on the subordinate's pins: what is held, what is answered, how often, and by what.

After ARM IHI 0022 (AXI4-Lite: handshake, dependencies between channels, reset). A transfer is *taken* in the cycle in
which VALID and READY of its address are high, and *answered* in the one in which those of its response are.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from amaranth.hdl import Const, Mux, Value

from .observer import Check, View

__all__ = ["CHECKS", "COVERS", "checks"]

SLVERR = 2
WRITE, READ = ("b", "aw"), ("r", "ar")
"""Prefixes of the response and of the address of each direction."""


def fires(v: View, channel: str) -> Value:
    """VALID and READY of a channel are high."""
    return getattr(v.pin, f"s_axi_{channel}valid") & getattr(v.pin, f"s_axi_{channel}ready")


def valid(v: View, channel: str) -> Value:
    return getattr(v.pin, f"s_axi_{channel}valid")


def waits(v: View, channel: str) -> Value:
    """A response is there, and not taken."""
    return valid(v, channel) & ~getattr(v.pin, f"s_axi_{channel}ready")


def payload(v: View, channel: str) -> list[Value]:
    names = {"b": ["bresp"], "r": ["rresp", "rdata"]}[channel]
    return [getattr(v.pin, f"s_axi_{name}") for name in names]


def open_transfers(v: View, response: str, address: str) -> Value:
    """Transfers taken and not answered; 3 for one answer too many."""
    taken, answered = fires(v, address), fires(v, response)
    return v.register(f"open_{address}", 2, lambda n: (n + taken - answered)[:2])


REQUESTS = {"aw": ("awaddr",), "w": ("wdata", "wstrb"), "ar": ("araddr",)}
"""Channels of the manager, and what goes with their VALID."""


def unlawful(v: View) -> Value:
    """By now the manager has withdrawn a VALID before its READY, or changed what goes with it."""
    broken = Const(0)
    for channel, names in REQUESTS.items():
        waiting = v.past(valid(v, channel) & ~getattr(v.pin, f"s_axi_{channel}ready")) & ~v.past(v.rst)
        moved = v.changed(*(getattr(v.pin, f"s_axi_{name}") for name in names))
        broken |= waiting & (~valid(v, channel) | moved)
    return broken | v.register("unlawful", 1, lambda now: now | broken)


def of_lawful(build: Callable[[View], Value]) -> Callable[[View], Value]:
    """The same of managers that hold VALID and what goes with it until READY, as AXI asks of them."""
    return lambda v: build(v) & ~unlawful(v)


def withdrawn(v: View):
    return sum_of(v, lambda r, _: v.past(waits(v, r)) & ~v.past(v.rst) & ~valid(v, r))


def sum_of(v: View, of) -> Value:
    """Of both directions: either."""
    return of(*WRITE) | of(*READ)


def unstable(v: View):
    return sum_of(v, lambda r, _: v.past(waits(v, r)) & ~v.past(v.rst) & v.changed(*payload(v, r)))


def apart(v: View):
    return fires(v, "aw") != fires(v, "w")


def unasked(v: View):
    return sum_of(v, lambda r, a: valid(v, r) & (open_transfers(v, r, a) == 0))


def several(v: View):
    return sum_of(v, lambda r, a: open_transfers(v, r, a) > 1)


def unanswered(v: View, limit_cyc: int):
    def late(r: str, a: str) -> Value:
        due = (open_transfers(v, r, a) != 0) & ~valid(v, r) & ~v.rst
        return due & (waited(v, f"due_{a}", due) >= limit_cyc)

    return sum_of(v, late)


def waited(v: View, name: str, asked: Value) -> Value:
    """Cycles in a row before this one in which something was asked; at most 127."""
    return v.register(f"waited_{name}", 7, lambda n: Mux(asked, n + (n != 127), 0))


def untaken(v: View, limit_cyc: int):
    """Requests that are held while their response channel is free."""
    p = v.pin
    write = p.s_axi_awvalid & p.s_axi_wvalid & ~p.s_axi_awready & ~p.s_axi_bvalid & ~v.rst
    read = p.s_axi_arvalid & ~p.s_axi_arready & ~p.s_axi_rvalid & ~v.rst
    return (write & (waited(v, "write", write) >= limit_cyc)) | (
        read & (waited(v, "read", read) >= limit_cyc)
    )


def answered_in_reset(v: View):
    return v.past(v.rst) & (valid(v, "b") | valid(v, "r"))


def last_taken(v: View, name: str, pin: Value, channel: str) -> Value:
    """Value of a pin in the last cycle in which a transfer of ``channel`` was taken."""

    def after(now: Value) -> Value:
        return Mux(fires(v, channel), pin, now)

    return v.register(f"asked_{name}", len(pin), after)


def other_access(v: View):
    """The Wishbone access of a transfer is another one, not the only one, or not what the response says."""
    wb = {name: v.tap(f"bridge.wb__{name}") for name in ("ack", "err", "we", "adr", "dat_w", "sel", "dat_r")}
    p, ended = v.pin, wb["ack"] | wb["err"]
    asked = {
        "write": (p.s_axi_awaddr, "aw"),
        "data": (p.s_axi_wdata, "aw"),
        "lanes": (p.s_axi_wstrb, "aw"),
        "read": (p.s_axi_araddr, "ar"),
    }
    kept = {name: last_taken(v, name, pin, channel) for name, (pin, channel) in asked.items()}
    same_write = (
        (wb["adr"] == kept["write"][2:]) & (wb["dat_w"] == kept["data"]) & (wb["sel"] == kept["lanes"])
    )
    same_read = (wb["adr"] == kept["read"][2:]) & wb["sel"].all()
    open_write, open_read = (open_transfers(v, *way) == 1 for way in (WRITE, READ))
    due_write = open_write & ~valid(v, "b") & same_write
    due_read = open_read & ~valid(v, "r") & same_read
    wrong = ended & ~Mux(wb["we"], due_write, due_read)
    # What the response has to be, in the cycle after the end.
    told = v.past(wb["err"]) << 1
    word = Mux(v.past(wb["err"]), 0, v.past(wb["dat_r"]))
    right_b = p.s_axi_bvalid & (p.s_axi_bresp == told)
    right_r = p.s_axi_rvalid & (p.s_axi_rresp == told) & (p.s_axi_rdata == word)
    over = v.past(ended) & ~v.past(v.rst)
    wrong |= over & ~Mux(v.past(wb["we"]), right_b, right_r)
    new_b = p.s_axi_bvalid & ~v.past(p.s_axi_bvalid) & ~(over & v.past(wb["we"]))
    new_r = p.s_axi_rvalid & ~v.past(p.s_axi_rvalid) & ~(over & ~v.past(wb["we"]))
    return wrong | new_b | new_r


def bridge_lemmas(v: View) -> list[Value]:
    """Which transfer the bridge's state stands for, and where the responder is meanwhile."""
    at = functools.partial(v.state, "bridge")
    cyc, stb, we, adr, dat_w, sel = (
        v.tap(f"bridge.wb__{name}") for name in ("cyc", "stb", "we", "adr", "dat_w", "sel")
    )
    writes, reads = (open_transfers(v, *way) for way in (WRITE, READ))
    p, lawful = v.pin, ~unlawful(v)
    taking_write = p.s_axi_awvalid & p.s_axi_wvalid & (adr == p.s_axi_awaddr[2:])
    taking_write &= (dat_w == p.s_axi_wdata) & (sel == p.s_axi_wstrb)
    taking_read = p.s_axi_arvalid & (adr == p.s_axi_araddr[2:])
    return [
        v.no_state("bridge"),
        cyc != stb,
        cyc == at("AWAIT_REQUEST"),
        cyc & (we != at("WRITE")),
        p.s_axi_awready != p.s_axi_wready,
        p.s_axi_awready & ~at("WRITE"),
        p.s_axi_arready & ~at("READ"),
        p.s_axi_awready & ~taking_write & lawful,
        p.s_axi_arready & ~taking_read & lawful,
        (writes != ((at("WRITE") & ~p.s_axi_awready) + valid(v, "b"))) & lawful,
        (reads != ((at("READ") & ~p.s_axi_arready) + valid(v, "r"))) & lawful,
        at("WRITE") & valid(v, "b"),
        at("READ") & valid(v, "r"),
    ]


def checks(answer_cyc: int, take_cyc: int) -> list[Check]:
    """The rules, with the bounds of a design: cycles to an answer, and until a request is taken."""
    rule = "3.11"
    given = {"lemmas": bridge_lemmas}
    return [
        Check(
            "axi_valid_held",
            rule,
            "`s_axi_bvalid` and `s_axi_rvalid` stay high until their ready",
            withdrawn,
        ),
        Check(
            "axi_payload_stable",
            rule,
            "response and read data do not move until their ready",
            unstable,
            **given,
        ),
        Check(
            "axi_write_whole",
            rule,
            "address and data of a write are taken in the same cycle, or neither",
            of_lawful(apart),
        ),
        Check(
            "axi_only_answers",
            rule,
            "no response without a transfer that is open",
            of_lawful(unasked),
            **given,
        ),
        Check(
            "axi_answers_once",
            rule,
            "a transfer is taken only when every one before it, of its direction, is answered or is being so",
            of_lawful(several),
            **given,
        ),
        Check(
            "axi_answers",
            rule,
            f"the response of a transfer is there within {answer_cyc} cycles",
            of_lawful(functools.partial(unanswered, limit_cyc=answer_cyc)),
            **given,
        ),
        Check(
            "axi_takes",
            rule,
            f"a held transfer whose response channel is free is taken within {take_cyc} cycles",
            of_lawful(functools.partial(untaken, limit_cyc=take_cyc)),
            **given,
        ),
        Check("axi_reset", rule, "after a reset no response is there", answered_in_reset),
        Check(
            "axi_one_access",
            rule,
            "a transfer is one Wishbone access, its own, whose end and word are the response",
            of_lawful(other_access),
            **given,
        ),
    ]


CHECKS = checks(answer_cyc=4, take_cyc=9)

COVERS = [
    Check(
        "cover_axi_refused",
        "3.11",
        "a refused read is answered while a write waits",
        lambda v: (
            v.pin.s_axi_rvalid & (v.pin.s_axi_rresp == SLVERR) & v.pin.s_axi_awvalid & v.pin.s_axi_wvalid
        ),
    ),
    Check(
        "cover_axi_both",
        "3.11",
        "both responses wait",
        lambda v: waits(v, "b") & waits(v, "r"),
    ),
]
