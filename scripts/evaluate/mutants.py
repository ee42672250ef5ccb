"""Measure how many mutants of the package the tests notice: the mutation score.

    .venv/bin/python -m scripts.evaluate.mutants [--sample 300] [--seed 0] [--in core/files bridge/wire.py ...] [--guards] [-o REPORT.md]

Each mutant is the package with one small change (mutant_operators.py), in a copy of the checkout. The tests that run the changed line
(covering_tests.py; the first run records them, which takes minutes) run on it until one fails: the mutant is killed. Mutants that survive
are printed as diffs; write a test for their kind. Those of equivalent_mutants.toml change nothing that a test could see, each with its
reason: they are listed and do not count.
They run in random order: after Ctrl-C the report is that of those that ran, which are a sample, too.
--guards samples the code that protects the user: readers of files of others, the wire, and what writes files.
"""

import argparse
import difflib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from scripts import ROOT
from scripts.evaluate.covering_tests import PACKAGE, CoveringTests
from scripts.evaluate.mutant_operators import find_sites

PACKAGES = ("core", "bridge", "retarget", "methods")
GUARDS = (
    "core/files",
    "bridge/wire.py",
    "bridge/offline_bundle.py",
    "bridge/locks.py",
    "bridge/memory_limit.py",
    "bridge/process_groups.py",
    "bridge/tethered_process.py",
    "retarget/character_path.py",
    "retarget/recovery_files.py",
)
COPIED = (PACKAGE, "tests", "scripts", "addon_models", "locks", "docs", "examples", "pyproject.toml", "build.py")
EQUIVALENT = Path(__file__).with_name("equivalent_mutants.toml")
COVERAGE = ROOT / "out" / "mutants" / "coverage.json"
RECORDING_SECONDS, NOT_FOUND = 300.0, 4
LIBRARIES = ("numpy", "hypothesis", "hypothesis.extra.numpy", "scipy", "roma", "safetensors.torch", "torch")  # loaded once for all tests
# Kinds of equivalent mutants: what a line loses, what it gets instead (if anything), and why no test could see it.
EQUIVALENT_KINDS = (
    (r"or 1(\.0)?\)", r"or (0\.1|2(\.0)?)\)", "It replaces a zero that divides zeros."),
    (r"reshape\((\w+, )*-1", r"reshape\((\w+, )*-2", "Any negative length is the one that numpy finds itself."),
    (r"\"(utf-8|latin-1|latin1|ascii|raw-unicode-escape)\"", r"\"[A-Z\d-]+\"", "It names the same codec."),
    (r"strict=True", r"strict=(None|False)", "The lengths are equal by construction; it tells programmers, not users."),
    (r"encoding=\"utf-8\"", r"encoding=None", "It is the codec of the systems that the tests run on."),
)
KILLED, SURVIVED, EQUAL = "killed", "survived", "equivalent"


@dataclass(frozen=True)
class Mutant:
    """A changed module: its path below the package, the line of the change, the operator, and both texts."""

    path: str
    line: int
    operator: str
    original: str
    text: str

    @property
    def diff(self) -> str:
        """The changed lines."""
        lines = difflib.unified_diff(self.original.splitlines(), self.text.splitlines(), n=0, lineterm="")
        return "\n".join(line for line in lines if not line.startswith(("---", "+++", "@@")))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--in", dest="paths", nargs="+", default=PACKAGES, metavar="PATH", help="folders and files below the package")
    parser.add_argument("--guards", action="store_true")
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    chosen = sample_mutants(arguments.sample, arguments.seed, GUARDS if arguments.guards else arguments.paths)
    reasons = read_equivalent()
    outcomes: list[tuple[Mutant, str]] = []
    order = random.Random(arguments.seed).sample(chosen, len(chosen))
    with tempfile.TemporaryDirectory(prefix="meshrec-mutants-") as scratch, TestRuns(Path(scratch)) as runs, suppress(KeyboardInterrupt):
        for number, mutant in enumerate(order, 1):
            outcome = EQUAL if find_reason(reasons, mutant) else runs.outcome(mutant)
            outcomes.append((mutant, outcome))
            print(f"{number}/{len(chosen)} {outcome} {mutant.path}:{mutant.line} {mutant.operator}", file=sys.stderr, flush=True)
            if outcome == SURVIVED:
                print(mutant.diff, file=sys.stderr, flush=True)
    outcomes.sort(key=lambda pair: (pair[0].path, pair[0].line))
    report = "\n".join(format_report(outcomes, reasons))
    print(report)
    if arguments.output:
        arguments.output.write_text(f"{report}\n", encoding="utf-8")
    return 0


def sample_mutants(count: int, seed: int, paths: Iterable[str]) -> list[Mutant]:
    """Mutants of the modules below `paths`, each site as likely as any other; the same for a seed while the modules stay the same."""
    package = ROOT / PACKAGE
    files = sorted({file for path in paths for file in ([package / path] if path.endswith(".py") else (package / path).rglob("*.py"))})
    sites = [(file, site) for file in files for site in find_sites(file.read_text(encoding="utf-8"))]
    rng = random.Random(seed)
    rng.shuffle(sites)
    mutants: list[Mutant] = []
    for file, site in sites:
        if len(mutants) == count:
            break
        if texts := list(site.mutants()):
            path = file.relative_to(package).as_posix()
            mutants.append(Mutant(path, site.line, site.operator, site.module.code, rng.choice(texts)))
    return sorted(mutants, key=lambda mutant: (mutant.path, mutant.line))


