"""Invariants of the controller's state: proven first, then taken for granted by the other properties.

None of them is a rule by itself. They say which states of the arbiter, the sequencers, the bus and their
reference models go together, so that the solver need not find out again for each property.
"""

from amaranth.hdl import Cat, Mux, Value

from bridgebnn.hdl.spec import Command

from .activity import doing
from .observer import Check, View

__all__ = ["CHECKS", "holds", "violations"]

PULSING = ("SET_UP", "PULSE", "HOLD")
RAILS_UP = ("FIND_TARGETS", "VERIFY", "DROP_PASSED", "LOG_FAILED")
PROGRAM_ONLY = (*PULSING, "RAISE_RAILS", "LOWER_RAILS")
BRIDGE_READ = ("SELECT_READ", "PRECHARGE", "EVALUATE", "CAPTURE")
COMMAND = {command.name: int(command) for command in Command}


def bus(v: View) -> list[Value]:
    """The reference model of the bus is where the responder is; the lock bits and keys are the same."""
    names = ("AWAIT_REQUEST", "FETCH_WINDOW", "TERMINATE")
    awaiting, fetching, ending = (v.state("wishbone", name) for name in names)
    keys = Mux(v.state("unlock", "UNLOCKED"), 2, v.state("unlock", "AWAIT_SECOND_KEY"))
    answered = v.pin.wb_ack | v.pin.wb_err
    return [
        (v.bus_phase == 0) != awaiting,
        (v.bus_phase == 1) & ~awaiting & (fetching == answered),
        (v.bus_phase == 2) & ~ending,
        (v.bus_phase == 3),
        answered & ~ending,
        v.pin.wb_ack & v.pin.wb_err,
        v.tap("bank.lock__value")[:2] != Cat(v.lock, v.read_lock),
        ~v.lock & (v.keys != keys),
        v.no_state("unlock"),
        v.unlocked != v.tap("unlock.unlocked"),
    ]


def commands(v: View) -> list[Value]:
    """One sequencer at a time, the one that the arbiter has started."""
    code = v.tap("arbiter.program__command")
    at_program = Cat(code == COMMAND[name] for name in COMMAND if name.endswith("_ROW")).any()
    awaiting, checking = v.state("arbiter", "AWAIT_END"), v.state("arbiter", "CHECK_COMMAND")
    program_idle, layer_idle = doing(v, "IDLE"), v.state("layer", "IDLE")
    return [
        ~(awaiting | checking | v.state("arbiter", "AWAIT_COMMAND")),
        (awaiting & at_program) != ~program_idle,
        (awaiting & (code == COMMAND["INFER"])) != ~layer_idle,
        awaiting & program_idle & layer_idle,
        ~program_idle & (v.tap("program.command") != code),
    ]


def program_blocks(v: View) -> list[Value]:
    """Which states of the program sequencer's blocks go together; no step of the pins is lost."""
    of = lambda block, *names: v.state(f"program.{block}", *names)  # noqa: E731
    sequencer = lambda *names: v.state("program", *names)  # noqa: E731
    blocks = ("rails", "attempts", "driver", "bridges")
    step = [v.tap(f"program.driver.step__{name}") for name in ("valid", "ready")]
    waiting = of("attempts", "PULSE_PENDING") & of("driver", *PULSING)
    return [
        v.no_state("program"),
        *(v.no_state(f"program.{block}") for block in blocks),
        sequencer("RUN_PHASES") == of("attempts", "IDLE"),
        sequencer("READ_BRIDGES") == of("bridges", "IDLE"),
        of("attempts", "DROP_PASSED") != of("driver", "VERIFY", "ANSWER_VERIFY"),
        of("attempts", "PULSE_PENDING") != of("driver", *PULSING),
        of("bridges", "CAPTURE") != of("driver", "PRECHARGE", "EVALUATE", "ANSWER_READ"),
        of("rails", "RAISE") & ~of("attempts", "FIND_TARGETS"),
        of("rails", "WATCH") & ~sequencer("RUN_PHASES", "LOWER_RAILS"),
        step[0] & ~step[1] & ~waiting,
    ]


