"""Row commands, one after the other: what is asked of a controller, and what must come of it in every respect."""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bridgebnn.hdl.spec import Command, ErrorCode, Geometry, ProgOp, PulseConditions, Timing
from bridgebnn.hdl.spec.register_map import register_map
from bridgebnn.tb.checks.row_pins import Events, Waveform, expected, seen, stopped
from bridgebnn.tb.checks.row_reference import Outcome, Row, reference
from bridgebnn.tb.runs.jobs import RowsJob, Sim
from bridgebnn.tb.runs.reports import RowsReport
from bridgebnn.tb.runs.runner import perform, simulation

__all__ = ["COUNTERS", "TIMING", "Script", "Stop", "conditions", "with_backdoors"]

COUNTERS = ("PROG_PULSES", "PROG_VERIFIES", "PROG_FAILURES")
FULL = 0xFFFFFFFF
SETTINGS = r"TIMING_PROGRAM|TIMING_RAILS|MAX_PARALLEL|VERIFY_MARGIN|(FORM|SET|RESET)_(PULSE|PROG|WL)"


def conditions(width_cyc: int, attempts: int, **levels: int) -> PulseConditions:
    """Pulse conditions whose levels start at 10 and never reach their limits, unless told otherwise."""
    steps = {"start": 10, "step": 3, "limit": 255}
    prog = {f"prog_{n}": levels.pop(f"prog_{n}", v) for n, v in steps.items()}
    wl = {f"wl_{n}": levels.pop(f"wl_{n}", v + 1 if n != "limit" else v) for n, v in steps.items()}
    assert not levels, levels
    return PulseConditions(width_cyc=width_cyc, attempts=attempts, **prog, **wl)


