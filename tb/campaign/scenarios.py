"""One fault through the whole circuit: a chip is prepared, the fault put in, and what came out judged.

The verdict is one of

* ``benign``: nothing was reported, and nothing that the host holds for true is wrong;
* ``repaired``: reported, and in the end everything the host wanted is there (again, or in the spare row) and
  true;
* ``reported``: reported, and something could not be had; what the host still holds for true is true;
* ``silent``: something the host holds for true is wrong, a failed device is missing in the log, a rule of the
  pins was broken in some cycle, or a command never ended.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable
from typing import Any

import numpy as np

from bridgebnn.hdl.spec import Command, ErrorCode, ProgSide
from bridgebnn.hdl.spec.program_cycles import read_row_cycles
from bridgebnn.model.devices.device import Stuck
from bridgebnn.model.flows import inference, programming
from bridgebnn.model.macro.broken_lines import FaultyArray
from bridgebnn.model.mapping.mapping import Mapping
from bridgebnn.model.parameters.params import MacroParams
from bridgebnn.tb.bus.registers import BusError
from bridgebnn.tb.env import Env

from . import oracle
from .agent import CampaignAgent, Comparator, Rails
from .attack import Attack
from .faults import GEOMETRY, SPARE_ROW, TIMING, Fault
from .host import Claim, Hook
from .inject import Injector
from .networks import networks
from .watch import rules_of

__all__ = ["Bench"]

_READS = {Command.READ_ROW: 1, Command.VERIFY_ROW: 3, Command.REFRESH_ROW: 8}
"""Rough length of a command, in reads of a row."""


class Bench(Injector):
    """One simulator, through which faults go one after the other, each on a fresh chip after a reset.

    Parameters
    ----------
    env : Env
        With no agent attached; `start` gives it one.
    """

    def __init__(self, env: Env):
        super().__init__(env)
        self.params = MacroParams.real()
        self.networks = networks()
        self.lengths: dict[str, int] = {}

    async def start(self) -> None:
        """Start clock and agent; learn how long each network takes."""
        for name in ("watch_clear", "watch_shape", "flip_go", "flip_target", "flip_word", "flip_bit"):
            self.pin[name].set(int(name == "watch_shape"))
        self.array = FaultyArray(GEOMETRY, self.params, 0)
        await self.env.start()
        self.agent = self.env.agent = CampaignAgent(self.env, self.array)
        self.agent.start()
        for name, mapping in self.networks.items():
            await self.fresh(0)
            inference.load(mapping, self.array)
            begin = [0]

            async def clock(begin: list[int] = begin) -> None:
                begin[0] = self.env.cycle()

            await self.host.infer(
                mapping,
                self._vectors(mapping, np.random.default_rng(0))[1],
                None,
                clock,
                clock_end := _Stamp(self.env),
            )
            if self.host.reports:
                raise RuntimeError(f"network {name} does not run without any fault: {self.host.reports}")
            self.lengths[name] = clock_end.cycle - begin[0]

    async def fresh(self, chip: int) -> None:
        """Reset, another chip, no fault, nothing seen."""
        self.pin["watch_shape"].set(1)
        await self.env.reset(2)
        self.array = FaultyArray(GEOMETRY, self.params, chip)
        self.agent.renew(self.array)
        self.host.reports, self.host.stuck, self.host.bus.unknown = [], False, 0
        self.pin["watch_clear"].set(1)
        await self.edge
        self.pin["watch_clear"].set(0)
        await self.host.renew()

    # -- one fault ----------------------------------------------------------------------------------------

    async def put(self, fault: Fault) -> dict[str, Any]:
        """Put one fault in; its record: verdict, reports, and why it is silent where it is."""
        await self.fresh(fault.chip)
        self.fault, self.rng = fault, fault.rng(1)
        self.silent: list[str] = []
        self.lost: list[Claim] = []
        self.moment, self.overruled = 0, False
        start = self.env.cycle()
        begin = self.agent.pulses
        self._rows()
        work = {
            "program": self._program,
            "idle": self._program,
            "infer": self._infer,
            "verify": self._check,
            "read": self._check,
            "refresh": self._check,
        }
        await work[fault.work]()
        await self._observe()
        return {
            "label": fault.label,
            "work": fault.work,
            "kind": fault.kind,
            "verdict": self._verdict(),
            "reports": self.host.reports,
            "silent": self.silent,
            "overruled": self.overruled,
            "lost": [f"tile {c.tile}, row {c.row}" for c in self.lost],
            "states": self.states(),
            "moment": self.moment,
            "cycles": self.env.cycle() - start,
            "pulses": self.agent.pulses - begin,
        }

    def _verdict(self) -> str:
        if self.silent:
            return "silent"
        if not self.host.reports:
            return "benign"
        return "reported" if self.lost else "repaired"

    def _rows(self) -> None:
        """Rows that hold something before the fault, and the one that is worked on."""
        rng, columns = self.rng, GEOMETRY.columns
        places = [(t, r) for t in range(GEOMETRY.tiles) for r in range(SPARE_ROW)]
        chosen = [places[i] for i in rng.permutation(len(places))[:3]]
        self.claims: list[Claim] = []
        self.earlier: Claim | None = None
        if self.fault.work == "infer":
            return
        if self.fault.name == "lines":  # broken from birth: what was programmed before went over broken lines
            if self.fault.kind.startswith("word_") and self.fault.kind != "word_open":
                image = rng.integers(0, 2, columns).astype(np.uint8)
                row = int(rng.choice([r for r in range(SPARE_ROW) if r != chosen[0][1]]))
                self.earlier = Claim(chosen[0][0], row, image, np.ones(columns, bool))
            chosen = chosen[:1]
        for tile, row in chosen[1:]:
            claim = Claim(tile, row, rng.integers(0, 2, columns).astype(np.uint8), np.ones(columns, bool))
            self.array.preload(tile, row, claim.image, claim.mask)
            if oracle.contradiction(self.array, claim) is None:  # a chip may be born with stuck devices
                self.claims.append(claim)
        some = rng.random(columns) < 0.6
        # READ_ROW looks at columns outside of the mask, too: a joined pair of lines must not be half in it.
        mask = some if rng.random() < 0.2 and self.fault.name != "lines" else np.ones(columns, bool)
        mask[rng.integers(columns)] = True
        tile, row = chosen[0]
        self.target = Claim(tile, row, rng.integers(0, 2, columns).astype(np.uint8), mask)

    async def _try(self, work: Awaitable[bool]) -> bool:
        """Some work of the host; an access that is refused unexpectedly ends it, and is a report."""
        try:
            return await work
        except BusError as error:
            self.host.reports.append(f"refused: {error}")
            return False

    # -- work ---------------------------------------------------------------------------------------------

    async def _program(self) -> None:
        fault, target = self.fault, self.target
        if "count" in fault.options and fault.name != "lines":
            self.stick([(target.tile, target.row, target.mask)])
        elif fault.name == "lines":
            self.break_lines(target.tile, target.row, self.earlier.row if self.earlier else None)
            if self.earlier and await self._try(self.host.program(self.earlier, done=self._believed)):
                self.claims.append(self.earlier)
        elif fault.name == "rails":
            self.agent.spoil(rails=self.options(Rails))
        hooks = {}
        if fault.work == "idle":
            await Attack(self.host.bus, fault.kind, fault.rng(2)).run(fault.options["accesses"])
            if not await self._settled():
                await self._recover([target])
                return
        elif fault.name in ("flips", "interrupts", "bus"):
            alone = programming.program_row(
                self.array.copy(), target.tile, target.row, target.image, target.mask, TIMING
            )
            hooks = self.hooks(alone.cycles)
        if await self._try(self.host.program(target, failed=self._listed, done=self._believed, **hooks)):
            self.claims.append(target)
            await self._hold_all()
            if not self.host.reports:
                return
            await self._recover([])
        else:
            await self._recover([target])

    async def _hold_all(self) -> None:
        """Verify every row that is held for programmed: one row's pulses may have reached another."""
        for claim in self.claims:
            if not await self.host.verified(claim):
                self.host.reports.append(f"VERIFY_ROW of tile {claim.tile}, row {claim.row}")

    async def _settled(self) -> bool:
        """After traffic of others: wait for what they started; is everything as the host left it?"""
        status = await self.host.driver.status()
        if status["busy"]:
            await self.host.outcome()
            self.host.reports.append("busy with another's command")
        if not status["unlocked"]:
            self.host.reports.append("locked")
        if (await self.host.driver.program_counters())["pulses"]:
            self.host.reports.append("unexpected pulses")
        return await self.host.scrub() and not self.host.reports

    def _believed(self, claim: Claim) -> None:
        """The controller reports a row as programmed: is it, by the array?

        A broken line can hide what the controller would have to see; then the host's own tests must.
        """
        if wrong := oracle.contradiction(self.array, claim):
            self.overruled = True
            if self.fault.name != "lines":
                self.silent.append(f"reported as programmed: {wrong}")

    def _listed(self, log: list[Any], overflow: bool) -> None:
        """Every failed device stands in the log, unless the fault hides it from every verify read."""
        if self.fault.name in ("lines", "flips", "bus") or overflow:
            return
        if missing := oracle.unlisted(self.array, self.target, log):
            self.silent.append(missing)

    async def _check(self) -> None:
        """VERIFY_ROW, READ_ROW or REFRESH_ROW of a row that was programmed before."""
        target, host = self.target, self.host
        self.array.preload(target.tile, target.row, target.image, target.mask)
        if self.fault.name == "devices":
            self.stick([(target.tile, target.row, target.mask)])
        command = Command[f"{self.fault.work.upper()}_ROW"]
        length = read_row_cycles(GEOMETRY, TIMING) * _READS[command]
        await host.driver.load_row(target.tile, target.row, target.image, target.mask)
        outcome = await host.command(command, self.hooks(length).get("during"))
        good = host.note(outcome)
        if outcome[0] is ErrorCode.NOT_CONVERGED:
            self._listed(await host.driver.failure_log(), False)
        if good and command is Command.READ_ROW:
            bits = host.bits(await host.bus.read_burst("ROW_IMAGE", GEOMETRY.row_words))
            good = bool((bits == target.image)[target.mask].all())
            if not good:
                host.reports.append("READ_ROW differs")
        if good:
            self.claims.append(target)
        if host.reports:
            await self._recover([] if good else [target])

    def _vectors(self, mapping: Mapping, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        images = rng.integers(0, 2, (2, mapping.network.n_in), dtype=np.uint8)
        return images, mapping.pack_inputs(images)

    async def _infer(self) -> None:
        fault, mapping = self.fault, self.networks[self.fault.options["network"]]
        inference.load(mapping, self.array)
        rows = [Claim(t, r, mapping.images[t, r], mapping.masks[t, r]) for t, r in mapping.program_order()]
        self.claims = [c for c in rows if oracle.contradiction(self.array, c) is None]
        if len(self.claims) < len(
            rows
        ):  # born with a stuck device in the network: freed, it is not the fault
            for c in rows:
                self.array.devices.stick(c.tile, c.row, c.mask, ProgSide.P, Stuck.NONE)
                self.array.devices.stick(c.tile, c.row, c.mask, ProgSide.N, Stuck.NONE)
            inference.load(mapping, self.array)
            self.claims = list(rows)
        sound = self.array.copy()
        if fault.name == "devices":
            self.stick([(c.tile, c.row, c.mask) for c in rows])
        elif fault.name == "lines":
            self.break_lines(rows[0].tile, rows[int(self.rng.integers(len(rows)))].row)
        elif fault.name == "comparator":
            self.agent.spoil(comparator=self.options(Comparator))
        elif "resolve_cyc" in fault.options:
            self.agent.spoil(
                comparator=Comparator(kind="slow", resolve_cyc=fault.options["resolve_cyc"], times=100_000)
            )
        images, vectors = self._vectors(mapping, self.rng)
        hooks = self.hooks(self.lengths[mapping.network.name])
        accepted = await self._try(self._results(mapping, rows, images, vectors, sound, hooks))
        if accepted and not self.host.reports:
            return
        self.claims, failed = await self._standing(rows)
        self.lost += failed
        if failed or not await self._try(self._results(mapping, rows, images, vectors, None, {})):
            await self._give_up()
            self.lost += [] if self.lost else rows[:1]

    async def _results(
        self,
        mapping: Mapping,
        rows: list[Claim],
        images: np.ndarray,
        vectors: np.ndarray,
        sound: Any,
        hooks: dict[str, Hook],
    ) -> bool:
        """Whether INFER gives results that pass the host's checks; those are held against the model."""
        host, twins = self.host, [self.array.copy()]
        if sound is not None and self.fault.name != "devices":
            twins.append(sound)  # nothing but the fault differs: the results must be those of the sound chip
        results = await host.infer(mapping, vectors, **hooks)
        if results is None:
            return False
        tested = {c.tile: c for c in rows}.values()
        for claim in rows:
            if not await host.verified(claim):
                host.reports.append(f"VERIFY_ROW of tile {claim.tile}, row {claim.row}")
                return False
        for claim in tested:
            if not await host.line_test(claim):
                return False
        if not (await host.columns_work(mapping) and await host.comparators_work() and await host.scrub()):
            return False
        if wrong := oracle.results_differ(mapping, twins, images, results):
            self.silent.append(wrong)
        return True

    # -- after a report -----------------------------------------------------------------------------------

    async def _restart(self) -> None:
        """Firmware's answer to any report: a reset, and everything anew."""
        await self.env.reset(2)
        self.pin["watch_shape"].set(1)
        await self.host.renew()

    async def _standing(self, claims: list[Claim]) -> tuple[list[Claim], list[Claim]]:
        """Rows that verify, or were programmed again; and those that are lost."""
        await self._restart()
        standing, lost = [], []
        for claim in claims:
            sound = await self.host.verified(claim) and await self.host.line_test(claim)
            if sound or await self.host.program(claim):
                standing.append(claim)
            else:
                lost.append(claim)
        return standing, lost

    async def _recover(self, wanted: list[Claim]) -> None:
        """Look at every row held for programmed; program what is wanted once more, else in a spare row."""
        self.claims, failed = await self._standing(self.claims)
        for claim in [*failed, *wanted]:
            spare = dataclasses.replace(claim, row=SPARE_ROW)
            if await self.host.program(claim):
                self.claims.append(claim)
            elif not any(
                (c.tile, c.row) == (spare.tile, spare.row) for c in self.claims
            ) and await self.host.program(spare):
                self.claims.append(spare)
            else:
                self.lost.append(claim)
        await self._give_up()

    async def _give_up(self) -> None:
        """What one row's pulses undid in another is lost: the two cannot both be had."""
        for claim in list(self.claims):
            if not (await self.host.verified(claim) and await self.host.line_test(claim)):
                self.claims.remove(claim)
                self.lost.append(claim)

    async def _observe(self) -> None:
        """The oracle's look: the array, a later READ_ROW, the monitor's rules and the macro's."""
        for claim in self.claims:
            if wrong := oracle.contradiction(self.array, claim):
                self.silent.append(wrong)
        reports, self.host.reports = self.host.reports, []
        rails, self.agent.rails = self.agent.rails, Rails()
        await self.env.cycles(3)
        if self.pin["busy"].int() and not self.host.stuck:
            await self.host.outcome()
        if self.fault.work != "infer":
            await self._restart()
            for claim in self.claims:
                bits = await self.host.read_row(claim)
                if bits is None or (bits != claim.image)[claim.mask].any():
                    self.silent.append(f"READ_ROW of tile {claim.tile}, row {claim.row} contradicts")
        self.host.reports, self.agent.rails = reports, rails
        self.silent += rules_of(self.pin["broken"].int())
        self.silent += self.agent.errors
        if self.host.bus.unknown:
            self.silent.append("the host read X")
        if self.host.stuck:
            self.silent.append("a command did not end, not even by an abort")


class _Stamp:
    """A hook that remembers when it ran."""

    def __init__(self, env: Env):
        self.env, self.cycle = env, 0

    async def __call__(self) -> None:
        self.cycle = self.env.cycle()
