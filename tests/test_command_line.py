"""Arguments are judged before the work begins; every way out of a command is one line and a status."""

import argparse
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from bridgebnn.command_line import (
    Parser,
    Stopped,
    guarded,
    output_file,
    output_folder,
    whole,
    write_json,
)
from tests import ROOT


@pytest.mark.parametrize("text", ["0", "10001", "x", "", "1.5", "1e3", "٣", "9" * 40])
def test_whole_refuses(text):
    with pytest.raises(argparse.ArgumentTypeError, match="must be an integer from 1 to 10000"):
        whole(1, 10_000)(text)
    assert whole(1, 10_000)("+7") == 7


def test_output_file(tmp_path):
    (tmp_path / "file").write_text("kept")
    new = tmp_path / "a b" / "c" / "d.json"
    assert output_file(str(new)) == new
    assert not new.parent.exists()
    assert output_file(str(tmp_path / "file")).read_text() == "kept"
    for text, message in (
        ("", "'': must be the name of a file"),
        (str(tmp_path), "must be the name of a file, this is a folder"),
        (str(tmp_path / "file" / "x.json"), "file is not a folder"),
    ):
        with pytest.raises(argparse.ArgumentTypeError, match=message):
            output_file(text)
    assert output_folder(str(tmp_path)) == tmp_path
    assert output_folder(str(tmp_path / "new")) == tmp_path / "new"
    for text in ("", str(tmp_path / "file"), str(tmp_path / "file" / "x")):
        with pytest.raises(argparse.ArgumentTypeError, match="folder"):
            output_folder(text)
    write_json(new, {"a": 1})
    assert new.read_text() == '{\n  "a": 1\n}\n'


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_what_may_not_be_written(tmp_path):
    locked, file = tmp_path / "locked", tmp_path / "file"
    locked.mkdir(mode=0o500)
    file.touch(mode=0o400)
    for path in (locked / "x.json", file):
        with pytest.raises(argparse.ArgumentTypeError, match="may not be written"):
            output_file(str(path))


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (ValueError("a\n b"), 2, "name: error: a b\n"),
        (
            FileNotFoundError(2, "No such file or directory", "x"),
            2,
            "name: error: x: No such file or directory\n",
        ),
        (OSError("odd"), 2, "name: error: odd\n"),
        (KeyboardInterrupt(), 130, "name: interrupted\n"),
    ],
)
def test_guarded(error, status, message, capsys):
    def work():
        raise error

    assert guarded("name", work) == status
    assert capsys.readouterr() == ("", message)
    assert guarded("name", lambda: 7) == 7


def test_parser_errors_are_one_line(capsys):
    parser = Parser(prog="p")
    parser.add_subparsers(required=True, metavar="C").add_parser("c").add_argument("n", type=whole(1, 2))
    with pytest.raises(SystemExit) as end:
        parser.parse_args(["c", "3"])
    assert end.value.code == 2
    assert capsys.readouterr().err == "p c: error: argument n: '3': must be an integer from 1 to 2\n"


def test_options_are_written_out_and_wrong_ones_told(capsys):
    parser = Parser(prog="p")
    command = parser.add_subparsers(required=True, metavar="C").add_parser("c")
    command.add_argument("--images")
    command.add_argument("--macro")
    for arguments, message in (
        (["c", "--image", "3"], "p c: error: no option '--image'; did you mean '--images'? It has: --help, "),
        (["c", "--macros=3"], "p c: error: no option '--macros'; did you mean '--macro'?"),
        (["c", "--xyz"], "p c: error: no option '--xyz'. It has: --help"),
        (["c", "more"], "p c: error: unrecognized argument 'more'"),
    ):
        with pytest.raises(SystemExit) as end:
            parser.parse_args(arguments)
        assert end.value.code == 2
        err = capsys.readouterr().err
        assert err.startswith(message)
        assert err.count("\n") == 1
    assert parser.parse_args(["c", "--images", "3"]).images == "3"


@pytest.mark.parametrize(
    "command",
    [
        ["model", "infer", "--images", "10000", "--macro", "real", "--check", "10000"],  # minutes
        ["tb", "infer", "--preset", "paper23", "--sim", "icarus", "--images", "500"],
    ],
)
def test_an_interrupt_in_mid_work_is_one_line_and_130(command, tmp_path):
    """Ctrl-C reaches the whole group of processes, simulator included; no result is left."""
    target = tmp_path / "r.json"
    process = subprocess.Popen(
        [sys.executable, "-m", "bridgebnn", *command, "--json", str(target)],
        cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's `&` leaves it ignored
    )  # fmt: skip
    time.sleep(8)  # loaded, and at work
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    name = f"bridgebnn {command[0]}(?: {command[1]})?"  # the room alone while the command is still loading
    assert re.fullmatch(f"{name}: interrupted\n", err)
    assert not target.exists()


def test_a_signal_is_not_lost_with_its_exception():
    """Code that drops whatever is raised in it, as extension modules may, is interrupted all the same."""
    heard = []

    def work():
        try:
            signal.raise_signal(signal.SIGTERM)
        except Stopped as error:
            heard.append(error.signal)
        time.sleep(20)
        return 0

    begin = time.monotonic()
    assert guarded("name", work) == 143
    assert heard == [signal.SIGTERM]
    assert time.monotonic() < begin + 10


def test_one_that_gets_through_comes_once(capsys):
    before = signal.getsignal(signal.SIGTERM)
    assert guarded("name", lambda: signal.raise_signal(signal.SIGTERM)) == 143
    assert capsys.readouterr().err == "name: terminated\n"
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_reader_that_leaves_is_no_error():
    shell = f"{sys.executable} -m bridgebnn model parameters | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", shell], cwd=ROOT, text=True, capture_output=True, timeout=60)
    assert done.stderr == ""
    assert done.returncode in (0, 1, 141)  # 0 where the pipe took everything, 1 where rich saw it first
