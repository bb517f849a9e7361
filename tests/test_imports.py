"""Who imports whom: the contracts hold, and each of them catches an import that it forbids."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests import ROOT

CONTRACTS = {
    contract["id"]: contract["name"]
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
}
FORBIDDEN = {
    "spec": ("hdl/spec/codes.py", "import numpy"),
    "hdl": ("hdl/layers/vectors.py", "import bridgebnn.model.networks.golden"),
    "model": ("model/macro/energy.py", "import bridgebnn.hdl.layers.popcount"),
    "kit": ("kit/macro.py", "import bridgebnn.tb.pins"),
    "report": ("report/wrong.py", "import bridgebnn.tb.host.driver"),
    "rooms-of-the-model": ("model/mapping/spares.py", "import bridgebnn.model.flows.programming"),
    "physics": ("model/macro/neuron.py", "import bridgebnn.model.networks.golden"),
    "golden": ("model/networks/golden.py", "import bridgebnn.model.networks.operations"),
    "commands": ("tb/host/driver.py", "import bridgebnn.tb.commands.infer"),
    "rooms-of-the-testbenches": ("tb/bus/wishbone.py", "import bridgebnn.tb.agents.array_agent"),
}


def lint(folder: Path) -> tuple[int, str]:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


@pytest.fixture
def copy(tmp_path):
    """The package as it is, to be spoiled."""
    for name in ("bridgebnn", "hdl", "model", "tb", "train", "proofs", "kit", "report"):
        ignored = shutil.ignore_patterns("__pycache__", "*.npz")
        shutil.copytree(ROOT / name, tmp_path / name, symlinks=True, ignore=ignored)
    (tmp_path / "data").mkdir()
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_contracts_hold():
    status, text = lint(ROOT)
    assert status == 0, text
    assert f"Contracts: {len(CONTRACTS)} kept, 0 broken." in text


def test_each_contract_catches_what_it_forbids(copy):
    assert set(FORBIDDEN) == set(CONTRACTS)
    for place, line in FORBIDDEN.values():
        path = copy / place
        path.write_text(f"{path.read_text()}\n{line}\n")
    status, text = lint(copy)
    assert status == 1
    for contract, (place, line) in FORBIDDEN.items():
        assert f"{CONTRACTS[contract]} BROKEN" in text
        importer = "bridgebnn." + place.removesuffix(".py").replace("/", ".")
        assert f"{importer} -> {line.removeprefix('import ')}" in text
