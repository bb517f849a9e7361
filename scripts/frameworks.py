"""The tests of imports, and of products on PyTorch, beside PyTorch and Brevitas in an environment of their own.

    python scripts/frameworks.py FOLDER [pytest's arguments]

FOLDER becomes a virtual environment that sees the packages of the one that runs this, and has the extra ``frameworks``
besides: what these pin for themselves stays out of everything else.
"""

import site
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTS = ("tests/model/networks/imports", "tests/model/test_products.py", "tests/test_bring_your_own.py")

if __name__ == "__main__":
    folder = Path(sys.argv[1]).absolute()
    if not (folder / "bin" / "python").exists():
        venv.create(folder, with_pip=True)
    own = next(folder.glob("lib/python*/site-packages"))
    (own / "house.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    python = str(folder / "bin" / "python")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    pip = [
        python,
        "-m",
        "pip",
        "install",
        "-q",
        "--disable-pip-version-check",
        "-c",
        str(ROOT / "constraints.txt"),
    ]
    subprocess.run([*pip, *extras["frameworks"]], check=True)
    sys.exit(subprocess.run([python, "-m", "pytest", "-q", *TESTS, *sys.argv[2:]], cwd=ROOT).returncode)
