"""Descriptors: the dataclass, the table and its plan, the check, the threshold memory."""

import random
from dataclasses import replace

import pytest
from amaranth.hdl import Module
from amaranth.sim import Simulator

from bridgebnn.hdl.layers.descriptor_table import DescriptorCheck, DescriptorTable, ThresholdMemory
from bridgebnn.hdl.spec import Combine, Descriptor, Geometry, ReadMode, check_descriptors

GEOMETRY = Geometry(tiles=5, rows=50, inputs=40, bias=6, thresholds=70, layers=4, scores=12)
GOOD = [
    Descriptor(tile_count=5, cols=40, cols_last=3, row_count=50, bias=6, combine=Combine.VOTE),
    Descriptor(
        tile_first=3,
        tile_count=2,
        cols=40,
        cols_last=10,
        row_first=25,
        row_count=25,
        bias_last=6,
        mode=ReadMode.COUNT,
        use_threshold=True,
        threshold_base=45,
    ),
    Descriptor(tile_first=4, cols=25, cols_last=25, row_count=12, mode=ReadMode.SEARCH, score=True),
]


def simulate(dut, testbench):
    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(testbench)
    sim.run()


async def write(ctx, window, addr, value):
    ctx.set(window.addr, addr)
    ctx.set(window.w_data, value)
    ctx.set(window.w_en, 1)
    await ctx.tick()
    ctx.set(window.w_en, 0)


async def read(ctx, window, addr):
    ctx.set(window.addr, addr)
    ctx.set(window.r_en, 1)
    await ctx.tick()
    ctx.set(window.r_en, 0)
    ctx.set(window.addr, 0)
    value = ctx.get(window.r_data)
    await ctx.tick()
    assert ctx.get(window.r_data) == value  # holds until the next strobe
    return value


@pytest.mark.parametrize("descriptor", GOOD, ids=range(3))
def test_words_and_back(descriptor):
    assert Descriptor.from_words(descriptor.words()) == descriptor


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tile_count", 0),
        ("tile_count", 256),
        ("row_count", 0),
        ("cols", 0),
        ("cols_last", 0),
        ("bias_last", 2048),
    ],
)
def test_fields_that_no_word_holds(field, value):
    with pytest.raises(ValueError, match=rf"Descriptor.{field} = {value}: must be an integer from"):
        replace(GOOD[0], **{field: value})


def test_words_of_no_descriptor():
    with pytest.raises(ValueError, match="must be 4 words"):
        Descriptor.from_words([0, 0, 0])
    with pytest.raises(ValueError, match="3 is not a valid ReadMode"):
        Descriptor.from_words([0x100, 1, 0x10001, 3 << 27])


def test_inputs_and_enabled_columns():
    assert [d.inputs for d in GOOD] == [163, 50, 25]
    assert [GOOD[0].enabled(t) for t in range(5)] == [46, 46, 46, 46, 3]
    with pytest.raises(ValueError, match="tile 5: the layer has 5"):
        GOOD[0].enabled(5)


def test_table_window_and_plan():
    dut = DescriptorTable(GEOMETRY)

    async def testbench(ctx):
        for index, d in enumerate(GOOD):
            for w, value in enumerate(d.words()):
                await write(ctx, dut.window, 4 * index + w, value)
        for index, d in enumerate(GOOD):
            for w, value in enumerate(d.words()):
                assert await read(ctx, dut.window, 4 * index + w) == value
        for index, d in enumerate(GOOD):
            ctx.set(dut.index, index)
            ctx.set(dut.fetch, 1)
            await ctx.tick()
            ctx.set(dut.fetch, 0)
            plan = {name: ctx.get(getattr(dut.plan, name)) for name in dut.plan.shape().members}
            last, first = d.enabled(d.tile_count - 1), d.cols + d.bias
            tops = [1 << c.bit_length() - 1 for c in (first, last)]
            end = d.tile_first + d.tile_count
            assert plan == {
                "mode": d.mode,
                "use_threshold": d.use_threshold,
                "score": d.score,
                "row_first": d.row_first,
                "row_last": d.row_first + d.row_count - 1,
                "threshold_base": d.threshold_base,
                "tile_first": d.tile_first,
                "tile_last": end - 1,
                "tile_count": d.tile_count,
                "used": (1 << end) - (1 << d.tile_first),
                "first": 1 << d.tile_first,
                "last": 1 << end - 1,
                "cols": d.cols,
                "cols_last": d.cols_last,
                "bias": d.bias,
                "bias_last": d.bias_last,
                "enabled": first,
                "enabled_last": last,
                "top": tops[0],
                "top_last": tops[1],
                "ref_top": (first + 1) // 2 - tops[0],
                "ref_top_last": (last + 1) // 2 - tops[1],
            }

    simulate(dut, testbench)


