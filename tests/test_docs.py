"""The documentation is consistent: files, links, pictures, headings and options that pages and docstrings name exist."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "addon_models" / "README.md"])
SOURCES = sorted([*ROOT.glob("blender_meshrec/**/*.py"), *ROOT.glob("scripts/**/*.py"), *ROOT.glob("examples/*.py"), ROOT / "build.py"])
# Folders that a path in a text may be relative to.
BASE_FOLDERS = ("", "blender_meshrec", "blender_meshrec/core", "blender_meshrec/backend", "blender_meshrec/retarget", "scripts", "tests")
# Files that define options of `meshrec`, build.py and the scripts.
OPTION_FILES = [
    ROOT / "blender_meshrec" / "core" / "options.py",
    ROOT / "blender_meshrec" / "core" / "character_options.py",
    ROOT / "build.py",
    *ROOT.glob("blender_meshrec/cli/**/*.py"),
    *ROOT.glob("scripts/**/*.py"),
]
FOREIGN_OPTIONS = {"--command", "--help", "--offline-mode"}  # of other programs


def relative_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def heading_anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    lines = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


@pytest.mark.parametrize("page", PAGES, ids=relative_name)
def test_link_targets_exist(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            file, _, anchor = target.partition("#")
            other = page.parent / file if file else page
            assert other.exists(), target
            assert not anchor or anchor in heading_anchors(other), target


@pytest.mark.parametrize("file", [*PAGES, *SOURCES], ids=relative_name)
def test_named_files_exist(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    for path in re.findall(r"(?<![\w/.}])((?:[a-z_]+/)+[a-z_0-9]+\.(?:py|md|toml|mp4|npz|png|jpg))\b", text):
        if path.startswith(("out/", "dist/")):
            continue
        assert any((ROOT / folder / path).exists() for folder in BASE_FOLDERS) or (file.parent / path).exists(), path


@pytest.fixture(scope="module")
def options() -> set[str]:
    """Every option of `meshrec`, build.py and the scripts."""
    texts = (file.read_text(encoding="utf-8") for file in OPTION_FILES)
    return {option for text in texts for option in re.findall(r'"(--[a-z][a-z-]*)"', text)} | FOREIGN_OPTIONS


@pytest.mark.parametrize("page", PAGES, ids=relative_name)
def test_named_options_exist(page: Path, options: set[str]) -> None:
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", page.read_text(encoding="utf-8")))
    assert named <= options, named - options


def test_linked_pictures_and_pages_are_in_git() -> None:
    """A picture or page that was not committed is missing in every other checkout."""
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("no checkout")
    tracked = set(done.stdout.splitlines())
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s#]+\.(?:jpg|png|md))", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert str((page.parent / target).resolve().relative_to(ROOT)) in tracked, target
