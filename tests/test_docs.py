"""What the pages and the scripts' own words speak of is there: files, links, pictures, headings and options."""

import re
import subprocess

import pytest

from tests.conftest import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "addon_models" / "README.md"])
SOURCES = sorted([*ROOT.glob("blender_meshrec/**/*.py"), *ROOT.glob("scripts/**/*.py"), ROOT / "build.py"])
# Where a path that a text names may begin.
PLACES = ("", "blender_meshrec", "blender_meshrec/core", "blender_meshrec/backend", "scripts", "tests")
# Of other programs.
FOREIGN = {"--command", "--help", "--offline-mode"}


def name(path):
    return str(path.relative_to(ROOT))


def headings(page):
    """The anchors of a page's headings, as the pages' readers make them."""
    lines = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            file, _, anchor = target.partition("#")
            other = page.parent / file if file else page
            assert other.exists(), target
            assert not anchor or anchor in headings(other), target


@pytest.mark.parametrize("file", [*PAGES, *SOURCES], ids=name)
def test_files_that_are_named_exist(file):
    text = file.read_text(encoding="utf-8")
    for path in re.findall(r"(?<![\w/.}])((?:[a-z_]+/)+[a-z_0-9]+\.(?:py|md|toml|mp4|npz|png|jpg))\b", text):
        if path.startswith(("out/", "dist/")):
            continue
        assert any((ROOT / place / path).exists() for place in PLACES) or (file.parent / path).exists(), path


@pytest.fixture(scope="module")
def options():
    """Every option that a command of `meshrec`, build.py or a script knows."""
    files = [ROOT / "blender_meshrec" / "cli" / "program.py", ROOT / "build.py", *ROOT.glob("scripts/**/*.py")]
    return {option for file in files for option in re.findall(r'"(--[a-z][a-z-]*)"', file.read_text(encoding="utf-8"))} | FOREIGN


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_options_that_are_named_exist(page, options):
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", page.read_text(encoding="utf-8")))
    assert named <= options, named - options


def test_what_ships_is_what_git_has():
    """A picture or a page that nobody committed would be missing for everybody else."""
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("no checkout")
    known = set(done.stdout.splitlines())
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s#]+\.(?:jpg|png|md))", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert str((page.parent / target).resolve().relative_to(ROOT)) in known, target
