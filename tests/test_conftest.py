"""The list of slow tests names tests that there are."""

import ast

from tests import ROOT
from tests.conftest import SLOW


def test_every_slow_test_exists():
    for file, names in SLOW.items():
        tree = ast.parse((ROOT / file).read_text())
        assert not set(names) - {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, file