TIMING = Timing(
    wl_setup_cyc=2,
    verify_cyc=3,
    rail_settle_cyc=9,
    rail_limit_cyc=60,
    max_parallel=5,
    verify_margin=77,
    form=conditions(3, 3),
    set=conditions(2, 3, prog_start=120, wl_step=17),
    reset=conditions(1, 4, prog_step=40, wl_start=200, wl_step=2),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stop:
    """What ends a command early.

    Parameters
    ----------
    at : (str, int)
        Pin, and how many of its rises to wait for.
    code : ErrorCode
        How the command must end.
    delay : int
        Cycles to wait after that.
    writes : sequence of (register, value)
        What the host writes then; the first of them ends the command.
    drop_ready : bool
        The rails fall.
    """

    at: tuple[str, int]
    code: ErrorCode
    delay: int = 0
    writes: Sequence[tuple[str, int]] = ()
    drop_ready: bool = False

    def cycle(self, wave: Waveform) -> int:
        """The first cycle in which every strobe must be low: after that of the lock, of the abort, of ``hv_ready``."""
        if self.drop_ready:
            ready = [row["hv_ready"] for row in wave.rows]
            return next(i for i in range(1, len(ready)) if (ready[i - 1], ready[i]) == ("1", "0")) + 1
        acks = [row["wb_ack"] for row in wave.rows]
        ack = next(i for i in range(1, len(acks)) if (acks[i - 1], acks[i]) == ("0", "1"))
        return ack if self.aborts else ack + 1

    @property
    def aborts(self) -> bool:
        """Whether this is the host's ABORT."""
        return self.code is ErrorCode.ABORTED


class Script:
    """Steps for ``bridgebnn.tb.testbenches.program_pins``, and the judge of each.

    Counters and failure log are those since the last CLEAR_LOG, so steps depend on the ones before.
    """

    def __init__(self, geometry: Geometry, seed: int = 1):
        self.geometry = geometry
        self.rng = random.Random(seed)
        self.steps: list[dict[str, Any]] = []
        self.judges: list[tuple[str, str, Callable[[list[str], dict[str, Any]], None]]] = []
        self.group = ""
        self.counters = [0, 0, 0]
        self.log: list[int] = []
        self.written: dict[str, int] = {}

    # -- random stimulus ------------------------------------------------------------------------------------

    def bits(self, *, past: bool = True) -> int:
        """Random words of a row, with bits past the last column."""
        return self.rng.getrandbits(32 * self.geometry.row_words if past else self.geometry.columns)

    def address(self) -> tuple[int, int]:
        """Random tile and row."""
        return self.rng.randrange(self.geometry.tiles), self.rng.randrange(self.geometry.rows)

    def row(self, **options: Any) -> Row:
        """Random devices."""
        return Row.random(self.geometry.columns, self.rng, **options)

    # -- steps ----------------------------------------------------------------------------------------------

    def add(
        self, name: str, step: dict[str, Any], judge: Callable[[list[str], dict[str, Any]], None]
    ) -> None:
        """A step with its own judge."""
        self.steps.append(step)
        self.judges.append((self.group, name, judge))

    def clear(self) -> None:
        """CLEAR_LOG."""
        self.counters, self.log = [0, 0, 0], []
        told = self._told(ErrorCode.NONE, 0)
        self.add("CLEAR_LOG", {"command": "CLEAR_LOG"}, lambda _, record: told(record))

    def run_row(
        self,
        name: str,
        command: Command,
        row: Row,
        image: int,
        mask: int,
        *,
        timing: Timing = TIMING,
        zeros: Sequence[str] = (),
        address: tuple[int, int] | None = None,
        ready_cyc: int = 2,
        preset: dict[str, int] | None = None,
        enable: int | None = None,
        stop: Stop | None = None,
        **more: Any,
    ) -> Outcome:
        """One row command.

        Parameters
        ----------
        zeros : sequence of str
            ``REGISTER.field`` written 0; ``timing`` then says what it must act as.
        preset : dict
            Counters that the simulator sets before.
        enable : int, optional
            IRQ_ENABLE; by default ``done`` and ``error``.
        """
        address = address or self.address()
        outcome = reference(command, self.geometry, timing, row, image, mask, ready_cyc=ready_cyc)
        strobes = expected(command, self.geometry, timing, image, mask, outcome, ready_cyc)
        code, detail = outcome.code, outcome.detail
        self.counters = [(preset or {}).get(n, v) for n, v in zip(COUNTERS, self.counters, strict=True)]
        before, step = (self.counters, self.log), {"command": command.name, "image": image, "mask": mask}
        if more.get("reset"):
            self.written = {}
        step |= {"address": address, "before": self._settings(timing, zeros), "ready_cyc": ready_cyc, **more}
        step |= {"row": script_of(row), "preset": preset or {}}
        step["answer_cyc"] = {"verify": timing.verify_cyc, "evaluate": timing.wl_setup_cyc}
        if enable is not None:
            step["enable"] = enable
        if stop is None:
            logged = outcome.count("log")
        else:
            step["during"] = dataclasses.asdict(stop)
            code, detail = stop.code, 0
            pin, count = stop.at
            rise = 0 if pin == "hv_ready" else [s[1] for s in strobes if s[0] == pin][count - 1]
            logged = sum(s[3] for s in strobes if s[0] == "log" and s[1] <= rise)
        entries = [e for e in outcome.events if e[0] == "log"][:logged]
        self.log = [*self.log, *(self._entry(address, *event[1:]) for event in entries)]
        if stop is None:
            gained = [outcome.count(kind) for kind in ("pulse", "verify", "log")]
            self.counters = [min(FULL, a + b) for a, b in zip(self.counters, gained, strict=True)]
        lost = len(self.log) > max(self.geometry.log_depth, len(before[1]))
        kept = outcome.image if command is Command.READ_ROW and stop is None else image
        told = self._told(code, detail, lost=lost, image=kept, mask=mask, free=stop is not None)
        geometry, want = self.geometry, [s for s in strobes if s[0] != "log"]

        def judge(pins: list[str], record: dict[str, Any]) -> None:
            told(record)
            cut = stop.cycle if stop else None
            got = seen(pins, record, geometry, timing, address, cut, whole=enable is not None)
            must = stopped(want, got.cut, gated=not stop.aborts) if stop else want
            if enable is not None:
                must = [s for s in must if s[0] != "irq"]
                got.strobes = [s for s in got.strobes if s[0] != "irq"]
                assert record["irq"] == any(
                    enable >> i & 1 and b for i, b in enumerate(record["pending"].values())
                )
            compare(must, got.strobes)
            if stop:
                rises = [sum(s[0] == n for s in must) for n in ("pulse", "verify")]
                assert record["counters"] == [*rises, logged], (
                    f"counters {record['counters']} of {rises}, {logged}"
                )

        self.add(name, step, judge)
        if stop:
            assert before[0] == [0, 0, 0], "a stop needs counters at 0: clear first"
            self.clear()
        return outcome

    def no_rails(
        self, name: str, command: Command, ready_cyc: int | None, limit: int, *, zero: bool = False
    ) -> None:
        """The rails do not settle within ``limit`` cycles of ``hv_en``; settling takes ten cycles."""
        timing = dataclasses.replace(TIMING, rail_settle_cyc=10, rail_limit_cyc=limit)
        told = self._told(ErrorCode.RAILS_TIMEOUT, 0)

        def judge(pins: list[str], record: dict[str, Any]) -> None:
            told(record)
            got = seen(pins, record, self.geometry, timing, (0, 0)).strobes
            compare([("hv_en", 3, limit, None), ("irq", 4 + limit, None, None)], got)

        settings = self._settings(timing, ("TIMING_RAILS.rail_limit_cyc",) if zero else ())
        step = {"command": command.name, "before": settings, "ready_cyc": ready_cyc}
        self.add(name, step | {"mask": 1, "address": (0, 0), "row": script_of(self.row())}, judge)

    def refused(self, name: str, command: Command, code: ErrorCode, step: dict[str, Any]) -> None:
        """A command that ends in an error before any pin moves."""
        told = self._told(code, 0)

        def judge(pins: list[str], record: dict[str, Any]) -> None:
            told(record)
            moved = [s for s in seen(pins, record, self.geometry, TIMING, (0, 0)).strobes if s[0] != "irq"]
            assert not moved, f"{moved} in a refused command"

        self.add(name, {"command": command.name, "row": script_of(self.row()), **step}, judge)

    # -- run ------------------------------------------------------------------------------------------------

    def run(self, sim: Sim, verilog: Path, backdoors: dict[str, str]) -> dict[str, dict[str, str]]:
        """Outcome of every step, by group: "ok", or what was wrong."""
        job = RowsJob(sim=sim, geometry=self.geometry, steps=tuple(self.steps), backdoors=backdoors)
        built = simulation(sim, "strobe", self.geometry, verilog)
        result = RowsReport.from_dict(perform(job, built, timeout_s=300.0))
        assert len(result.records) == len(self.judges) > 0
        outcomes: dict[str, dict[str, str]] = {}
        for number, record in enumerate(result.records):
            group, name, _ = self.judges[number]
            outcomes.setdefault(group, {})[f"{number} {name}"] = self.judged(number, result.pins, record)
        return outcomes

    def judged(self, number: int, pins: list[str], record: dict[str, Any]) -> str:
        """What is wrong with the record of a step; "ok" when nothing is."""
        try:
            self.judges[number][2](pins, record)
        except AssertionError as error:
            return str(error)
        return "ok"

    # -- what the host reads --------------------------------------------------------------------------------

    def _settings(self, timing: Timing, zeros: Sequence[str]) -> list[tuple[str, int]]:
        """Settings registers and their words, where they are not so already."""
        words = []
        for register in register_map(self.geometry, timing).registers:
            if re.fullmatch(SETTINGS, register.name):
                word = register.reset  # that of a controller made for this timing
                for field in register.fields:
                    if f"{register.name}.{field.name}" in zeros:
                        word &= ~field.mask
                words.append((register.name, word))
        assert len(words) == 13, words
        changed = [(name, word) for name, word in words if self.written.get(name) != word]
        self.written |= changed
        return changed

    def _entry(self, address: tuple[int, int], column: int, side: int, op: int) -> int:
        return column | address[1] << 13 | side << 25 | op << 26 | 1 << 31 | address[0] << 32

    def _told(
        self,
        code: ErrorCode,
        detail: int,
        *,
        lost: bool = False,
        image: int | None = None,
        mask: int | None = None,
        free: bool = False,
    ) -> Callable[[dict[str, Any]], None]:
        """Judge of the registers after a command, from what is expected now; ``free``: not of the counters."""
        counters, depth = list(self.counters), self.geometry.log_depth
        kept, overflow = self.log[:depth], len(self.log) > depth
        log = [part for e in kept for part in (e & FULL, e >> 32)] + [0, 0] * (depth - len(kept))
        inside = (1 << self.geometry.columns) - 1

        def judge(record: dict[str, Any]) -> None:
            status, error, pending = record["status"], record["error"], record["pending"]
            end = (code is ErrorCode.NONE, code is not ErrorCode.NONE)
            assert (status["busy"], status["done"], status["error"]) == (0, *end), f"{code.name}: {status}"
            assert (error["code"], error["detail"]) == (code, detail), f"{error}, not {code.name} {detail}"
            events = {"done": end[0], "error": end[1], "log_overflow": lost}
            assert pending == {n: int(events.get(n, False)) for n in pending}, f"{pending}, not {events}"
            if not free:
                assert record["counters"] == counters, f"counters {record['counters']}, not {counters}"
            assert record["log_status"] == len(kept) | overflow << 31, (
                f"LOG_STATUS 0x{record['log_status']:08x}"
            )
            assert record["log"] == log, f"log {record['log']}, not {log}"
            if image is not None:
                assert (record["image"] ^ image) & inside == 0, f"image {record['image']:x}, not {image:x}"
            if mask is not None:
                assert (record["mask"] ^ mask) & inside == 0, f"mask {record['mask']:x}, not {mask:x}"

        return judge


def script_of(row: Row) -> dict[str, Any]:
    """A row as the testbench takes it."""
    device = lambda d: [d.state, [d.need[op] for op in ProgOp], d.weak]  # noqa: E731
    return {
        "devices": [[device(d) for d in pair] for pair in row.devices],
        "disturbs": {str(n): [(c, int(side), s) for c, side, s in v] for n, v in row.disturbs.items()},
        "broken": sorted(row.broken_bridges),
    }


def compare(want: Events, got: Events) -> None:
    """Assert that both are the same; the message shows where they part."""
    for index, (a, b) in enumerate(zip([*want, None], [*got, None], strict=False)):
        assert a == b, f"strobe {index}: saw {b}, not {a}"


def with_backdoors(verilog: Path, folder: Path) -> tuple[Path, dict[str, str]]:
    """The controller with its counters open to the simulator, and where each of them is.

    Verilator hides what no comment makes public.
    """
    lines, places, parent, module = verilog.read_text().split("\n"), {}, {}, ""
    names = dict(zip(("pulses", "verifies", "failures"), COUNTERS, strict=True))
    for number, line in enumerate(lines):
        if found := re.match(r"module (\\?[^\s(]+)", line):
            module = found[1]
        if found := re.fullmatch(r"  (\S+) +(\S+) +\(", line):
            parent[found[1]] = (module, found[2].strip("\\"))
        if (found := re.fullmatch(r"  reg \[31:0\] (\w+)( = 32'd0)?;", line)) and found[1] in names:
            lines[number] = f"  reg [31:0] {found[1]} /*verilator public_flat_rw*/{found[2] or ''};"
            places[names[found[1]]] = (module, found[1])
    assert len(places) == 3, f"counters found: {places}"
    paths = {}
    for name, (module, variable) in places.items():
        paths[name] = variable
        while module in parent:
            module, instance = parent[module]
            paths[name] = f"{instance}.{paths[name]}"
        assert "." in paths[name], f"no way to {name} in {verilog}"
    target = folder / verilog.name
    target.write_text("\n".join(lines))
    return target, paths
