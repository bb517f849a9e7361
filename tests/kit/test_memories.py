"""The technology file: memories on SRAM macros keep their contract, and what cannot be wired is told in a sentence."""

import functools
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bridgebnn.hdl.memory import MemoryShape
from bridgebnn.hdl.output.verilog import MemoryModule, controller_verilog
from bridgebnn.kit import checks
from bridgebnn.kit.__main__ import main
from bridgebnn.kit.build import write_kit
from bridgebnn.kit.checks import check_kit
from bridgebnn.kit.checks.memories import a_late_answer
from bridgebnn.kit.memories import SramMacro, Technology, on_macros, views
from bridgebnn.kit.memory_verilog import EXAMPLE
from bridgebnn.tb.simulators.verilator import tools
from tests.kit.test_kit import request as kit_request
from tests.kit.test_kit import simulate

SKY130 = "sky130_sram_1kbyte_1rw1r_32x256_8"
CONTROLLER = functools.cache(controller_verilog)
TINY = SramMacro(  # no mask, active high, an answer that holds: stacked and side by side wherever a memory is larger
    width=12,
    depth=4,
    holds=True,
    split=True,
    pins={
        "ck": "clock",
        "we": "write",
        "wa": "write address",
        "d": "write data",
        "re": "read",
        "ra": "read address",
        "q": "read data",
        "test": "0",
        "vdd": "supply VDD",
    },
)
MACROS = EXAMPLE | {"tiny": TINY}


