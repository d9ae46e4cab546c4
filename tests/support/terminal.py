"""A terminal: a program runs on a pty of its own, somebody types, and what is on the screen can be read.

It understands what doorctl sends, and nothing else: an unknown sequence is an error.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
from typing import TYPE_CHECKING, Any, Self

from tests.support.doord import ROOT
from tests.support.waiting import PATIENCE_S, until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

DOORCTL = (sys.executable, "-m", "edge.cli")
CSI = re.compile(r"\x1b\[([?]?)([0-9;]*)([A-Za-z])")
UNFINISHED = re.compile(r"\x1b(\[[?0-9;]*)?$")


class Screen:
    """What a terminal of this size shows."""

    def __init__(self, columns: int = 80, lines: int = 24) -> None:
        self.columns, self.lines = columns, lines
        self.rows = [""] * lines
        self.x = self.y = 0
        self.alternate = self.hidden = False
        self._other: tuple[list[str], int, int] | None = None
        self._rest = ""

    def resize(self, columns: int, lines: int) -> None:
        self.columns, self.lines = columns, lines
        self.rows = (self.rows + [""] * lines)[:lines]
        self.y = min(self.y, lines - 1)

    def feed(self, text: str) -> None:
        text, at = self._rest + text, 0
        self._rest = ""
        while at < len(text):
            if text[at] == "\x1b":
                if UNFINISHED.match(text[at:]):
                    self._rest = text[at:]
                    return
                found = CSI.match(text, at)
                assert found, f"an unknown sequence: {text[at : at + 20]!r}"
                self._control(*found.groups())
                at = found.end()
            else:
                self._put(text[at])
                at += 1

    def _control(self, private: str, numbers: str, letter: str) -> None:
        if private:
            assert numbers in {"1049", "25"}, numbers
            assert letter in "hl"
            self._mode(numbers, on=letter == "h")
        elif letter == "H":
            self.x = self.y = 0
            assert not numbers
        elif letter == "J":
            assert numbers in {"", "0", "2"}
            keep = 0 if numbers == "2" else self.y + 1
            self.rows[keep:] = [""] * (self.lines - keep)
            if keep:
                self.rows[self.y] = self.rows[self.y][: self.x]
        elif letter == "K":
            assert not numbers
            self.rows[self.y] = self.rows[self.y][: self.x]
        else:
            assert letter == "m", letter

    def _mode(self, number: str, *, on: bool) -> None:
        if number == "25":
            self.hidden = not on
            return
        self.alternate = on
        if on:
            self._other = (self.rows, self.x, self.y)
            self.rows, self.x, self.y = [""] * self.lines, 0, 0
        elif self._other:
            self.rows, self.x, self.y = self._other

    def _put(self, letter: str) -> None:
        if letter == "\r":
            self.x = 0
        elif letter == "\n":
            self.y += 1
            if self.y == self.lines:
                self.rows, self.y = [*self.rows[1:], ""], self.lines - 1
        elif letter == "\b":
            self.x = max(0, self.x - 1)
        else:
            assert letter.isprintable(), repr(letter)
            if self.x == self.columns:
                self._put("\r")
                self._put("\n")
            row = self.rows[self.y].ljust(self.x)
            self.rows[self.y] = row[: self.x] + letter + row[self.x + 1 :]
            self.x += 1

    def __str__(self) -> str:
        return "\n".join(row.rstrip() for row in self.rows).rstrip() + "\n"


class Terminal:
    """A program on a terminal of its own."""

    def __init__(
        self,
        *words: object,
        columns: int = 80,
        lines: int = 24,
        environment: Mapping[str, str] | None = None,
        program: Sequence[str] = DOORCTL,
    ) -> None:
        """`words` are those of doorctl, or of another program."""
        self._screen = Screen(columns, lines)
        self._lock = threading.Lock()
        self._sent: list[str] = []
        own = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}}
        own |= {"TERM": "xterm-256color", "TZ": "Asia/Tokyo", "PYTHONUTF8": "1", **(environment or {})}
        self.master, slave = pty.openpty()
        self._size(columns, lines)
        self.before = termios.tcgetattr(slave)
        self._slave = os.dup(slave)
        self._left: list[Any] | None = None
        command = ["setsid", "--ctty", *program, *map(str, words)]
        self.process = subprocess.Popen(command, cwd=ROOT, env=own, stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _size(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while sent := os.read(self.master, 65_536):
                text = sent.decode("utf-8", "replace")
                with self._lock:
                    self._sent.append(text)
                    self._screen.feed(text)

    def resize(self, columns: int, lines: int) -> None:
        with self._lock:
            self._screen.resize(columns, lines)
        self._size(columns, lines)

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    @property
    def sent(self) -> str:
        """Everything that was sent to the terminal, colours included."""
        with self._lock:
            return "".join(self._sent)

    @property
    def screen(self) -> str:
        with self._lock:
            return str(self._screen)

    @property
    def is_plain(self) -> bool:
        """Whether a shell could go on: its own screen and cursor, and a line discipline as it was."""
        with self._lock:
            shown = not self._screen.alternate and not self._screen.hidden
        return shown and (self._left == self.before if self._left else termios.tcgetattr(self._slave) == self.before)

    def until(self, condition: Callable[[str], Any]) -> str:
        """Wait until what is on the screen is so, and return it."""
        held: list[str] = []

        def so() -> bool:
            held[:] = [self.screen]
            return bool(condition(held[0]))

        until(so, lambda: f"the screen stayed like this:\n{self.screen}")
        return held[0]

    def ended(self) -> int:
        """Wait for the end, read all of it, and return the exit code."""
        code = self.process.wait(PATIENCE_S)
        if self._left is None:
            self._left = termios.tcgetattr(self._slave)
            os.close(self._slave)
            self._reader.join(PATIENCE_S)
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.ended()
        os.close(self.master)
