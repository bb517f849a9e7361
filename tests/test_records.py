"""Records: names and values are checked however a record is made, and every error is one line that helps."""

import contextlib
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from bridgebnn.hdl.spec import Combine, Geometry, ReadMode, Timing
from bridgebnn.names import UnknownName, check_names, options_named
from bridgebnn.records import Record


class Sample(Record, frozen=True, kw_only=True):
    """One of everything."""

    geometry: Geometry
    timing: Timing = Timing()
    combine: Combine = Combine.ADD
    mode: ReadMode | None = None
    sim: Literal["icarus", "verilator"] = "icarus"
    count: Annotated[int, Meta(ge=0, le=9)] = 3
    share: float = 0.5
    flag: bool = False
    lines: tuple[str, ...] = ()
    rows: list[list[int]] = []
    path: Path | None = None


def made(**fields):
    return Sample(**({"geometry": Geometry()} | fields))


def test_a_record_is_what_it_was_after_json():
    record = made(combine=Combine.VOTE, mode="count", path="a/b", lines=["x"], rows=np.array([[1, 2]]))
    assert record.combine is Combine.VOTE
    assert record.mode is ReadMode.COUNT
    assert record.path == Path("a/b")
    assert record.lines == ("x",)
    assert record.as_dict()["combine"] == "vote"
    assert Sample.from_dict(record.as_dict()) == record
    assert record.replace(count=np.int64(4)).count == 4


def test_subscripts_are_the_fields():
    record = made()
    assert record["count"] == record.count == dict(record)["count"] == {**record}["count"] == 3
    assert record.get("count") == 3
    assert record.get("keys", 5) == 5  # a method is no field
    assert list(record) == list(record.keys())
    with pytest.raises(KeyError):
        record["counts"]
    with pytest.raises(AttributeError):
        record.count = 4


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"geometry": {"rows": 0}}, "Geometry.rows = 0: must be an integer from 1 to 4096"),
        ({"geometry": {"rows": "a"}}, "Sample.geometry.rows = 'a': must be an integer"),
        ({"geometry": {"row": 1}}, "Sample.geometry has no field 'row'; did you mean 'rows'"),
        ({"geometry": None}, "Sample.geometry = None: must be an object with fields of Geometry"),
        ({"timing": {"form": {"width_cyc": 3}}}, "Sample.timing.form needs attempts, prog_start"),
        ({"combine": "ad"}, "Sample.combine = 'ad': must be add or vote"),
        ({"combine": 1}, "Sample.combine = 1: must be add or vote"),
        ({"mode": "seek"}, "Sample.mode = 'seek': must be sign or search or count"),
        ({"sim": "modelsim"}, "Sample.sim = 'modelsim': must be icarus or verilator"),
        ({"count": 10}, "Sample.count = 10: must be an integer from 0 to 9"),
        ({"count": 2**70}, "Sample.count = 1180591620717411303424: must be an integer from 0 to 9"),
        ({"count": True}, "Sample.count = True: must be an integer from 0 to 9"),
        ({"count": 1.0}, "Sample.count = 1.0: must be an integer from 0 to 9"),
        ({"count": "3"}, "Sample.count = '3': must be an integer from 0 to 9"),
        ({"share": "x"}, "Sample.share = 'x': must be a number"),
        ({"flag": 1}, "Sample.flag = 1: must be true or false"),
        ({"lines": "ab"}, "Sample.lines = 'ab': must be a list, each a text"),
        ({"lines": ["a", 1]}, r"Sample.lines\[1\] = 1: must be a text"),
        ({"rows": [[1], [2, "a"]]}, r"Sample.rows\[1\]\[1\] = 'a': must be an integer"),
        ({"path": 3}, "Sample.path = 3: must be a path or none"),
    ],
)
def test_what_is_not_legal(fields, message):
    for make in (lambda: made(**fields), lambda: Sample.from_dict({"geometry": {}} | fields)):
        with pytest.raises(ValueError, match=message) as caught:
            make()
        assert "\n" not in str(caught.value)


def misspelt(name):
    """A wrong letter, one too few, one too many."""
    return sorted({name[:-1], name + "s", "x" + name[1:]} - {name})


@pytest.mark.parametrize("name", Sample.__struct_fields__)
def test_misspelt_fields_are_told(name):
    for wrong in misspelt(name):
        for make in (
            lambda wrong=wrong: made(**{wrong: 1}),
            lambda wrong=wrong: Sample.from_dict({wrong: 1}),
        ):
            with pytest.raises(UnknownName, match=f"Sample has no field '{wrong}'.*did you mean '{name}'"):
                make()


def test_missing_fields_and_foreign_values():
    with pytest.raises(UnknownName, match="Sample needs geometry"):
        Sample()
    for value in ([1], "x", None):
        with pytest.raises(ValueError, match="must be an object of fields by name"):
            Sample.from_dict(value)


def test_files(tmp_path):
    path = tmp_path / "s.json"
    path.write_text('{"geometry": {}, "count": 4}')
    assert Sample.load(path).count == 4
    for text, message in (
        ('{"geometry": {}, "cuont": 4}', "did you mean 'count'"),
        ('{"geometry": {}, "count": -1}', "Sample.count = -1"),
        ("[1]", "must be an object"),
        ("{", "Expecting property name"),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=rf"s\.json: .*{message}"):
            Sample.load(path)


@given(
    st.dictionaries(
        st.text(max_size=8), st.none() | st.integers() | st.text() | st.lists(st.floats()), max_size=3
    )
)
def test_nothing_drawn_at_random_makes_another_error(values):
    for name in (*Sample.__struct_fields__, "geometri"):
        for value in (values, list(values.values()), *values.values()):
            with contextlib.suppress(ValueError):
                Sample.from_dict({"geometry": {}} | {name: value})


def test_options_of_a_function():
    @options_named
    def work(first, *, macro="ideal", chip=1):
        return first, macro, chip

    assert work(1, chip=2) == (1, "ideal", 2)
    for kind in (TypeError, ValueError):
        with pytest.raises(
            kind, match=r"work\(\) has no option 'macros'; did you mean 'macro'\? It has: first, macro, chip"
        ):
            work(1, macros="real")
    with pytest.raises(UnknownName, match=r"work\(\) has no option 'zzz'\. It has"):
        work(1, zzz=1)
    check_names("a", ["b"], ["b", "c"])
