"""What a host does over the bus, written out as a list of accesses: no loop, no branch but "wait until".

The testbench of the kit plays it from a memory file.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from bridgebnn.hdl.spec import UNLOCK_KEYS, Command
from bridgebnn.hdl.spec.register_map import RegisterMap
from bridgebnn.model.mapping.host_words import bus_words, network_writes
from bridgebnn.model.mapping.mapping import Mapping
from bridgebnn.model.networks.golden import Forward

__all__ = ["Access", "Kind", "Script", "inference", "programming"]


class Kind(enum.IntEnum):
    """What an entry of the script does; the values are those of the testbench."""

    END = 0
    WRITE = 1
    EXPECT = 2  # read; the masked bits must be `data`
    WAIT = 3  # read until the masked bits are `data`; the testbench gives up after a while
    SCORE = 4  # as EXPECT, and print it as a score
    IMAGE = 5  # no access: the result of image `data` comes next
    LABEL = 6  # as EXPECT, and print it as the class


@dataclass(frozen=True)
class Access:
    """One entry.

    Parameters
    ----------
    kind : Kind
    address : int
        In bytes, from the base of the controller.
    data, mask : int
        32 bits each.
    """

    kind: Kind
    address: int = 0
    data: int = 0
    mask: int = 0xFFFF_FFFF

    def line(self) -> str:
        """96 hexadecimal bits for ``$readmemh``: kind and address, data, mask."""
        return f"{self.kind << 28 | self.address:08x}_{self.data & 0xFFFF_FFFF:08x}_{self.mask:08x}"


class Script:
    """A list of accesses by the names of the register map."""

    def __init__(self, registers: RegisterMap):
        self.map = registers
        self.accesses: list[Access] = []

    def write(self, name: str, value: int = 0, word: int = 0) -> None:
        """Write a register or one word of a window."""
        self.accesses.append(Access(Kind.WRITE, self.map.address(name, word), int(value)))

    def write_all(self, name: str, values: Iterable[int], word: int = 0) -> None:
        """Write consecutive words of a window."""
        for i, value in enumerate(values):
            self.write(name, int(value), word + i)

    def set(self, name: str, **fields: int) -> None:
        """Write a register from its fields."""
        self.write(name, self.map.register(name).pack(**fields))

    def wait(self, **fields: int) -> None:
        """Wait until these fields of STATUS have these values."""
        self.accesses.append(self._compared(Kind.WAIT, "STATUS", fields))

    def expect(self, name: str, **fields: int) -> None:
        """Read a register; these fields must have these values."""
        self.accesses.append(self._compared(Kind.EXPECT, name, fields))

    def note(self, kind: Kind, name: str | None, value: int, word: int = 0, mask: int = 0xFFFF_FFFF) -> None:
        """An entry that is printed."""
        address = self.map.address(name, word) if name else 0
        self.accesses.append(Access(kind, address, value, mask))

    def run(self, command: Command) -> None:
        """Start a command and wait for its end, which must not be an error."""
        self.set("COMMAND", opcode=int(command))
        self.wait(busy=0)
        self.expect("STATUS", done=1, error=0)

    def _compared(self, kind: Kind, name: str, fields: dict[str, int]) -> Access:
        register = self.map.register(name)
        mask = 0
        for field in fields:
            mask |= register.field(field).mask
        return Access(kind, self.map.address(name), register.pack(**fields) & mask, mask)

    def lines(self) -> list[str]:
        """Lines of the memory file, the END entry last."""
        return [a.line() for a in (*self.accesses, Access(Kind.END))]


def programming(script: Script, mapping: Mapping) -> None:
    """Unlock, then form, program and verify every row of a mapping."""
    for key in UNLOCK_KEYS:
        script.write("UNLOCK", key)
    script.run(Command.CLEAR_LOG)
    loaded: np.ndarray | None = None
    for tile, row in mapping.program_order():
        script.write_all("ROW_IMAGE", bus_words(mapping.images[tile, row]))
        mask = mapping.masks[tile, row]
        if loaded is None or not np.array_equal(mask, loaded):
            script.write_all("ROW_MASK", bus_words(mask))
            loaded = mask
        script.set("PROG_ADDRESS", row=row, tile=tile)
        script.run(Command.PROGRAM_ROW)


def inference(script: Script, mapping: Mapping, images: np.ndarray, golden: Forward) -> None:
    """Load the network's tables, classify images one by one, compare every score, bit and class with golden.

    Parameters
    ----------
    images : {0, 1}, (n, n_in)
    golden : Forward
        Of these images.
    """
    loaded = network_writes(mapping.descriptors, mapping.thresholds, mapping.geometry, mapping.repairs)
    for name, values, word in loaded:
        script.write_all(name, values, word)
    last = mapping.descriptors[-1]
    script.write("INFER_COUNT", len(images))
    script.set("COMMAND", opcode=int(Command.INFER))
    for i, vector in enumerate(mapping.pack_inputs(images)):
        script.wait(input_ready=1)
        script.write_all("INPUT", vector)
        script.write("INPUT_PUSH")
        script.wait(result_valid=1)
        script.note(Kind.IMAGE, None, i)
        script.expect("STATUS", error=0)
        if last.score:
            for row, score in enumerate(golden.scores[i].tolist()):
                script.note(Kind.SCORE, "SCORES", score, row)
            label = script.map.field("RESULT_CLASS", "class")
            script.note(Kind.LABEL, "RESULT_CLASS", label.insert(int(golden.classes[i])), mask=label.mask)
        else:
            bits = golden.hidden[-1][i]
            for word, value in enumerate(bus_words(bits)):
                unused = max(0, 32 * (word + 1) - len(bits))
                script.note(Kind.EXPECT, "RESULT_BITS", value, word, 0xFFFF_FFFF >> unused)
        script.write("RESULT_POP")
    script.wait(busy=0)
    script.expect("STATUS", done=1, error=0)
