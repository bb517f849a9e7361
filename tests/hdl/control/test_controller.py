"""Controller: what the wires join, through the Wishbone port, with stub sequencers played here."""

import pytest
from amaranth.hdl import Signal
from amaranth.lib.wiring import Out

from bridgebnn.hdl.control.controller import Controller
from bridgebnn.hdl.spec import Command, ErrorCode, Geometry, ProgOp, Timing
from bridgebnn.hdl.spec.register_map import Access, register_map
from tests.hdl.clocked import clocked
from tests.hdl.control.stub_sequencers import StubLayerSequencer, StubProgramSequencer

GEOMETRY = Geometry(tiles=2, rows=40, inputs=30, bias=4, thresholds=6, layers=2, scores=3, log_depth=2)
REGS = register_map(GEOMETRY, Timing())
KEYS = (0x554E4C4B, 0x50524F47)  # as users know them: written down a second time


def make():
    """Controller on stubs."""
    return Controller(GEOMETRY, program=StubProgramSequencer(GEOMETRY), layer=StubLayerSequencer(GEOMETRY))


class Host:
    """Wishbone accesses by byte address."""

    def __init__(self, ctx, dut):
        self.ctx, self.dut = ctx, dut

    async def _access(self, address, data):
        ctx, dut = self.ctx, self.dut
        ctx.set(dut.wb_adr, address // 4)
        ctx.set(dut.wb_we, data is not None)
        ctx.set(dut.wb_dat_w, data or 0)
        for signal in (dut.wb_cyc, dut.wb_stb):
            ctx.set(signal, 1)
        ctx.set(dut.wb_sel, 0xF)
        for _ in range(4):
            await ctx.tick()
            ack, err = ctx.get(dut.wb_ack), ctx.get(dut.wb_err)
            if ack or err:
                word = ctx.get(dut.wb_dat_r)
                ctx.set(dut.wb_stb, 0)
                ctx.set(dut.wb_cyc, 0)
                await ctx.tick()
                return word if ack else None
        raise TimeoutError(f"no answer at {address:#x}")

    async def read(self, name, word=0):
        """Word, or None when refused."""
        return await self._access(REGS.address(name, word), None)

    async def fields(self, name):
        return REGS.register(name).unpack(await self.read(name))

    async def write(self, name, data, word=0):
        """Whether the write was acknowledged."""
        return await self._access(REGS.address(name, word), data) is not None

    async def unlock(self):
        for key in KEYS:
            assert await self.write("UNLOCK", key)


def test_ports_are_those_of_the_architecture():
    dut = make()
    g = GEOMETRY
    vector = g.tiles * g.columns
    widths = {
        "wb_cyc": 1, "wb_stb": 1, "wb_we": 1, "wb_adr": 15, "wb_dat_w": 32, "wb_sel": 4, "wb_dat_r": 32,
        "wb_ack": 1, "wb_err": 1, "irq": 1, "row": 6, "wl_en": 2, "bl": vector, "col_en": vector,
        "precharge": 1, "evaluate": 1, "sense": 1, "cmp_ref": g.ref_width, "cmp": 2, "cmp_valid": 2,
        "sl": vector, "hv_en": 1, "hv_ready": 1, "prog_op": 2, "prog_side": 1, "wl_level": 8,
        "prog_level": 8, "pulse": 1, "verify": 1, "verify_ref": 2,
    }  # fmt: skip
    inputs = {"wb_cyc", "wb_stb", "wb_we", "wb_adr", "wb_dat_w", "wb_sel"}
    inputs |= {"cmp", "cmp_valid", "sl", "hv_ready"}
    members = dut.signature.members
    assert {n: Signal(m.shape).shape().width for n, m in members.items()} == widths
    assert {n for n, m in members.items() if m.flow != Out} == inputs
    assert Signal(members["cmp_ref"].shape).shape().signed

    async def scenario(ctx):
        await ctx.tick()

    clocked(dut, scenario)


def test_settings_reach_the_sequencers():
    dut = make()

    async def scenario(ctx):
        host = Host(ctx, dut)
        await host.write("TIMING_READ", 0x030201)
        await host.write("TIMING_RESOLVE", 0x1234)
        await host.write("TIMING_PROGRAM", 0x0506)
        await host.write("TIMING_RAILS", 0x07080901)
        await host.write("MAX_PARALLEL", 0x0A0B)
        await host.write("VERIFY_MARGIN", 0x5A)
        await host.write("PROG_ADDRESS", 0x010027)
        await host.write("LAYER_COUNT", 0x7)
        await host.write("INFER_COUNT", 0x89ABCDEF)
        for op in ProgOp:
            base = 0x10 * (op + 1)
            await host.write(f"{op.name}_PULSE", (base + 2) << 16 | base << 8 | (base + 1))
            await host.write(f"{op.name}_PROG", (base + 5) << 16 | (base + 4) << 8 | (base + 3))
            await host.write(f"{op.name}_WL", (base + 8) << 16 | (base + 7) << 8 | (base + 6))
        read, program = dut.layer.settings, dut.program.settings
        assert [ctx.get(getattr(read, n)) for n in ("precharge_cyc", "evaluate_cyc", "sense_cyc")] == [
            1,
            2,
            3,
        ]
        assert ctx.get(read.resolve_limit_cyc) == 0x1234
        assert (ctx.get(program.wl_setup_cyc), ctx.get(program.verify_cyc)) == (6, 5)
        assert (ctx.get(program.rail_settle_cyc), ctx.get(program.rail_limit_cyc)) == (0x0901, 0x0708)
        assert (ctx.get(program.max_parallel), ctx.get(program.tile), ctx.get(program.row)) == (
            0x0A0B,
            1,
            0x27,
        )
        assert (ctx.get(dut.layer.layer_count), ctx.get(dut.layer.infer_count)) == (7, 0x89ABCDEF)
        assert ctx.get(program.verify_margin) == 0x5A
        for op in ProgOp:
            base, settings = 0x10 * (op + 1), program.ops[op]
            assert ctx.get(settings.width_cyc) == base << 8 | (base + 1)
            assert ctx.get(settings.attempts) == base + 2
            names = ("prog_start", "prog_step", "prog_limit", "wl_start", "wl_step", "wl_limit")
            assert [ctx.get(getattr(settings, n)) for n in names] == [base + 3 + i for i in range(6)]

    clocked(dut, scenario)


def test_status_and_counters_show_what_the_blocks_say():
    dut = make()

    async def scenario(ctx):
        host = Host(ctx, dut)
        sources = {
            "PROG_PULSES": dut.program.pulses,
            "PROG_VERIFIES": dut.program.verifies,
            "PROG_FAILURES": dut.program.failures,
            "RESULT_INDEX": dut.layer.result_index,
            "PERF_ROWS": dut.layer.perf_rows,
            "PERF_READ": dut.layer.perf_read,
            "PERF_BUSY": dut.layer.perf_busy,
        }
        for i, signal in enumerate(sources.values()):
            ctx.set(signal, 0x80000001 + 0x111 * i)
        ctx.set(dut.layer.result_class, 0x9876)
        assert [await host.read(n) for n in sources] == [0x80000001 + 0x111 * i for i in range(len(sources))]
        assert await host.read("RESULT_CLASS") == 0x9876
        ctx.set(dut.layer.result_valid, 1)
        assert (await host.fields("STATUS"))["result_valid"] == 1
        ctx.set(dut.program.pins.active, 1)
        ctx.set(dut.program.pins.hv_en, 1)
        assert (await host.fields("STATUS"))["rails"] == 0
        ctx.set(dut.hv_ready, 1)
        assert (await host.fields("STATUS"))["rails"] == 1

    clocked(dut, scenario)


def test_windows_lead_to_their_memories():
    dut = make()

    async def scenario(ctx):
        host = Host(ctx, dut)
        both = [w for w in REGS.windows if w.access is Access.RW]
        for window in both:
            for word in range(window.words):
                assert await host.write(window.name, window.offset << 8 | word, word)
        for window in both:
            for word in range(window.words):
                assert await host.read(window.name, word) == window.offset << 8 | word
        assert await host.write("INPUT", 5, 3)
        assert await host.read("INPUT") is None

    clocked(dut, scenario, cycles=3000)


def test_input_and_result_handshakes():
    dut = make()

    async def strobe(ctx, host, name, signal):
        """Whether the write was acknowledged, and whether the block saw it."""
        ctx.set(dut.wb_adr, REGS.address(name) // 4)
        ctx.set(dut.wb_sel, 0xF)
        for line in (dut.wb_we, dut.wb_cyc, dut.wb_stb):
            ctx.set(line, 1)
        seen = ctx.get(signal)
        return await host.write(name, 1), bool(seen)

    async def scenario(ctx):
        host = Host(ctx, dut)
        layer = dut.layer
        for ready, valid in ((1, 0), (0, 1), (0, 0), (1, 1)):
            ctx.set(layer.input_ready, ready)
            ctx.set(layer.result_valid, valid)
            await ctx.tick()
            await host.write("IRQ_PENDING", 0x3F)
            assert await strobe(ctx, host, "INPUT_PUSH", layer.input_push) == (bool(ready), bool(ready))
            assert (await host.fields("IRQ_PENDING"))["rejected"] == (not ready)
            assert await strobe(ctx, host, "INPUT", layer.input.w_en) == (bool(ready), bool(ready))
            await host.write("IRQ_PENDING", 0x3F)
            assert await strobe(ctx, host, "RESULT_POP", layer.result_pop) == (bool(valid), bool(valid))
            assert (await host.fields("IRQ_PENDING"))["rejected"] == 0

    clocked(dut, scenario)


def test_commands_reach_their_sequencer_and_end():
    dut = make()

    async def scenario(ctx):
        host = Host(ctx, dut)
        await host.unlock()
        for command, stub in (
            (Command.PROGRAM_ROW, dut.program),
            (Command.VERIFY_ROW, dut.program),
            (Command.READ_ROW, dut.program),
            (Command.INFER, dut.layer),
        ):
            ctx.set(stub.hold, 1)
            ctx.set(stub.code, ErrorCode.NOT_CONVERGED)
            assert await host.write("COMMAND", command)
            status = await host.fields("STATUS")
            assert (status["busy"], status["command"]) == (1, command)
            assert not await host.write("COMMAND", Command.NOP)
            assert not await host.write("LAYER_COUNT", 3)
            assert not await host.write("THRESHOLD", 3)
            assert await host.read("ROW_MASK") is None
            ctx.set(stub.hold, 0)
            await ctx.tick().repeat(2)
            status = await host.fields("STATUS")
            assert (status["busy"], status["done"], status["error"]) == (0, 0, 1)
            assert (await host.fields("ERROR"))["code"] == ErrorCode.NOT_CONVERGED
            pending = await host.fields("IRQ_PENDING")
            assert (pending["error"], pending["rejected"], pending["done"]) == (1, 1, 0)
            await host.write("IRQ_PENDING", 0x3F)
            ctx.set(stub.hold, 1)
            await host.write("COMMAND", command)
            assert await host.write("COMMAND", Command.ABORT)
            assert (await host.fields("ERROR"))["code"] == ErrorCode.ABORTED
            ctx.set(stub.hold, 0)

    clocked(dut, scenario)


def test_read_lock_hides_the_image_only():
    dut = make()

    async def scenario(ctx):
        host = Host(ctx, dut)
        await host.write("ROW_IMAGE", 0x5)
        assert await host.read("ROW_IMAGE") == 0x5
        await host.write("LOCK", 2)
        assert await host.read("ROW_IMAGE") is None
        assert await host.write("ROW_IMAGE", 0x6)
        assert await host.read("ROW_MASK") is not None

    clocked(dut, scenario)


def test_read_lock_freezes_the_network():
    dut = make()

    async def scenario(ctx):
        host = Host(ctx, dut)
        for name in ("DESCRIPTOR", "THRESHOLD", "LAYER_COUNT"):
            assert await host.write(name, 3)
            assert await host.read(name) == 3
        await host.write("LOCK", 2)
        for name in ("DESCRIPTOR", "THRESHOLD", "LAYER_COUNT"):
            assert not await host.write(name, 1)
            assert await host.read(name) == 3
        assert await host.write("INFER_COUNT", 5)

    clocked(dut, scenario)


def test_failures_are_logged_and_cleared():
    dut = make()

    async def scenario(ctx):
        host = Host(ctx, dut)
        for i in range(3):
            ctx.set(dut.program.log_entry, (i + 1) << 32 | 0x80000010 + i)
            ctx.set(dut.program.log_push, 1)
            await ctx.tick()
            ctx.set(dut.program.log_push, 0)
        assert await host.fields("LOG_STATUS") == {"count": 2, "overflow": 1}
        assert [await host.read("FAIL_LOG", i) for i in range(4)] == [0x80000010, 1, 0x80000011, 2]
        assert (await host.fields("IRQ_PENDING"))["log_overflow"] == 1
        await host.write("COMMAND", Command.CLEAR_LOG)
        assert await host.fields("LOG_STATUS") == {"count": 0, "overflow": 0}
        assert [await host.read("FAIL_LOG", i) for i in range(4)] == [0] * 4

    clocked(dut, scenario)


@pytest.mark.parametrize("name", ["result_valid", "input_ready"])
def test_availability_is_an_event(name):
    dut = make()
    event = {"result_valid": "result", "input_ready": "input_ready"}[name]
    take = {"result_valid": "RESULT_POP", "input_ready": "INPUT_PUSH"}[name]

    async def scenario(ctx):
        host = Host(ctx, dut)
        level = getattr(dut.layer, name)
        ctx.set(level, 0)
        await ctx.tick().repeat(2)
        assert (await host.fields("IRQ_PENDING"))[event] == 0
        ctx.set(level, 1)
        await ctx.tick().repeat(2)
        assert (await host.fields("IRQ_PENDING"))[event] == 1
        await host.write("IRQ_PENDING", 0x3F)
        await ctx.tick().repeat(3)
        assert (await host.fields("IRQ_PENDING"))[event] == 0
        await host.write(take, 0)  # one taken, and another one is there
        assert (await host.fields("IRQ_PENDING"))[event] == 1

    clocked(dut, scenario)


def test_pulse_leaves_only_while_unlocked():
    dut = make()

    async def scenario(ctx):
        host = Host(ctx, dut)
        for signal in ("active", "pulse", "hv_en", "wl_en"):
            ctx.set(getattr(dut.program.pins, signal), 1)
        ctx.set(dut.hv_ready, 1)
        assert (ctx.get(dut.hv_en), ctx.get(dut.wl_en), ctx.get(dut.pulse)) == (1, 1, 0)
        await host.unlock()
        assert (ctx.get(dut.pulse), ctx.get(dut.program.unlocked)) == (1, 1)
        ctx.set(dut.hv_ready, 0)
        assert ctx.get(dut.pulse) == 0
        ctx.set(dut.hv_ready, 1)
        await host.write("LOCK", 1)
        assert (ctx.get(dut.pulse), ctx.get(dut.program.unlocked)) == (0, 0)
        await host.unlock()
        assert (ctx.get(dut.pulse), ctx.get(dut.program.unlocked)) == (0, 0)

    clocked(dut, scenario)


def test_columns_leave_only_while_the_layer_sequencer_is_active():
    dut = make()

    async def scenario(ctx):
        ctx.set(dut.layer.bl, 0x155)
        ctx.set(dut.layer.col_en, 0x1FF)
        ctx.set(dut.layer.pins.wl_en, 3)
        assert (ctx.get(dut.bl), ctx.get(dut.col_en), ctx.get(dut.wl_en)) == (0, 0, 0)
        ctx.set(dut.layer.active, 1)
        assert (ctx.get(dut.bl), ctx.get(dut.col_en), ctx.get(dut.wl_en)) == (0x155, 0x1FF, 3)

    clocked(dut, scenario)


def test_irq_line_needs_pending_and_enable():
    dut = make()

    async def scenario(ctx):
        host = Host(ctx, dut)
        await host.write("COMMAND", Command.NOP)
        assert ctx.get(dut.irq) == 0
        await host.write("IRQ_ENABLE", 0x3E)
        assert ctx.get(dut.irq) == 0
        await host.write("IRQ_ENABLE", 0x01)
        assert ctx.get(dut.irq) == 1
        await host.write("IRQ_PENDING", 0x01)
        assert ctx.get(dut.irq) == 0

    clocked(dut, scenario)


def test_clear_log_clears_the_counters_once():
    dut = make()

    async def scenario(ctx):
        ctx.set(dut.wb_adr, REGS.address("COMMAND") // 4)
        ctx.set(dut.wb_dat_w, Command.CLEAR_LOG)
        ctx.set(dut.wb_sel, 0xF)
        for line in (dut.wb_we, dut.wb_cyc, dut.wb_stb):
            ctx.set(line, 1)
        seen = []
        for cycle in range(6):
            seen.append(ctx.get(dut.program.clear))
            await ctx.tick()
            if cycle == 1:
                ctx.set(dut.wb_stb, 0)
        assert sum(seen) == 1

    clocked(dut, scenario)
