"""Geometry, timing and code points shared by the RTL, the model and the testbenches.

Plain Python: imports neither Amaranth nor numpy, so that ``model`` can use it alone.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence
from dataclasses import dataclass

WORD_WIDTH = 32


class ReadMode(enum.IntEnum):
    """How a row's result is obtained (descriptor field ``mode``)."""

    SIGN = 0  # one comparison: the neuron's output
    SEARCH = 1  # successive approximation over ``ref``: the popcount, by the analog neuron
    COUNT = 2  # exact digital popcount of ``sl``


class Combine(enum.IntEnum):
    """How the tiles of one layer combine (descriptor field ``combine``)."""

    ADD = 0  # partial popcounts are added, then compared with a digital threshold
    VOTE = 1  # majority of the tiles' signs, ties to +1


class ProgOp(enum.IntEnum):
    """Kind of programming pulse (pin ``prog_op``)."""

    FORM = 0
    SET = 1
    RESET = 2


class ProgSide(enum.IntEnum):
    """Which device of the pair gets the pulse or the verify read (pin ``prog_side``)."""

    P = 0  # between BL and SL; LRS for weight +1
    N = 1  # between SL and BLb; LRS for weight -1


class VerifyRef(enum.IntEnum):
    """Reference resistor of a verify read (pin ``verify_ref``); ``sl`` = 1 means the device passes."""

    LRS_MAX = 0  # passes when the resistance is at most the LRS limit
    HRS_MIN = 1  # passes when the resistance is at least the HRS limit
    FORMED = 2  # passes when the device is formed (resistance below the pristine limit)


class Command(enum.IntEnum):
    """Opcodes of register COMMAND."""

    NOP = 0
    PROGRAM_ROW = 1  # form and program the addressed row to ROW_IMAGE where ROW_MASK is 1
    VERIFY_ROW = 2  # verify both devices of the addressed row against ROW_IMAGE; failures are logged
    READ_ROW = 3  # read the addressed row's weights through sl into ROW_IMAGE
    INFER = 4  # run the descriptor table over INFER_COUNT input vectors
    CLEAR_LOG = 5  # empty the failure log and its counters
    REFRESH_ROW = 6  # bring a row that drifted back to ROW_IMAGE with a margin; never forms
    ABORT = 15  # accepted while busy: ends the running command in ERROR with code ABORTED


class ErrorCode(enum.IntEnum):
    """Code of register ERROR after a command ended in error."""

    NONE = 0
    BAD_COMMAND = 1  # unknown opcode
    BUSY = 2  # command written while another runs (the running one is not disturbed)
    LOCKED = 3  # programming without unlock, or after the lock bit
    READ_LOCKED = 4  # read-back of weights while the read-back lock holds
    BAD_ADDRESS = 5  # tile or row outside the geometry
    BAD_DESCRIPTOR = 6  # descriptor outside the geometry; ERROR.detail holds its index
    RAILS_TIMEOUT = 7  # hv_ready did not come within the limit
    RAILS_LOST = 8  # hv_ready fell while it was needed
    COMPARATOR_TIMEOUT = 9  # cmp_valid did not come within the limit
    NOT_CONVERGED = 10  # at least one device did not verify; see PROG_FAILURES and the log
    ABORTED = 11  # ended by ABORT
    READBACK_MISMATCH = 12  # every device verified, yet the bridge read-back differs from ROW_IMAGE
    BAD_SETTING = 13  # a register holds an illegal combination; ERROR.detail holds which