def bad_tables():
    """(table, index of the first bad descriptor) for each rule, and just inside it."""
    a, b, c = GOOD
    yield GOOD, None
    yield [c], None
    yield [replace(a, cols_last=40)], None
    for index, field, values in (
        (0, "tile_first", (1, 255)),
        (0, "row_first", (1, 65535)),
        (1, "row_first", (26, 40)),
        (1, "tile_first", (4, 5)),
        (0, "cols", (41, 65535)),
        (0, "cols_last", (41, 65535)),
        (0, "bias", (7, 65535)),
        (1, "bias_last", (7, 2047)),
        (1, "threshold_base", (46, 65535)),
        (0, "combine", (Combine.ADD,)),
        (0, "mode", (ReadMode.COUNT, ReadMode.SEARCH)),
        (1, "combine", (Combine.VOTE,)),
        (0, "score", (True,)),
        (1, "score", (True,)),
        (2, "row_count", (13,)),
        (1, "cols", (39,)),
        (1, "cols_last", (9, 11)),
        (2, "cols_last", (24, 26)),
    ):
        for value in values:
            table = list(GOOD)
            table[index] = replace(table[index], **{field: value})
            yield table, index
    yield [a, b, c, c], 2
    rng = random.Random(2)
    for _ in range(60):
        table = list(GOOD)
        for _ in range(2):
            index = rng.randrange(3)
            field = rng.choice(("tile_first", "tile_count", "row_first", "row_count", "cols_last", "bias"))
            table[index] = replace(table[index], **{field: rng.randint(1, 60)})
        yield table, "as the function says"


FIELD_MASKS = (0xFF, 0xFF00, 0xFFFF_0000), (0xFFFF, 0xFFFF_0000), (0xFFFF, 0xFFFF_0000), (0xFFFF, 0x7FF_0000)
"""Words of a descriptor: its fields of several bits that are numbers."""


def edge_words():
    """Words of tables with one bit the other way, or one field of ones, powers of two or zeros."""
    good = [w for d in GOOD for w in d.words()]
    for place, word in enumerate(good):
        changed = {word ^ 1 << bit for bit in range(32)}
        for mask in FIELD_MASKS[place % 4]:
            powers = {1 << bit for bit in range(32)} & {mask & (1 << bit) for bit in range(32)}
            changed |= {word & ~mask | value for value in (0, mask, *powers)}
        for value in sorted(changed - {word}):
            yield [*good[:place], value, *good[place + 1 :]]


