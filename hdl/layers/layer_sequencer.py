"""Layer sequencer: runs INFER, the table of layers over a number of input vectors."""

from enum import StrEnum

from amaranth.hdl import Module, Mux, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import bits_for

from bridgebnn.hdl.signatures import CommandPort, ReadPins, ReadSettings, WindowPort
from bridgebnn.hdl.spec import ErrorCode, Geometry, words

from .column_registers import ColumnRegisters
from .descriptor_table import DescriptorCheck, DescriptorTable, ThresholdMemory
from .maps import ActivationMaps
from .popcount import ScoreAdder, SliceCounter
from .read_sequencer import ReadSequencer
from .repair_table import RepairTable
from .results import ResultBanks
from .vectors import InputBanks, ResultWriter
from .walk_table import WalkCheck

__all__ = ["BAD_INFER_COUNT", "BAD_LAYER_COUNT", "BAD_REPAIR", "LayerSequencer", "LayerState"]

BAD_LAYER_COUNT = 1
"""Detail of BAD_SETTING: no layers, or more than the table holds."""
BAD_INFER_COUNT = 2
"""Detail of BAD_SETTING: no vectors."""
BAD_REPAIR = 3
"""Low byte of the detail of BAD_SETTING: a bad repair entry, its index in bits 23:8 (columns, then rows)."""


class LayerState(StrEnum):
    """What the layer sequencer is doing."""

    IDLE = "IDLE"
    CHECK = "CHECK"
    CHECK_REPAIRS = "CHECK_REPAIRS"
    FETCH_LAYER = "FETCH_LAYER"
    FETCH_THRESHOLD = "FETCH_THRESHOLD"
    START_LAYER = "START_LAYER"
    READ = "READ"
    REPORT = "REPORT"


