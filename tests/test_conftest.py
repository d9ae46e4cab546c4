"""No test waits for ever, for an interrupt that is ignored or for what never comes; and dice fall the same."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

from tests.support.waiting import PATIENCE_S

ROOT = Path(__file__).parents[1]
INTERRUPTED = """
import signal, subprocess, sys

def test_a_program_can_be_interrupted():
    wait = "import sys; print(flush=True); sys.stdin.read()"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", wait], stdin=pipe, stdout=pipe, stderr=pipe) as started:
        started.stdout.readline()
        started.send_signal(signal.SIGINT)
        said = started.communicate()[1]  # which ends its input as well: it ends either way
    assert started.returncode == -signal.SIGINT, said
"""


def test_ctrl_c_reaches_what_a_test_starts_when_the_tests_run_in_the_background(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(INTERRUPTED)
    options = ["-q", "-p", "no:cacheprovider", "-c", "/dev/null", "--confcutdir", tmp_path, tmp_path]
    for conftest in (ROOT / "tests" / "conftest.py").read_text(), "":
        (tmp_path / "conftest.py").write_text(conftest)
        background = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh", sys.executable, "-m", "pytest", *options]
        done = subprocess.run(background, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
        assert ("1 passed" if conftest else "1 failed") in done.stdout, done.stdout + done.stderr


HANGS = """
import random, signal, threading

def test_a_thread_that_never_ends():
    assert signal.getitimer(signal.ITIMER_REAL)[0] > 300, "there is a limit"
    signal.setitimer(signal.ITIMER_REAL, 0.01)  # which comes now
    try:
        threading.Event().wait()
    except Exception:
        pass

def test_what_follows():
    assert random.random() == {expected}
"""


def test_a_test_that_hangs_fails_and_the_others_go_on(tmp_path: Path) -> None:
    conftest = (ROOT / "tests" / "conftest.py").read_text()
    (tmp_path / "conftest.py").write_text(conftest)
    (tmp_path / "test_it.py").write_text(HANGS.format(expected=random.Random("7").random()))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null"]
    command += ["--confcutdir", str(tmp_path), "--hypothesis-seed=7", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert "HangError: not over after 600 s" in done.stdout
    assert "test_a_thread_that_never_ends" in done.stdout.partition("Captured stderr")[2], "where each thread is"
    assert "--hypothesis-seed=7" in done.stdout
