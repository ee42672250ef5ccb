"""Mutants for the mutation score: which code they change, how they are drawn, and which tests run on them."""

import difflib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import ROOT
from scripts.evaluate import covering_tests, mutants
from scripts.evaluate.covering_tests import CoveringTests, imported_modules, statement_lines
from scripts.evaluate.mutant_operators import find_sites

SOURCE = '''"""A docstring of 3 words."""
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from other import Other
T = TypeVar("T", bound=int)
Alias = dict[str, int]
LIMIT, SHARE = 1 << 20, 0.5


@cached(maxsize=3)
def read(path: str, size: int = 4, *, strict: bool = True) -> "list[int]":
    """Read 5 things."""
    if size > LIMIT and not strict:
        raise InputError("too-large", "{name} is larger than {limit}.", "Choose 7 others.", name=path)
    log.write(path)
    return [value / SHARE for value in range(size) if value] or [len("abc")]
'''


def changed_lines(source, mutant):
    lines = difflib.unified_diff(source.splitlines(), mutant.splitlines(), n=0, lineterm="")
    return [line for line in lines if line[0] in "+-" and line[:3] not in ("---", "+++")]


@pytest.fixture(scope="module")
def all_mutants():
    found = {}
    for site in find_sites(SOURCE):
        found.setdefault((site.line, site.operator), []).extend(site.mutants())
    return found


def test_each_mutant_is_python_and_changes_one_place(all_mutants):
    for (line, _), texts in all_mutants.items():
        assert texts
        for text in texts:
            compile(text, "mutant", "exec")
            removed, added = (line for line in changed_lines(SOURCE, text))
            assert removed[1:] == SOURCE.splitlines()[line - 1] != added[1:]


def test_no_mutant_ends_other_processes():
    """killpg(1) ends all processes of this user: a call that ends some is left as it is, or left out."""
    source = "import os\n\n\ndef end(process):\n    os.killpg(0, 9)\n    os.kill(process.pid, 9)\n"
    texts = [text for site in find_sites(source) for text in site.mutants()]
    assert len(texts) == 2
    for text in texts:
        removed, added = changed_lines(source, text)
        assert "os.kill" in removed and added == "+    pass"


def test_conditions_calls_numbers_and_arguments_are_changed(all_mutants):
    texts = "\n".join(line for found in all_mutants.values() for text in found for line in changed_lines(SOURCE, text))
    for expected in (
        "+    if (size > LIMIT and not strict) and False:",
        "+    if (size > LIMIT and not strict) or True:",
        "+    if size >= LIMIT and not strict:",
        "+    if size > LIMIT or not strict:",
        "+    if size > LIMIT and strict:",
        "+    pass",
        "+    log.write(None)",
        "+LIMIT, SHARE = 2 << 20, 0.5",
        "+LIMIT, SHARE = 1 << 20, 0.05",
        "+LIMIT, SHARE = 1 << 20, 1.5",
        '+    return [value * SHARE for value in range(size) if value] or [len("abc")]',
        "range(None)",
        "strict: bool = False",
    ):
        assert expected in texts, expected


def test_what_is_for_people_and_types_is_left_alone(all_mutants):
    untouched = {1, 2, 4, 6, 7, 8, 9, 13, 15, 17}
    assert {line for line, _ in all_mutants} == set(range(1, len(SOURCE.splitlines()) + 1)) - untouched - {3, 5, 11, 12}
    for (line, operator), texts in all_mutants.items():
        assert all('len("abc")' in text and "TypeVar" in text and "3 words" in text for text in texts), (line, operator)


def test_a_seed_draws_the_same_mutants(monkeypatch):
    draw = [mutants.sample_mutants(12, seed, ["core/bone_tails.py", "core/time_gaps.py"]) for seed in (3, 3, 4)]
    assert draw[0] == draw[1] != draw[2] and all(len(found) == 12 for found in draw)
    assert draw[0] == sorted(draw[0], key=lambda mutant: (mutant.path, mutant.line))
    for mutant in draw[0]:
        assert mutant.original == (ROOT / "blender_meshrec" / mutant.path).read_text(encoding="utf-8") != mutant.text
        assert mutant.diff.startswith("-")


def make_mutant(before, after, path="core/a.py"):
    return mutants.Mutant(path, 1, "number", f"a = 1\n{before}\n", f"a = 1\n{after}\n")


@pytest.mark.parametrize(
    "before, after, is_equivalent",
    [
        ("x = a / (b or 1.0)", "x = a / (b or 0.1)", True),
        ("x = a / (b or 1.0)", "x = a * (b or 1.0)", False),
        ("x = a.reshape(n, -1)", "x = a.reshape(n, -2)", True),
        ("x = a.sum(-1)", "x = a.sum(-2)", False),
        ('x = f(p, encoding="utf-8")', "x = f(p, encoding=None)", True),
        ('x = f(p, encoding="utf-8")', "x = f(p, )", True),
        ('x = f(p, encoding="utf-8")', 'x = f(encoding="utf-8")', False),
        ("x = zip(a, b, strict=True)", "x = zip(a, b, )", True),
        ("x = zip(a, b, strict=True)", "x = zip(b, strict=True)", False),
        ('x = a.encode("ascii")', 'x = a.encode("ASCII")', True),
        ('x = a.encode("ascii")', 'x = b.encode("ASCII")', False),
        ('x = f("ascii")', 'x = f("XXasciiXX")', False),
    ],
)
def test_kinds_that_no_test_could_see_are_told_with_a_reason(before, after, is_equivalent):
    assert bool(mutants.find_reason({}, make_mutant(before, after))) == is_equivalent
    listed = {("core/a.py", f"-{before}\n+{after}"): "Because."}
    assert mutants.find_reason(listed, make_mutant(f"    {before}", f"    {after}")) == "Because."
    assert mutants.find_reason(listed, make_mutant(before, after, "core/b.py")) != "Because."