class LayerSequencer(wiring.Component):
    """Runs the descriptor table over ``infer_count`` input vectors; every vector leaves one result.

    INFER checks the settings, every descriptor and every spare, then runs vector after vector. A vector's first layer
    waits for a pushed input, its last one for a free result bank. The next vector is loaded while the last
    layer is read. INFER ends when the last result is committed.

    ABORT, or an error: every pin is low in the next cycle. The vector that had started is dropped, its input
    bank is free already. Pushed vectors that had not started stay for the next INFER, and so do results that
    were not popped.

    Latency: ``hdl.spec.latency`` gives the exact number of cycles; between two layers, or two vectors when the
    input is ready, 3 cycles pass without a read phase.
    Throughput: one vector in ``sum over layers (read cycles + 3)`` cycles.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    cmd : In(CommandPort())
        Only INFER reaches it. Ends in DONE, or in BAD_SETTING, BAD_DESCRIPTOR (detail: index),
        COMPARATOR_TIMEOUT (detail: row in bits 15:0, tile in bits 23:16), ABORTED.
    settings, layer_count, infer_count : In
        Stable while busy.
    pins : Out(ReadPins)
    bl, col_en : Out(T*C)
    active : Out(1)
        High while busy: the macro pins are this block's.
    descriptor, threshold : In(WindowPort)
        Written only while idle.
    repair_column, repair_row : In(WindowPort)
        Only with spare columns or rows. Written only while idle.
    walk : In(WindowPort)
        Only with ``map_words``. Written only while idle.
    input, input_push, input_ready : In(WindowPort), In(1), Out(1)
        Fill and commit an input bank; the host has one.
    scores, result_bits, result_pop, result_valid, result_class, result_index
        The oldest result.
    perf_rows, perf_read, perf_busy : Out(32)
        Since INFER: rows read; cycles with a phase active; cycles in which a vector is under way, from the
        one before its first precharge to the one after its result is committed, waits for a result bank
        included.
    """

    def __init__(self, geometry: Geometry):
        self.geometry = g = geometry

        def window(count):
            return In(WindowPort(max(1, bits_for(count - 1))))

        repairs = {}
        if g.spare_columns:
            repairs["repair_column"] = window(g.tiles * g.spare_columns)
        if g.spare_rows:
            repairs["repair_row"] = window(g.spare_rows)
        maps = {"walk": window(4 * g.layers)} if g.map_words else {}
        super().__init__(
            repairs
            | maps
            | {
                "cmd": In(CommandPort()),
                "settings": In(ReadSettings),
                "layer_count": In(8),
                "infer_count": In(32),
                "pins": Out(ReadPins(g)),
                "bl": Out(g.tiles * g.columns),
                "col_en": Out(g.tiles * g.columns),
                "active": Out(1),
                "descriptor": window(4 * g.layers),
                "input": window(g.input_words),
                "threshold": window(g.thresholds),
                "scores": window(g.scores),
                "result_bits": window(words(g.rows)),
                "input_push": In(1),
                "input_ready": Out(1),
                "result_pop": In(1),
                "result_valid": Out(1),
                "result_class": Out(16),
                "result_index": Out(32),
                "perf_rows": Out(32),
                "perf_read": Out(32),
                "perf_busy": Out(32),
            }
        )

    def elaborate(self, platform):
        g = self.geometry
        m = Module()
        halt = Signal()  # every block back to its start, pins low
        halted = ResetInserter(halt)
        table, check = DescriptorTable(g), DescriptorCheck(g)
        thresholds, reader = ThresholdMemory(g), ReadSequencer(g)
        counter, adder = SliceCounter(g), ScoreAdder(g)
        columns, writer = ColumnRegisters(g), ResultWriter(g)
        inputs, results = InputBanks(g), ResultBanks(g)
        m.submodules.table, m.submodules.check = table, halted(check)
        m.submodules.thresholds, m.submodules.reader = thresholds, halted(reader)
        m.submodules.counter, m.submodules.adder = counter, halted(adder)
        m.submodules.columns, m.submodules.writer = columns, halted(writer)
        m.submodules.inputs, m.submodules.results = inputs, results

        repairs = self._repairs(m, reader, columns, halt) if g.repair_entries else None
        maps = self._maps(m, check, halted) if g.map_words else None

        connect(m, flipped(self.descriptor), table.window)
        connect(m, flipped(self.threshold), thresholds.window)
        connect(m, flipped(self.input), inputs.window)
        connect(m, flipped(self.scores), results.scores)
        connect(m, flipped(self.result_bits), results.bits)
        connect(m, flipped(self.pins), reader.pins)

        # Which layer, which vector. `layer_index` is the one that the table shows: the next to start.
        layer_index = Signal.like(table.index)
        layer_after = Signal.like(table.index)
        running_final = Signal()
        running_scored = Signal()
        remaining = Signal(32)
        vector = Signal(32)
        clear, start_layer = Signal(), Signal()
        first, final, last_vector = Signal(), Signal(), Signal()
        m.d.comb += [
            first.eq(layer_index == 0),
            final.eq(layer_index + 1 == self.layer_count),
            last_vector.eq(remaining == 1),
            layer_after.eq(Mux(final, 0, layer_index + 1)),
        ]
        with m.If(clear):
            m.d.sync += [layer_index.eq(0), remaining.eq(self.infer_count), vector.eq(0), running_final.eq(0)]
        with m.If(start_layer):
            m.d.sync += [layer_index.eq(layer_after), running_final.eq(final)]
            m.d.sync += running_scored.eq(table.plan.score)
        with m.If(results.commit):
            m.d.sync += [remaining.eq(remaining - 1), vector.eq(vector + 1)]

        # Prefetch: the next layer's descriptor when a layer starts, the next row's threshold when a row
        # starts.
        reading, fetch_layer, fetch_threshold = Signal(), Signal(), Signal()
        to_next_layer = fetch_threshold | reader.row_last
        restart_base, restart_uses = table.plan.threshold_base, table.plan.use_threshold
        if (
            maps is not None
        ):  # the last row of a window is followed by the layer's first one, if windows follow
            running_base = Signal.like(table.plan.threshold_base)
            with m.If(start_layer):
                m.d.sync += running_base.eq(table.plan.threshold_base)
            within = ~maps.last_window & ~fetch_threshold
            restart_base = Mux(within, running_base, restart_base)
            restart_uses = Mux(within, reader.use_threshold, restart_uses)
        m.d.comb += [
            check.layer_count.eq(self.layer_count),
            check.raw.eq(table.raw),
            table.fetch.eq(check.fetch | fetch_layer | start_layer),
            table.index.eq(Mux(check.fetch, check.index, Mux(start_layer, layer_after, layer_index))),
            thresholds.base.eq(restart_base),
            thresholds.restart.eq(to_next_layer),
            thresholds.fetch.eq(
                (fetch_threshold | reader.row_first) & Mux(to_next_layer, restart_uses, reader.use_threshold)
            ),
        ]

        # Reads, and what becomes of them.
        running_tiles = Signal.like(table.plan.tile_count)
        begun, stored = Signal(), Signal()
        with m.If(start_layer):
            m.d.sync += running_tiles.eq(table.plan.tile_count)
        m.d.sync += [begun.eq(start_layer), stored.eq(adder.last & ~halt)]
        m.d.comb += [
            reader.settings.eq(self.settings),
            reader.plan.eq(table.plan),
            reader.threshold.eq(thresholds.value),
            reader.start.eq(start_layer),
            counter.enable.eq(reader.counting),
            counter.slice.eq(reader.slice),
            counter.sl.eq(self.pins.sl),
            counter.col_en.eq(self.col_en),
            adder.row_first.eq(reader.row_first),
            adder.mode.eq(reader.mode),
            adder.use_threshold.eq(reader.use_threshold),
            adder.tile_count.eq(running_tiles),
            adder.threshold.eq(thresholds.value),
            adder.sample.eq(reader.sample),
            adder.sample_last.eq(reader.sample_last),
            adder.layer_last.eq(reader.row_last & (maps.last_window if maps is not None else 1)),
            adder.cmp.eq(self.pins.cmp),
            adder.wl_en.eq(reader.pins.wl_en),
            adder.hit.eq(reader.hit),
            writer.plan.eq(table.plan),
            writer.begin.eq(begun),
            writer.final.eq(running_final),
            writer.valid.eq(adder.valid & (~maps.writes if maps is not None else 1)),
            writer.bit.eq(adder.bit),
            writer.last.eq(adder.last),
            columns.plan.eq(table.plan),
            columns.move.eq(start_layer),
            columns.clear.eq(halt | ~self.active),
            columns.write.eq(Mux(inputs.write.en, inputs.write.as_value(), writer.write.as_value())),
            columns.write.en.eq(inputs.write.en | (writer.write.en & ~running_final)),
            self.bl.eq(columns.bl),
            self.col_en.eq(columns.col_en),
            inputs.plan.eq(table.plan),
            inputs.push.eq(self.input_push),
            inputs.take.eq(start_layer & first if maps is None else self._taken(maps, start_layer, first)),
            inputs.halt.eq(halt),
            self.input_ready.eq(inputs.ready),
            results.begin.eq(start_layer & final),
            results.keep.eq(running_final),
            results.scored.eq(running_scored),
            results.valid.eq(adder.valid & ~halt),
            results.last.eq(adder.last & ~halt),
            results.score.eq(adder.score),
            results.write.eq(writer.write),
            results.index.eq(vector),
            results.pop.eq(self.result_pop),
            self.result_valid.eq(results.result_valid),
            self.result_class.eq(results.result_class),
            self.result_index.eq(results.result_index),
        ]
        for tile in range(g.tiles):
            m.d.comb += adder.counts[tile].eq(counter.counts[tile])

        # Counters of the cycles.
        waiting = Signal()
        with m.If(clear):
            m.d.sync += [self.perf_rows.eq(0), self.perf_read.eq(0), self.perf_busy.eq(0)]
        with m.Else():
            with m.If(reader.sample & reader.sample_last):
                m.d.sync += self.perf_rows.eq(self.perf_rows + 1)
            with m.If(reader.pins.precharge | reader.pins.evaluate):
                m.d.sync += self.perf_read.eq(self.perf_read + 1)
            with m.If(reading | waiting):
                m.d.sync += self.perf_busy.eq(self.perf_busy + 1)

        # The command.
        bad_layers, bad_vectors, able = Signal(), Signal(), Signal()
        sourced = Signal()  # the next layer's inputs are in the back registers
        unresolved = Signal(24)
        m.d.comb += [
            bad_layers.eq((self.layer_count == 0) | (self.layer_count > g.layers)),
            bad_vectors.eq(self.infer_count == 0),
            able.eq(sourced & (~final | results.free)),
            unresolved[:16].eq(reader.pins.row),
            unresolved[16:].eq(reader.timeout_tile),
            self.active.eq(self.cmd.busy),
            self.cmd.busy.eq(1),
        ]

        starting = Signal()  # between two layers
        free_for_input = Signal()  # the back registers of the first layer's tiles
        if maps is None:
            m.d.comb += [sourced.eq(~first | inputs.loaded), inputs.enable.eq(free_for_input)]
        else:
            by_map = maps.walk.reads_map
            m.d.comb += [
                sourced.eq(Mux(by_map, maps.ready, ~first | inputs.loaded)),
                inputs.enable.eq(free_for_input & ~by_map),
                maps.source_ready.eq(Mux(first, free_for_input & inputs.available, starting)),
                maps.fetch.eq(table.fetch),
                maps.index.eq(table.index),
                maps.plan.eq(table.plan),
                maps.rows.eq(table.raw.row_count),
                maps.first.eq(first),
                maps.start_layer.eq(start_layer),
                maps.next_window.eq(reader.window_next),
                maps.clear.eq(clear),
                maps.halt.eq(halt),
                maps.stored.eq(stored),
                maps.valid.eq(adder.valid & ~halt),
                maps.bit.eq(adder.bit),
                maps.input_word.eq(inputs.word),
                inputs.address.eq(maps.input_address),
                inputs.fetch.eq(maps.input_enable),
                reader.again.eq(~maps.last_window),
                reader.window_ready.eq(maps.ready),
                columns.again.eq(reader.window_next),
            ]
            with m.If(maps.write.en):
                m.d.comb += columns.write.eq(maps.write)

        def fail(code, detail):
            m.d.comb += halt.eq(1)
            m.d.sync += [self.cmd.code.eq(code), self.cmd.detail.eq(detail)]
            m.next = LayerState.REPORT

        def unless_aborted():
            with m.If(self.cmd.abort):
                fail(ErrorCode.ABORTED, 0)
            return m.Else()

        with m.FSM():
            # Waits for INFER; judges the two settings.
            with m.State(LayerState.IDLE):
                m.d.comb += self.cmd.busy.eq(0)
                with m.If(self.cmd.start):
                    m.d.comb += [clear.eq(1), check.start.eq(~bad_layers & ~bad_vectors)]
                    m.d.sync += [self.cmd.code.eq(ErrorCode.NONE), self.cmd.detail.eq(0)]
                    m.next = LayerState.CHECK
                    with m.If(bad_layers):
                        fail(ErrorCode.BAD_SETTING, BAD_LAYER_COUNT)
                    with m.Elif(bad_vectors):
                        fail(ErrorCode.BAD_SETTING, BAD_INFER_COUNT)
            # Waits for the check of the descriptors.
            with m.State(LayerState.CHECK), unless_aborted():
                with m.If(check.bad):
                    fail(ErrorCode.BAD_DESCRIPTOR, check.index)
                with m.Elif(check.done):
                    m.next = LayerState.FETCH_LAYER
                    if repairs is not None:
                        m.d.comb += repairs.start.eq(1)
                        m.next = LayerState.CHECK_REPAIRS
            if repairs is not None:
                # Waits for the check of the spares.
                with m.State(LayerState.CHECK_REPAIRS), unless_aborted():
                    with m.If(repairs.bad):
                        fail(ErrorCode.BAD_SETTING, BAD_REPAIR | (repairs.index << 8))
                    with m.Elif(repairs.done):
                        m.next = LayerState.FETCH_LAYER
            # One cycle: reads the first descriptor.
            with m.State(LayerState.FETCH_LAYER), unless_aborted():
                m.d.comb += fetch_layer.eq(1)
                m.next = LayerState.FETCH_THRESHOLD
            # One cycle: reads the first layer's first threshold.
            with m.State(LayerState.FETCH_THRESHOLD), unless_aborted():
                m.d.comb += fetch_threshold.eq(1)
                m.next = LayerState.START_LAYER
            # Waits for the input of a first layer and for a result bank for a last one; then moves back to
            # front.
            with m.State(LayerState.START_LAYER), unless_aborted():
                m.d.comb += [
                    starting.eq(1),
                    waiting.eq(~first | sourced),
                    free_for_input.eq(first),
                    start_layer.eq(able),
                ]
                with m.If(able):
                    m.next = LayerState.READ
            # Waits for the layer's last bit to be stored; a last layer loads the next vector meanwhile.
            with m.State(LayerState.READ), unless_aborted():
                m.d.comb += [
                    reading.eq(1),
                    free_for_input.eq(first & ~last_vector),
                ]
                with m.If(reader.timeout):
                    fail(ErrorCode.COMPARATOR_TIMEOUT, unresolved)
                with m.Elif(stored):
                    m.next = LayerState.START_LAYER
                    with m.If(running_final & last_vector):
                        m.next = LayerState.REPORT
            # One cycle: tells the end of the command.
            with m.State(LayerState.REPORT):
                m.d.comb += [self.cmd.done.eq(1), halt.eq(1)]
                m.next = LayerState.IDLE
        return m

    def _maps(self, m: Module, check, halted) -> ActivationMaps:
        """Activation maps and the check of walks, as far as nothing but their host and the check is concerned."""
        g = self.geometry
        m.submodules.maps = maps = ActivationMaps(g)
        walk_check = WalkCheck(g)
        m.submodules.walk_check = halted(walk_check)
        connect(m, flipped(self.walk), maps.window)
        m.d.comb += [
            walk_check.walk.eq(maps.walk),
            walk_check.rows.eq(check.raw.row_count),
            walk_check.inputs.eq(check.inputs),
            walk_check.first.eq(check.first),
            walk_check.last.eq(check.last),
            walk_check.start.eq(check.walk_start),
            check.walk_done.eq(walk_check.done),
            check.walk_bad.eq(walk_check.bad),
            check.reads_map.eq(maps.walk.reads_map),
        ]
        return maps

    @staticmethod
    def _taken(maps: ActivationMaps, start_layer, first):
        """The vector's input bank is free: its first layer started, or has gathered its last window."""
        return (start_layer & first & ~maps.walk.reads_map) | maps.input_taken

    def _repairs(self, m: Module, reader, columns, halt) -> RepairTable:
        """The repair table, wired to the two blocks that use it."""
        g = self.geometry
        m.submodules.repairs = repairs = RepairTable(g)
        m.d.comb += repairs.halt.eq(halt)
        if g.spare_columns:
            connect(m, flipped(self.repair_column), repairs.column_window)
            m.d.comb += [
                columns.spares.eq(repairs.columns),
                columns.forget.eq(repairs.forget),
                columns.replace.eq(repairs.replace),
                columns.tile.eq(repairs.tile),
                columns.column.eq(repairs.column),
            ]
        if g.spare_rows:
            connect(m, flipped(self.repair_row), repairs.row_window)
            m.d.comb += reader.spares.eq(repairs.rows)
        return repairs
