"""Progress: bars on a terminal, plain lines elsewhere, none of a command that is quick."""

import io
import re
import sys
import time

import pytest

from bridgebnn import progress


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(progress, "PERIODS_S", (0.1, 0.5, 60.0))


def line(capsys) -> str:
    """The next line on stderr, as soon as it is there."""
    end, text = time.monotonic() + 20, ""
    while not text.endswith("\n"):
        assert time.monotonic() < end, "no line came"
        time.sleep(0.01)
        out, err = capsys.readouterr()
        assert out == ""
        text += err
    return text


def test_plain_lines_come_also_while_nothing_moves(quick, capsys):
    with progress.shown("verilator", "build") as show:
        assert re.fullmatch(r"verilator: build, \d+ s\n", line(capsys))
        progress.counted(show, "infer")(1200, 3000)
        assert re.fullmatch(r"verilator: infer 1,200 of 3,000, \d+ s\n", line(capsys))
        time.sleep(0.7)  # they become rare
    assert capsys.readouterr() == ("", "")


def test_the_remaining_time_where_it_is_known(quick, capsys):
    with progress.shown("montecarlo") as show:
        show({"stage": "chips", "done": 20, "total": 100, "remaining_s": 41.7})
        assert re.fullmatch(r"montecarlo: chips 20 of 100, 42 s left, \d+ s\n", line(capsys))
        show({"stage": "chips", "done": 30, "total": 100, "remaining_s": None})
        assert re.fullmatch(r"montecarlo: chips 30 of 100, \d+ s\n", line(capsys))


def test_quick_work_prints_nothing(capsys):
    with progress.shown("verilator") as show:
        show({"stage": "infer", "done": 1, "total": 1})
    assert list(progress.tracked("abc", "model", "points")) == ["a", "b", "c"]
    assert capsys.readouterr() == ("", "")


def test_an_error_passes_and_ends_the_lines(quick, capsys):
    with pytest.raises(KeyboardInterrupt), progress.shown("verilator"):
        raise KeyboardInterrupt
    time.sleep(0.2)
    assert capsys.readouterr().err == ""


def test_bars_on_a_terminal(quick, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress.shown("verilator", "build") as show:
        for done in range(4):
            show({"stage": "infer", "done": done, "total": 3})
        show({"stage": "infer", "done": 1, "total": 3})  # a second run of the same stage
        show({"stage": "infer", "done": 3, "total": 3})
    assert "verilator: build" in terminal.getvalue()
    assert "3/3" in terminal.getvalue()
