"""docs/schemas are those of the present records, and an independent reader takes what we write and refuses the rest."""

import json

import jsonschema
import pytest

from bridgebnn.schemas import file_name, schema_of
from bridgebnn.tb.commands.schemas import RECORDS
from bridgebnn.tb.runs.jobs import InferJob, ProgramJob
from bridgebnn.tb.runs.reports import RunReport
from tests import ROOT
from tests.tb.runs.stand_in import RESULT

FOLDER = ROOT / "docs" / "schemas"


def test_the_files_are_the_present_ones():
    assert {p.name for p in FOLDER.iterdir()} == {file_name(kind) for kind in RECORDS}
    for kind in RECORDS:
        text = (FOLDER / file_name(kind)).read_text()
        assert json.loads(text) == schema_of(kind), "run `make docs`"


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_each_field_is_described(kind):
    schema = schema_of(kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["description"]
    assert set(schema["properties"]) == set(kind.__struct_fields__)
    assert all(part.get("description") for part in schema["properties"].values()), schema["properties"]


def valid(kind, value):
    return jsonschema.Draft202012Validator(schema_of(kind)).is_valid(value)


def test_an_independent_reader_agrees():
    report = RunReport.from_dict(RESULT).as_dict()
    assert valid(RunReport, report)
    assert not valid(RunReport, report | {"extra": 1})
    assert not valid(RunReport, {k: v for k, v in report.items() if k != "chip"})
    assert not valid(RunReport, report | {"programming": report["programming"] | {"how": "jtag"}})
    job = {"preset": "paper23", "images": 2, "macro": "real", "combine": "vote", "geometry": {"rows": 544}}
    for change, good in (
        ({}, True), ({"macro": {"bridge": {"r_feed_ohm": 2}}}, True), ({"combine": 1}, False), ({"sim": "x"}, False),
        ({"macros": "real"}, False), ({"macro": {"bridges": {}}}, False), ({"geometry": {"row": 3}}, False),
        ({"images": [[0, 1]]}, True), ({"images": [[0, 2]]}, False), ({"seed": -1}, False),
    ):  # fmt: skip
        assert valid(InferJob, job | change) is good, change
    assert valid(ProgramJob, {"random": "2x3"})
    InferJob.from_dict(job)
