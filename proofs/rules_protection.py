"""Rules of the bus and of the protection: answers, keys, lock, read-back lock, settings."""

from amaranth.hdl import Cat, Mux

from .observer import Check, View
from .structure import holds

__all__ = ["CHECKS", "COVERS"]

FREE = ("COMMAND", "IRQ_ENABLE", "IRQ_PENDING", "UNLOCK", "LOCK", "INPUT_PUSH", "RESULT_POP")


def unanswered(v: View):
    p = v.pin
    asked = p.wb_cyc & p.wb_stb & ~(p.wb_ack | p.wb_err) & ~v.rst
    waited = v.register("bus_waited", 3, lambda n: Mux(asked, n + (n != 7), 0))
    return asked & (waited >= 3)


def unasked(v: View):
    p = v.pin
    return (p.wb_ack | p.wb_err) & ~(v.past(p.wb_cyc & p.wb_stb))


def lanes(v: View):
    return (v.bus_phase == 1) & v.is_write & ~v.selected & ~v.pin.wb_err


def unknown_address(v: View):
    """Read or write outside of every register and window, or against the access rights."""
    known = []
    for register in v.registers.values():
        here = v.address == register.offset // 4
        known.append(here & Mux(v.is_write, register.access.writable, register.access.readable))
    for window in v.windows.values():
        base = window.offset // 4
        here = (v.address >= base) & (v.address < base + window.words)
        known.append(here & Mux(v.is_write, window.access.writable, window.access.readable))
    return (v.bus_phase != 0) & v.pin.wb_ack & ~Cat(known).any()


def rails_need_keys(v: View):
    return v.pin.hv_en & ~v.past(v.pin.hv_en) & ~v.past(v.unlocked)


def lock_holds(v: View):
    return v.lock & (v.pin.pulse | v.tap("unlock.unlocked") | (v.past(v.lock) & v.pin.hv_en))


def lock_sticks(v: View):
    bits = v.tap("bank.lock__value")[:2]
    return (v.past(bits) & ~bits).any() & ~v.past(v.rst)


def image_hidden(v: View):
    window = list(v.windows).index("ROW_IMAGE")
    read_back = v.ended("ROW_IMAGE") & ~v.is_write
    shown = v.state("wishbone", "FETCH_WINDOW") & v.tap("bank.selected")[window]
    return v.read_lock & ((read_back & v.pin.wb_ack) | v.tap("program.image__r_en") | shown)


def reads_refused(v: View):
    return v.read_lock & v.tap("program.cmd__start")


def network_frozen(v: View):
    registers = [n for n, r in v.registers.items() if r.network]
    windows = [n for n, w in v.windows.items() if w.network]
    written = [v.tap(f"layer.{name.lower()}__w_en") for name in windows]
    taken = [v.ended(name) & v.is_write & v.pin.wb_ack for name in registers + windows]
    changed = v.changed(*(v.tap(f"bank.{name.lower()}__value") for name in registers))
    return v.read_lock & (
        Cat(written).any() | Cat(taken).any() | (v.past(v.read_lock) & ~v.past(v.rst) & changed)
    )


def settings_held(v: View):
    names = [n for n, r in v.registers.items() if str(r.access) == "RW" and n not in FREE]
    stored = [v.tap(f"bank.{name.lower()}__value") for name in names]
    busy = v.tap("arbiter.busy")
    return busy & v.past(busy) & ~v.past(v.rst) & v.changed(*stored, v.tap("arbiter.program__command"))


def busy_rejects(v: View):
    busy = v.tap("arbiter.busy")
    second = v.writes("COMMAND") & ~v.aborts() & busy
    return v.past(second) & ~v.past(v.rst) & ~v.pin.wb_err


CHECKS = [
    Check(
        "ack_err_apart",
        "3.11",
        "`wb_ack` and `wb_err` are never high together",
        lambda v: v.pin.wb_ack & v.pin.wb_err,
    ),
    Check(
        "bus_answers",
        "3.11",
        "an access that is held gets `wb_ack` or `wb_err` within 4 cycles",
        unanswered,
        holds,
    ),
    Check(
        "bus_only_answers",
        "3.11",
        "no `wb_ack` or `wb_err` without an access in the cycle before",
        unasked,
        holds,
    ),
    Check("lanes_refused", "3.11", "a write without all byte lanes ends in `wb_err`", lanes, holds),
    Check(
        "map_refused",
        "3.11",
        "no `wb_ack` outside the map or against the access rights",
        unknown_address,
        holds,
    ),
    Check(
        "rails_need_keys",
        "3.9",
        "`hv_en` rises only after the two keys, in order, with nothing between, and no lock",
        rails_need_keys,
        holds,
    ),
    Check(
        "lock_holds",
        "3.9",
        "once LOCK.lock is written: no pulse, never unlocked, rails off one cycle later",
        lock_holds,
        holds,
    ),
    Check("lock_sticks", "3.9", "LOCK.lock and LOCK.read_lock fall by reset only", lock_sticks),
    Check(
        "image_hidden",
        "3.9",
        "once LOCK.read_lock is written: no read of ROW_IMAGE is acknowledged, its word never reaches the bus",
        image_hidden,
        holds,
    ),
    Check(
        "reads_refused",
        "3.9",
        "once LOCK.read_lock is written no command on a row starts: programming verifies and logs, too",
        reads_refused,
        holds,
    ),
    Check(
        "network_frozen",
        "3.9",
        "once LOCK.read_lock is written LAYER_COUNT, DESCRIPTOR, THRESHOLD and REPAIR_* cannot be written",
        network_frozen,
        holds,
    ),
    Check("settings_held", "7", "no setting changes while a command runs", settings_held, holds),
    Check("busy_rejects", "7", "a command written while another runs ends in `wb_err`", busy_rejects, holds),
]

COVERS = [
    Check("cover_unlock", "3.9", "the controller is unlocked", lambda v: v.tap("unlock.unlocked")),
    Check(
        "cover_lock_in_pulse",
        "3.9",
        "LOCK is written in a pulse",
        lambda v: v.pin.pulse & v.writes("LOCK") & v.pin.wb_dat_w[0],
    ),
    Check(
        "cover_image_refused",
        "3.9",
        "a read of ROW_IMAGE is refused",
        lambda v: v.read_lock & v.ended("ROW_IMAGE") & ~v.is_write & v.pin.wb_err,
    ),
    Check(
        "cover_image_read",
        "3.9",
        "a word of ROW_IMAGE is read",
        lambda v: v.ended("ROW_IMAGE") & ~v.is_write & v.pin.wb_ack & v.pin.wb_dat_r.any(),
    ),
    Check(
        "cover_read_lock_late",
        "3.9",
        "the read lock comes while READ_ROW runs",
        lambda v: (
            v.read_lock & v.tap("arbiter.busy") & (v.tap("arbiter.program__command") == 3) & v.pin.evaluate
        ),
    ),
    Check(
        "cover_rejected",
        "7",
        "a command is rejected",
        lambda v: v.past(v.writes("COMMAND")) & v.pin.wb_err & v.tap("arbiter.busy"),
    ),
    Check(
        "cover_window_read",
        "3.11",
        "a window read takes its third cycle",
        lambda v: (v.bus_phase == 2) & v.pin.wb_ack,
    ),
]