def written(out: Path, chosen: Technology | None = None, files: dict[str, bytes] | None = None) -> None:
    """A kit without diagrams, which take a simulation; its controller is the same in all tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bridgebnn.kit.diagrams.available", lambda: False)
        patch.setattr("bridgebnn.kit.build.controller_verilog", CONTROLLER)
        write_kit(kit_request(technology=chosen or Technology(), views=files or {}), out)


def technology(**chosen: str) -> Technology:
    return Technology(memories=chosen, macros=MACROS)


@pytest.fixture(scope="module")
def flip_flops(tmp_path_factory):
    out = tmp_path_factory.mktemp("a kit")
    written(out)
    return out


@pytest.fixture(scope="module")
def names(flip_flops) -> list[str]:
    """Memories of the controller."""
    memories = json.loads((flip_flops / "geometry.json").read_text())["memories"]
    return [m["name"].removeprefix("chip_") for m in memories]


@pytest.fixture(scope="module")
def kit(tmp_path_factory, names):
    """Every memory on macros, of both kinds in turn."""
    out = tmp_path_factory.mktemp("on macros")
    chosen = {name: (SKY130, "tiny")[number % 2] for number, name in enumerate(names)}
    written(out, technology(**chosen))
    return out


def module(depth: int, width: int, lanes: int = 1) -> MemoryModule:
    shape = MemoryShape(depth=depth, width=width, lanes=lanes)
    return MemoryModule(name=f"chip_{shape.name}", shape=shape, instances=("a.b",))


@pytest.mark.parametrize(
    ("memory", "macro", "count"),
    [
        (module(144, 16), SKY130, 1),
        (module(1040, 16), SKY130, 5),
        (module(64, 64), SKY130, 2),
        (module(8, 128, 4), SKY130, 4),
        (module(8, 40, 5), SKY130, 2),  # lanes of a byte share a macro by its mask
        (module(8, 36, 3), SKY130, 3),  # lanes of 12 bits cannot
        (module(4, 12), "tiny", 1),
        (module(5, 13), "tiny", 4),
        (module(4, 12, 2), "tiny", 2),  # no mask: a macro for each lane
    ],
)
def test_as_few_macros_as_words_and_bits_need(memory, macro, count):
    made = on_macros(memory, macro, MACROS[macro])
    assert made.count == count == len(made.instances)
    assert sum(s.bits for s in made.slices) == memory.shape.width


def test_the_default_is_flip_flops(flip_flops):
    manifest = json.loads((flip_flops / "manifest.json").read_text())
    assert set(manifest["memories"].values()) == {"flip-flops"}
    assert not (flip_flops / "rtl" / "chip_memories.v").exists()
    assert set(Technology.load(flip_flops / "memories.toml").memories.values()) == {"flip-flops"}


def test_the_file_of_a_kit_makes_the_same_kit(kit, tmp_path):
    again = Technology.load(kit / "memories.toml")
    written(tmp_path, again, views(again, kit))
    files = sorted(f.relative_to(kit) for f in kit.rglob("*") if f.is_file() and f.suffix != ".vvp")
    assert [f for f in files if (kit / f).read_bytes() != (tmp_path / f).read_bytes()] == []


def test_the_example_of_a_kit_can_be_uncommented(flip_flops, tmp_path):
    head, _, example = (flip_flops / "memories.toml").read_text().partition("# [macros")
    text = head + "\n".join(line.removeprefix("# ") for line in f"# [macros{example}".splitlines())
    (tmp_path / "own.toml").write_text(text)
    assert Technology.load(tmp_path / "own.toml").macros == EXAMPLE


def test_views_of_a_macro_reach_librelane(names, tmp_path):
    for end in ("lef", "gds", "lib"):
        (tmp_path / f"vendor.{end}").write_text("MACRO m\n  SIZE 479.78 BY 397.5 ;\n")
    files = {"lef": "vendor.lef", "gds": "vendor.gds", "lib": {"tt": "vendor.lib"}}
    macro = EXAMPLE[SKY130].replace(**files)
    chosen = Technology(memories=dict.fromkeys(names[:3], SKY130), macros={SKY130: macro})
    out = tmp_path / "kit"
    written(out, chosen, views(chosen, tmp_path))
    config = json.loads((out / "config.json").read_text())
    entry = config["MACROS"][SKY130]
    assert all((out / f"macro/{SKY130}{end}").is_file() for end in (".lef", ".gds", "_tt.lib", "_stub.v"))
    made = chosen.placed(
        tuple(
            module(m["depth"], m["width"], m["lanes"])
            for m in json.loads((out / "geometry.json").read_text())["memories"]
        )
    )
    assert len(entry["instances"]) >= sum(m.count for m in made.values())
    corners = [(x, y) for x, y in (i["location"] for i in entry["instances"].values())]
    assert len(set(corners)) == len(corners)
    assert max(x for x, _ in corners) + 479.78 < config["DIE_AREA"][2]
    assert max(y for _, y in corners) + 397.5 < config["DIE_AREA"][3]
    connections = [c.split() for c in config["PDN_MACRO_CONNECTIONS"] if "vccd1" in c]
    assert {c[0].replace("\\.", ".") for c in connections} == set(entry["instances"])
    assert {tuple(c[1:]) for c in connections} == {("VDD", "VSS", "vccd1", "vssd1")}


PINS = "\n".join(f'{pin} = "{what}"' for pin, what in TINY.pins.items())
SOUND = f"[macros.m]\nwidth = 12\ndepth = 4\n[macros.m.pins]\n{PINS}\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[memories", "own.toml: "),
        ('[memories]\nmem_1x1 = "flip-flops"', "the controller has no memory 'mem_1x1'"),
        ('[memories]\nmem_144x16 = "m"', "memory mem_144x16 = 'm': must be one of 'flip-flops'"),
        (
            '[memories]\nmem_144x16 = "m"\n' + SOUND,
            "144 words of 16 bits, macro m 4 of 12: split = true takes 72",
        ),
        (
            '[memories]\nmem_144x16 = "m"\n' + SOUND.replace("depth = 4", "depth = 100\nsplit = true"),
            "only macros whose depth is a power of two can be stacked",
        ),
        (SOUND.replace('re = "read"\n', ""), "macro m has no pin for 'read'"),
        (
            SOUND.replace('"read data"', '"read dat"'),
            "macro m, pin q = 'read dat': must be one of clock, write",
        ),
        (SOUND.replace('"0"', '"mask"'), "macro m: mask_bits and a pin for 'mask' go together"),
        (SOUND.replace("depth = 4", "depth = 4\nmask_bits = 5"), "mask_bits"),
        (SOUND.replace('"0"', '"read address"'), "macro m has 2 pins for 'read address': must be 1"),
        (SOUND.replace("depth", "deep"), "SramMacro has no field 'deep'; did you mean 'depth'?"),
        (SOUND.replace("depth = 4", 'depth = 4\nlef = "m.lef"'), "macro m: no file m.lef"),
        (SOUND.replace("[macros.m]", "[macros.m]\nread_edge = 'up'"), "read_edge = 'up'"),
    ],
)
def test_a_file_that_cannot_be_wired_is_one_sentence(tmp_path, text, told):
    file = tmp_path / "own.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match=re.escape(told)) as error:
        Technology.load(file).placed((module(144, 16),))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", [None, "[macros.m]", SOUND.replace("depth = 4", "depth = 1")])
def test_bad_input_is_one_line_and_status_2(tmp_path, capsys, text):
    file = tmp_path / "own.toml"
    if text:
        file.write_text(text)
    words = ["--preset", "digits", "--memories", str(file), "--out", str(tmp_path / "kit")]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith("bridgebnn kit: error: ")
    assert str(file) in error
    assert error.count("\n") == 1


def test_the_check_is_for_kits_with_macros(flip_flops):
    with pytest.raises(ValueError, match="is for kits with memories on SRAM macros, this one has none"):
        check_kit(flip_flops, only=("memories",))


@pytest.mark.icarus
def test_memories_on_macros_keep_their_contract(kit):
    """Each beside the contract at random; one whose macros answer a cycle late is refused."""
    (report,) = check_kit(kit, only=("memories",)).checks
    assert report.result == "passed", report.found
    assert report.refuses_broken
    assert "are not those of the contract" in report.broken


@pytest.mark.icarus
@pytest.mark.parametrize("late", [False, True])
def test_the_testbench_on_macros(kit, tmp_path, late):
    """It programs over the bus and infers; where the memory of the scores answers a cycle late, it fails."""
    copy = tmp_path / "kit"
    shutil.copytree(kit, copy)
    if late:
        a_late_answer(checks.Kit.open(copy, tmp_path), "chip_mem_32x17")
    printed = simulate(copy, "+preload" if late else "+program").rstrip().splitlines()
    assert printed[-1].startswith("FAIL" if late else "PASS: 3 images")


@pytest.mark.verilator
@pytest.mark.long
def test_the_testbench_on_macros_in_verilator(kit, tmp_path):
    """The command of the kit's testbench, but for the compiler's flags; on Icarus it is in `make test`."""
    words = [
        tools() / "bin" / "verilator",
        "--binary",
        "--timing",
        "-Wno-fatal",
        "-f",
        "files.f",
        "--top-module",
        "chip_tb",
    ]
    flags = ["-CFLAGS", "-std=c++20 -fcoroutines", "-MAKEFLAGS", "OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0"]
    flags += ["--Mdir", str(tmp_path)]
    subprocess.run([*words, *flags], cwd=kit, check=True, capture_output=True)
    done = subprocess.run(
        [tmp_path / "Vchip_tb", "+preload"], cwd=kit, capture_output=True, text=True, check=True
    )
    assert re.search(r"^PASS: 3 images", done.stdout, re.MULTILINE), done.stdout