def words(bits: int) -> int:
    """Number of 32-bit bus words that hold ``bits`` bits."""
    return -(-bits // WORD_WIDTH)


def bias_columns(inputs: int) -> int:
    """Bias columns of the published rule, B = 2*floor(0.05*N) [data]."""
    return 2 * (5 * inputs // 100)


def _check_range(owner: str, name: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{owner}.{name} = {value!r}: must be an integer from {low} to {high}")


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """Shape of the macro array and of the controller's memories.

    Parameters
    ----------
    tiles : int, 1..64
        Macros driven by this controller.
    rows : int, 1..4096
        Word lines of a tile; one row is one output neuron.
    inputs : int, 1..4064
        Input columns N of a tile.
    bias : int, 0..1024
        Bias columns B of a tile, with constant input +1, after the inputs.
    thresholds : int, 1..16384
        Entries of the threshold memory.
    layers : int, 1..32
        Entries of the descriptor table.
    scores : int, 1..1024
        Scores that one result bank holds.
    count_width : int, 1..64
        Columns that the digital popcount adds in one cycle, per tile.
    log_depth : int, 1..1024
        Entries of the failure log.

    Raises
    ------
    ValueError
        With the offending value and its legal range.
    """

    tiles: int = 1
    rows: int = 32
    inputs: int = 23
    bias: int = 2
    thresholds: int = 64
    layers: int = 8
    scores: int = 16
    count_width: int = 32
    log_depth: int = 64

    def __post_init__(self) -> None:
        for name, low, high in (
            ("tiles", 1, 64),
            ("rows", 1, 4096),
            ("inputs", 1, 4064),
            ("bias", 0, 1024),
            ("thresholds", 1, 16384),
            ("layers", 1, 32),
            ("scores", 1, 1024),
            ("count_width", 1, 64),
            ("log_depth", 1, 1024),
        ):
            _check_range("Geometry", name, getattr(self, name), low, high)
        if self.tiles * self.row_words > 8192:
            raise ValueError(
                f"Geometry of {self.tiles} tiles with {self.columns} columns: the input buffer would need "
                f"{self.tiles * self.row_words} words, at most 8192 are addressable"
            )

    @property
    def columns(self) -> int:
        """Columns C = N + B of a tile."""
        return self.inputs + self.bias

    @property
    def row_words(self) -> int:
        """Bus words that hold one row of one tile, W = ceil(C / 32)."""
        return words(self.columns)

    @property
    def ref_width(self) -> int:
        """Bits of the signed comparison reference: holds -C..C."""
        return self.columns.bit_length() + 1

    @property
    def score_width(self) -> int:
        """Bits of a signed score: 2*T*C plus a 16-bit threshold fits."""
        return max((2 * self.tiles * self.columns).bit_length() + 1, 16) + 1

    def as_dict(self) -> dict[str, int]:
        """Fields and derived sizes, as written to ``geometry.json``."""
        return {
            **dataclasses.asdict(self),
            "columns": self.columns,
            "row_words": self.row_words,
            "ref_width": self.ref_width,
            "score_width": self.score_width,
        }


@dataclass(frozen=True, kw_only=True)
class Descriptor:
    """One layer of the descriptor table: four words of window DESCRIPTOR.

    Parameters
    ----------
    tile_first, tile_count : int, 0..255 and 1..255
        Tiles that work in step on this layer.
    row_first, row_count : int, 0..65535 and 1..65535
        Rows = neurons, the same in each tile.
    cols, cols_last : int, 1..65535
        Inputs of every tile but the last, and of the last tile.
    bias, bias_last : int, 0..65535 and 0..2047
        Bias columns enabled in every tile but the last, and in the last tile.
    threshold_base : int, 0..65535
        First entry of the threshold memory; row ``i`` of the layer uses entry ``threshold_base + i``.
    mode : ReadMode
    combine : Combine
        Ignored by SIGN with one tile.
    use_threshold : bool
        SIGN: ``ref`` is the threshold entry (else 0). COUNT, SEARCH: the entry is added to the score.
    score : bool
        This layer's scores and class go to the result bank; only on the last layer.

    Raises
    ------
    ValueError
        A field that its bits cannot hold, with the value and its legal range. Whether the layer fits a
        geometry and its neighbours is the business of ``check_descriptors``.
    """

    tile_first: int = 0
    tile_count: int = 1
    row_first: int = 0
    row_count: int
    cols: int
    cols_last: int
    bias: int = 0
    bias_last: int = 0
    threshold_base: int = 0
    mode: ReadMode = ReadMode.SIGN
    combine: Combine = Combine.ADD
    use_threshold: bool = False
    score: bool = False

    def __post_init__(self) -> None:
        for name, low, high in (
            ("tile_first", 0, 0xFF),
            ("tile_count", 1, 0xFF),
            ("row_first", 0, 0xFFFF),
            ("row_count", 1, 0xFFFF),
            ("cols", 1, 0xFFFF),
            ("cols_last", 1, 0xFFFF),
            ("bias", 0, 0xFFFF),
            ("bias_last", 0, 0x7FF),
            ("threshold_base", 0, 0xFFFF),
        ):
            _check_range("Descriptor", name, getattr(self, name), low, high)
        object.__setattr__(self, "mode", ReadMode(self.mode))
        object.__setattr__(self, "combine", Combine(self.combine))

    @property
    def inputs(self) -> int:
        """Inputs of the whole layer."""
        return self.cols * (self.tile_count - 1) + self.cols_last

    def enabled(self, tile: int) -> int:
        """Enabled columns C_en of the layer's tile number ``tile``, counted from 0."""
        if not 0 <= tile < self.tile_count:
            raise ValueError(f"tile {tile}: the layer has {self.tile_count}")
        return self.cols_last + self.bias_last if tile == self.tile_count - 1 else self.cols + self.bias

    def words(self) -> list[int]:
        """The four 32-bit words of window DESCRIPTOR."""
        return [
            self.tile_first | self.tile_count << 8 | self.row_first << 16,
            self.row_count | self.threshold_base << 16,
            self.cols | self.cols_last << 16,
            self.bias
            | self.bias_last << 16
            | self.mode << 27
            | self.combine << 29
            | int(self.use_threshold) << 30
            | int(self.score) << 31,
        ]

    @classmethod
    def from_words(cls, table_words: Sequence[int]) -> Descriptor:
        """Inverse of ``words``; ``ValueError`` for values that no legal descriptor has."""
        if len(table_words) != 4 or not all(0 <= word < 1 << WORD_WIDTH for word in table_words):
            raise ValueError(f"{list(table_words)!r}: must be 4 words of {WORD_WIDTH} bits")
        a, b, c, d = table_words
        return cls(
            tile_first=a & 0xFF,
            tile_count=a >> 8 & 0xFF,
            row_first=a >> 16,
            row_count=b & 0xFFFF,
            threshold_base=b >> 16,
            cols=c & 0xFFFF,
            cols_last=c >> 16,
            bias=d & 0xFFFF,
            bias_last=d >> 16 & 0x7FF,
            mode=ReadMode(d >> 27 & 3),
            combine=Combine(d >> 29 & 1),
            use_threshold=bool(d >> 30 & 1),
            score=bool(d >> 31),
        )


def check_descriptors(descriptors: Sequence[Descriptor], geometry: Geometry) -> None:
    """Apply the rules that the controller applies when INFER starts.

    Raises
    ------
    ValueError
        Names the first bad descriptor by index (that of ``ERROR.detail`` after BAD_DESCRIPTOR) and the rule.
    """
    g = geometry
    if not 1 <= len(descriptors) <= g.layers:
        raise ValueError(f"{len(descriptors)} descriptors: must be 1 to {g.layers}")
    for index, d in enumerate(descriptors):
        rules = (
            (d.tile_first + d.tile_count <= g.tiles, f"tiles end inside the {g.tiles}"),
            (d.row_first + d.row_count <= g.rows, f"rows end inside the {g.rows}"),
            (d.cols <= g.inputs and d.cols_last <= g.inputs, f"cols, cols_last at most {g.inputs}"),
            (d.bias <= g.bias and d.bias_last <= g.bias, f"bias, bias_last at most {g.bias}"),
            (
                not d.use_threshold or d.threshold_base + d.row_count <= g.thresholds,
                f"thresholds end inside the {g.thresholds}",
            ),
            (
                d.combine is Combine.VOTE or d.mode is not ReadMode.SIGN or d.tile_count == 1,
                "SIGN of several tiles needs VOTE",
            ),
            (d.combine is Combine.ADD or d.mode is ReadMode.SIGN, "VOTE works with SIGN only"),
            (
                not d.score or (index == len(descriptors) - 1 and d.row_count <= g.scores),
                f"score only on the last layer, of at most {g.scores} rows",
            ),
            (
                index == 0 or descriptors[index - 1].row_count == d.inputs,
                "inputs equal the previous layer's row_count",
            ),
        )
        for holds, rule in rules:
            if not holds:
                raise ValueError(f"descriptor {index} ({d}): {rule}")


@dataclass(frozen=True, kw_only=True)
class PulseConditions:
    """One operation's incremental step pulse programming: reset values of its registers.

    Levels are DAC codes (see ``DAC_LSB_V``); attempt ``a`` (from 0) uses
    ``min(start + a*step, limit)`` of both levels.
    """

    width_cyc: int
    attempts: int
    prog_start: int
    prog_step: int
    prog_limit: int
    wl_start: int
    wl_step: int
    wl_limit: int

    def __post_init__(self) -> None:
        _check_range("PulseConditions", "width_cyc", self.width_cyc, 1, 65535)
        _check_range("PulseConditions", "attempts", self.attempts, 1, 255)
        for name in ("prog_start", "prog_step", "prog_limit", "wl_start", "wl_step", "wl_limit"):
            _check_range("PulseConditions", name, getattr(self, name), 0, 255)


MARGIN_UNIT = 256


def margin_factor(code: int) -> float:
    """How much tighter a verify reference is with margin ``code`` (0..255) on ``prog_level``: 1 + code/256.

    LRS_MAX is divided by it, HRS_MIN multiplied; FORMED stays [ours].
    """
    _check_range("margin_factor", "code", code, 0, 255)
    return 1 + code / MARGIN_UNIT


DAC_LSB_V = 0.02
"""Volt per code of ``wl_level`` and ``prog_level`` [ours]: 8 bits reach 5.1 V."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Reset values of the timing and programming registers, in clock cycles [ours].

    Defaults are for a 50 MHz clock: a phase is 20 ns, a 1 us pulse 50 cycles.
    """

    clock_s: float = 20e-9
    precharge_cyc: int = 1
    evaluate_cyc: int = 1
    sense_cyc: int = 1
    resolve_limit_cyc: int = 64
    wl_setup_cyc: int = 2
    verify_cyc: int = 3
    rail_settle_cyc: int = 20
    rail_limit_cyc: int = 4096
    max_parallel: int = 128
    verify_margin: int = 26  # references of a refresh are tighter by a tenth [ours]
    form: PulseConditions = PulseConditions(
        width_cyc=50,
        attempts=6,
        prog_start=145,
        prog_step=10,
        prog_limit=195,
        wl_start=85,
        wl_step=0,
        wl_limit=85,
    )
    set: PulseConditions = PulseConditions(
        width_cyc=50,
        attempts=8,
        prog_start=120,
        prog_step=5,
        prog_limit=155,
        wl_start=85,
        wl_step=3,
        wl_limit=107,
    )
    reset: PulseConditions = PulseConditions(
        width_cyc=50,
        attempts=8,
        prog_start=135,
        prog_step=8,
        prog_limit=191,
        wl_start=125,
        wl_step=5,
        wl_limit=160,
    )

    def __post_init__(self) -> None:
        if not self.clock_s > 0:
            raise ValueError(f"Timing.clock_s = {self.clock_s!r}: must be positive, in seconds")
        for name, high in (
            ("precharge_cyc", 255),
            ("evaluate_cyc", 255),
            ("sense_cyc", 255),
            ("resolve_limit_cyc", 65535),
            ("wl_setup_cyc", 255),
            ("verify_cyc", 255),
            ("rail_settle_cyc", 65535),
            ("rail_limit_cyc", 65535),
            ("max_parallel", 65535),
        ):
            _check_range("Timing", name, getattr(self, name), 1, high)
        _check_range("Timing", "verify_margin", self.verify_margin, 0, 255)


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A named geometry with the network that runs on it.

    Parameters
    ----------
    network : str
        File name under ``data/`` of the network in the bridgebnn ``.npz`` format.
    combine : Combine
        How a layer that needs several tiles is split when the network itself does not say.
    final_mode : ReadMode
        Read mode of the score layer.
    """

    name: str
    geometry: Geometry
    network: str
    timing: Timing = Timing()
    combine: Combine = Combine.ADD
    final_mode: ReadMode = ReadMode.COUNT
    summary: str = ""


PRESETS: dict[str, Preset] = {
    p.name: p
    for p in (
        Preset(
            name="paper23",
            geometry=Geometry(tiles=35, rows=544, inputs=23, bias=2, thresholds=576),
            network="mnist-paper23.npz",
            summary="23 inputs + 2 bias columns a tile, as in the published silicon; groups of 23 vote",
        ),
        Preset(
            name="mnist",
            geometry=Geometry(tiles=3, rows=512, inputs=784, bias=bias_columns(784), thresholds=1040),
            network="mnist-784-512-512-10.npz",
            summary="784-512-512-10, one tile a layer",
        ),
        Preset(
            name="split",
            geometry=Geometry(tiles=4, rows=1040, inputs=234, bias=bias_columns(234), thresholds=1040),
            network="mnist-784-512-512-10.npz",
            summary="784-512-512-10 on 256-column tiles, partial popcounts added",
        ),
        Preset(
            name="split-vote",
            geometry=Geometry(tiles=4, rows=1040, inputs=234, bias=bias_columns(234), thresholds=1040),
            network="mnist-split-vote.npz",
            combine=Combine.VOTE,
            summary="784-512-512-10 trained for tiles of 196 inputs whose signs vote",
        ),
    )
}


def preset(name: str) -> Preset:
    """Return the preset ``name``; ``ValueError`` lists the known ones."""
    try:
        return PRESETS[name]
    except KeyError:
        raise ValueError(f"unknown preset {name!r}: known are {', '.join(PRESETS)}") from None
