"""What a run is: jobs, checked whole before anything is built.

A job is made in Python, read from a JSON file (`Job.load`), or put together from a command line; the names and
values are the same everywhere. docs/schemas has them as JSON Schemas.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import ArrayLike, NDArray

from bridgebnn.hdl.spec import Combine, Geometry, ReadMode, Timing, preset
from bridgebnn.model.flows.trim import check_trim, self_tests
from bridgebnn.model.flows.work import Work, work_of_network, work_of_size
from bridgebnn.model.macro.broken_lines import LineFault
from bridgebnn.model.mapping.fit import geometry_for
from bridgebnn.model.mapping.mapping import Mapping, map_network
from bridgebnn.model.networks.data import load_data
from bridgebnn.model.networks.golden import check_bits
from bridgebnn.model.networks.imports import load_network
from bridgebnn.model.networks.network import Network
from bridgebnn.model.options import CHIP
from bridgebnn.model.parameters.params import MacroParams
from bridgebnn.model.spice.chip import check_size
from bridgebnn.names import UnknownName
from bridgebnn.paths import DATA, network_file
from bridgebnn.records import Record
from bridgebnn.tb.agents.misbehaviour import MacroFaults

__all__ = [
    "CampaignJob",
    "ControllerJob",
    "CoverageJob",
    "InferJob",
    "Job",
    "MutantsJob",
    "ProgramJob",
    "RegistersJob",
    "RowsJob",
    "ScenariosJob",
]

Gaps = Literal["none", "some", "long"]
Sim = Literal["icarus", "verilator"]
How = Literal["bus", "preload"]
"""How weights get into a chip: programmed over the bus, or put there by the model."""
Index = Annotated[int, Meta(ge=0)]
Seed = Annotated[int, Meta(ge=0, le=2**32 - 1)]
CHIPS = 2**64
FROM_PRESET: Any = None


class Job(Record, frozen=True, kw_only=True):
    """What every run has.

    Parameters
    ----------
    sim : "icarus" or "verilator"
    seed : int, 0 .. 2**32 - 1
        Of everything random in the testbench. The chip has a seed of its own.
    """

    TESTBENCH: ClassVar[str]
    """Module of the testbench that takes this kind of job."""

    sim: Sim = "icarus"
    seed: Seed = 1


class ChipJob(Job, frozen=True, kw_only=True):
    """A run on a modelled chip.

    Parameters
    ----------
    macro : MacroParams
        Also "ideal" (the default; of a `ProgramJob` it is "real"), "real", "published" (the authors' statistics at
        8 ns without cell errors; another clock or rate as its field ``published``), "published-like" (8 ns), "spice"
        (of an `InferJob`: small chips whose reads ngspice answers, with attachment strobe) or the path of a JSON file.
    chip : int, 0 .. 2**64 - 1
        Seed of the chip: every draw of its devices, mismatch and noise.
    """

    ADAPT = {
        "macro": lambda value: MacroParams.named(str(value)) if isinstance(value, (str, Path)) else value
    }
    ALSO = {"macro": {"type": "string"}}

    macro: MacroParams = msgspec.field(default_factory=MacroParams.ideal)
    chip: Index = CHIP

    def __post_init__(self) -> None:
        if isinstance(self.chip, int) and not isinstance(self.chip, bool) and not 0 <= self.chip < CHIPS:
            raise ValueError(
                f"{type(self).__name__}.chip = {self.chip}: must be an integer from 0 to {CHIPS - 1}"
            )
        super().__post_init__()


class InferJob(ChipJob, frozen=True, kw_only=True, dict=True):
    """A network on the RTL with the macro attached: programmed, then run over input vectors.

    Parameters
    ----------
    preset : str, optional
        Where ``network``, ``geometry``, ``timing``, ``combine`` and ``final_mode`` come from unless they are given.
    network : Network
        Also the path of a file, a foreign one too, or the name of one that comes with the package.
    geometry : Geometry
        Without a preset, one made for the network (``bridgebnn.model.mapping.fit.geometry_for``).
    timing : Timing
    combine : Combine
        How layers wider than a tile split.
    final_mode : ReadMode, COUNT or SEARCH
        How scores are read.
    images : {0, 1}, (batch, inputs)
        Input vectors. Also the path of an ``.npy`` file, or an integer: the first so many of
        ``data``, or all where it has fewer, with labels.
    before : int
        Images that this chip has seen before the first of these: the reads of its rows are numbered on from there, and
        so is the noise. A part of a longer run gives what it gives there.
    labels : tuple of int, optional
        One per image, for the accuracy.
    data : path, optional
        Images, as ``bridgebnn.model.networks.data.load_data`` takes them; the MNIST test images by default.
    data_labels : path, optional
        Their labels, where they lie apart.
    binarize : str, optional
        How values become bits, where the network's file does not say it ("bits": they are bits).
    program : "bus" or "preload"
        Pulses over the bus from an unformed array, or states written directly.
    attach : "prefetch", "strobe" or "none"
        How the model sits on the pins; none: comparator tied off, nothing is compared.
    tied : int, 0..2
        With attachment none: the controller in the shell, and what its comparator is tied to there (2: a pattern).
    repair : bool
        After programming, let spares stand in for broken lines and place neurons around scattered failures
        (``bridgebnn.model.flows.repair``), and program what changed, until nothing does. Golden then computes the
        same function with its hidden neurons in that order.
    trim : int
        After programming, find the comparators' offsets by self-tests of so many patterns, over the bus, and take them
        back by the reference (``bridgebnn.model.flows.trim``); 0: none.
    broken_lines : tuple of str
        As ``bridgebnn.model.macro.broken_lines.LineFault.parse`` takes them. They need ``repair``: the batches of
        the model alone know only sound lines.
    waves : path, optional
        VCD file to write; needs attachment strobe.
    waves_program : bool
        The programming is in it, too.
    waves_tile, waves_column : int
        The neuron and the source line whose analog nodes it shows.
    faults : MacroFaults
        How the macro misbehaves.
    bus_gaps, push_gaps, pop_gaps : "none", "some" or "long"
        Idle cycles of the host.
    watch : bool
        With attachment strobe: check each read of the pins.
    keep_scores : bool
        The report has the scores.
    comparisons : int, optional
        Comparisons of a row that the shell has room for; by default what the mapping needs.
    limit_cyc : int
        Cycles that the host waits for an answer.
    verilog : path, optional
        Another controller than the generated one.
    plus_args : tuple of str
        Arguments ``+name=value`` of the simulation.
    """

    TESTBENCH = "bridgebnn.tb.testbenches.infer"
    ADAPT = ChipJob.ADAPT | {"network": lambda v: _network(v), "images": lambda v: _images(v)}
    OPAQUE = {
        "network": {"type": "string", "format": "path"},
        "images": {
            "anyOf": [
                {"type": "string", "format": "path"},
                {"type": "integer", "minimum": 1},
                {"type": "array", "items": {"type": "array", "items": {"enum": [0, 1]}}},
            ]
        },
    }

    preset: str | None = None
    network: Network = FROM_PRESET
    geometry: Geometry = FROM_PRESET
    timing: Timing = FROM_PRESET
    combine: Combine = FROM_PRESET
    final_mode: ReadMode = FROM_PRESET
    images: NDArray[np.uint8]
    before: Annotated[int, Meta(ge=0, le=2**32)] = 0
    labels: tuple[Index, ...] | None = None
    data: Path | None = None
    data_labels: Path | None = None
    binarize: str | None = None
    program: How = "bus"
    attach: Literal["prefetch", "strobe", "none"] = "prefetch"
    tied: Annotated[int, Meta(ge=0, le=2)] = 0
    repair: bool = False
    trim: Annotated[int, Meta(ge=0, le=10_000)] = 0
    broken_lines: tuple[str, ...] = ()
    waves: Path | None = None
    waves_program: bool = False
    waves_tile: Index = 0
    waves_column: Index = 0
    faults: MacroFaults = msgspec.field(default_factory=MacroFaults)
    bus_gaps: Gaps = "none"
    push_gaps: Gaps = "none"
    pop_gaps: Gaps = "none"
    watch: bool = True
    keep_scores: bool = True
    comparisons: Annotated[int, Meta(ge=1, le=64)] | None = None
    limit_cyc: Annotated[int, Meta(ge=1)] = 2_000_000
    verilog: Path | None = None
    plus_args: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._fill()
        super().__post_init__()
        self._check()

    def _fill(self) -> None:
        """What the preset, the count of images and the defaults give."""
        chosen = None if self.preset is None else preset(self.preset)
        given: dict[str, Any] = {"timing": Timing(), "combine": Combine.ADD, "final_mode": ReadMode.COUNT}
        if chosen is not None:
            given = {name: getattr(chosen, name) for name in (*given, "geometry")}
            given["network"] = network_file(chosen.network)
        if (network := given.get("network") if self.network is None else self.network) is not None:
            network = _network(network)
            given["network"] = network
            if chosen is None and self.geometry is None:
                given["geometry"] = geometry_for(network)
            msgspec.structs.force_setattr(self, "network", network)
        if isinstance(self.images, int) and not isinstance(self.images, bool) and network is not None:
            given["labels"] = self._load(network)
        for name in ("network", "geometry", "timing", "combine", "final_mode", "labels"):
            if getattr(self, name) is None and name in given:
                msgspec.structs.force_setattr(self, name, given[name])
        if missing := [name for name in ("network", "geometry") if getattr(self, name) is None]:
            raise UnknownName(f"InferJob needs {' and '.join(missing)}, or a preset")

    def _load(self, network: Network) -> list[int] | None:
        """The first images of the data take the place of their number; their labels, where there are any."""
        data = load_data(self.data, network, labels=self.data_labels, binarize=self.binarize)
        count: Any = self.images
        if count < 1 or (count > len(data) and self.data is None):
            raise ValueError(
                f"InferJob.images = {count}: must be from 1 to {len(data)}, the images of {data.name}"
            )
        data = data.first(count)
        msgspec.structs.force_setattr(self, "images", data.bits(network))
        return None if data.labels is None else data.labels.tolist()

    def _check(self) -> None:
        """What fields must be together."""
        count, inputs = self.images.shape[0], self.network.n_in
        if count == 0:
            raise ValueError("InferJob.images: no input vectors, at least one is needed")
        msgspec.structs.force_setattr(self, "images", check_bits(self.images, inputs))
        if self.labels is not None and len(self.labels) != count:
            raise ValueError(
                f"InferJob.labels has {len(self.labels)} entries: must be one per image, {count}"
            )
        if self.final_mode is ReadMode.SIGN:
            raise ValueError("InferJob.final_mode = sign: must be count or search, a score needs popcounts")
        if self.waves is not None:
            if self.attach != "strobe":
                raise ValueError(f"waves with attachment {self.attach!r}: the analog nodes need strobe")
            if self.waves.suffix.lower() != ".vcd":
                raise ValueError(
                    f"InferJob.waves = {str(self.waves)!r}: must end in .vcd, the format that is written"
                )
        for name, end in (("waves_tile", self.geometry.tiles), ("waves_column", self.geometry.columns)):
            if self[name] >= end:
                raise ValueError(f"InferJob.{name} = {self[name]}: must be from 0 to {end - 1} on this chip")
        if self.tied and self.attach != "none":
            raise ValueError(f"tied = {self.tied} with attachment {self.attach!r}: must be none")
        if self.macro.transistors:
            self._check_transistors()
        if self.trim and self.attach == "none":
            raise ValueError(f"trim = {self.trim} with attachment none: its comparators are tied off")
        check_trim(self.macro, self.trim)
        if self.repair and self.program != "bus":
            raise ValueError(
                f"repair with program = {self.program!r}: what failed is known only after pulses (bus)"
            )
        if self.broken_lines and not self.repair:
            raise ValueError("broken lines without repair: the chip cannot hold the network")
        for text in self.broken_lines:
            LineFault.parse(text).check(self.geometry)

    def _check_transistors(self) -> None:
        """What ngspice can answer."""
        check_size(self.geometry)
        if self.attach != "strobe":
            raise ValueError(
                f"macro spice with attachment {self.attach!r}: must be strobe, each read is one run"
            )
        if self.broken_lines:
            raise ValueError("broken lines on macro spice: its netlists know sound lines alone")

    @cached_property
    def mapping(self) -> Mapping:
        """The network on the chip's tiles, made once; `bridgebnn.tb.runs.exchange` carries it over.

        Raises
        ------
        MappingError
            The network does not fit.
        """
        return map_network(self.network, self.geometry, combine=self.combine, final_mode=self.final_mode)

    @property
    def most_comparisons(self) -> int:
        """Comparisons of a row that the shell has room for: ``comparisons``, or what mapping and self-tests need."""
        if self.comparisons:
            return self.comparisons
        tests = self_tests(self.mapping) if self.trim else []
        return max(self.mapping.comparisons, *(test.search.comparisons for test in tests), 1)


class ScenariosJob(InferJob, frozen=True, kw_only=True, dict=True):
    """Bad input and bad hardware on a programmed chip: ``bridgebnn.tb.testbenches.faults``.

    Parameters
    ----------
    scenarios : tuple of str
        Which; all by default.
    """

    TESTBENCH = "bridgebnn.tb.testbenches.faults"

    program: How = "preload"
    limit_cyc: Annotated[int, Meta(ge=1)] = 100_000
    scenarios: tuple[str, ...] = ()


class ProgramJob(ChipJob, frozen=True, kw_only=True):
    """A fresh chip programmed over the bus, then verified row by row; nothing is inferred.

    Parameters
    ----------
    preset : str, optional
        The network of a preset is programmed.
    random : str, optional
        ``ROWSxCOLUMNS``: one tile of this size with random weights, drawn for ``chip``.
    work : Work
        Or this: geometry, timing, images and masks of the rows.
    """

    TESTBENCH = "bridgebnn.tb.testbenches.program"
    OPAQUE = {"work": {"type": "string", "format": "path"}}

    preset: str | None = None
    random: str | None = None
    work: Work = FROM_PRESET
    macro: MacroParams = msgspec.field(default_factory=MacroParams.real)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.macro.transistors:
            raise ValueError("ProgramJob.macro = spice: must be another, programming is the model's")
        given = [name for name in ("preset", "random", "work") if self[name] is not None]
        if self.work is None:
            if len(given) != 1:
                raise ValueError(
                    f"ProgramJob with {' and '.join(given) or 'nothing'}: needs preset, random or work"
                )
            work = work_of_network(self.preset) if self.preset else work_of_size(str(self.random), self.chip)
            msgspec.structs.force_setattr(self, "work", work)

    @property
    def geometry(self) -> Geometry:
        """Of the chip."""
        return self.work.geometry

    @property
    def timing(self) -> Timing:
        """Of the controller."""
        return self.work.timing


class CampaignJob(Job, frozen=True, kw_only=True):
    """Faults of the campaign, one after the other in one simulator process.

    Parameters
    ----------
    faults : tuple of str
        Labels ``CLASS:SEED:INDEX``.
    """

    TESTBENCH = "bridgebnn.tb.testbenches.campaign"

    faults: tuple[str, ...]


class RegistersJob(Job, frozen=True, kw_only=True):
    """A walk over the register map by a bus master that this project did not write.

    Parameters
    ----------
    geometry : Geometry
    """

    TESTBENCH = "bridgebnn.tb.testbenches.registers"

    geometry: Geometry


class ControllerJob(Job, frozen=True, kw_only=True):
    """A testbench on the bare controller's bus and pins, without a chip; it has several (``tb/testbenches``).

    Parameters
    ----------
    geometry : Geometry
    """

    geometry: Geometry


class RowsJob(Job, frozen=True, kw_only=True):
    """Row commands on scripted devices: ``bridgebnn.tb.testbenches.program_pins``.

    Parameters
    ----------
    geometry : Geometry
    steps : tuple of dict
        One per command, as ``bridgebnn.tb.testbenches.program_pins.Session`` takes them.
    backdoors : dict of str
        Counters to their places in the hierarchy, for steps that preset them.
    """

    TESTBENCH = "bridgebnn.tb.testbenches.program_pins"

    geometry: Geometry
    steps: tuple[dict[str, Any], ...]
    backdoors: dict[str, str] = {}


class MutantsJob(Job, frozen=True, kw_only=True):
    """Mutants of a controller, each through testbenches until one notices: ``bridgebnn.tb.testbenches.mutants``.

    Parameters
    ----------
    geometry : Geometry
    numbers : tuple of int
        The mutants.
    tests : tuple of str
        Subjects of that testbench, in the order in which they run.
    outcomes : Path
        File that gets a line of JSON per mutant: ``number``, ``test`` ("" when none noticed), ``how``, ``seconds``.
    """

    TESTBENCH = "bridgebnn.tb.testbenches.mutants"

    geometry: Geometry
    numbers: tuple[int, ...]
    tests: tuple[str, ...]
    outcomes: Path


class CoverageJob(Job, frozen=True, kw_only=True):
    """Testbenches of a controller with functional coverage: ``bridgebnn.tb.testbenches.coverage``.

    Parameters
    ----------
    geometry : Geometry
    tests : tuple of str
        Names of `bridgebnn.tb.campaign.mutation.TESTS`, in the order in which they run.
    into : Path
        Folder that gets the hits of each test as ``TEST.json``.
    """

    TESTBENCH = "bridgebnn.tb.testbenches.coverage"

    geometry: Geometry
    tests: tuple[str, ...]
    into: Path


def _network(value: Any) -> Network:
    """A network, from itself or a file; a bare name that is no file here is one of the package."""
    if isinstance(value, Network):
        return value
    if not isinstance(value, (str, Path)):
        raise ValueError(f"InferJob.network = {value!r:.60}: must be a Network or the path of its file")
    packaged = DATA / value
    return load_network(packaged if not Path(value).exists() and packaged.is_file() else value)


def _images(value: ArrayLike | str | Path) -> NDArray[Any]:
    """Input vectors as an array of two dimensions; values are checked later, with the network."""
    if isinstance(value, (str, Path)):
        try:
            array = np.load(value, allow_pickle=False)
        except OSError as error:
            raise ValueError(f"{value}: {error.strerror or 'no .npy file'}") from None
        except ValueError as error:
            raise ValueError(f"{value}: no .npy file ({error})") from None
    else:
        try:
            array = np.asarray(value)
        except ValueError:
            raise ValueError("InferJob.images: rows of different lengths, must be (batch, inputs)") from None
    if array.ndim != 2:
        raise ValueError(f"InferJob.images have shape {array.shape}: must be (batch, inputs)")
    return array