def first_bad_of_words(rows):
    """As the function says; a descriptor that cannot even be one is bad by itself."""
    table = []
    for index in range(len(rows) // 4):
        try:
            table.append(Descriptor.from_words(rows[4 * index : 4 * index + 4]))
        except ValueError:
            # Those before it are judged first, though without what comes after the last of them.
            found = first_bad([*table, GOOD[-1]]) if table else None
            return index if found is None else min(found, index)
    return first_bad(table)


def first_bad(table):
    try:
        check_descriptors(table, GEOMETRY)
    except ValueError as error:
        return int(str(error).split()[1])
    return None


def test_check_agrees_with_the_function():
    m = Module()
    m.submodules.table, m.submodules.check = table, check = (
        DescriptorTable(GEOMETRY),
        DescriptorCheck(GEOMETRY),
    )
    m.d.comb += [table.fetch.eq(check.fetch), table.index.eq(check.index), check.raw.eq(table.raw)]
    compared = 0

    async def run(ctx, rows, count):
        for addr, value in enumerate(rows):
            await write(ctx, table.window, addr, value)
        ctx.set(check.layer_count, count)
        ctx.set(check.start, 1)
        await ctx.tick()
        ctx.set(check.start, 0)
        for cycle in range(1, 2000):
            if ctx.get(check.bad):
                assert not ctx.get(check.done)
                return cycle, ctx.get(check.index)
            if ctx.get(check.done):
                return cycle, None
            await ctx.tick()
        raise AssertionError("the check does not end")

    async def testbench(ctx):
        nonlocal compared
        for descriptors, index in bad_tables():
            if index != "as the function says":
                assert first_bad(descriptors) == index
            cycles, found = await run(ctx, [w for d in descriptors for w in d.words()], len(descriptors))
            assert found == first_bad(descriptors), descriptors
            if found is None:
                assert cycles == sum(d.tile_count + 2 for d in descriptors)
            compared += 1
        # what the dataclass refuses, the hardware must see by itself
        good = GOOD[2].words()
        for word, mask in ((0, 0xFF00), (1, 0xFFFF), (2, 0xFFFF), (2, 0xFFFF0000)):
            words = list(good)
            words[word] &= ~mask
            assert (await run(ctx, words, 1))[1] == 0
        assert (await run(ctx, [*good[:3], good[3] | 3 << 27], 1))[1] == 0

    simulate(m, testbench)
    assert compared > 80


def test_check_of_every_bit():
    """Every bit of every field counts: with one ignored, some table here would pass, or be another layer's fault."""
    m = Module()
    m.submodules.table, m.submodules.check = table, check = (
        DescriptorTable(GEOMETRY),
        DescriptorCheck(GEOMETRY),
    )
    m.d.comb += [table.fetch.eq(check.fetch), table.index.eq(check.index), check.raw.eq(table.raw)]
    ends = []

    async def testbench(ctx):
        ctx.set(check.layer_count, len(GOOD))
        for rows in edge_words():
            for addr, value in enumerate(rows):
                await write(ctx, table.window, addr, value)
            ctx.set(check.start, 1)
            await ctx.tick()
            ctx.set(check.start, 0)
            *_, done, index = await ctx.tick().sample(check.done, check.index).until(check.bad | check.done)
            ends.append((rows, None if done else index))

    simulate(m, testbench)
    assert sum(found is not None for _, found in ends) > 300
    for rows, found in ends:
        assert found == first_bad_of_words(rows), [hex(word) for word in rows]


def test_too_many_or_no_descriptors():
    for table in ([], [GOOD[2]] * 5):
        with pytest.raises(ValueError, match="must be 1 to 4"):
            check_descriptors(table, GEOMETRY)


def test_thresholds_are_read_ahead_in_order():
    dut = ThresholdMemory(GEOMETRY)
    values = [random.Random(1).randint(-32768, 32767) for _ in range(70)]

    async def testbench(ctx):
        for addr, value in enumerate(values):
            await write(ctx, dut.window, addr, value & 0xFFFFFFFF)
        for addr in (0, 35, 69):
            assert await read(ctx, dut.window, addr) == values[addr] & 0xFFFFFFFF
        for base in (7, 0, 60):
            ctx.set(dut.base, base)
            ctx.set(dut.restart, 1)
            for offset in range(10):
                ctx.set(dut.fetch, 1)
                await ctx.tick()
                ctx.set(dut.restart, 0)
                ctx.set(dut.fetch, 0)
                for _ in range(offset % 3):
                    assert ctx.get(dut.value) == values[base + offset]
                    await ctx.tick()
                assert ctx.get(dut.value) == values[base + offset]

    simulate(dut, testbench)
