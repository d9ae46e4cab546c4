"""Tests that interrupt a program do not wait for ever where whoever started them ignores Ctrl-C."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
        done = subprocess.run(background, capture_output=True, text=True, check=False)
        assert ("1 passed" if conftest else "1 failed") in done.stdout, done.stdout + done.stderr
