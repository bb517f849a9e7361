"""The scoreboard: compares what monitors saw with two references, and insists that something was compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bridgebnn.model.mapping.row_programs import RowProgram

__all__ = ["InferenceScoreboard", "Reference", "ScoreboardError"]


class ScoreboardError(AssertionError):
    """Fewer things were compared than sent, or nothing was sent."""


@dataclass(kw_only=True, eq=False)
class Reference:
    """Expected results of a batch: ``golden.Forward`` or ``inference.Result``.

    Parameters
    ----------
    hidden : sequence of (batch, n) arrays
        Bits that each operation gives, by its number.
    scores : (batch, n)
    classes : (batch,)
    """

    hidden: Sequence[np.ndarray]
    scores: np.ndarray
    classes: np.ndarray
    mismatches: int = 0
    first: str | None = None
    images: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, result: Any) -> Reference:
        """Take the three arrays of another object."""
        return cls(hidden=result.hidden, scores=result.scores, classes=result.classes)

    def differ(self, vector: int, what: str, seen: np.ndarray, expected: np.ndarray) -> None:
        """Count the elements in which ``seen`` is not what was expected."""
        same_shape = np.shape(seen) == np.shape(expected)
        if same_shape and not np.any(seen != expected):
            return
        if not same_shape:
            count, where = max(np.size(seen), np.size(expected)), "another shape"
        else:
            wrong = np.flatnonzero(np.atleast_1d(np.asarray(seen) != np.asarray(expected)))
            count, where = len(wrong), f"first at {wrong[0]}"
        self.mismatches += count
        self.images.add(vector)
        self.first = self.first or f"vector {vector}, {what}: {count} differ, {where}"


class InferenceScoreboard:
    """Hidden bits, scores and classes of a batch, against golden and against the model.

    Parameters
    ----------
    images : uint8, (batch, inputs)
        What was sent.
    references : dict of str to Reference
    programs : sequence of RowProgram
        What the chip does, in order; each must be seen once per vector, and once per window where it walks over a map.
    """

    def __init__(self, images: np.ndarray, references: dict[str, Reference], programs: Sequence[RowProgram]):
        self.images, self.references, self.programs = images, references, programs
        self.sent = self.compared = 0
        self._layer_turns: dict[int, int] = {}
        self._expected: dict[tuple[int, str], np.ndarray] = {}
        self.seen: list[dict[str, Any]] = []

    def send(self, vector: int) -> None:
        """A vector was pushed."""
        self.sent += 1

    def observe_layer(self, layer: int, bits: np.ndarray) -> None:
        """Input bits of a layer, seen on ``bl``: its next vector, or the next window of a map."""
        program, turn = self.programs[layer], self._layer_turns.get(layer, 0)
        self._layer_turns[layer] = turn + 1
        vector, window = divmod(turn, program.windows)
        if vector >= len(self.images):
            raise ScoreboardError(f"layer {layer} began {turn + 1} times for {len(self.images)} vectors")
        what = f"inputs of layer {layer}" + (f", window {window}" if program.windows > 1 else "")
        for name, reference in self.references.items():
            if window == 0:  # all windows of a map at once
                source = self.images if program.source is None else reference.hidden[program.source]
                self._expected[layer, name] = program.vectors(source[vector : vector + 1])
            reference.differ(vector, what, bits, self._expected[layer, name][window])

    def observe_result(self, result: Any) -> None:
        """A result that the host took (`bridgebnn.tb.host.driver.VectorResult`)."""
        vector = self.compared
        self.compared += 1
        if vector >= len(self.images):
            raise ScoreboardError(f"{vector + 1} results for {len(self.images)} vectors")
        if result.index != vector:
            raise ScoreboardError(f"result {vector} calls itself {result.index}")
        self.seen.append({"label": result.label, "scores": result.scores.tolist()})
        for reference in self.references.values():
            scores = reference.scores[vector]
            if len(result.scores):
                reference.differ(vector, "scores", result.scores, scores)
            reference.differ(vector, "class", result.label, reference.classes[vector])
            # A sign layer's bits are its own; a score layer's say whether the score is negative.
            last = self.programs[-1]
            expected = reference.hidden[last.operation][vector] if last.output == "sign" else scores >= 0
            reference.differ(vector, "bits of the last layer", result.bits, np.asarray(expected, np.uint8))

    def close(self) -> None:
        """End of the test.

        Raises
        ------
        ScoreboardError
            ``compared == sent > 0`` does not hold, for results or for any layer's inputs.
        """
        if not self.compared == self.sent == len(self.images) > 0:
            raise ScoreboardError(f"{self.sent} sent, {self.compared} compared, of {len(self.images)}")
        for layer, program in enumerate(self.programs):
            seen = self._layer_turns.get(layer, 0)
            if seen != self.sent * program.windows:
                raise ScoreboardError(f"layer {layer} was seen {seen} times for {self.sent} vectors")
