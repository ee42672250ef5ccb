"""Ctrl-C and SIGTERM while the command loads: it is cancelled with a sentence, or ends by the signal, and never shows a traceback."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.chores.environments import command_script

ROOT = Path(__file__).resolve().parents[2]
MAIN = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from blender_meshrec.cli import main; sys.exit(main(['doctor']))"
WAIT = "import time\nprint('loading', flush=True)\ntime.sleep(20)\n"
CANCELLED = "Cancelled. Nothing was changed.\n"

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


def _restore_ctrl_c():
    """Restore Ctrl-C, which a shell may have ignored for tests in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def end_while_loading(words, number, folder):
    """Start a command that loads a module of `folder`, which prints that it does, and send it a signal; returns exit code and errors."""
    environ = {**os.environ, "PYTHONPATH": str(folder)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(words, env=environ, preexec_fn=_restore_ctrl_c, **pipes)
    assert process.stdout.readline() == "loading\n"
    process.send_signal(number)
    errors = process.communicate(timeout=20)[1]
    return process.returncode, errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_program_is_loaded_cancels(number, tmp_path):
    """A module that raises what an interrupted import may raise stands for numpy."""
    (tmp_path / "numpy.py").write_text(
        "import time\nprint('loading', flush=True)\n"
        "try:\n    time.sleep(20)\nexcept KeyboardInterrupt:\n    raise ImportError('numpy was interrupted') from None\n"
    )
    assert end_while_loading([sys.executable, "-c", MAIN], number, tmp_path) == (130, CANCELLED)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_signal_handlers_are_loaded_cancels(number, tmp_path):
    (tmp_path / "threading.py").write_text(WAIT)
    assert end_while_loading([sys.executable, "-S", "-c", MAIN], number, tmp_path) == (130, CANCELLED)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_python_finds_its_packages_ends_the_command_without_a_traceback(number, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(WAIT)
    script = tmp_path / "meshrec"
    script.write_text(command_script(Path(sys.executable)))
    script.chmod(0o755)
    assert end_while_loading([script, "doctor"], number, tmp_path) == (-number, "")


def test_the_command_runs_in_its_environment(tmp_path):
    script = tmp_path / "meshrec"
    script.write_text(command_script(Path(sys.executable)))
    script.chmod(0o755)
    done = subprocess.run([script, "--version"], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("meshrec ") and not done.stderr


def test_nothing_is_loaded_before_signals_cancel():
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); before = set(sys.modules)\n"
    code += "import blender_meshrec.cli; print(*set(sys.modules) - before)"
    loaded = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert sorted(loaded) == ["blender_meshrec", "blender_meshrec.cli"]


def test_the_handlers_of_before_are_restored():
    code = (
        f"import os, signal, sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "import blender_meshrec.cli as cli; from blender_meshrec.cli import program\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); mine = lambda *_: None; signal.signal(signal.SIGHUP, mine)\n"
        "seen = []; program.main = lambda *_: seen.append(signal.getsignal(signal.SIGTERM)) or 0\n"
        "assert cli.main([]) == 0 and seen == [signal.SIG_IGN]\n"
        "assert signal.getsignal(signal.SIGINT) == signal.default_int_handler and signal.getsignal(signal.SIGHUP) == mine\n"
    )
    subprocess.run([sys.executable, "-c", code], preexec_fn=_restore_ctrl_c, check=True)
