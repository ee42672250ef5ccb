"""The tests that can notice a change of a line: those that run it, by coverage, and those whose file imports the module."""

import ast
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypedDict

PACKAGE = "blender_meshrec"
FOLDERS = ("core", "bridge", "retarget", "methods", "bodies")  # of the tests that need no Blender and no footage
MAX_SECONDS = 6.0  # of processor time for the tests of a mutant
MAX_CASES = 3  # of a test with parameters


class Record(TypedDict):
    """What running a test file on the unchanged package told.

    hashes: of the test file and of the modules it ran, by path; tests: {test that passed: (processor time s, {module's path: lines})}.
    """

    hashes: dict[str, str]
    tests: dict[str, tuple[float, dict[str, list[int]]]]


RunRecorded = Callable[[str, Path], None]  # runs a test file and writes its lines to a file


class CoveringTests:
    """The tests of a checkout and the lines that each runs, kept in a file between runs."""

    def __init__(self, checkout: Path, cache: Path, run: RunRecorded) -> None:
        self.checkout = checkout
        self.records: dict[str, Record] = json.loads(cache.read_text()) if cache.exists() else {}
        self.hashes: dict[str, str] = {}
        files = [path for folder in FOLDERS for path in sorted((checkout / "tests" / folder).rglob("test_*.py"))]
        names = [path.relative_to(checkout).as_posix() for path in files]
        for name in names:
            if self.records.get(name, {"hashes": {}})["hashes"].get(name) != self._hash(name):
                self.records[name] = self._record(name, run)
                cache.parent.mkdir(parents=True, exist_ok=True)
                cache.write_text(json.dumps({file: record for file, record in self.records.items() if record["tests"]}))
        self.records = {name: self.records[name] for name in names}
        self.imports = {name: imported_modules((checkout / name).read_text(encoding="utf-8")) for name in names}

    def find(self, module: str, line: int) -> list[str]:
        """The tests to run for a change of a line of a module (its path in the checkout).

        First those of files that import the module and few others; of a test with many parameters, the fastest cases.
        """
        span = statement_lines((self.checkout / module).read_text(encoding="utf-8"), line)
        nearest = set(self.importers(module))
        found: list[tuple[bool, int, float, str]] = []
        for file, record in self.records.items():
            is_known = record["hashes"].get(module) == self._hash(module)
            for test, (seconds, lines) in record["tests"].items():
                run_lines = lines.get(module)
                if run_lines and (not is_known or span is None or not span.isdisjoint(run_lines)):
                    found.append((file not in nearest, len(self.imports[file]), seconds, test))
        chosen: list[str] = []
        cases: Counter[str] = Counter()
        spent = 0.0
        for _, _, seconds, test in sorted(found):
            function = test.partition("[")[0]
            cases[function] += 1
            if cases[function] <= MAX_CASES and (not chosen or spent + seconds < MAX_SECONDS):
                spent += seconds
                chosen.append(test)
        return chosen

    def importers(self, module: str) -> list[str]:
        """The test files that import a module themselves."""
        name = module.removesuffix(".py").replace("/", ".")
        return [file for file, names in self.imports.items() if name in names]

    def in_importers(self, module: str) -> list[str]:
        """The tests of the files that import a module, file by file, as long as they take MAX_SECONDS."""
        chosen: list[str] = []
        spent = 0.0
        for file in sorted(self.importers(module), key=lambda file: sum(map(self.seconds, self.records[file]["tests"]))):
            spent += sum(map(self.seconds, self.records[file]["tests"]))
            if spent < MAX_SECONDS:
                chosen += self.records[file]["tests"]
        return chosen

    def seconds(self, test: str) -> float:
        """The processor time of a test, s."""
        return self.records[test.partition("::")[0]]["tests"][test][0]

    def _record(self, name: str, run: RunRecorded) -> Record:
        lines = self.checkout / "lines.json"
        lines.unlink(missing_ok=True)
        run(name, lines)
        tests = json.loads(lines.read_text()) if lines.exists() else {}
        modules = {module for _, runs in tests.values() for module in runs}
        return {"hashes": {path: self._hash(path) for path in (name, *sorted(modules))}, "tests": tests}

    def _hash(self, path: str) -> str:
        if path not in self.hashes:
            self.hashes[path] = hashlib.sha256((self.checkout / path).read_bytes()).hexdigest()
        return self.hashes[path]


def statement_lines(source: str, line: int) -> set[int] | None:
    """The lines of the innermost statement at a line, of a compound one without its body; None outside functions, where imports run it."""
    span: set[int] | None = None
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef):
            continue
        for node in _statements(function.body):
            last = min((child.lineno - 1 for child in _statements(_body(node))), default=node.end_lineno or node.lineno)
            lines = set(range(node.lineno, max(last, node.lineno) + 1))
            if line in lines and (span is None or len(lines) < len(span)):
                span = lines
    return span


def _body(node: ast.stmt) -> list[ast.stmt]:
    return getattr(node, "body", [])


def _statements(body: Iterable[ast.stmt]) -> list[ast.stmt]:
    return [node for outer in body for node in ast.walk(outer) if isinstance(node, ast.stmt)]


def imported_modules(source: str) -> set[str]:
    """The dotted names that a test file may import."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update((node.module, *(f"{node.module}.{alias.name}" for alias in node.names)))
    return names
