"""Layer sequencer: runs INFER, the table of layers over a number of input vectors."""

from enum import StrEnum
from types import SimpleNamespace

from amaranth.hdl import Module, Mux, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import bits_for

from bridgebnn.hdl.signatures import CommandPort, ReadPins, ReadSettings, WindowPort
from bridgebnn.hdl.spec import ErrorCode, Geometry, words

from .column_registers import ColumnRegisters
from .descriptor_table import DescriptorCheck, DescriptorTable, ThresholdMemory
from .layer_order import LayerOrder
from .layer_source import BankSource, MapSource
from .maps import ActivationMaps
from .popcount import ScoreAdder, SliceCounter
from .read_sequencer import ReadSequencer
from .repair_table import RepairTable
from .results import ResultBanks
from .run_counters import RunCounters
from .threshold_fetch import LayerThresholds, ThresholdFetch
from .vectors import InputBanks, ResultWriter
from .walk_table import WalkCheck

__all__ = ["BAD_INFER_COUNT", "BAD_LAYER_COUNT", "BAD_REPAIR", "LayerSequencer", "LayerState"]

BAD_LAYER_COUNT = 1
"""Detail of BAD_SETTING: no layers, or more than the table holds."""
BAD_INFER_COUNT = 2
"""Detail of BAD_SETTING: no vectors."""
BAD_REPAIR = 3
"""Low byte of the detail of BAD_SETTING: a bad repair entry, its index in bits 23:8 (columns, then rows)."""


