"""The shape of the package's code: no function too long or too complex to read in one go."""

import ast

import pytest
from radon.complexity import cc_visit

from tests.conftest import ROOT

MAX_LINES, MAX_COMPLEXITY, MAX_FILE_LINES, MAX_METHOD_FILE_LINES = 60, 15, 400, 600
SOURCES = sorted((ROOT / "blender_meshrec").rglob("*.py"))


def relative_name(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=relative_name)
def test_functions_are_short_and_simple(path):
    source = path.read_text(encoding="utf-8")
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    assert [node.name for node in functions if node.end_lineno - node.lineno >= MAX_LINES] == []
    blocks = [block for found in cc_visit(source) for block in (found, *getattr(found, "methods", ()))]
    assert [block.name for block in blocks if block.letter != "C" and block.complexity > MAX_COMPLEXITY] == []


@pytest.mark.parametrize("path", SOURCES, ids=relative_name)
def test_files_are_short(path):
    limit = MAX_METHOD_FILE_LINES if path.parent.name == "methods" else MAX_FILE_LINES
    assert len(path.read_text(encoding="utf-8").splitlines()) <= limit