def program(v: View) -> list[Value]:
    """Which pins the program sequencer may drive in which state."""
    at = lambda *names: doing(v, *names)  # noqa: E731
    pin = lambda name: v.tap(f"program.pins__{name}")  # noqa: E731
    code = v.tap("program.command")
    programming = (code == COMMAND["PROGRAM_ROW"]) | (code == COMMAND["REFRESH_ROW"])
    armed, rails_on = ~v.state("program.rails", "IDLE"), v.state("program.rails", "WATCH")
    hv_en, wl_en = pin("hv_en"), pin("wl_en")
    return [
        *program_blocks(v),
        pin("pulse") & ~at("PULSE", "HOLD"),
        pin("verify") & ~at("VERIFY", "DROP_PASSED"),
        at("DROP_PASSED") & ~pin("verify"),
        pin("precharge") & ~at("PRECHARGE", "EVALUATE"),
        pin("evaluate") & ~at("EVALUATE", "CAPTURE", "FINISH"),
        pin("precharge") & pin("evaluate"),
        wl_en & at("IDLE", "CHECK_ADDRESS", "RAISE_RAILS", "FIND_TARGETS", "LOG_FAILED"),
        wl_en & at("LOWER_RAILS", "SELECT_READ"),
        (pin("pulse") | pin("verify") | pin("precharge") | pin("evaluate")) & ~(wl_en & pin("active")),
        wl_en & ~pin("active"),
        at("PULSE", "HOLD", "CAPTURE", "DROP_PASSED") & ~wl_en,
        pin("active") & at("IDLE", "CHECK_ADDRESS"),
        ~pin("active") & ~at("IDLE", "CHECK_ADDRESS", "FINISH", "RAISE_RAILS", "FIND_TARGETS", "SELECT_READ"),
        hv_en & ~(armed & programming & at("RAISE_RAILS", *RAILS_UP, *PROGRAM_ONLY)),
        rails_on & ~(armed & hv_en),
        at(*PROGRAM_ONLY) & ~at("LOWER_RAILS") & ~(armed & programming),
        at(*PROGRAM_ONLY) & ~at("RAISE_RAILS") & ~(rails_on & armed & hv_en & programming),
        at(*RAILS_UP) & programming & ~(rails_on & hv_en & armed),
        at(*RAILS_UP) & ~programming & (code != COMMAND["VERIFY_ROW"]),
        at(*BRIDGE_READ, "IDLE", "CHECK_ADDRESS", "FINISH") & (hv_en | armed | rails_on),
        at(*BRIDGE_READ) & ~programming & (code != COMMAND["READ_ROW"]),
        ~at("IDLE", "CHECK_ADDRESS", "FINISH") & (pin("tile") >= v.geometry.tiles),
    ]


def reader(v: View) -> list[Value]:
    """The pins of the read sequencer show its state; it is idle unless a layer is being read."""
    at = lambda *names: v.state("layer.reader", *names)  # noqa: E731
    pin = lambda name: v.tap(f"layer.reader.pins__{name}")  # noqa: E731
    over = v.tap("layer.stored") | v.tap("layer.adder.last") | v.tap("layer.reader.answers.unresolved").any()
    return [
        pin("precharge") != at("PRECHARGE"),
        pin("evaluate") != at("EVALUATE", "SENSE", "RESOLVE", "COUNT"),
        pin("sense") != at("SENSE", "RESOLVE"),
        at("IDLE", *(["AWAIT_WINDOW"] if v.geometry.map_words else [])) & pin("wl_en").any(),
        ~at("IDLE") & ~v.state("layer", "READ"),
        over & (~at("IDLE") | ~v.state("layer", "READ")),
        v.no_state("layer.reader"),
    ]


def violations(v: View) -> Value:
    """Some invariant does not hold."""
    return v.wire("structure_violated", Cat(*bus(v), *commands(v), *program(v), *reader(v)).any())


def holds(v: View) -> Value:
    """The invariants have held in every cycle so far, this one included."""
    broken = v.register("structure_was_violated", 1, lambda was: was | (violations(v) & v.started))
    return ~broken & ~violations(v)


CHECKS = [
    Check("structure", "-", "states of bus, arbiter and sequencers that go together (lemma)", violations)
]
COVERS: list[Check] = []
