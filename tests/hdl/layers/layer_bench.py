"""Bench of the layer sequencer: ideal macro, monitor of the pins, host, and reference; pure Python."""

import random
from dataclasses import dataclass, field

from amaranth.sim import Simulator

from bridgebnn.hdl.layers.layer_sequencer import LayerSequencer
from bridgebnn.hdl.spec import Combine, Command, Descriptor, Geometry, ReadMode, Repairs, Timing


def bits_of(value, width):
    return [value >> i & 1 for i in range(width)]


def slice_of(descriptor, tile):
    """Inputs of the layer's tile number ``tile``."""
    low = tile * descriptor.cols
    return slice(low, None if tile == descriptor.tile_count - 1 else low + descriptor.cols)


@dataclass
class Network:
    """Descriptors, thresholds and weights (``weights[tile][row]``, C bits) on one geometry.

    ``repairs``: lines that are broken, and the spares that stand in; the weights are those without.
    """

    geometry: Geometry
    descriptors: list
    thresholds: list
    weights: list
    repairs: Repairs = field(default_factory=Repairs)

    def cells(self, tile, row):
        """What a word line holds: broken lines hold the opposite of what is wanted."""
        g, plain = self.geometry, row
        for spare, replaced in self.repairs.rows:
            if row == g.plain_rows + spare:
                plain = replaced
        value = self.weights[tile][plain]
        for spare, column in self.repairs.of_tile(tile).items():
            bit, place = value >> column & 1, g.plain_columns + spare
            value = (value & ~(1 << place) | bit << place) ^ 1 << column
        broken = row in dict((r, s) for s, r in self.repairs.rows)
        return value ^ ((1 << g.columns) - 1 if broken else 0)

    @staticmethod
    def random(geometry, layers, rng, spread=4):
        """``layers``: dicts of Descriptor fields; ``row_count`` defaults to the inputs of the next layer."""
        g = geometry
        descriptors = []
        inputs_after = None
        for fields in reversed(layers):
            fields = dict(fields)
            fields.setdefault("tile_count", 1)
            fields.setdefault("cols", g.inputs)
            fields.setdefault("cols_last", fields["cols"])
            fields.setdefault("row_count", inputs_after)
            fields.setdefault("tile_first", rng.randrange(g.tiles - fields["tile_count"] + 1))
            fields.setdefault("row_first", rng.randrange(g.plain_rows - fields["row_count"] + 1))
            fields.setdefault("bias", rng.randrange(g.bias + 1))
            fields.setdefault("bias_last", rng.randrange(g.bias + 1))
            if fields.get("use_threshold"):
                fields.setdefault("threshold_base", rng.randrange(g.thresholds - fields["row_count"] + 1))
            d = Descriptor(**fields)
            descriptors.insert(0, d)
            inputs_after = d.inputs
        thresholds = [rng.randint(-spread, spread) for _ in range(g.thresholds)]
        for d in descriptors:
            if d.use_threshold and d.mode != ReadMode.SIGN:
                centre = sum(d.enabled(t) for t in range(d.tile_count))
                for i in range(d.row_count):
                    thresholds[d.threshold_base + i] = rng.randint(-spread, spread) - centre
        weights = [[rng.getrandbits(g.columns) for _ in range(g.rows)] for _ in range(g.tiles)]
        return Network(g, descriptors, thresholds, weights)

    def infer(self, bits):
        """Reference: (bits, scores, class) of the last layer for the input ``bits``."""
        for d in self.descriptors:
            if not d.reads_map:
                scores, bits = self.read_rows(d, bits)
                continue
            walk, written = d.walk, []
            pixels = [bits[i : i + walk.channels] for i in range(0, walk.map_bits, walk.channels)]
            pooled = []
            for y, x in walk.positions():
                window = []
                for row in range(y, y + walk.kernel):
                    for column in range(x, x + walk.kernel):
                        inside = 0 <= row < walk.height and 0 <= column < walk.width
                        window += pixels[row * walk.width + column] if inside else [0] * walk.channels
                scores, of_window = self.read_rows(d, window)
                pooled.append(of_window)
                if len(pooled) == walk.pool**2:
                    written += [max(bit) for bit in zip(*pooled, strict=True)]
                    pooled = []
            bits = written
        if not self.descriptors[-1].score:
            return bits, None, 0
        return bits, scores, scores.index(max(scores))

    def read_rows(self, d, bits):
        """Scores and bits of one layer's rows for one set of inputs."""
        g, scores = self.geometry, []
        for i in range(d.row_count):
            pops = []
            for t in range(d.tile_count):
                part = bits[slice_of(d, t)]
                weight = bits_of(self.weights[d.tile_first + t][d.row_first + i], g.columns)
                bias = d.bias_last if t == d.tile_count - 1 else d.bias
                ones = sum(a == b for a, b in zip(part, weight, strict=False))
                pops.append((ones + sum(weight[g.inputs : g.inputs + bias]), len(part) + bias))
            threshold = self.thresholds[d.threshold_base + i] if d.use_threshold else 0
            if d.mode == ReadMode.SIGN:
                votes = sum(2 * pop - enabled + 2 * threshold >= 0 for pop, enabled in pops)
                scores.append(2 * votes - len(pops))
            else:
                scores.append(2 * sum(pop for pop, _ in pops) + threshold)
        return scores, [int(score >= 0) for score in scores]

    def input_words(self, bits):
        """Words of window INPUT: each tile's slice from bit 0."""
        d = self.descriptors[0]
        if d.reads_map:
            value = sum(bit << i for i, bit in enumerate(bits))
            return {w: value >> 32 * w & 0xFFFFFFFF for w in range(-(-len(bits) // 32))}
        out = {}
        for t in range(d.tile_count):
            part = bits[slice_of(d, t)]
            value = sum(bit << i for i, bit in enumerate(part))
            for w in range(self.geometry.row_words):
                out[t * self.geometry.row_words + w] = value >> 32 * w & 0xFFFFFFFF
        return out


@dataclass
class IdealMacro:
    """Answers only when the timing says so; before, it drives the complement, or noise.

    ``late(row, tile)``: cycles by which ``cmp_valid`` misses the sense phase; None: never.
    """

    network: Network
    timing: Timing
    rng: random.Random
    late: object = lambda row, tile: 0
    evaluated: int = 0
    sensed: int = 0

    def answer(self, pins):
        g = self.network.geometry
        self.evaluated = self.evaluated + 1 if pins["evaluate"] else 0
        self.sensed = self.sensed + 1 if pins["sense"] else 0
        cmp = valid = sl = 0
        for t in range(g.tiles):
            low = t * g.columns
            all_columns = (1 << g.columns) - 1
            if not pins["wl_en"] >> t & 1 or not pins["evaluate"]:
                sl |= self.rng.getrandbits(g.columns) << low
                cmp |= self.rng.getrandbits(1) << t
                valid |= (self.rng.getrandbits(1) << t) if not pins["sense"] else 0
                continue
            xnor = ~(pins["bl"] >> low ^ self.network.cells(t, pins["row"])) & all_columns
            enabled = pins["col_en"] >> low & all_columns
            pop, count = (xnor & enabled).bit_count(), enabled.bit_count()
            decision = 2 * pop - count + 2 * pins["cmp_ref"] >= 0
            late = self.late(pins["row"], t)
            # the enabled columns answer right or wrong, the others as they like
            sl_tile = xnor if self.evaluated > self.timing.evaluate_cyc else ~xnor
            sl |= ((sl_tile & enabled) | (self.rng.getrandbits(g.columns) & ~enabled)) << low
            settled = late is not None and self.sensed >= self.timing.sense_cyc + late
            cmp |= (decision == settled) << t
            valid |= (settled or self.sensed < self.timing.sense_cyc) << t
        return cmp, valid, sl


@dataclass
class Monitor:
    """Watches the pins every cycle: the rules of a read, and which cycles have a phase."""

    timing: Timing
    geometry: Geometry
    exact: bool = True
    before: dict = None
    length: int = 0
    kind: str = "none"
    phases: list = field(default_factory=list)  # (kind, cycles)
    reads: list = field(default_factory=list)  # one flag a cycle

    def kind_of(self, pins):
        if pins["precharge"]:
            return "precharge"
        if pins["sense"]:
            return "sense"
        return "evaluate" if pins["evaluate"] else "none"

    def watch(self, pins, halted=False):
        p, q = pins, self.before
        assert not (p["precharge"] and p["evaluate"]), "precharge and evaluate overlap"
        assert p["evaluate"] or not p["sense"], "sense without evaluate"
        kind = self.kind_of(p)
        self.reads.append(kind != "none")
        assert (p["wl_en"] != 0) == (kind != "none"), "wl_en outside a read, or none in it"
        if q is not None:
            if p["evaluate"]:
                assert (p["bl"], p["col_en"]) == (q["bl"], q["col_en"]), "column data moved while evaluating"
                assert q["precharge"] or q["evaluate"], "evaluate without precharge"
            if kind != "none" and not (kind == "precharge" and self.kind != "precharge"):
                assert all(p[n] == q[n] for n in ("row", "wl_en", "cmp_ref")), (
                    "row, wl_en or cmp_ref moved in a read"
                )
        if kind == self.kind:
            self.length += 1
        else:
            self.leave(kind, halted)
            self.kind, self.length = kind, 1
        self.before = dict(p)

    def leave(self, kind, halted):
        self.phases.append((self.kind, self.length))
        if halted:
            return
        t = self.timing
        slices = -(-self.geometry.columns // self.geometry.count_width)
        if self.kind == "precharge":
            assert (kind, self.length) == ("evaluate", t.precharge_cyc), "precharge length"
        elif self.kind == "evaluate":
            wanted = t.evaluate_cyc + (0 if kind == "sense" else slices)
            assert self.length == wanted, f"evaluate lasted {self.length}, not {wanted}"
        elif self.kind == "sense":
            assert kind in ("precharge", "none")
            assert self.length == t.sense_cyc if self.exact else self.length >= t.sense_cyc, "sense length"

    def gaps(self):
        """Lengths of the runs of cycles without a phase, between the first and the last read."""
        text = "".join("r" if read else "." for read in self.reads).strip(".")
        return [len(gap) for gap in text.split("r") if gap]


class Bench:
    """Host of one LayerSequencer. A test gives ``scenario(bench)``, which awaits the host's actions."""

    PINS = ("row", "wl_en", "precharge", "evaluate", "sense", "cmp_ref")

    def __init__(self, network, timing=None, *, seed=1, late=None, dut=None, monitor=None, limit=100_000):
        self.network, self.timing = network, timing or Timing()
        self.dut = dut or LayerSequencer(network.geometry)
        self.macro = IdealMacro(network, self.timing, random.Random(seed))
        if late is not None:
            self.macro.late = late
        self.monitor = monitor or Monitor(self.timing, network.geometry, exact=late is None)
        self.limit = limit
        self.now = 0
        self.halting = False
        self.ended = []  # (cycle, code, detail)

    def run(self, scenario):
        sim = Simulator(self.dut)
        sim.add_clock(1e-6)

        async def testbench(ctx):
            self.ctx = ctx
            dut, t = self.dut, self.timing
            ctx.set(dut.settings.precharge_cyc, t.precharge_cyc)
            ctx.set(dut.settings.evaluate_cyc, t.evaluate_cyc)
            ctx.set(dut.settings.sense_cyc, t.sense_cyc)
            ctx.set(dut.settings.resolve_limit_cyc, t.resolve_limit_cyc)
            await scenario(self)

        sim.add_testbench(testbench)
        sim.run()

    def pins(self):
        """Values of the pins in this cycle."""
        pins = {name: self.ctx.get(getattr(self.dut.pins, name)) for name in self.PINS}
        return {**pins, "bl": self.ctx.get(self.dut.bl), "col_en": self.ctx.get(self.dut.col_en)}

    async def cycle(self, count=1):
        """Let the macro and the monitor see this cycle, then go to the next."""
        dut, ctx = self.dut, self.ctx
        for _ in range(count):
            pins = self.pins()
            self.monitor.watch(pins, self.halting)
            cmp, valid, sl = self.macro.answer(pins)
            ctx.set(dut.pins.cmp, cmp)
            ctx.set(dut.pins.cmp_valid, valid)
            ctx.set(dut.pins.sl, sl)
            if ctx.get(dut.cmd.done):
                self.ended.append((self.now, ctx.get(dut.cmd.code), ctx.get(dut.cmd.detail)))
            self.halting = bool(ctx.get(dut.cmd.abort))
            await ctx.tick()
            self.now += 1
            assert self.now < self.limit, "the bench ran past its limit"

    async def strobe(self, signal):
        self.ctx.set(signal, 1)
        await self.cycle()
        self.ctx.set(signal, 0)

    async def write(self, window, addr, value):
        self.ctx.set(window.addr, addr)
        self.ctx.set(window.w_data, value & 0xFFFFFFFF)
        await self.strobe(window.w_en)

    async def read(self, window, addr):
        self.ctx.set(window.addr, addr)
        await self.strobe(window.r_en)
        return self.ctx.get(window.r_data)

    async def load_network(self):
        dut = self.dut
        for index, d in enumerate(self.network.descriptors):
            for w, value in enumerate(d.words()):
                await self.write(dut.descriptor, 4 * index + w, value)
            if self.network.geometry.map_words:
                for w, value in enumerate(d.walk_words()):
                    await self.write(dut.walk, 4 * index + w, value)
        for index, value in enumerate(self.network.thresholds):
            await self.write(dut.threshold, index, value)
        self.ctx.set(dut.layer_count, len(self.network.descriptors))
        await self.load_repairs(self.network.repairs)

    async def load_repairs(self, repairs):
        g = self.network.geometry
        for index, value in enumerate(repairs.column_words(g)):
            await self.write(self.dut.repair_column, index, value)
        for index, value in enumerate(repairs.row_words(g)):
            await self.write(self.dut.repair_row, index, value)

    async def push(self, bits):
        while not self.ctx.get(self.dut.input_ready):
            await self.cycle()
        for addr, value in self.network.input_words(bits).items():
            await self.write(self.dut.input, addr, value)
        await self.strobe(self.dut.input_push)

    async def start(self, vectors=1):
        self.ctx.set(self.dut.infer_count, vectors)
        self.ctx.set(self.dut.cmd.command, Command.INFER)
        self.started = self.now
        assert not self.ctx.get(self.dut.cmd.busy)
        await self.strobe(self.dut.cmd.start)

    async def abort(self):
        self.halting = True
        await self.strobe(self.dut.cmd.abort)

    async def wait_done(self):
        """Cycle (after start), code and detail of the end of the command."""
        while not self.ctx.get(self.dut.cmd.done):
            assert self.ctx.get(self.dut.cmd.busy)
            await self.cycle()
        assert self.ctx.get(self.dut.cmd.busy)
        await self.cycle()
        assert not self.ctx.get(self.dut.cmd.busy)
        cycle, code, detail = self.ended[-1]
        return cycle - self.started, code, detail

    async def wait_result(self):
        while not self.ctx.get(self.dut.result_valid):
            await self.cycle()

    async def take_result(self):
        """Read the oldest result as ``Network.infer`` gives it, with its index; pop it."""
        dut, d = self.dut, self.network.descriptors[-1]
        bits = []
        for w in range(-(-d.row_count // 32)):
            bits += bits_of(await self.read(dut.result_bits, w), 32)
        scores = None
        if d.score:
            raw = [await self.read(dut.scores, i) for i in range(d.row_count)]
            scores = [value - (value >> 31 << 32) for value in raw]
        result = (bits[: d.row_count], scores, self.ctx.get(dut.result_class))
        assert not any(bits[d.row_count :])
        index = self.ctx.get(dut.result_index)
        await self.strobe(dut.result_pop)
        return result, index


def random_bits(rng, count):
    return [rng.getrandbits(1) for _ in range(count)]


SIGN, SEARCH, COUNT = ReadMode.SIGN, ReadMode.SEARCH, ReadMode.COUNT
VOTE, ADD = Combine.VOTE, Combine.ADD
