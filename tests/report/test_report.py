"""The report: every kind of file, one page that needs nothing else, opened in a browser; bad input is one line."""

from __future__ import annotations

import json
import re

import pytest

from bridgebnn.__main__ import main
from bridgebnn.command_line import write_json
from bridgebnn.report.page import page
from bridgebnn.report.pictures import image_uri
from bridgebnn.report.results import KINDS, load
from tests import browser

from .examples import EXAMPLES, WRONG, immunity, model_report, montecarlo, run_report, wave_file, write


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A file of every kind."""
    return write(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def report(files, tmp_path_factory):
    """Their page, by the command."""
    out = tmp_path_factory.mktemp("page") / "new folder" / "report.html"
    assert main(["report", *map(str, files), "--out", str(out), "--title", "All <kinds>"]) == 0
    return out


def command(capsys, *arguments):
    """Exit status and what it says on stderr."""
    try:
        status = main(["report", *map(str, arguments)])
    except SystemExit as end:
        status = end.code
    return status, capsys.readouterr().err


def test_every_kind_is_told_by_its_fields(files):
    assert [result.kind for result in load(files)] == list(EXAMPLES)
    assert set(KINDS) - set(EXAMPLES) == {"model program-conditions"}


def test_sections_and_what_they_say(report):
    text = report.read_text()
    titles = re.findall(r"<h2 id=[^>]*>(.*?)</h2>", text)
    assert titles == re.findall(r'<li><a href="#[\w-]+">(.*?)</a>', text)
    for title in (
        "What was run",
        "Accuracy and mismatches",
        "Images that went wrong",
        "Programming",
        "Cycles and energy",
        "Immunity",
        "Error model",
        "Monte Carlo",
        "Further studies",
        "How to run each again",
    ):
        assert title in titles
    for said in (
        "<title>All &lt;kinds&gt;</title>",
        "image 1, layer 0, bit 2",
        "no. 1: label <b>0</b>, answer <b>1</b>, golden 0",
        "bridgebnn tb infer --preset digits --images 2",
        "✓ as the model says",
        "66.67 %",
        "Energy of an inference over the chips",
        "Energy of programming by part, in nJ",
        "tb-program.json, RTL",
        "36.0",  # nJ, the sum of its eight parts
        "&lt;measured&gt;.csv, 300 K",
        "2.50 %",
        "Reads answered by transistors in SPICE",
        "3 of 12",
        "0 of 3",
        "5 to 6",
        "this page",
    ):
        assert said in text
    # two maps, two sweeps, and curve, neuron, chips, energy, measured devices
    assert len(re.findall("<svg ", text)) == 2 * 2 + 2 + 5


def test_only_what_there_is(files):
    alone = page(load([path for path in files if path.stem == "model-sweep"]))
    assert re.findall(r"<h2 id=[^>]*>(.*?)</h2>", alone) == [
        "What was run",
        "Error model",
        "How to run each again",
    ]
    assert "names no command line" in alone


def test_same_files_same_bytes(files):
    assert page(load(files)) == page(load(files))


def test_identifiers_are_there_once(report):
    found = re.findall(r'\bid="([^"]+)"', report.read_text())
    repeated = {name for name in found if found.count(name) > 1}
    assert not {name for name in repeated if not re.match(r"[\w]+-r\d+-|[\w]+-\d+-r\d+-", name)}
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', report.read_text()))
    assert used <= set(found)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", browser.WIDTHS)
def test_page_opens(report, width, scheme):
    """No broken image, nothing from the network, no page wider than the window, no word in the console."""
    with browser.opened(report, browser.WIDTHS[width]) as window:
        said = []
        window.on("console", lambda message: said.append(message.text))
        window.on("pageerror", lambda error: said.append(str(error)))
        window.emulate_media(color_scheme=scheme)
        window.reload(wait_until="load")
        assert said == []
        assert window.evaluate("document.images.length") == 4
        assert browser.broken_images(window) == []
        assert browser.overflow(window) <= 0
        sizes = window.evaluate(
            "() => [...document.querySelectorAll('figure svg')].map(s => s.getBoundingClientRect().height)"
        )
        assert sizes
        assert min(sizes) > 100
        back, text, ink = window.evaluate(
            "() => [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color, "
            "getComputedStyle(document.querySelector('figure svg text')).fill]"
        )
        assert (sum(map(int, re.findall(r"\d+", back))) > 384) == (scheme == "light")
        assert ink == text != back
        # every table has its caption, and every link its place
        assert window.evaluate(
            "() => [...document.querySelectorAll('table')].every(t => "
            "document.getElementById(t.getAttribute('aria-labelledby')).textContent.length > 5)"
        )
        assert window.evaluate(
            "() => [...document.querySelectorAll('nav a')].every(a => document.querySelector(a.getAttribute('href')))"
        )


def test_print_is_black_on_white_and_as_wide_as_the_paper(report):
    with browser.opened(report, 720) as window:  # A4 less its margins, in CSS pixels
        window.emulate_media(media="print", color_scheme="dark")
        colours = window.evaluate(
            "() => [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
        )
        assert colours == ["rgb(255, 255, 255)", "rgb(0, 0, 0)"]
        assert browser.overflow(window) <= 0


def test_a_broken_page_is_seen(report, tmp_path):
    """The checks above fail on a picture that is none, and on a line that is too wide."""
    broken = tmp_path / "broken.html"
    text = report.read_text()
    text = re.sub(r"data:image/png;base64,....", "data:image/png;base64,AAAA", text, count=1)
    broken.write_text(text.replace("<main>", '<main><div style="width: 3000px">wide</div>'))
    with browser.opened(broken, 390) as window:
        assert len(browser.broken_images(window)) == 1
        assert browser.overflow(window) > 1000


def test_row_reads_of_a_waveform(tmp_path):
    """That lies where the run wrote it, or beside its file; without it there is no section."""
    wave, beside = tmp_path / "there" / "run.vcd", tmp_path / "here" / "run.vcd"
    file = tmp_path / "here" / "run.json"
    write_json(file, run_report(waves=str(wave)).as_dict())
    assert "Row reads" not in page(load([file]))
    wave_file(beside)
    found = page(load([file]))
    assert "Row reads, phase by phase" in found
    assert found.count(">precharge<") == 1
    assert [row for row in range(4) if f">row {row}<" in found] == [0, 1]
    wave.parent.mkdir()
    beside.rename(wave)
    assert page(load([file])) == found
    wave.write_text("nothing of the kind")
    with pytest.raises(ValueError, match=r"run\.json: contradicts itself: .*(not a waveform|not a VCD)"):
        page(load([file]))


def test_energy_of_an_inference(report):
    text = report.read_text()
    assert re.search(r">source lines</th>(<td>1\.000</td>){3}</tr>", text)  # of the run, and two of the demo
    assert re.search(r">all</th><td>10\.000</td>", text)
    assert re.search(r">fJ per operation</th><td>10000\.000</td>", text)
    assert re.search(r">TOPS/W of the macro</th><td>0\.1</td>", text)


def test_text_of_a_file_is_never_markup(tmp_path):
    bad = "<script>alert(1)</script>"
    write_json(tmp_path / "a.json", run_report(network=bad, command=bad, golden_first=bad).as_dict())
    write_json(tmp_path / "b.json", immunity().replace(network=bad).as_dict())
    text = page(load([tmp_path / "a.json", tmp_path / "b.json"]), title=bad, command=bad)
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 6


def test_many_classes_have_no_matrix(tmp_path):
    write_json(tmp_path / "a.json", model_report(classes=[0, 1, 99]).as_dict())
    text = page(load([tmp_path / "a.json"]))
    assert "label \\ answer" not in text
    assert "no. 1: label" in text


def test_pictures_of_pixels():
    assert (
        image_uri([64], WRONG.pixels) == image_uri([8, 8], WRONG.pixels) == image_uri([8, 8, 1], WRONG.pixels)
    )
    assert image_uri([2, 32], WRONG.pixels).startswith("data:image/png;base64,")
    assert image_uri([4, 4, 4], WRONG.pixels) is None
    with pytest.raises(ValueError, match="64 pixels for an image of shape"):
        image_uri([8, 9], WRONG.pixels)


NOT_SHOWN = "not a result of a command that a report can show: tb infer, tb demo, "


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no JSON: "),
        (b"{", "no JSON: "),
        (b"\xff\xfe\x00", "no JSON: "),
        (b"[" * 100_000, "no JSON: "),
        (b"[]", NOT_SHOWN),
        (b"{}", NOT_SHOWN),
        (b'{"preset": "mnist", "images": 3}', NOT_SHOWN),
        (json.dumps(run_report().as_dict() | {"chip": "x"}).encode(), "RunReport.chip = 'x': must be"),
        (
            json.dumps(run_report().as_dict() | {"schema_version": 2}).encode(),
            "schema_version = 2: must be 1",
        ),
        (json.dumps(run_report().as_dict() | {"fields": 1}).encode(), "RunReport has no field 'fields'"),
    ],
)
def test_bad_files_are_one_line_and_status_2(content, said, tmp_path, capsys):
    file, out = tmp_path / "run.json", tmp_path / "out.html"
    file.write_bytes(content)
    status, text = command(capsys, file, "--out", out)
    assert status == 2
    assert text.startswith(f"bridgebnn report: error: {file}: ")
    assert said in text
    assert text.count("\n") == 1
    assert not out.exists()


def contradictions():
    """Records whose fields and types are right, and whose contents are not."""
    study = immunity().as_dict()
    study["sweeps"]["supply"]["values"] = [1.0, 2.0, 3.0]
    yield "points", study
    chips = montecarlo().as_dict()
    chips["conditions"][0]["chips_by_right"] = {"many": 1}
    yield "chips", chips
    yield "labels", run_report(labels=[0]).as_dict()
    yield "pixels", run_report(wrong=[WRONG.replace(shape=[3, 3]).as_dict()]).as_dict()
    yield "no base64", run_report(wrong=[WRONG.replace(pixels="?").as_dict()]).as_dict()
    yield "energy", model_report(programming={"energy_J": {"FORM": 1.0}}).as_dict()
    yield "pulses", model_report(programming={"pulses": "many"}).as_dict()


@pytest.mark.parametrize(("name", "values"), list(contradictions()))
def test_contradictions_are_one_line_and_name_the_file(name, values, files, tmp_path, capsys):
    file = tmp_path / "odd.json"
    write_json(file, values)
    status, text = command(capsys, files[0], file, "--out", tmp_path / "out.html")
    assert status == 2
    assert re.match(r"bridgebnn report: error: .*odd\.json: contradicts itself: ", text)
    assert text.count("\n") == 1


def test_bad_arguments(files, tmp_path, capsys):
    for arguments, said in (
        ([], "required: RUN.json"),
        ([tmp_path / "none.json"], "No such file"),
        ([tmp_path], "Is a directory"),
        ([files[0], files[0].parent / "." / files[0].name], "is given twice"),
        ([files[0], "--out", tmp_path], "must be the name of a file"),
        ([files[0], "--to", "x"], "no option '--to'"),
    ):
        status, text = command(capsys, *arguments)
        assert (status, text.count("\n")) == (2, 1), text
        assert said in text
