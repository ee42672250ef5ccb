"""What import-linter cannot see: weight at start-up, relative imports, and the two halves of the catalogue."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "blender_meshrec"
SOURCES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_inside_the_package_are_relative(path):
    """Blender loads an extension under its own namespace, where the absolute name does not exist."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            assert not (node.module or "").startswith("blender_meshrec"), f"line {node.lineno}"
        if isinstance(node, ast.Import):
            assert not any(name.name.startswith("blender_meshrec") for name in node.names), f"line {node.lineno}"


@pytest.mark.parametrize("module", ["blender_meshrec", "blender_meshrec.cli", "blender_meshrec.core.records"])
def test_start_up_imports_nothing_heavy(module):
    heavy = "{'torch', 'cv2', 'av', 'mediapipe', 'bpy', 'scipy', 'smplx'}"
    code = f"import sys, {module}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_catalogue_and_the_registries_name_the_same_things():
    from blender_meshrec.backend import detection, pipeline, registry  # noqa: F401 - they register everything
    from blender_meshrec.core import catalog

    for known in registry.REGISTRIES:
        assert {entry.name for entry in catalog.catalog_entries(known.role)} == set(known.implementations), known.role


def test_one_version_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    manifest = tomllib.loads((PACKAGE / "blender_manifest.toml").read_text())
    assert manifest["version"] == project["version"]


def test_no_pickle_is_ever_executed():
    """Nothing in the package unpickles: no pickle module but our own reader, no numpy with allow_pickle, no bare torch.load."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.name for alias in node.names} | {getattr(node, "module", None) or ""}
                assert not names & {"pickle", "dill", "joblib", "cloudpickle", "shelve", "marshal"}, f"{path}:{node.lineno}"
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert isinstance(node.value, ast.Constant) and node.value.value is False, path
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                assert "weights_only=True" in [ast.unparse(keyword) for keyword in node.keywords], f"{path}:{node.lineno}"
