"""Binarized networks: a list of operations, their file format, and the checks between the two.

A network takes bipolar vectors (bit 1 = +1, bit 0 = -1) and passes them through its operations, one after the
other (``operations.py``). Each but the last gives bits; the last one gives bits or scores.

A file is an ``.npz`` archive (zip of ``.npy``) that holds no pickled object. Keys, with ``i`` from 0:

========================  ======  ==============================================================
key                       dtype   value
========================  ======  ==============================================================
``format``                str     ``bridgebnn-network``
``version``               int     2
``name``                  str     name of the network
``meta``                  str     JSON object: seed, command, test accuracy, dataset
``operations``            int     number of operations, at least 1
``input_{entry}``                 how an image becomes bits, see ``encoding.py``
``operation{i}_kind``     str     ``dense``, ``convolution``, ``host``, ``host_convolution``
``operation{i}_{entry}``          the entries of that kind, as in the table of its module
========================  ======  ==============================================================

Version 1 knew dense operations alone: their number in ``layers``, their entries under ``layer{i}_``, without a
kind. Such files still load; version 2 is written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from bridgebnn.model.npz import Entries, read_npz, write_npz

from .convolution import Convolution
from .dense import Dense
from .encoding import Encoding
from .host import HostConvolution, HostDense, is_host
from .operations import NetworkError, Operation

__all__ = ["FORMAT", "KINDS", "VERSION", "Network", "NetworkError"]

FORMAT = "bridgebnn-network"
VERSION = 2
KINDS: dict[str, type[Operation]] = {
    operation.kind: operation for operation in (Dense, Convolution, HostDense, HostConvolution)
}
"""Operations that a file can hold, by kind."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """A named list of operations: each but the last gives "sign", the last one "sign" or "score".

    Parameters
    ----------
    name : str
        Not empty.
    operations : tuple of Operation, at least one
        Each one's ``n_out`` is the next one's ``n_in``. Host layers (``host.py``) stand before and behind all others.
    meta : mapping
        Anything JSON holds: seed, command, test accuracy, dataset. Not interpreted.
    encoding : Encoding, optional
        How an image becomes the bits of the first operation; by default one threshold of 128 on its inputs, or map.

    Raises
    ------
    NetworkError
        With the offending value and what is legal.
    """

    name: str
    operations: tuple[Operation, ...]
    meta: Mapping[str, Any] = field(default_factory=dict)
    encoding: Encoding = None  # type: ignore[assignment]  # filled below

    def __post_init__(self) -> None:
        object.__setattr__(self, "operations", tuple(self.operations))
        if not isinstance(self.name, str) or not self.name:
            raise NetworkError(f"name = {self.name!r}: must be a string that is not empty")
        if not self.operations:
            raise NetworkError("operations = 0: a network has at least one operation")
        for i, (before, after) in enumerate(pairwise(self.operations)):
            if before.output != "sign":
                raise NetworkError(
                    f"operation {i}: output = {before.output!r}: must be 'sign' before the last operation"
                )
            if after.n_in != before.n_out:
                raise NetworkError(
                    f"operation {i + 1}: n_in = {after.n_in}: must be {before.n_out}, the n_out of operation {i}"
                )
        if self.encoding is None:
            object.__setattr__(self, "encoding", Encoding.of(self.operations[0]))
        self.encoding.check(self.operations[0])

        if self.chip != tuple(i for i, operation in enumerate(self.operations) if not is_host(operation)):
            wrong = next(i for i in self.chip if is_host(self.operations[i]))
            raise NetworkError(
                f"operation {wrong}: kind = {self.operations[wrong].kind!r}: must stand before, or behind, all "
                "operations of the chip"
            )

    @cached_property
    def chip(self) -> tuple[int, ...]:
        """Numbers of the operations from the first to the last that is no host layer; none where all are."""
        own = [not is_host(operation) for operation in self.operations]
        if not any(own):
            return ()
        return tuple(range(own.index(True), len(own) - own[::-1].index(True)))

    @property
    def host(self) -> tuple[tuple[Operation, ...], tuple[Operation, ...]]:
        """Host layers before, and behind, the operations of the chip."""
        if not self.chip:
            return self.operations, ()
        return self.operations[: self.chip[0]], self.operations[self.chip[-1] + 1 :]

    @property
    def n_in(self) -> int:
        """Values that the first operation takes."""
        return self.operations[0].n_in

    @property
    def n_out(self) -> int:
        """Values that the last operation gives."""
        return self.operations[-1].n_out

    @property
    def layers(self) -> tuple[Dense, ...]:
        """The weights that a chip holds, in order: dense operations themselves, of convolutions the windows."""
        found = (o.window if isinstance(o, Convolution) else o for o in self.operations)
        return tuple(layer for layer in found if isinstance(layer, Dense))

    def save(self, path: str | Path, *, compressed: bool = True) -> None:
        """Write the network as ``.npz``: the same network gives the same bytes, run after run.

        Parameters
        ----------
        path : path
            Written at exactly this path, no suffix added.
        compressed : bool
            As small as zlib makes it; else as it is, which is quicker to write.
        """
        entries: dict[str, ArrayLike] = {
            "format": FORMAT,
            "version": VERSION,
            "name": self.name,
            "meta": json.dumps(dict(self.meta), sort_keys=True),
            "operations": len(self.operations),
            **self.encoding.entries(),
        }
        for i, operation in enumerate(self.operations):
            entries[f"operation{i}_kind"] = operation.kind
            entries |= {f"operation{i}_{name}": value for name, value in operation.entries().items()}
        write_npz(path, entries, compressed=compressed)

    @classmethod
    def load(cls, path: str | Path) -> Network:
        """Read and check a network file of any version.

        Raises
        ------
        NetworkError
            The file is missing, foreign, truncated, of a newer version, or breaks the format. The message
            names the file, the operation, the key, the value and what is legal.
        """
        entries = read_npz(path, format=FORMAT, version=VERSION, error=NetworkError)
        try:
            return cls._from_entries(entries)
        except NetworkError as error:
            raise NetworkError(f"{path}: {error}") from None

    @classmethod
    def _from_entries(cls, entries: Entries) -> Network:
        try:
            meta = json.loads(entries.text("meta"))
        except json.JSONDecodeError as error:
            raise NetworkError(f"meta is not JSON ({error})") from None
        if not isinstance(meta, dict):
            raise NetworkError(f"meta = {meta!r}: must be a JSON object")
        word = "layer" if entries.whole("version") == 1 else "operation"
        count = entries.whole(f"{word}s")
        if not 1 <= count <= len(entries.arrays):
            raise NetworkError(f"{word}s = {count}: must be at least 1, every {word} with its keys")
        known = {"format", "version", "name", "meta", f"{word}s"}
        encoding = Encoding.from_entries(entries)
        known |= set() if encoding is None else set(encoding.entries())
        operations = []
        for i in range(count):
            prefix = f"{word}{i}_"
            try:
                kind = Dense.kind if word == "layer" else entries.text(f"{prefix}kind")
                if kind not in KINDS:
                    raise NetworkError(f"kind = {kind!r}: must be one of {', '.join(KINDS)}")
                operations.append(KINDS[kind].from_entries(entries, prefix))
            except NetworkError as error:
                raise NetworkError(f"{word} {i}: {error}") from None
            known |= {prefix + name for name in operations[-1].entries()}
            known |= {f"{prefix}kind"} if word == "operation" else set()
        if unknown := sorted(set(entries.arrays) - known):
            raise NetworkError(f"unknown key {unknown[0]!r} in a file of {count} {word}s")
        given = {} if encoding is None else {"encoding": encoding}
        return cls(name=entries.text("name"), operations=tuple(operations), meta=meta, **given)
