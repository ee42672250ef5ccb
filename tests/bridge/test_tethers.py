"""Children that end with their parent wait for a copy of their standard input: on Windows, loading a library hangs on the original."""

import os
import shutil
import subprocess
import sys

import pytest

from blender_meshrec.bridge import tethered_process
from tests.support.processes import maker_command

LOOK = "import os, sys, time\nprint(os.read(0, 1), sys.stdin.read() == '', flush=True)\ntime.sleep(60)\n"


@pytest.mark.parametrize("child", ["a module", "the maker of scenes"])
def test_standard_input_is_empty_and_its_end_ends_the_child(tmp_path, child):
    (tmp_path / "look.py").write_text(LOOK)
    tethered = "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"
    command = [sys.executable, "-u", "-c", tethered, str(tmp_path), tethered_process.__file__, "look"]
    if child == "the maker of scenes":
        command = maker_command(tmp_path, LOOK)
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout.readline().split() == [b"b''", b"True"]
    assert process.poll() is None
    process.stdin.close()
    assert process.wait(10) != 0  # s
    process.stdout.close()


def run(code, *arguments, **options):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options)


TETHER = (
    f"import os, runpy, sys\ntether = runpy.run_path({tethered_process.__file__!r})['end_with_parent']\n"
    "tether()\nprint('tethered', flush=True)\n"
)


@pytest.mark.skipif(os.name == "nt", reason="process groups of POSIX")
def test_a_child_in_the_group_of_others_ends_alone():
    """Only the leader of a group may end it: otherwise it would end the programs that started it."""
    leader = run(
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "child.stdout.readline(); child.stdin.close(); print(child.wait(20))",
        TETHER + "import time; time.sleep(60)",
        start_new_session=True,
    )
    assert leader.communicate()[0] == "1\n" and leader.returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="the open files of a process, as Linux lists them; under Wine those of Wine")
def test_what_is_written_to_the_tether_changes_nothing_and_no_file_stays_open():
    child = run(TETHER + "print(len(os.listdir('/proc/self/fd')), flush=True)\nimport time; time.sleep(60)", start_new_session=True)
    assert [child.stdout.readline() for _ in range(2)] == ["tethered\n", "5\n"]  # three streams, the tether, and the list itself
    child.stdin.write("text")
    child.stdin.flush()
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.2)
    child.communicate()


def test_on_windows_the_children_of_the_child_end_with_it(tmp_path):
    """The job object is asked for before the module runs, by the file beside this one: the package is not imported."""
    shutil.copy(tethered_process.__file__, tmp_path / "tethered_process.py")
    (tmp_path / "windows_system.py").write_text("def end_children_with_this_process():\n    print('job', flush=True)\n")
    (tmp_path / "module_of_the_test.py").write_text(
        "import sys\nprint(sys.argv[1:], sys.argv[0] == __file__, sys.modules['__main__'].__dict__ is globals())\n"
    )
    for system, expected in (("win32", ["job"]), ("linux", [])):
        child = run(
            "import os, runpy, sys; sys.path.insert(0, sys.argv[1]); sys.platform = sys.argv[2]; del sys.argv[:3]\n"
            "runpy.run_path(sys.argv[0], run_name='__main__')",
            *(tmp_path, system, tmp_path / "tethered_process.py", "module_of_the_test", "a", "b"),
        )
        lines = [child.stdout.readline().strip() for _ in range(1 + len(expected))]
        assert lines == [*expected, "['a', 'b'] True True"] and child.wait(20) == 0
        child.communicate()


@pytest.mark.skipif(os.name == "nt", reason="functions of POSIX are taken away")
def test_on_windows_no_group_is_asked_for():
    """Windows has no process groups: the child ends itself."""
    child = run("import os, sys; sys.platform = 'win32'; del os.getpgrp, os.killpg\n" + TETHER + "import time; time.sleep(60)")
    assert child.stdout.readline() == "tethered\n" and child.poll() is None
    child.stdin.close()
    assert child.wait(20) == 1
    child.stdout.close()
