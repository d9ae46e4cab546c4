"""The whole terminal, for a while: a screen of its own, keys without Return, and everything given back at the end.

One rule: whatever ends the program (a key, a signal, an error), the terminal is as it was. Only SIGKILL cannot be told.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
import tty
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self

from edge.cli.terminal import CHOSEN, PLAIN, coloured, painted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from edge.cli.watching.screen import ScreenLine

ENTER: Final = "\x1b[?1049h\x1b[?25l"
LEAVE: Final = "\x1b[?25h\x1b[?1049l"
HOME, CLEAR_LINE, CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
ENDS: Final = (signal.SIGTERM, signal.SIGHUP)
ESCAPE_S: Final = 0.05
"""How long the rest of a key's sequence may take to come."""
MOST_READ: Final = 1024


class FullScreen:
    """Use it in a `with`. The main thread only: it handles signals."""

    def __init__(self) -> None:
        """Standard input and output are one terminal."""
        self._in, self._out = sys.stdin.fileno(), sys.stdout.fileno()
        self._before = termios.tcgetattr(self._in)
        self._handlers: dict[int, Any] = {}
        self.wakes, self.wake_with = os.pipe()
        for end in (self.wakes, self.wake_with):
            os.set_blocking(end, False)

    def __enter__(self) -> Self:
        """Take the terminal."""
        self._handlers = {number: signal.signal(number, self._end) for number in ENDS}
        self._handlers[signal.SIGWINCH] = signal.signal(signal.SIGWINCH, lambda *_: None)  # it wakes
        self._handlers[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, self._stop)
        signal.set_wakeup_fd(self.wake_with, warn_on_full_buffer=False)
        self._take()
        return self

    def __exit__(self, *_error: object) -> None:
        """Give it back."""
        self._give_back()
        signal.set_wakeup_fd(-1)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _take(self) -> None:
        tty.setcbreak(self._in)
        self._write(ENTER)

    def _give_back(self) -> None:
        with contextlib.suppress(OSError, termios.error):  # the terminal may be gone
            self._write(PLAIN + LEAVE)
            termios.tcsetattr(self._in, termios.TCSADRAIN, self._before)

    def _end(self, number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)  # as shells tell it

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        """Ctrl-Z: give the terminal back, stop, and take it again when the shell says so."""
        self._give_back()
        handler = signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        signal.signal(number, handler)
        self._take()

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines."""
        with contextlib.suppress(OSError):
            size = os.get_terminal_size(self._out)
            if size.columns and size.lines:
                return size.columns, size.lines
        return 80, 24

    def typed(self, within_s: float | None) -> str:
        """What is typed: waits for it, or until somebody writes to `wake_with`, a signal comes or time is up."""
        ready, _, _ = select.select([self._in, self.wakes], [], [], within_s)
        if self.wakes in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self.wakes, MOST_READ)
        if self._in not in ready:
            return ""
        read = os.read(self._in, MOST_READ)
        if not read:
            raise SystemExit(0)  # the terminal is gone
        if read.endswith(b"\x1b") and select.select([self._in], [], [], ESCAPE_S)[0]:
            read += os.read(self._in, MOST_READ)
        return read.decode("utf-8", "replace")

    def draw(self, lines: Sequence[ScreenLine]) -> None:
        """Show these lines and nothing else."""
        shown = [CLEAR_LINE + _styled(line) for line in lines]
        self._write(HOME + "\n".join(shown) + CLEAR_BELOW)

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


def _styled(line: ScreenLine) -> str:
    return f"{CHOSEN}{line.text}{PLAIN}" if line.chosen and coloured() else painted(line.text, line.kind)
