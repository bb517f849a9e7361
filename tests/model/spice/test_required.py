"""A comparison with SPICE that does not run is told once, or is a failure where it must run."""

import os
import subprocess
import sys

import pytest

from tests import ROOT


@pytest.mark.parametrize(("required", "status"), [("0", 0), ("1", 1)])
def test_a_missing_ngspice(required, status):
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "tests/model/spice",
        "-m",
        "spice",
    ]
    env = os.environ | {"NGSPICE": "/absent", "BRIDGEBNN_REQUIRE_SPICE": required}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == status, done.stdout
    told = done.stdout.count("the model was NOT compared with SPICE")
    assert (told, "and BRIDGEBNN_REQUIRE_SPICE is 1" in done.stdout) == (1 - status, bool(status))
