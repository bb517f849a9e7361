"""Folders that are made once: whole or not at all, by one process, and without a trace of the others."""

import multiprocessing
import os
import time
from pathlib import Path

import pytest

from bridgebnn.cache import cached, locked


def slowly(folder: Path) -> None:
    (folder / "first").write_text("1")
    time.sleep(0.3)
    (folder / "second").write_text("2")


def one(target: Path) -> bool:
    made = cached(target, slowly)
    assert (target / "second").exists()  # nobody sees half of it
    return made


def test_many_processes_make_it_once(tmp_path):
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        made = pool.map(one, [tmp_path / "sub" / "target"] * 8, chunksize=1)
    assert sorted(made) == [False] * 7 + [True]
    assert [item.name for item in (tmp_path / "sub").iterdir()] == ["target"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_what_fails_leaves_nothing(error, tmp_path):
    def fails(folder):
        (folder / "first").write_text("1")
        raise error

    for _ in range(2):
        with pytest.raises(error):
            cached(tmp_path / "target", fails)
        assert list(tmp_path.iterdir()) == []
    assert cached(tmp_path / "target", slowly)
    assert not cached(tmp_path / "target", fails)


def test_locks_exclude_each_other(tmp_path):
    lock, seen = tmp_path / "lock", tmp_path / "seen"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=add, args=(lock, seen)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert seen.read_text() == "()()()"
    assert not lock.exists()


def add(lock: Path, seen: Path) -> None:
    with locked(lock):
        for sign in "()":
            with seen.open("a") as file:
                file.write(sign)
            time.sleep(0.2)


def test_the_file_of_a_lock_vanishes_while_it_is_looked_at(tmp_path, monkeypatch):
    path, fstat, looks = tmp_path / "lock", os.fstat, []

    def vanishes(number):
        looks.append(number)
        if len(looks) == 1:
            path.unlink()
        return fstat(number)

    monkeypatch.setattr("bridgebnn.cache.os.fstat", vanishes)
    with locked(path):
        assert path.exists()
    assert len(looks) == 2
    assert not path.exists()