def read_equivalent() -> dict[tuple[str, str], str]:
    """The reasons why mutants are equivalent, by module and diff."""
    entries = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8")).get("mutant", []) if EQUIVALENT.exists() else []
    return {(entry["module"], _without_margins(entry["diff"])): entry["reason"] for entry in entries}


def find_reason(reasons: Mapping[tuple[str, str], str], mutant: Mutant) -> str | None:
    """Why a mutant is equivalent, or None."""
    if reason := reasons.get((mutant.path, _without_margins(mutant.diff))):
        return reason
    before, _, after = mutant.diff.partition("\n+")
    for old, new, reason in EQUIVALENT_KINDS:
        if re.search(old, before) and re.sub(rf"{old}|[\s,]", "", before[1:]) == re.sub(rf"{new}|[\s,]", "", after):
            return reason
    return None


def _without_margins(diff: str) -> str:
    return "\n".join(f"{line[:1]}{line[1:].strip()}" for line in diff.strip().splitlines())


class TestRuns:
    """Runs of the tests on mutants, in a copy of the checkout below a folder."""

    def __init__(self, scratch: Path) -> None:
        self.checkout = scratch / "checkout"
        self.log = scratch / "tests.txt"
        copy_checkout(self.checkout)
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(scratch)}
        command = [sys.executable, str(Path(__file__).with_name("forked_tests.py")), str(self.log), *LIBRARIES]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, cwd=self.checkout, env=environment, stdin=pipe, stdout=pipe, text=True)
        self.covering = CoveringTests(self.checkout, COVERAGE, self._record)

    def __enter__(self) -> "TestRuns":
        return self

    def __exit__(self, *error: object) -> None:
        self.process.communicate()

    def outcome(self, mutant: Mutant) -> str:
        """Run the tests of a mutant: those that run its line, then the files that import its module."""
        module = f"{PACKAGE}/{mutant.path}"
        file = self.checkout / module
        for chosen in (self.covering.find(module, mutant.line), self.covering.in_importers(module)):
            file.write_text(mutant.text, encoding="utf-8")
            exit_code = self._run(chosen) if chosen else 0
            if exit_code is None:  # it waits for ever, or the machine was too busy for it: once more
                exit_code = self._run(chosen)
            file.write_text(mutant.original, encoding="utf-8")
            # Exit code 4: pytest did not find a test, because of the mutant or without it. None: the mutant waits, or all do.
            if exit_code != 0 and (exit_code not in (None, NOT_FOUND) or self._run(chosen) == 0):
                return KILLED
        return SURVIVED

    def _record(self, name: str, lines: Path) -> None:
        exit_code = self._ask([name], RECORDING_SECONDS, lines)
        print(f"{name}: {'some tests fail without a mutation' if exit_code else 'recorded'}", file=sys.stderr, flush=True)

    def _run(self, tests: Sequence[str]) -> int | None:
        return self._ask(tests, 10.0 + 3.0 * sum(map(self.covering.seconds, tests)), None)

    def _ask(self, tests: Sequence[str], limit: float, lines: Path | None) -> int | None:
        """Run tests; returns pytest's exit code, None or a negative one if they took longer than `limit` s of processor time."""
        if self.process.stdin is None or self.process.stdout is None:
            raise RuntimeError("the process of the tests has no pipes")
        job = {"tests": tests, "seconds": limit, "lines": lines and str(lines)}
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())["exit_code"]


def copy_checkout(checkout: Path) -> None:
    """Copy what the tests need; environments and the material beside the checkout are links."""
    for name in COPIED:
        source, target = ROOT / name, checkout / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy2(source, target)
    links = {checkout / ".venv": ROOT / ".venv", checkout / ".venvs": ROOT / ".venvs", checkout.parent / "shared": ROOT.parent / "shared"}
    for link, target in links.items():
        if target.exists():
            link.symlink_to(target)
    # Compiled once; a changed module is compiled anew, because its content is compared and not its time.
    hashed = ["-q", "--invalidation-mode", "checked-hash"]
    subprocess.run([sys.executable, "-m", "compileall", *hashed, PACKAGE, "tests", "scripts"], cwd=checkout, check=False)


def format_report(outcomes: Sequence[tuple[Mutant, str]], reasons: Mapping[tuple[str, str], str]) -> Iterator[str]:
    """The score by package, the survivors, and the equivalent mutants with their reasons."""
    yield "| package | mutants | killed | survived | equivalent | score |\n|---|---:|---:|---:|---:|---:|"
    rows = {package: [pair for pair in outcomes if pair[0].path.startswith(f"{package}/")] for package in PACKAGES}
    rows |= {"all": list(outcomes), "guards": [pair for pair in outcomes if pair[0].path.startswith(GUARDS)]}
    for name, pairs in rows.items():
        counts = Counter(outcome for _, outcome in pairs)
        tried = counts[KILLED] + counts[SURVIVED]
        score = f"{100 * counts[KILLED] / tried:.0f} %" if tried else "-"
        yield f"| {name} | {len(pairs)} | {counts[KILLED]} | {counts[SURVIVED]} | {counts[EQUAL]} | {score} |"
    for title, wanted in (("Survivors", SURVIVED), ("Equivalent", EQUAL)):
        yield f"\n## {title}"
        for mutant, outcome in outcomes:
            if outcome == wanted:
                reason = find_reason(reasons, mutant)
                yield f"\n{mutant.path}:{mutant.line} {mutant.operator}{f': {reason}' if reason else ''}\n```diff\n{mutant.diff}\n```"


if __name__ == "__main__":
    sys.exit(main())
