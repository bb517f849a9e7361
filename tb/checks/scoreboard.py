"""The scoreboard: compares what monitors saw on the pins with references, and cannot be muted.

*Sent* comes from the stimulus: per input vector one observation of every row program's inputs (of every window, where
it walks over a map), and one of the result.
*Compared* counts observations that monitors made and that were compared, value by value, with every reference. A test
ends with ``compared == sent > 0``, and with a proof that the comparison can fail: what a reference expects is put to
a second scoreboard, once as it is, and once with each kind of value turned, which it must notice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from bridgebnn.model.mapping.row_programs import RowProgram
from bridgebnn.model.networks.host import HostPart

__all__ = ["InferenceScoreboard", "Reference", "Result", "ScoreboardError", "observations"]


class ScoreboardError(AssertionError):
    """Fewer things were compared than sent, nothing was sent, or the comparison does not notice what is wrong."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """What stands in the result bank for one input vector.

    Parameters
    ----------
    index : int
        Number of the vector since INFER, as the controller counts it.
    label : int
        CLASS.
    scores : int64, (n,)
        Empty where the last operation gives signs.
    bits : uint8, (n,)
    """

    index: int
    label: int
    scores: np.ndarray
    bits: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """What one input vector comes to when the host has done its part.

    Parameters
    ----------
    label : int
    scores : int64, (n,)
        Empty where the last operation gives signs.
    """

    label: int
    scores: np.ndarray


class Evaluated(Protocol):
    """What a reference is made of; ``golden.Forward`` and ``inference.Result`` are."""

    @property
    def hidden(self) -> Sequence[np.ndarray]: ...

    @property
    def scores(self) -> np.ndarray: ...

    @property
    def classes(self) -> np.ndarray: ...


@dataclass(kw_only=True, eq=False)
class Reference:
    """Expected results of a batch, and what differed from them.

    Parameters
    ----------
    hidden : sequence of (batch, n) arrays
        Bits that each operation gives, by its number.
    scores : (batch, n)
    classes : (batch,)

    Attributes
    ----------
    values : int
        Compared so far.
    mismatches : int
        Values that differed.
    first : str or None
        The first of them.
    images : set of int
        Vectors with any.
    before : int
        Vectors that came before this batch; ``first`` counts them.
    """

    hidden: Sequence[np.ndarray]
    scores: np.ndarray
    classes: np.ndarray
    values: int = 0
    mismatches: int = 0
    first: str | None = None
    images: set[int] = field(default_factory=set)
    before: int = 0

    @classmethod
    def of(cls, result: Evaluated, before: int = 0) -> Reference:
        """Take the three arrays of another object."""
        return cls(hidden=result.hidden, scores=result.scores, classes=result.classes, before=before)

    def compare(self, vector: int, what: str, seen: Any, expected: Any) -> None:
        """Count the elements of ``seen`` that are not what was expected; another shape differs throughout."""
        seen, expected = np.atleast_1d(seen), np.atleast_1d(expected)
        self.values += expected.size
        if seen.shape != expected.shape:
            count, where = max(seen.size, expected.size), "another shape"
        else:
            wrong = np.flatnonzero(seen != expected)
            if not wrong.size:
                return
            count, where = wrong.size, f"first at {wrong[0]}"
        self.mismatches += count
        self.images.add(vector)
        self.first = self.first or f"vector {self.before + vector}, {what}: {count} differ, {where}"


def observations(vectors: int, programs: Sequence[RowProgram]) -> int:
    """Observations that a run over so many vectors owes: every window of every program, and the results."""
    return vectors * (sum(program.windows for program in programs) + 1)


class InferenceScoreboard:
    """Inputs of every program, scores and classes of a batch, against golden and against the model.

    Parameters
    ----------
    images : uint8, (batch, inputs)
        What is sent.
    references : dict of str to Reference
    programs : sequence of RowProgram
        What the chip does, in order; each must be seen once per vector, and once per window where it walks over a map.
    behind : HostPart, optional
        Host layers behind the chip: they make scores and class of the bits in the result bank.

    Attributes
    ----------
    sent, compared : int
        Observations owed, and made.
    seen : list of Result
        In the order in which they were seen.
    outcomes : list of Outcome
        Scores and class of each, the host's work done.
    """

    def __init__(
        self,
        images: np.ndarray,
        references: Mapping[str, Reference],
        programs: Sequence[RowProgram],
        behind: HostPart | None = None,
    ):
        self.images, self.references, self.programs = images, references, programs
        self.sent, self.compared = observations(len(images), programs), 0
        self.behind = behind
        self.seen: list[Result] = []
        self.outcomes: list[Outcome] = []
        self._turns = [0] * len(programs)
        self._expected: dict[tuple[int, str], np.ndarray] = {}  # windows of the present vector

    def observe_inputs(self, number: int, bits: np.ndarray) -> None:
        """Input bits of a program, seen on the columns: its next vector, or the next window of a map."""
        program, turn = self.programs[number], self._turns[number]
        self._turns[number] += 1
        vector, window = divmod(turn, program.windows)
        if vector >= len(self.images):
            raise ScoreboardError(f"layer {number} began {turn + 1} times for {len(self.images)} vectors")
        what = f"inputs of layer {number}" + (f", window {window}" if program.windows > 1 else "")
        for name, reference in self.references.items():
            if window == 0:  # all windows of a map at once
                source = self.images if program.source is None else reference.hidden[program.source]
                self._expected[number, name] = program.vectors(source[vector : vector + 1])
            reference.compare(vector, what, bits, self._expected[number, name][window])
        self.compared += 1

    def observe_result(self, result: Result) -> None:
        """A result, seen on the bus."""
        vector = len(self.seen)
        if vector >= len(self.images):
            raise ScoreboardError(f"{vector + 1} results for {len(self.images)} vectors")
        if result.index != vector:
            raise ScoreboardError(f"result {vector} calls itself {result.index}")
        self.seen.append(result)
        last, outcome = self.programs[-1], self._outcome(result)
        self.outcomes.append(outcome)
        for reference in self.references.values():
            scores = reference.scores[vector]
            reference.compare(vector, "scores", outcome.scores, scores if self._scored else [])
            reference.compare(vector, "class", outcome.label, reference.classes[vector])
            if self.behind:
                reference.compare(vector, "class of the chip", result.label, 0)
            # Signs are bits of their own; those of scores say whether the score is negative.
            bits = reference.hidden[last.operation][vector] if last.output == "sign" else scores >= 0
            reference.compare(vector, "bits of the last layer", result.bits, np.asarray(bits, np.uint8))
        self.compared += 1

    @property
    def _scored(self) -> bool:
        """Scores come out: of the chip, or of the host behind it."""
        return bool(self.behind) or self.programs[-1].output == "score"

    def _outcome(self, result: Result) -> Outcome:
        if not self.behind:
            return Outcome(label=result.label, scores=result.scores)
        done = self.behind(result.bits[None])
        return Outcome(label=int(done.classes[0]), scores=done.scores[0].astype(np.int64))

    def taken(self, result: Any) -> None:
        """A result that the host took: the one that was seen on the bus just now."""
        seen = self.seen[-1] if self.seen else None
        if seen is None or not (
            (result.index, result.label) == (seen.index, seen.label)
            and np.array_equal(result.scores, seen.scores)
            and np.array_equal(result.bits, seen.bits)
        ):
            raise ScoreboardError(f"the host took {result}, on the bus was {seen}")

    def close(self) -> None:
        """End of the test.

        Raises
        ------
        ScoreboardError
            ``compared == sent > 0`` does not hold, for results or for any program's inputs, values were left
            out of a comparison, or a wrong bit would go unnoticed.
        """
        for number, (turns, program) in enumerate(zip(self._turns, self.programs, strict=True)):
            if turns != len(self.images) * program.windows:
                raise ScoreboardError(f"layer {number} was seen {turns} times for {len(self.images)} vectors")
        if not self.compared == self.sent > 0:
            raise ScoreboardError(f"{self.sent} observations sent, {self.compared} compared")
        if not self.references:
            raise ScoreboardError("nothing to compare with: there is no reference")
        inputs = sum(program.windows * program.n_in for program in self.programs)
        for name, reference in self.references.items():
            scores = reference.scores.shape[1] if self._scored else 0
            classes = 2 if self.behind else 1
            values = len(self.images) * (inputs + self.programs[-1].n_out + scores + classes)
            if reference.values != values:
                raise ScoreboardError(f"{reference.values} of {values} values were compared with {name}")
        self._prove()

    def _prove(self) -> None:
        """Right answers to the first vector pass beside each reference, and each kind of wrong value is noticed."""
        for name, reference in self.references.items():
            inputs, result = self._right(reference)
            wrong = {
                "class": (inputs, replace(result, label=result.label + 1)),
                "bits of the last layer": (inputs, replace(result, bits=_turned(result.bits))),
            }
            if result.scores.size:
                wrong["scores"] = inputs, replace(result, scores=_turned(result.scores))
            for number, bits in enumerate(inputs):
                others = [*inputs[:number], _turned(bits), *inputs[number + 1 :]]
                wrong[f"inputs of layer {number}"] = others, result
            if self._mismatches(reference, inputs, result):
                raise ScoreboardError(f"right values differ from {name}")
            for what, (altered, outcome) in wrong.items():
                if not self._mismatches(reference, altered, outcome):
                    raise ScoreboardError(f"{what}: a wrong value goes unnoticed beside {name}")

    def _right(self, reference: Reference) -> tuple[list[np.ndarray], Result]:
        """Inputs of each program, (windows, n_in), and the result, as a reference has them for the first vector."""
        inputs = [
            program.vectors((self.images if program.source is None else reference.hidden[program.source])[:1])
            for program in self.programs
        ]
        last, scores = self.programs[-1], reference.scores[0].astype(np.int64)
        score = last.output == "score"
        bits = (scores >= 0).astype(np.uint8) if score else reference.hidden[last.operation][0]
        label = 0 if self.behind else int(reference.classes[0])
        return inputs, Result(index=0, label=label, scores=scores if score else scores[:0], bits=bits)

    def _mismatches(self, reference: Reference, inputs: list[np.ndarray], result: Result) -> int:
        """Of these observations beside one reference, by a scoreboard of their own."""
        fresh = Reference.of(reference)
        twin = type(self)(self.images, {"": fresh}, self.programs, self.behind)
        for number, windows in enumerate(inputs):
            for bits in windows:
                twin.observe_inputs(number, bits)
        twin.observe_result(result)
        return fresh.mismatches


def _turned(values: np.ndarray) -> np.ndarray:
    """The same with its last element turned: 0 and 1 change places, a score changes by one."""
    turned = values.copy()
    turned.flat[-1] ^= 1
    return turned
