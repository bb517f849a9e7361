"""Windows over a map: how a convolutional layer walks over an activation map, its words, and its cycles.

A *map* is a row-major, channel-last bit vector: bit ``(y*width + x)*channels + c``. A layer that reads a map gathers
one *window* of ``kernel`` rows of ``kernel * channels`` bits each for every output position; a layer that writes a map
appends the bits of all its rows, position by position, and takes the OR over ``pool * pool`` windows where it pools.
A fully connected layer over a whole map is the walk with one window: kernel 1, one pixel, all bits as channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .codes import WORD_WIDTH, check_range

__all__ = ["MapWalk"]

_NOT_CHECKED = ("reads_map", "writes_map", "row_bits", "reserved")
"""Fields of window WALK that are flags, follow from others, or stay 0."""


@dataclass(frozen=True, kw_only=True)
class MapWalk:
    """How one layer reads and writes activation maps: its four words of window WALK.

    Parameters
    ----------
    kernel, stride, pool : int, 1..15
        Window of the convolution in pixels, its step, window and step of the OR-pooling behind it (1: none).
    padding : int, 0..15
        Pixels of bit 0 round the map.
    channels : int, 1..4095
        Bits of a pixel.
    width, height : int, 1..1023
        Pixels of the map that is read; ``width * channels`` is at most 65535.
    out_width, out_height : int, 1..1023
        Pixels that are written, after pooling.
    reads_map, writes_map : bool
        Where the layer's inputs come from and where its bits go: a map, or the column registers (the result bank,
        in the last layer).

    Raises
    ------
    ValueError
        With the value and its legal range.
    """

    kernel: int = 1
    stride: int = 1
    padding: int = 0
    pool: int = 1
    channels: int = 1
    width: int = 1
    height: int = 1
    out_width: int = 1
    out_height: int = 1
    reads_map: bool = False
    writes_map: bool = False

    def __post_init__(self) -> None:
        from .register_map import layout  # compiles the register file: not on import

        check_range("MapWalk", "width", self.width, 1, 1023)
        for name, (_, field) in layout("WALK").fields.items():
            if name not in _NOT_CHECKED:
                check_range("MapWalk", name, getattr(self, name), field.minimum, (1 << field.width) - 1)
        if self.row_bits > 65535:
            raise ValueError(
                f"MapWalk of {self.width} pixels with {self.channels} channels: a row of {self.row_bits} bits, "
                "at most 65535"
            )

    @classmethod
    def flat(cls, bits: int) -> MapWalk:
        """A fully connected layer over a whole map of ``bits`` bits."""
        return cls(channels=bits, reads_map=True)

    @classmethod
    def convolution(
        cls,
        *,
        width: int,
        height: int,
        channels: int,
        kernel: int,
        stride: int = 1,
        padding: int = 0,
        pool: int = 1,
    ) -> MapWalk:
        """A convolution from map to map, its output size worked out.

        Raises
        ------
        ValueError
            The kernel, or the pooling window, does not fit.
        """
        for name, value in (("kernel", kernel), ("stride", stride), ("pool", pool)):
            check_range("MapWalk", name, value, 1, 15)
        sizes = []
        for name, size in (("width", width), ("height", height)):
            positions = (size + 2 * padding - kernel) // stride + 1
            if positions < pool or size + 2 * padding < kernel:
                raise ValueError(
                    f"{name} = {size} with padding {padding}: too small for kernel {kernel}, stride {stride} "
                    f"and pooling {pool}"
                )
            sizes.append(positions // pool)
        return cls(
            kernel=kernel,
            stride=stride,
            padding=padding,
            pool=pool,
            channels=channels,
            width=width,
            height=height,
            out_width=sizes[0],
            out_height=sizes[1],
            reads_map=True,
            writes_map=True,
        )

    @property
    def row_bits(self) -> int:
        """Bits of a row of the map that is read."""
        return self.width * self.channels

    @property
    def map_bits(self) -> int:
        """Bits of the map that is read."""
        return self.row_bits * self.height

    @property
    def run_bits(self) -> int:
        """Bits of one run of a window: a row of the kernel."""
        return self.kernel * self.channels

    @property
    def window_bits(self) -> int:
        """Bits of a window: the layer's inputs."""
        return self.kernel * self.run_bits

    @property
    def windows(self) -> int:
        """Windows per vector; 1 where no map is read."""
        return self.out_width * self.out_height * self.pool**2 if self.reads_map else 1

    def positions(self) -> Iterator[tuple[int, int]]:
        """Upper left corner (y, x) of each window in pixels, in the order of the walk; may be negative."""
        for py in range(self.out_height):
            for px in range(self.out_width):
                for dy in range(self.pool):
                    for dx in range(self.pool):
                        yield (
                            (py * self.pool + dy) * self.stride - self.padding,
                            (px * self.pool + dx) * self.stride - self.padding,
                        )

    def chunks(self, y: int, x: int, slices: Sequence[int]) -> int:
        """Steps of the gathering of one window, one a cycle.

        A step moves as many bits as lie in one word of the map, in one word of the column registers, in one run,
        in one tile's slice, and on one side of the map's edge.

        Parameters
        ----------
        y, x : int
            Corner of the window.
        slices : sequence of int
            Inputs of each tile, their sum is ``window_bits``.
        """
        count = 0
        ends = list(slices)
        left, place = ends.pop(0), 0
        for run in range(self.kernel):
            inside_row = 0 <= y + run < self.height
            at, run_left = x * self.channels, self.run_bits
            while run_left:
                step = min(WORD_WIDTH - place % WORD_WIDTH, run_left, left)
                if inside_row and at < 0:
                    step = min(step, -at)
                elif inside_row and at < self.row_bits:
                    address = (y + run) * self.row_bits + at
                    step = min(step, WORD_WIDTH - address % WORD_WIDTH, self.row_bits - at)
                at, run_left, left, place = at + step, run_left - step, left - step, place + step
                count += 1
                if not left and ends:
                    left, place = ends.pop(0), 0
        return count

    def words(self) -> list[int]:
        """The four words of window WALK."""
        from .register_map import layout

        window = layout("WALK")
        return window.pack(**{name: int(getattr(self, name)) for name in window.fields if name != "reserved"})

    @classmethod
    def from_words(cls, walk_words: Sequence[int]) -> MapWalk | None:
        """Inverse of ``words``; None where nothing is walked; ``ValueError`` for values that no legal walk has."""
        if not any(walk_words):
            return None
        from .register_map import layout

        found = layout("WALK").unpack(walk_words)
        found.pop("reserved")
        row_bits = found.pop("row_bits")
        if not found["channels"] or row_bits % found["channels"]:
            raise ValueError(f"row_bits = {row_bits}: must be a multiple of channels = {found['channels']}")
        reads_map, writes_map = bool(found.pop("reads_map")), bool(found.pop("writes_map"))
        sizes: Mapping[str, Any] = found
        return cls(reads_map=reads_map, writes_map=writes_map, width=row_bits // found["channels"], **sizes)

    def check(self, rows: int, inputs: int, capacity_in: int, capacity_out: int) -> str | None:
        """The rule that the layer breaks, or None.

        Parameters
        ----------
        rows, inputs : int
            Neurons and inputs of the layer.
        capacity_in, capacity_out : int
            Bits that the map memories hold: of what is read, and of what is written.
        """
        if not self.reads_map:
            return "writes a map without reading one" if self.writes_map else None
        if self.window_bits != inputs:
            return f"a window has {self.window_bits} bits, the layer {inputs} inputs"
        if self.map_bits > capacity_in:
            return f"reads a map of {self.map_bits} bits, the memory holds {capacity_in}"
        if not self.writes_map and self.windows != 1:
            return f"{self.windows} windows, but no map to write"
        if self.writes_map and self.out_width * self.out_height * rows > capacity_out:
            return f"writes a map of {self.out_width * self.out_height * rows} bits, the memory holds {capacity_out}"
        return None
