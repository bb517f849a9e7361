"""Generated sections and figures of the pages are those of the present properties and fault classes."""

import re
from pathlib import Path

import pytest

from bridgebnn.proofs.rules import PROPERTIES, SUBJECTS
from bridgebnn.sections import read_section, write_section
from bridgebnn.tb.campaign.faults import AIMS, CLASSES, STRIKES
from bridgebnn.tb.campaign.report import KINDS
from bridgebnn.tb.campaign.watch import RULES

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "verification.md"
CAMPAIGN = 10_000


def table(text: str, first: str) -> list[list[str]]:
    """Cells of the table whose header begins with ``first``."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {first} |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        first, *others = (cell.strip(" *") for cell in line.strip("|").split(" | "))
        rows.append([first.strip("`"), *others])
    return rows


@pytest.mark.parametrize("subject", SUBJECTS.values(), ids=SUBJECTS)
def test_proven_properties_are_the_present_ones(subject):
    text, mutants = read_section(PAGE, subject.section), subject.mutants
    for kind, checks in (("property", subject.properties), ("cover point", subject.covers)):
        assert [row[:3] for row in table(text, kind)] == [[c.name, c.rule, c.text] for c in checks]
    for name, _, _, how, _, broken in table(text, "property"):
        assert re.match(r"induction|PDR, \d+ clauses", how), name
        if name in mutants:
            assert re.fullmatch(rf"{re.escape(mutants[name][0])}: \d+ cycles", broken), name


def test_campaign_is_of_the_present_classes_and_never_silent():
    text = read_section(PAGE, "faults")
    rows = {row[0]: [int(cell.replace(",", "")) for cell in row[1:]] for row in table(text, "class")}
    assert list(rows) == [*CLASSES, "all"]
    assert rows["all"][0] >= CAMPAIGN
    for name, (injected, benign, detected, repaired, reported, silent) in rows.items():
        assert silent == 0, name
        assert injected == benign + detected, name
        assert detected == repaired + reported, name
    assert all(f"* **{name}**: {about}" in text for name, about in CLASSES.items())
    assert all(rule in text for rule in RULES)


def test_every_state_was_struck_by_every_kind():
    rows = {row[0]: row[1:] for row in table(read_section(PAGE, "faults"), "state")}
    assert list(rows) == [" ".join(aim) for aim in AIMS]
    for state, cells in rows.items():
        struck = dict(zip(KINDS, cells, strict=True))
        assert all(struck[kind] != "0" for kind in STRIKES), state


def test_readme_says_the_same():
    readme = (ROOT / "README.md").read_text()
    injected = table(read_section(PAGE, "faults"), "class")[-1][1]
    assert f"{len(PROPERTIES)} properties" in readme
    assert f"{injected} faults, 0 silent" in readme


def test_a_section_is_replaced_and_nothing_else(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- generated: x -->\nold\n<!-- end: x -->\nafter\n")
    write_section(page, "x", "new\n")
    assert page.read_text() == "before\n<!-- generated: x -->\n\nnew\n\n<!-- end: x -->\nafter\n"
    with pytest.raises(ValueError, match="must hold"):
        write_section(page, "y", "new")