def test_listed_equivalents_are_lines_of_the_package():
    for (module, diff), reason in mutants.read_equivalent().items():
        text = (ROOT / "blender_meshrec" / module).read_text(encoding="utf-8")
        removed = [line[1:] for line in diff.splitlines() if line.startswith("-")]
        assert reason.endswith(".") and removed and all(line in text for line in removed), diff


def test_the_report_counts_by_package_and_shows_survivors_and_equivalents():
    found = [
        (make_mutant("x = 1", "x = 2", "core/files/safe_npz.py"), "survived"),
        (make_mutant("x = 3", "x = 4", "core/a.py"), "killed"),
        (make_mutant("x = 5", "x = 6", "bridge/wire.py"), "killed"),
        (make_mutant("x = a / (b or 1.0)", "x = a / (b or 0.1)", "methods/a.py"), "equivalent"),
    ]
    report = "\n".join(mutants.format_report(found, {}))
    assert "| core | 2 | 1 | 1 | 0 | 50 % |" in report and "| all | 4 | 2 | 1 | 1 | 67 % |" in report
    assert "| guards | 2 | 1 | 1 | 0 | 50 % |" in report and "| methods | 1 | 0 | 0 | 1 | - |" in report
    assert "-x = 1\n+x = 2" in report and "x = 4" not in report and "It replaces a zero that divides zeros." in report


# --- which tests ---


def test_a_statement_is_its_lines_without_its_body():
    source = "A = (1,\n 2)\n\ndef f(a):\n    if (a and\n        b):\n        c(1,\n          2)\n    else:\n        d()\n    return a\n"
    assert [statement_lines(source, line) for line in (1, 2)] == [None, None]
    assert statement_lines(source, 5) == statement_lines(source, 6) == {5, 6}
    assert statement_lines(source, 7) == statement_lines(source, 8) == {7, 8}
    assert statement_lines(source, 10) == {10} and statement_lines(source, 11) == {11}
    names = imported_modules("import a.b\nfrom c.d import e, f\nfrom . import g\ndef h():\n    from i import j\n")
    assert names == {"a.b", "c.d", "c.d.e", "c.d.f", "i", "i.j"}


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "blender_meshrec" / "core").mkdir(parents=True)
    (tmp_path / "tests" / "core").mkdir(parents=True)
    (tmp_path / "blender_meshrec" / "__init__.py").touch()
    (tmp_path / "blender_meshrec" / "core" / "__init__.py").touch()
    (tmp_path / "blender_meshrec" / "core" / "sums.py").write_text(
        "def add(a, b):\n    return a + b\n\n\ndef take(a, b):\n    return a - b\n"
    )
    (tmp_path / "tests" / "core" / "test_sums.py").write_text(
        "from blender_meshrec.core.sums import add, take\n\n\ndef test_add():\n    assert add(1, 2) == 3\n\n\n"
        "def test_take():\n    assert take(3, 2) == 1\n\n\ndef test_wrong():\n    assert add(1, 1) == 3\n"
    )
    return tmp_path


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_the_tests_that_run_a_line_are_recorded_in_a_fork_and_kill_its_mutants(checkout):
    script = Path(covering_tests.__file__).with_name("forked_tests.py")
    command = [sys.executable, str(script), str(checkout / "log.txt")]
    process = subprocess.Popen(command, cwd=checkout, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(tests, lines=None, seconds=60):
        process.stdin.write(json.dumps({"tests": tests, "seconds": seconds, "lines": lines and str(lines)}) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())["exit_code"]

    try:
        recorded = []
        for _ in range(2):  # the second time, the file of the first one serves
            covering = CoveringTests(checkout, checkout / "cache.json", lambda name, lines: recorded.append(ask([name], lines)))
        assert recorded == [1]
        module = "blender_meshrec/core/sums.py"
        test = "tests/core/test_sums.py::test_{}".format
        assert covering.find(module, 2) == [test("add")] and covering.find(module, 6) == [test("take")]
        assert sorted(covering.in_importers(module)) == [test("add"), test("take")]  # not the one that fails anyhow
        assert ask([test("add"), test("take")]) == 0
        file = checkout / module
        file.write_text(file.read_text().replace("a + b", "a - b"))
        assert ask([test("add")]) == 1 and ask([test("take")]) == 0
        file.write_text("while True:\n    pass\n")
        assert ask([test("add")], seconds=1) not in (0, 1)
    finally:
        process.communicate()
