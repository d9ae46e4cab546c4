"""`doord`, the program: brings every lock to rest, and only then imports the rest of the daemon.

One rule: the imports at the top are only those needed to read a configuration and to open drivers.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge import __version__
from edge.config.reading import DEFAULT_PATH
from edge.config.source import KEPT, ConfigSource
from edge.doors.driver_supervisor import open_all
from edge.model.printable import spelt
from edge.model.problems import ConfigError
from edge.settings.home_folder import below_home
from edge.socket.server import refuse_if_served
from edge.system.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edge.model.problems import Problem
    from edge.settings.controller import Settings

LOG: Final = logging.getLogger("doord")
EX_CONFIG: Final = 78
"""EX_CONFIG of sysexits.h: the configuration is wrong. The unit tells systemd not to start again after it."""
TURN_S: Final = 0.001
"""How long another thread may keep the interpreter while the loop, which serves doors, waits. Python's own is 5 ms."""
HUNG_S: Final = 1.0
"""How long the end waits for each thread that still runs."""


def _log_to_stderr(verbose: bool) -> None:
    """Log to stderr; for journald with its priority as `<N>` (sd-daemon(3))."""
    journal = "JOURNAL_STREAM" in os.environ
    names = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}

    class Priorities(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            text = "\n".join(spelt(line) for line in super().format(record).split("\n"))
            return f"<{names.get(record.levelno, 6)}>{text}" if journal else text

    handler = logging.StreamHandler()
    handler.setFormatter(Priorities("%(name)s: %(message)s" if journal else "%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler])


def _complain(problems: Iterable[Problem]) -> None:
    for problem in problems:
        LOG.error("%s", problem)


def _make_own_folders(settings: Settings) -> None:
    """Make missing folders below the user's home only; elsewhere a disk may not be mounted yet."""
    for folder in (settings.log.path.parent, settings.control.socket.parent):
        if below_home(folder) and not folder.is_dir():
            with contextlib.suppress(OSError):  # whoever uses the folder reports it
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _kept() -> Path | None:
    """The file for the configuration in force, in the service's state folder (systemd.exec(5), StateDirectory=)."""
    folder = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    return Path(folder) / KEPT if folder else None


async def _serve(settings: Settings, source: ConfigSource) -> int:
    clock = Clock()
    supervisors = open_all(settings.drivers, clock.now_ns)
    _make_own_folders(settings)
    from edge.daemon.daemon import Daemon  # noqa: PLC0415 -- the locks are at rest before this is imported

    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    daemon = Daemon(settings, clock, supervisors=supervisors, source=source)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, daemon.hang_up)
    await daemon.run(stop)
    return 1 if daemon.unwritten else 0


def _leave_hung_threads(code: int) -> None:
    """Exit without threads that hang in the disk: the interpreter would wait for ever. The locks are at rest."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(HUNG_S)
            if thread.is_alive():
                LOG.critical("%s hangs; stopping without it", thread.name)
                logging.shutdown()
                os._exit(code or 1)


def arguments_parser() -> argparse.ArgumentParser:
    """What `doord` takes."""
    parser = argparse.ArgumentParser(prog="doord", description="Guards the doors of one Doorward controller.")
    parser.add_argument(
        "--config", type=Path, default=DEFAULT_PATH, help=f"the configuration file (default: {DEFAULT_PATH})"
    )
    text = "where to keep the configuration in force, for a start with an unusable --config file (STATE_DIRECTORY)"
    parser.add_argument("--keep", type=Path, default=_kept(), metavar="FILE", help=text)
    parser.add_argument("--verbose", action="store_true", help="log more")
    parser.add_argument("--version", action="version", version=f"doord {__version__}")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM. Exit code 0 after a stop, 78 for a bad configuration without a kept one, 1 otherwise.

    1 is also a stop whose last events could not be written.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nothing to reload yet
    arguments = arguments_parser().parse_args(argv)
    _log_to_stderr(arguments.verbose)
    source = ConfigSource(arguments.config, arguments.keep)
    try:
        settings = source.start()
    except ConfigError as error:
        _complain(error.problems)
        return EX_CONFIG
    if source.refused:
        _complain(source.refused)
        LOG.critical("%s cannot be used: guarding by the configuration that was in force before", source.file)
    sys.setswitchinterval(TURN_S)
    try:
        refuse_if_served(settings.control.socket)
        code = asyncio.run(_serve(settings, source))
    except OSError as error:
        LOG.critical("%s", error)
        code = 1
    _leave_hung_threads(code)
    return code


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
