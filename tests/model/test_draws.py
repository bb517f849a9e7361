"""draws: keyed by what is drawn, independent of order, thread and path."""

import threading

import numpy as np
import pytest

from bridgebnn.model.draws import (
    Purpose,
    by_read_batch,
    draw,
    many_normal,
    many_uniform,
    many_uniform_fine,
    normal,
    uniform,
    uniform_fine,
    uniform_rows,
)

KEYS = [
    (0, Purpose.CAPACITOR, 0),
    (1, Purpose.CAPACITOR, 0),
    (0, Purpose.COMPARATOR_NOISE, 0),
    (0, Purpose.CAPACITOR, 1),
    (0, Purpose.CAPACITOR, 0, 1),
    (0, Purpose.CAPACITOR, 0, 0, 1),
    (0, Purpose.CAPACITOR, 0, 0, 0, 1),
    (2**64 - 1, Purpose.STUDY, 63, 2**40, 4095, 7),
]


def test_contract_of_the_key():
    """The key and counter words are those of docs/architecture.md section 9."""
    bits = np.random.Philox(
        key=np.array([5, (int(Purpose.CELL_NOISE) << 32) | 3], np.uint64),
        counter=np.array([0, 11, 13, 0], np.uint64),
    )
    expected = np.random.Generator(bits).standard_normal(9)
    assert np.array_equal(draw(5, Purpose.CELL_NOISE, 3, 11, 13).standard_normal(9), expected)


def test_reused_generator_equals_a_fresh_one_in_any_order():
    fresh = [draw(*k).standard_normal(37) for k in KEYS]
    fresh_uniform = [draw(*k).random(37, dtype=np.float32) for k in KEYS]
    for i in [*range(len(KEYS)), *reversed(range(len(KEYS))), 3, 3]:
        uniform(*KEYS[i - 1], size=3)  # leaves half a word behind, which must not leak into the next draw
        assert np.array_equal(normal(*KEYS[i], size=37), fresh[i])
        assert np.array_equal(uniform(*KEYS[i], size=37), fresh_uniform[i])
        assert np.array_equal(normal(*KEYS[i], size=5), fresh[i][:5])


def test_many_rows_at_once_are_the_rows_one_by_one():
    numbers, rows, sizes = [5, 5, 2**40, 0], [0, 7, 7, 511], [3, 900, 1, 4]
    found = uniform_rows(3, Purpose.CELL_NOISE, 2, numbers, rows, sizes)
    for got, number, row, size in zip(found, numbers, rows, sizes, strict=True):
        assert np.array_equal(got, uniform(3, Purpose.CELL_NOISE, 2, number, row, size=size))
    assert uniform_rows(3, Purpose.CELL_NOISE, 2, [], [], []) == []
    assert (
        uniform(3, Purpose.CELL_NOISE, 2, 1, size=2).tolist()
        == uniform(3, Purpose.CELL_NOISE, 2, 1, size=9)[:2].tolist()
    )


@pytest.mark.parametrize(
    ("many", "single"), [(many_normal, normal), (many_uniform, uniform), (many_uniform_fine, uniform_fine)]
)
def test_many_numbers_at_once_are_the_numbers_one_by_one(many, single):
    numbers = [5, 2**40, 0, 5]
    for rest in ((), (7,), (7, 9)):
        found = many(3, Purpose.CELL_NOISE, 2, numbers, *rest, size=37)
        expected = np.stack([single(3, Purpose.CELL_NOISE, 2, number, *rest, size=37) for number in numbers])
        assert found.dtype == expected.dtype
        assert found.tobytes() == expected.tobytes()
    assert many(3, Purpose.CELL_NOISE, 2, [], size=37).shape == (0, 37)
    with pytest.raises(ValueError, match="counter"):
        many(3, Purpose.CELL_NOISE, 2, [4, -1], size=37)


@pytest.mark.parametrize("first", [[3, 3, 3, 3], [3, 1, 3, 2]])
def test_draws_of_a_batch_are_those_of_each_read(first):
    """Rows 2 to 5 at reads ``first + 4*i``; the draw of a row does not hang on those asked for beside it."""

    def drawn(numbers, size):
        return many_uniform_fine(3, Purpose.DECISION, 1, numbers, size=size)

    found = by_read_batch(drawn, (2, 6), 5, np.array(first), 4)
    for i in range(5):
        for row in range(4):
            number = first[row] + 4 * i
            assert found[i, row] == uniform_fine(3, Purpose.DECISION, 1, number, size=9)[2 + row]


def test_every_part_of_the_key_matters():
    seen = {normal(*k, size=4).tobytes() for k in KEYS}
    assert len(seen) == len(KEYS)


def test_threads_do_not_share_state():
    expected = [draw(0, Purpose.STUDY, 0, i).standard_normal(100) for i in range(200)]
    wrong: list[int] = []

    def work() -> None:
        wrong.extend(
            i for i in range(200) if not np.array_equal(normal(0, Purpose.STUDY, 0, i, size=100), expected[i])
        )

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1, Purpose.STUDY, 0), r"chip = -1: must be an integer from 0"),
        ((0, Purpose.STUDY, 2**32), r"tile = 4294967296: must be"),
        ((0, Purpose.STUDY, 0, 1, 2, 3, 4), r"counter = \(1, 2, 3, 4\): must be at most 3"),
        ((0, Purpose.STUDY, 0, -2), r"counter = \(-2,\): must be at most 3"),
    ],
)
def test_messages(arguments, message):
    with pytest.raises(ValueError, match=message):
        draw(*arguments)


def test_purposes_are_fixed():
    """Renumbering would change every chip."""
    assert (Purpose.CAPACITOR, Purpose.CELL_NOISE, Purpose.DEVICE_FRESH, Purpose.PULSE) == (
        0,
        4,
        32,
        64,
    )
