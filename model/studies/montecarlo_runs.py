"""A Monte Carlo run on disk, and the executors that do its parts.

A folder holds ``manifest.json``, what the run is, and ``part-00000.npz`` ..., some chips each. Each file is
written as a whole, so a run that was killed has only whole parts; it goes on with those that are missing. Nothing in
the files depends on when, where or in what order they were made.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bridgebnn.model.macro.events import Events
from bridgebnn.model.npz import read_npz, write_whole

from .montecarlo import FORMAT, VERSION, Part, Plan, evaluate

__all__ = ["LOCAL", "Outcome", "Run", "executor"]

LOCAL = "local"
"""The scheduler that is started here."""

MANIFEST = "manifest.json"
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Read by numpy as a process starts."""

Progress = Callable[[int, int, float | None], None]
"""Called with chips done, of how many, and the remaining seconds where they can be told."""


class _Here(Executor):
    """Does the work in this process, as it is submitted."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@contextlib.contextmanager
def executor(jobs: int, scheduler: str | None = None) -> Iterator[Executor]:
    """What does the parts, behind the interface of ``concurrent.futures``.

    Parameters
    ----------
    jobs : int, at least 1
        Processes of one thread each; 1: this process. With a scheduler that is started here its workers.
    scheduler : str, optional
        Address of a Dask scheduler, or ``local`` to start one.

    Raises
    ------
    ValueError
        Dask is not installed.
    OSError
        No scheduler answers there.
    """
    if scheduler is not None:
        with _one_thread(), _dask(jobs, scheduler) as pool:
            yield pool
    elif jobs == 1:
        yield _Here()
    else:
        context = multiprocessing.get_context("spawn")
        with _one_thread(), ProcessPoolExecutor(jobs, mp_context=context) as processes:
            try:
                yield processes
            except BaseException:
                processes.shutdown(wait=False, cancel_futures=True)
                raise


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _dask(jobs: int, scheduler: str) -> Iterator[Executor]:
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise ValueError("--scheduler needs Dask: pip install 'bridgebnn[dask]'") from None
    with contextlib.ExitStack() as stack:
        if scheduler == LOCAL:
            cluster = stack.enter_context(
                LocalCluster(n_workers=jobs, threads_per_worker=1, processes=True, dashboard_address=None)
            )
            client = stack.enter_context(Client(cluster))
        else:
            client = stack.enter_context(Client(scheduler, timeout="20s"))
        # a part is lost with its worker and done again by another
        yield stack.enter_context(client.get_executor(pure=False, retries=10))


@dataclass
class Outcome:
    """What a run holds, and how it came about this time.

    Parameters
    ----------
    chips : uint64, (n,)
    classes : (conditions, n, images)
    right : int32, (conditions, n)
    kept : int
        Chips that were there already.
    seconds : list of float
        Processor time of each condition, of the chips evaluated now.
    events : list of lists of Events, optional
        By condition and chip; empty of a run without energy, None where no array answers.
    """

    chips: NDArray[np.uint64]
    classes: NDArray[Any]
    right: NDArray[np.int32]
    kept: int = 0
    seconds: list[float] = field(default_factory=list)
    events: list[list[Events | None]] = field(default_factory=list)


class Stored(NamedTuple):
    """A part as it lies in its file; fields as those of `Outcome`, of its chips."""

    chips: NDArray[np.uint64]
    classes: NDArray[Any]
    right: NDArray[np.int32]
    events: list[list[Events | None]]


class Run:
    """A Monte Carlo run in a folder.

    Parameters
    ----------
    folder : path
        Made where it does not exist.
    plan : Plan
    first, chips : int
        Seed of the first chip, and how many; chip ``first + k`` is the k-th.
    part : int
        Chips of one file.
    about : dict
        What else the manifest shall say of it: names that people know it by.

    Raises
    ------
    ValueError
        The folder holds another run.
    """

    def __init__(
        self, folder: Path, plan: Plan, *, first: int, chips: int, part: int, about: dict[str, Any]
    ) -> None:
        self.folder, self.plan = folder, plan
        if first + chips > 1 << 64:
            raise ValueError(f"{chips} chips from seed {first}: the last seed must be below 2**64")
        self.parts = [
            range(first + start, first + min(start + part, chips)) for start in range(0, chips, part)
        ]
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            "digest": plan.digest,
            "first_chip": first,
            "chips": chips,
            "chips_per_part": part,
            "conditions": [condition.name for condition in plan.conditions],
            **about,
        }
        folder.mkdir(parents=True, exist_ok=True)
        text = (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode()
        path = folder / MANIFEST
        if not path.exists():
            if any(folder.glob("part-*.npz")):
                raise ValueError(f"{folder}: has parts of a run but no {MANIFEST}")
            write_whole(path, text)
        elif path.read_bytes() != text:
            raise ValueError(
                f"{path}: of {_difference(path, manifest)}; give another folder, or the same run"
            )

    def path(self, number: int) -> Path:
        """File of a part."""
        return self.folder / f"part-{number:05d}.npz"

    def load(self, number: int) -> Stored:
        """A part; ``ValueError`` where the file is not that part."""
        path = self.path(number)
        entries = read_npz(path, format=FORMAT, version=VERSION, error=ValueError)
        chips, classes, right = (entries.array(name) for name in ("chips", "classes", "right"))
        wanted = np.array(self.parts[number], np.uint64)
        shape = len(self.plan.conditions), len(wanted)
        if entries.text("digest") != self.plan.digest or not np.array_equal(chips, wanted):
            raise ValueError(f"{path}: a part of another run")
        if right.shape != shape or classes.shape != (*shape, len(self.plan.labels)):
            raise ValueError(f"{path}: results of shape {classes.shape}, not those of this run")
        events = json.loads(entries.text("events")) if self.plan.energy else []
        return Stored(
            chips, classes, right, [[e and Events.from_dict(e) for e in by_chip] for by_chip in events]
        )

    def missing(self) -> list[int]:
        """Parts that are still to be done."""
        return [number for number in range(len(self.parts)) if not self.path(number).exists()]

    def complete(self, pool: Executor, jobs: int, progress: Progress | None = None) -> Outcome:
        """Do what is missing, and give all of it.

        Parameters
        ----------
        pool : Executor
        jobs : int
            Parts under way at once: twice as many, but for one.
        progress : callable, optional

        Raises
        ------
        ChildProcessError
            A worker ended; what is done is on disk.
        """
        missing = self.missing()
        total = sum(map(len, self.parts))
        done = kept = total - sum(len(self.parts[n]) for n in missing)
        seconds = [0.0] * len(self.plan.conditions)
        begin, queue, waiting = time.monotonic(), iter(missing), set[Future[Part]]()
        if progress is not None:
            progress(done, total, None)
        try:
            while True:
                while len(waiting) < (1 if jobs == 1 else 2 * jobs) and (n := next(queue, None)) is not None:
                    waiting.add(pool.submit(evaluate, self.plan, n, self.parts[n]))
                if not waiting:
                    break
                finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in finished:
                    found = future.result()
                    write_whole(self.path(found.number), found.content)
                    seconds = [a + b for a, b in zip(seconds, found.seconds, strict=True)]
                    done += len(self.parts[found.number])
                    if progress is not None:
                        spent = time.monotonic() - begin
                        progress(done, total, spent * (total - done) / (done - kept))
        except BrokenProcessPool:
            raise ChildProcessError(
                f"{self.folder}: a worker process ended; {done} of {total} chips are kept, run again to go on"
            ) from None
        finally:
            for future in waiting:
                future.cancel()
        stored = [self.load(n) for n in range(len(self.parts))]
        chips, classes, right, events = zip(*stored, strict=True)
        return Outcome(
            chips=np.concatenate(chips),
            classes=np.concatenate(classes, axis=1),
            right=np.concatenate(right, axis=1),
            kept=kept,
            seconds=seconds,
            events=[[e for part in of_parts for e in part] for of_parts in zip(*events, strict=True)],
        )


def _difference(path: Path, manifest: dict[str, Any]) -> str:
    """Which entries of a manifest are not those of this run."""
    try:
        other = json.loads(path.read_text())
        names = [n for n in sorted({*other, *manifest}) if other.get(n) != manifest.get(n)]
    except (ValueError, TypeError, AttributeError):
        return "no Monte Carlo run"
    return f"another run, which differs in {', '.join(names)}"
