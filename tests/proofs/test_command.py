"""The command ``bridgebnn proofs``: what it prints while solvers work."""

import re
import time
from pathlib import Path
from types import SimpleNamespace

from bridgebnn import progress
from bridgebnn.proofs import __main__ as command
from bridgebnn.proofs.prove import Result
from bridgebnn.proofs.rules import QUICK


def test_lines_while_solvers_work(monkeypatch, capsys):
    def slow(model, check, limit_s):
        time.sleep(0.1)
        return Result(
            kind="property", name=check.name, rule=check.rule, text="", status="proven", good=True,
            method="none", seconds=0.1,
        )  # fmt: skip

    monkeypatch.setattr(progress, "PERIODS_S", (0.05, 0.05, 0.05))
    monkeypatch.setattr(command, "generate", lambda *_: SimpleNamespace(verilog=Path("design.v")))
    monkeypatch.setattr(command, "Model", lambda *_: None)
    monkeypatch.setattr(command, "prove", slow)
    monkeypatch.setattr(command, "reach", slow)
    count = len(QUICK)
    assert command.main(["--quick", "--jobs", "2"]) == 0
    out, err = capsys.readouterr()
    assert f"{count} of {count} as they should be" in out
    lines = err.splitlines()
    assert len(lines) > 1
    assert all(re.fullmatch(rf"proofs: checks \d+ of {count}, \d+ s", line) for line in lines)