HALTED = ("check", "reader", "adder", "writer", "walk_check")
"""Blocks that a halt sets back by their reset; the others have a port for it, or keep what they hold."""


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
    droppable : bool
        With ``input_drop``.

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
    input_drop : In(1)
        Only with ``droppable``, only while idle: forget the inputs that were pushed.
    scores, result_bits, result_pop, result_valid, result_class, result_index
        The oldest result.
    perf_rows, perf_read, perf_busy : Out(32)
        Since INFER: rows read; cycles with a phase active; cycles in which a vector is under way, from the
        one before its first precharge to the one after its result is committed, waits for a result bank
        included.
    """

    def __init__(self, geometry: Geometry, *, droppable: bool = False):
        self.geometry, self.droppable = geometry, droppable
        g = geometry

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
            | ({"input_drop": In(1)} if droppable else {})
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
        b = self._blocks(m, ResetInserter(halt))
        check, order, results, reader = b.check, b.order, b.results, b.reader
        clear, start_layer, fetch_layer, fetch_threshold = Signal(), Signal(), Signal(), Signal()
        starting, waiting, reading = Signal(), Signal(), Signal()
        stored = Signal()
        m.d.sync += stored.eq(b.adder.last & ~halt)
        self._order(m, b, clear, start_layer)
        self._prefetch(m, b, start_layer, fetch_layer, fetch_threshold)
        self._reads(m, b, start_layer)
        self._columns(m, b, start_layer, halt)
        self._results(m, b, start_layer, halt)
        self._counters(m, b, clear, reading | waiting)
        if g.repair_entries:
            self._repairs(m, b, halt)
        if g.map_words:
            self._maps(m, b, clear, halt, stored, start_layer)
            self._windows(m, b, starting, start_layer, fetch_threshold)

        able = Signal()
        m.d.comb += [
            able.eq(b.source.sourced & (~order.final | results.free)),
            self.active.eq(self.cmd.busy),
            self.cmd.busy.eq(1),
        ]
        missing = Signal(24)  # row and tile of an answer that did not come
        m.d.comb += [missing[:16].eq(reader.pins.row), missing[16:].eq(reader.timeout_tile)]

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
                    m.d.comb += [clear.eq(1), check.start.eq(~order.bad_layers & ~order.bad_vectors)]
                    m.d.sync += [self.cmd.code.eq(ErrorCode.NONE), self.cmd.detail.eq(0)]
                    m.next = LayerState.CHECK
                    with m.If(order.bad_layers):
                        fail(ErrorCode.BAD_SETTING, BAD_LAYER_COUNT)
                    with m.Elif(order.bad_vectors):
                        fail(ErrorCode.BAD_SETTING, BAD_INFER_COUNT)
            # Waits for the check of the descriptors.
            with m.State(LayerState.CHECK), unless_aborted():
                with m.If(check.bad):
                    fail(ErrorCode.BAD_DESCRIPTOR, check.index)
                with m.Elif(check.done):
                    m.next = LayerState.FETCH_LAYER
                    if g.repair_entries:
                        m.d.comb += b.repairs.start.eq(1)
                        m.next = LayerState.CHECK_REPAIRS
            if g.repair_entries:
                # Waits for the check of the spares.
                with m.State(LayerState.CHECK_REPAIRS), unless_aborted():
                    with m.If(b.repairs.bad):
                        fail(ErrorCode.BAD_SETTING, BAD_REPAIR | (b.repairs.index << 8))
                    with m.Elif(b.repairs.done):
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
                    waiting.eq(~order.first | b.source.sourced),
                    b.source.free.eq(order.first),
                    start_layer.eq(able),
                ]
                with m.If(able):
                    m.next = LayerState.READ
            # Waits for the layer's last bit to be stored; a last layer loads the next vector meanwhile.
            with m.State(LayerState.READ), unless_aborted():
                m.d.comb += [reading.eq(1), b.source.free.eq(order.first & ~order.last_vector)]
                with m.If(reader.timeout):
                    fail(ErrorCode.COMPARATOR_TIMEOUT, missing)
                with m.Elif(stored):
                    m.next = LayerState.START_LAYER
                    with m.If(order.running_final & order.last_vector):
                        m.next = LayerState.REPORT
            # One cycle: tells the end of the command.
            with m.State(LayerState.REPORT):
                m.d.comb += [self.cmd.done.eq(1), halt.eq(1)]
                m.next = LayerState.IDLE
        return m

    def _blocks(self, m: Module, halted: ResetInserter) -> SimpleNamespace:
        """The blocks by name; those that a halt sends back to their start are ``halted``."""
        g = self.geometry
        b = SimpleNamespace(
            table=DescriptorTable(g),
            check=DescriptorCheck(g),
            thresholds=ThresholdMemory(g),
            fetch=ThresholdFetch(g),
            order=LayerOrder(g),
            source=MapSource() if g.map_words else BankSource(),
            reader=ReadSequencer(g),
            counter=SliceCounter(g),
            adder=ScoreAdder(g),
            columns=ColumnRegisters(g),
            writer=ResultWriter(g),
            inputs=InputBanks(g, droppable=self.droppable),
            results=ResultBanks(g),
            run=RunCounters(),
        )
        if g.repair_entries:
            b.repairs = RepairTable(g)
        if g.map_words:
            b.maps, b.walk_check, b.layer_thresholds = ActivationMaps(g), WalkCheck(g), LayerThresholds(g)
        for name, block in vars(b).items():
            m.submodules[name] = halted(block) if name in HALTED else block
        connect(m, flipped(self.descriptor), b.table.window)
        connect(m, flipped(self.threshold), b.thresholds.window)
        connect(m, flipped(self.input), b.inputs.window)
        connect(m, flipped(self.scores), b.results.scores)
        connect(m, flipped(self.result_bits), b.results.bits)
        connect(m, flipped(self.pins), b.reader.pins)
        return b

    def _order(self, m: Module, b: SimpleNamespace, clear, start_layer):
        """Which layer, which vector, and the check of the descriptors before."""
        m.d.comb += [
            b.order.layer_count.eq(self.layer_count),
            b.order.infer_count.eq(self.infer_count),
            b.order.plan.eq(b.table.plan),
            b.order.clear.eq(clear),
            b.order.start_layer.eq(start_layer),
            b.order.commit.eq(b.results.commit),
            b.check.layer_count.eq(self.layer_count),
            b.check.raw.eq(b.table.raw),
            b.source.first.eq(b.order.first),
            b.source.loaded.eq(b.inputs.loaded),
            b.source.start_layer.eq(start_layer),
        ]

    def _prefetch(self, m: Module, b: SimpleNamespace, start_layer, fetch_layer, fetch_threshold):
        """The next layer's descriptor when a layer starts, the next row's threshold when a row starts."""
        check, order = b.check, b.order
        m.d.comb += [
            b.table.fetch.eq(check.fetch | fetch_layer | start_layer),
            b.table.index.eq(Mux(check.fetch, check.index, Mux(start_layer, order.after, order.index))),
            b.fetch.first.eq(fetch_threshold),
            b.fetch.row_first.eq(b.reader.row_first),
            b.fetch.row_last.eq(b.reader.row_last),
            b.fetch.uses.eq(b.reader.use_threshold),
            b.fetch.next_base.eq(b.table.plan.threshold_base),
            b.fetch.next_uses.eq(b.table.plan.use_threshold),
            b.thresholds.base.eq(b.fetch.base),
            b.thresholds.restart.eq(b.fetch.restart),
            b.thresholds.fetch.eq(b.fetch.fetch),
        ]

    def _reads(self, m: Module, b: SimpleNamespace, start_layer):
        """The reads of a layer, and the sum of each row."""
        reader, counter, adder = b.reader, b.counter, b.adder
        m.d.comb += [
            reader.settings.eq(self.settings),
            reader.plan.eq(b.table.plan),
            reader.threshold.eq(b.thresholds.value),
            reader.start.eq(start_layer),
            counter.enable.eq(reader.counting),
            counter.slice.eq(reader.slice),
            counter.sl.eq(self.pins.sl),
            counter.col_en.eq(self.col_en),
            adder.row_first.eq(reader.row_first),
            adder.mode.eq(reader.mode),
            adder.use_threshold.eq(reader.use_threshold),
            adder.tile_count.eq(b.order.running_tiles),
            adder.threshold.eq(b.thresholds.value),
            adder.sample.eq(reader.sample),
            adder.sample_last.eq(reader.sample_last),
            adder.layer_last.eq(reader.row_last),
            adder.cmp.eq(self.pins.cmp),
            adder.wl_en.eq(reader.pins.wl_en),
            adder.hit.eq(reader.hit),
            *(adder.counts[tile].eq(counter.counts[tile]) for tile in range(self.geometry.tiles)),
        ]

    def _columns(self, m: Module, b: SimpleNamespace, start_layer, halt):
        """What goes to the columns: from an input bank, or from the bits of a layer that is not the last."""
        columns, inputs, writer = b.columns, b.inputs, b.writer
        begun = Signal()
        m.d.sync += begun.eq(start_layer)
        m.d.comb += [
            writer.plan.eq(b.table.plan),
            writer.begin.eq(begun),
            writer.final.eq(b.order.running_final),
            writer.valid.eq(b.adder.valid),
            writer.bit.eq(b.adder.bit),
            writer.last.eq(b.adder.last),
            columns.plan.eq(b.table.plan),
            columns.move.eq(start_layer),
            columns.clear.eq(halt | ~self.active),
            columns.write.eq(Mux(inputs.write.en, inputs.write.as_value(), writer.write.as_value())),
            columns.write.en.eq(inputs.write.en | (writer.write.en & ~b.order.running_final)),
            self.bl.eq(columns.bl),
            self.col_en.eq(columns.col_en),
            inputs.plan.eq(b.table.plan),
            inputs.push.eq(self.input_push),
            inputs.enable.eq(b.source.load),
            inputs.take.eq(b.source.take),
            inputs.halt.eq(halt),
            self.input_ready.eq(inputs.ready),
        ]
        if self.droppable:
            m.d.comb += inputs.drop.eq(self.input_drop)

    def _results(self, m: Module, b: SimpleNamespace, start_layer, halt):
        """Bits and scores of the last layer, and the oldest result for the host."""
        results = b.results
        m.d.comb += [
            results.begin.eq(start_layer & b.order.final),
            results.keep.eq(b.order.running_final),
            results.scored.eq(b.order.running_scored),
            results.valid.eq(b.adder.valid & ~halt),
            results.last.eq(b.adder.last & ~halt),
            results.score.eq(b.adder.score),
            results.write.eq(b.writer.write),
            results.index.eq(b.order.vector),
            results.pop.eq(self.result_pop),
            self.result_valid.eq(results.result_valid),
            self.result_class.eq(results.result_class),
            self.result_index.eq(results.result_index),
        ]

    def _counters(self, m: Module, b: SimpleNamespace, clear, busy):
        m.d.comb += [
            b.run.clear.eq(clear),
            b.run.row.eq(b.reader.sample & b.reader.sample_last),
            b.run.reading.eq(b.reader.pins.precharge | b.reader.pins.evaluate),
            b.run.busy.eq(busy),
            self.perf_rows.eq(b.run.rows),
            self.perf_read.eq(b.run.read),
            self.perf_busy.eq(b.run.cycles),
        ]

    def _maps(self, m: Module, b: SimpleNamespace, clear, halt, stored, start_layer):
        """Activation maps: the layers that they follow, the bits that they take, the check of their walks."""
        maps, check, walk_check = b.maps, b.check, b.walk_check
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
            maps.fetch.eq(b.table.fetch),
            maps.index.eq(b.table.index),
            maps.plan.eq(b.table.plan),
            maps.rows.eq(b.table.raw.row_count),
            maps.first.eq(b.order.first),
            maps.start_layer.eq(start_layer),
            maps.source_ready.eq(b.source.map_ready),
            maps.clear.eq(clear),
            maps.halt.eq(halt),
            maps.stored.eq(stored),
            maps.valid.eq(b.adder.valid & ~halt),
            maps.bit.eq(b.adder.bit),
            maps.input_word.eq(b.inputs.word),
            b.inputs.address.eq(maps.input_address),
            b.inputs.fetch.eq(maps.input_enable),
            b.writer.valid.eq(b.adder.valid & ~maps.writes),
        ]
        with m.If(maps.write.en):
            m.d.comb += b.columns.write.eq(maps.write)

    def _windows(self, m: Module, b: SimpleNamespace, starting, start_layer, fetch_threshold):
        """Layers that go over a map: window after window, each from the layer's first row and threshold on."""
        maps, reader, source, thresholds = b.maps, b.reader, b.source, b.layer_thresholds
        m.d.comb += [
            source.reads_map.eq(maps.walk.reads_map),
            source.between.eq(starting),
            source.available.eq(b.inputs.available),
            source.input_taken.eq(maps.input_taken),
            source.window_ready.eq(maps.ready),
            reader.again.eq(~maps.last_window),
            reader.window_ready.eq(maps.ready),
            maps.next_window.eq(reader.window_next),
            b.columns.again.eq(reader.window_next),
            b.adder.layer_last.eq(reader.row_last & maps.last_window),
            thresholds.plan.eq(b.table.plan),
            thresholds.start_layer.eq(start_layer),
            thresholds.first.eq(fetch_threshold),
            thresholds.last_window.eq(maps.last_window),
            thresholds.uses.eq(reader.use_threshold),
            b.fetch.next_base.eq(thresholds.next_base),
            b.fetch.next_uses.eq(thresholds.next_uses),
        ]

    def _repairs(self, m: Module, b: SimpleNamespace, halt):
        """The repair table, wired to the two blocks that use it."""
        g, columns, repairs = self.geometry, b.columns, b.repairs
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
            m.d.comb += b.reader.spares.eq(repairs.rows)
