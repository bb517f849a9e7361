"""The commands of docs/bring-your-own.md, as they stand there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from bridgebnn.hdl.spec import Combine
from bridgebnn.model.networks.convolution import Convolution
from bridgebnn.model.networks.dense import Dense
from bridgebnn.model.networks.encoding import Encoding
from bridgebnn.model.networks.network import Network
from tests import ROOT

PAGE = (ROOT / "docs" / "bring-your-own.md").read_text()


def commands() -> list[str]:
    """Lines of the blocks without a language."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.M | re.S)
    return [line for language, block in blocks if not language for line in block.splitlines()]


def command(start: str) -> str:
    """The one that begins so."""
    (found,) = [line for line in commands() if line.startswith(start)]
    return found


def run(line: str, folder: Path, *more: str) -> str:
    """What a command prints; it must end in 0."""
    program, *arguments = shlex.split(line)
    start = [sys.executable, "-m", "bridgebnn"] if program == "bridgebnn" else [sys.executable]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [*start, *arguments, *more],
        cwd=folder,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the images have been made."""
    path = tmp_path_factory.mktemp("own")
    assert "8000 images" in run(command("python -m examples.digit_folder"), path)
    return path


def untrained() -> Network:
    """A network of the shape that the page trains, for where there is no PyTorch."""
    rng = np.random.default_rng(1)

    def dense(n_in: int, n_out: int, output: str = "sign") -> Dense:
        return Dense(
            weights=rng.choice([-1, 1], (n_out, n_in)),
            thresholds=np.zeros((1, n_out), int),
            polarity=np.ones((1, n_out), int),
            group_sizes=np.array([n_in]),
            combine=Combine.ADD,
            output=output,  # type: ignore[arg-type]
        )

    first = Convolution(window=dense(27, 16), width=14, height=14, channels=3, kernel=3, pool=2)
    encoding = Encoding(shape=(14, 14, 1), thresholds=(64, 128, 192))
    return Network(name="own", operations=(first, dense(576, 64), dense(64, 10, "score")), encoding=encoding)


def test_the_page_has_these_commands() -> None:
    assert [line.split()[:3] for line in commands()] == [
        ["python", "-m", "examples.digit_folder"],
        ["python", "-m", "examples.torch_network"],
        ["bridgebnn", "model", "infer"],
        ["bridgebnn", "tb", "infer"],
    ]


@pytest.mark.slow
def test_pytorch(folder: Path) -> None:
    """One epoch where the page has eight; golden is right as often as PyTorch."""
    pytest.importorskip("torch", reason="PyTorch is an optional extra")
    said = run(command("python -m examples.torch_network"), folder, "1")
    share = re.search(r"PyTorch: (\d+\.\d\d%) of 2000 test images", said)
    assert share is not None
    shown = run(command("bridgebnn model infer"), folder)
    assert f"accuracy of golden {share[1]}" in " ".join(shown.split())
    assert re.search(r"images that differ from golden +0", shown)


def test_on_the_model(folder: Path) -> None:
    if not (folder / "net.npz").exists():
        untrained().save(folder / "net.npz")
    shown = run(command("bridgebnn model infer"), folder, "--images", "100")
    assert re.search(r"images +100 of test", shown)
    assert re.search(r"images that differ from golden +0", shown)


@pytest.mark.icarus
def test_on_the_rtl(folder: Path) -> None:
    """On Verilator where the frameworks are (`make frameworks`); Icarus builds in a second, for `make test`."""
    if not (folder / "net.npz").exists():
        untrained().save(folder / "net.npz")
    more = ("--images", "2") if find_spec("torch") else ("--images", "1", "--sim", "icarus")
    shown = run(command("bridgebnn tb infer"), folder, *more)
    assert re.search(r"mismatches against golden +0", shown)
    assert re.search(r"mismatches against the model +0", shown)
