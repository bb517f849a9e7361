"""Quality of a controller: what the flow is given, and the table with its history."""

import pytest

from bridgebnn.hdl.output.verilog import controller_verilog
from bridgebnn.hdl.spec import Geometry
from bridgebnn.kit.quality import History, Quality, Snapshot, area_law, flow_input, table
from bridgebnn.kit.quality_command import geometry_of, main

ONE = Quality(
    name="small", tiles=2, columns=10, bus="wishbone", cells=1000, flip_flops=100, memory_bits=64, area_um2=2e4,
    path_ns=10.0, path_from="a", path_to="b", modules_um2={"all": 3e4},
)  # fmt: skip


def test_memories_become_black_boxes_with_times():
    made = controller_verilog(Geometry(), init=False)
    files = flow_input(made.text, made.memories)
    assert files["controller.v"].count("(* blackbox *)") == len(made.memories) > 0
    for memory in made.memories:
        assert files["memories.lib"].count(f"cell ({memory.name}) {{") == 1
    assert files["memories.lib"].count("{") == files["memories.lib"].count("}")


def test_the_table_shows_the_figures_before():
    later = ONE.replace(cells=900, path_ns=8.0)
    snapshots = [
        Snapshot(change="first", controllers=[ONE]),
        Snapshot(change="other", controllers=[ONE.replace(name="x")]),
        Snapshot(change="second", controllers=[later]),
    ]
    text = table(History(snapshots=snapshots))
    assert "second" in text
    assert "first" not in text
    assert "| 900 (1,000) |" in text
    assert "| 8.00 (10.00) | 125 (100) |" in text
    assert "| 1000 (1000) |" in text
    assert table(History()).startswith("Nothing")


def test_the_area_law_is_found_again():
    """Areas made by a law give its coefficients; one that is off is told; few shapes give none."""
    shapes = [(1, 25), (1, 900), (4, 25), (4, 250), (12, 25), (35, 25), (8, 860)]

    def area(tiles, columns):
        return 4e5 + 7000 * tiles + 300 * columns + 600 * tiles * columns

    made = [ONE.replace(tiles=t, columns=c, area_um2=area(t, c)) for t, c in shapes]
    law = area_law(made)
    assert (law.fixed_um2, law.tile_um2, law.wide_um2, law.each_um2) == pytest.approx((4e5, 7000, 300, 600))
    assert law.worst < 1e-9
    presets = [ONE.replace(name="mnist", area_um2=1e9)]  # no part of it: they differ in other things, too
    text = table(History(snapshots=[Snapshot(change="", controllers=[*made, *presets])]))
    assert "0.40 mm2 + 7000 um2 x T + 300 um2 x C + 600 um2 x T x C" in text
    off = [*made[:-1], made[-1].replace(area_um2=1.2 * made[-1].area_um2)]
    assert area_law(off).worst > 0.02
    assert area_law(made[:5]) is None
    assert area_law([q.replace(tiles=1) for q in made]) is None


def test_a_history_comes_back(tmp_path):
    history = History(snapshots=[Snapshot(change="first", controllers=[ONE])])
    assert History.from_dict(history.as_dict()) == history


def test_geometries():
    assert geometry_of("tiles=3,inputs=128") == Geometry(tiles=3, inputs=128)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "nothing to do"),
        (["--geometry", "tile=3"], "did you mean 'tiles'"),
        (["--geometry", "tiles"], "must be NAME=N"),
        (["--geometry", "tiles=65"], "Geometry.tiles = 65"),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, said, capsys):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
