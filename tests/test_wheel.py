"""The package as a user has it: a wheel, in an environment where the checkout does not exist.

The dependencies come from this environment through a path file; the package itself, and nothing else of the checkout.
"""

import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests import ROOT
from tests.tb.simulators.conftest import QUICK_BUILD

pytestmark = pytest.mark.slow
FOREIGN = ("tb", "model", "hdl", "train", "proofs", "kit", "report", "data", "tests", "examples")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from what git has, in a folder with a space."""
    source = tmp_path_factory.mktemp("source") / "a checkout"
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, files.decode().split("\0")):
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_symlink():
            target.symlink_to((ROOT / name).readlink())
        elif (ROOT / name).exists():
            target.write_bytes((ROOT / name).read_bytes())
    out = tmp_path_factory.mktemp("wheel")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(out),
        str(source),
    ]
    subprocess.run(pip, check=True, capture_output=True, timeout=300)
    return next(out.glob("bridgebnn-*.whl"))


def environment(wheel: Path, folder: Path) -> Path:
    """A virtual environment with the wheel in it."""
    venv.create(folder, symlinks=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(folder / "bin" / "python"),
        "install",
        "-q",
        "--no-deps",
    ]
    subprocess.run([*pip, "--no-index", str(wheel)], check=True, capture_output=True, timeout=300)
    # the dependencies' folder without its own path files, of which one leads to the checkout
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """A virtual environment with the wheel in it; its path has a space."""
    return environment(wheel, tmp_path_factory.mktemp("environment") / "a venv")


def call(installed: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Run the console command as a user of the environment does."""
    env = {"PATH": f"{installed / 'bin'}:/usr/local/bin:/usr/bin:/bin", "HOME": str(cwd / "home")}
    command = [installed / "bin" / "bridgebnn", *arguments]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=900)


def test_the_wheel_holds_all_data_and_no_other_package(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"bridgebnn"}
    rooms = ["git", "ls-files", "hdl", "model", "tb", "train", "proofs", "kit", "report", "data"]
    files = subprocess.run(rooms, cwd=ROOT, capture_output=True, text=True, check=True)
    tracked = {f"bridgebnn/{name}" for name in files.stdout.split("\n") if name and (ROOT / name).exists()}
    data = {name for name in tracked if not name.endswith(".md")}
    assert {Path(name).suffix for name in data} >= {".py", ".npz", ".rdl", ".v"}
    assert not data - set(names)


def test_inference_in_an_unrelated_folder(installed, tmp_path):
    """With packages of the user's own that have our rooms' names, and fail when they are imported."""
    place = tmp_path / "my project"
    for name in FOREIGN:
        (place / name).mkdir(parents=True)
        (place / name / "__init__.py").write_text("raise SystemExit('the wrong package')\n")
    before = sorted(p for p in installed.rglob("*") if "__pycache__" not in p.parts)
    wanted = [*"--preset mnist --images 2 --program preload --sim icarus --json".split(), "out dir/r.json"]
    done = call(installed, place, "tb", "infer", *wanted)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (place / "out dir" / "r.json").exists()
    assert {path.name for path in place.iterdir()} == {*FOREIGN, "home", "out dir"}
    assert sorted(p for p in installed.rglob("*") if "__pycache__" not in p.parts) == before
    assert (place / "home" / ".cache" / "bridgebnn" / "sim").is_dir()


# --- examples/soc, in a repository of its own -----------------------------------------------------

SIMULATORS = [pytest.param(sim, marks=getattr(pytest.mark, sim)) for sim in ("icarus", "verilator")]


@pytest.fixture(scope="module")
def plain(wheel, tmp_path_factory) -> Path:
    """A virtual environment as `installed`, with pytest, in a path that make takes."""
    return environment(wheel, tmp_path_factory.mktemp("venv"))


@pytest.fixture(scope="module")
def soc(tmp_path_factory) -> Path:
    """The example's folder, outside the checkout."""
    return shutil.copytree(
        ROOT / "examples" / "soc",
        tmp_path_factory.mktemp("users") / "soc",
        ignore=shutil.ignore_patterns("build", "__pycache__"),
    )


def shell(venv_folder: Path, cwd: Path, script: str) -> tuple[int, str]:
    """As a user of the environment, after the one documented command."""
    env = {
        "PATH": f"{venv_folder / 'bin'}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(cwd.parent),
    } | QUICK_BUILD
    done = subprocess.run(
        ["bash", "-c", f'set -e\neval "$(bridgebnn tb env)"\n{script}'],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=900,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("sim", SIMULATORS)
def test_the_soc_example(sim, plain, soc):
    """Its Makefile with one of its tests, its pytest with all three."""
    script = f"COCOTB_TEST_FILTER=a_network make SIM={sim}\npython -m pytest -q -p no:cacheprovider -k {sim}"
    status, text = shell(plain, soc, script)
    assert status == 0, text[-4000:]
    assert "TESTS=1 PASS=1 FAIL=0" in text
    assert "1 passed, 1 deselected" in text
    assert str(ROOT) not in text.replace(sys.prefix, "")


ADDRESSES = "RAM, BNN0, BNN1 = 0x0000_0000, 0x1000_0000, 0x2000_0000"
WRONG = {
    "a network": (
        "golden.forward(network,",
        "golden.forward(network_of([-n.weights for n in network.operations]),",
        "AssertionError",
    ),
    "an address where nobody is": (
        ADDRESSES,
        "RAM, BNN0, BNN1 = 0, 0x3000_0000, 0x2000_0000",
        r"BusError: read of ID \(0x30000000\) ended in err",
    ),
    "the other one's address": (
        ADDRESSES,
        "RAM, BNN0, BNN1 = 0, 0x2000_0000, 0x2000_0000",
        r"WrongController: GEOMETRY0 reads 0x\w+, must be 0x\w+: another base address",
    ),
    "the other one's geometry": (
        "dut.soc.bnn1, GEOMETRY1",
        "dut.soc.bnn1, GEOMETRY0",
        r"ValueError: dut.soc.bnn1.row has 3 bits: must be 4 of Geometry",
    ),
    "a clock": (
        'dut.clk, 20, "ns"',
        'dut.clk, 10, "ns"',
        r"bnn0.clk is 10 ns: must be timing.clock_s, 20 ns",
    ),
}


@pytest.mark.icarus
@pytest.mark.parametrize("wrong", WRONG)
def test_a_soc_that_is_wrong_is_told(wrong, plain, soc, tmp_path):
    old, new, said = WRONG[wrong]
    place = shutil.copytree(soc, tmp_path / "soc")
    bench = place / "tb" / "bench.py"
    assert bench.read_text().count(old) == 1
    bench.write_text(bench.read_text().replace(old, new))
    status, text = shell(plain, place, "COCOTB_TEST_FILTER=a_network make SIM=icarus")
    assert status != 0
    assert re.search(said, text), text[-4000:]


@pytest.mark.verilator
def test_a_net_that_verilator_writes_over_is_told(plain, soc, tmp_path):
    place = shutil.copytree(soc, tmp_path / "soc")
    bench = place / "tb" / "bench.py"
    bench.write_text(bench.read_text().replace(", macro=dut.soc.macro1", ""))
    status, text = shell(plain, place, "COCOTB_TEST_FILTER=a_network make SIM=verilator")
    assert status != 0
    assert re.search(r"ValueError: dut.soc.bnn1.\w+ is 0+ where 1+ is driven at", text), text[-4000:]
