"""A process that runs tests again and again, each time in a fork of itself that has loaded the libraries but not the package.

Run in a checkout as `python forked_tests.py LOG LIBRARIES...`. One JSON line on standard input is one run: {"tests": files or names of
tests, "seconds": limit of the processor time, "lines": file for the lines that each test runs, or null}. The answer is one line on
standard output: {"exit_code": pytest's, negative or null if a limit was passed, "seconds": processor time}. LOG gets what the tests
print. Linux and macOS.
"""

import contextlib
import importlib
import json
import os
import resource
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Generator, Sequence
from pathlib import Path

import coverage
import pytest

MAX_BYTES = 16 << 30  # of a run's addresses: a mutant may ask for any size
POLL_SECONDS, LOOK_SECONDS = 0.02, 5.0
# A run hangs that uses less processor time than this in so many seconds: threads that look again and again use a little. A busy computer
# only makes runs slow.
IDLE_SECONDS, IDLE_USE = 90.0, 0.5
WAITING = 6.0  # real time by processor time after which it hangs, on systems that do not tell the processor time


def main() -> int:
    log = Path(sys.argv[1])
    for library in sys.argv[2:]:
        with contextlib.suppress(ImportError):
            importlib.import_module(library)
    sys.path[0] = os.getcwd()
    for line in sys.stdin:
        job = json.loads(line)
        print(json.dumps(run_in_fork(job["tests"], float(job["seconds"]), log, job["lines"])), flush=True)
    return 0


def run_in_fork(tests: Sequence[str], limit: float, log: Path, lines: str | None) -> dict[str, float | None]:
    """Run tests until one fails, with `limit` s of processor time for each process, and end all that they started."""
    child = os.fork()
    if child == 0:
        _run_tests(tests, log, int(limit), lines)
    exit_code: int | None = None
    seconds, spent = 0.0, 0.0
    looked = advanced = time.monotonic()
    patience = IDLE_SECONDS if sys.platform == "linux" else WAITING * limit
    while time.monotonic() - advanced < patience:
        done, status, usage = os.wait4(child, os.WNOHANG)
        if done:
            exit_code, seconds = os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime
            break
        time.sleep(POLL_SECONDS)
        if time.monotonic() - looked > LOOK_SECONDS:
            looked = time.monotonic()
            if (now := group_seconds(child)) > spent + IDLE_USE:
                spent, advanced = now, looked
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    if exit_code is None:
        os.waitpid(child, 0)
    return {"exit_code": exit_code, "seconds": seconds}


def group_seconds(group: int) -> float:
    """The processor time of the running processes of a process group, s; 0 where the system does not tell."""
    ticks = 0
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError):
            fields = file.read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12]) if int(fields[2]) == group else 0
    return ticks / os.sysconf("SC_CLK_TCK")


def _run_tests(tests: Sequence[str], log: Path, seconds: int, lines: str | None) -> None:
    """The fork: a process group of its own, which never returns."""
    exit_code = 3
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream, target in ((os.open(os.devnull, os.O_RDONLY), 0), (output, 1), (output, 2)):
            os.dup2(stream, target)
        recorder = LineRecorder() if lines else None
        options = ["-q", "-p", "no:cacheprovider", *([] if recorder else ["-x"])]
        exit_code = int(pytest.main([*options, *tests], plugins=[recorder] if recorder else []))
        if recorder and lines:
            recorder.save(Path(lines))
        sys.stdout.flush()
    finally:
        os._exit(exit_code)


class LineRecorder:
    """A pytest plugin that records which lines of the package each test runs."""

    def __init__(self) -> None:
        self.coverage = coverage.Coverage(data_file=None, config_file=False, source=["blender_meshrec"])
        self.coverage.start()
        self.durations: dict[str, float] = {}
        self.failed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember a test that fails without any mutation: it tells nothing."""
        if report.failed:
            self.failed.add(report.nodeid)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, None, None]:
        """Record under the test's name while it runs, its fixtures included."""
        self.coverage.switch_context(item.nodeid)
        start = time.process_time()
        yield
        self.durations[item.nodeid] = time.process_time() - start
        self.coverage.switch_context("")

    def save(self, file: Path) -> None:
        """Write {test that passed: [processor time, {path in the checkout: lines}]} as JSON."""
        self.coverage.stop()
        measured = self.coverage.get_data()
        lines: defaultdict[str, dict[str, list[int]]] = defaultdict(dict)
        for path in measured.measured_files():
            name = Path(path).relative_to(os.getcwd()).as_posix()
            for line, contexts in measured.contexts_by_lineno(path).items():
                for test in contexts:
                    lines[test].setdefault(name, []).append(line)
        file.write_text(
            json.dumps({test: [seconds, lines.get(test, {})] for test, seconds in self.durations.items() if test not in self.failed})
        )


if __name__ == "__main__":
    sys.exit(main())
