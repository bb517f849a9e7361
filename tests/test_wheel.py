"""The package as a user has it: a wheel, in an environment where the checkout does not exist.

The dependencies come from this environment through a path file; the package itself, and nothing else of the checkout.
"""

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests import ROOT

pytestmark = pytest.mark.slow
FOREIGN = ("tb", "model", "hdl", "train", "proofs", "kit", "data", "tests", "examples")


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


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """A virtual environment with the wheel in it; its path has a space."""
    folder = tmp_path_factory.mktemp("environment") / "a venv"
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
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def call(installed: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Run the console command as a user of the environment does."""
    env = {"PATH": f"{installed / 'bin'}:/usr/local/bin:/usr/bin:/bin", "HOME": str(cwd / "home")}
    command = [installed / "bin" / "bridgebnn", *arguments]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=900)


def test_the_wheel_holds_all_data_and_no_other_package(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"bridgebnn"}
    rooms = ["git", "ls-files", "hdl", "model", "tb", "train", "proofs", "kit", "data"]
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
    wanted = ["--preset", "mnist", "--images", "20", "--sim", "icarus", "--json", "out dir/r.json"]
    done = call(installed, place, "tb", "infer", *wanted)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (place / "out dir" / "r.json").exists()
    assert {path.name for path in place.iterdir()} == {*FOREIGN, "home", "out dir"}
    assert sorted(p for p in installed.rglob("*") if "__pycache__" not in p.parts) == before
    assert (place / "home" / ".cache" / "bridgebnn" / "sim").is_dir()
