"""Gathers the facts for a diagnosis: from the daemon, systemd, files, the log and the computer.

One rule: it only reads, and works without a daemon and without root. Whatever cannot be looked at becomes
a sentence in `unseen`.
"""

from __future__ import annotations

import grp
import os
import stat
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edge import __version__
from edge.client.connection import Client, RequestRefused, Unreachable
from edge.client.sources import DaemonSource, FileSource
from edge.client.times import to_us
from edge.diagnosis.boot import missing_lines
from edge.diagnosis.facts import BootFacts, DaemonFacts, DiskFacts, Facts, FileFacts, SocketFacts, at_us
from edge.diagnosis.history import history
from edge.diagnosis.loaded import differences
from edge.diagnosis.machine import SystemPaths, exists, look_at_machine
from edge.diagnosis.service import look_at_service
from edge.log import connections
from edge.log.verify import verify

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.client.sources import Source
    from edge.settings.controller import Settings

NEWEST: Final = 2_000
"""So many records of the hash chain are checked; `doorctl log verify` checks all."""
NOT_UNDERSTOOD: Final = (AttributeError, KeyError, TypeError, ValueError)
"""Errors in reading an answer of another version, or of a program that is not doord."""


@dataclass(slots=True)
class Gathering:
    """Collects facts; every method adds to `seen` or `unseen`."""

    paths: SystemPaths
    seen: dict[str, Any] = field(default_factory=dict)
    unseen: list[str] = field(default_factory=list)
    running: Mapping[str, Any] | None = None
    """The daemon's answer as JSON."""

    def daemon(self, path: Path) -> Client | None:
        """Ask the daemon; returns the open connection if it answers. Whether it does is a fact too."""
        state, error = "answers", None
        client: Client | None = None
        try:
            client = Client(path)
            answer = client.ask("facts")
            self.seen["daemon"] = DaemonFacts.from_json(answer)
            self.running = answer
        except (Unreachable, RequestRefused) as failure:
            state, error = _state(path, failure), str(failure)
        except NOT_UNDERSTOOD as failure:
            self.unseen.append(f"the daemon's answer: not understood ({failure!r}): another version?")
        self.seen["socket"] = SocketFacts(str(path), state, _group(path), error)
        if state != "answers" and client is not None:
            client.close()
            client = None
        return client

    def service(self) -> None:
        """The state of the unit, where systemd runs."""
        unit = look_at_service(self.paths)
        if isinstance(unit, str):
            self.unseen.append(f"the service: {unit}")
        else:
            self.seen["service"] = unit

    def config(self, path: Path) -> Settings | None:
        """Check the configuration as the next start would, and the permissions of its files."""
        from edge.config.checking import readable, service_user, unreadable  # noqa: PLC0415 -- not for a copied log
        from edge.config.files import known_secrets  # noqa: PLC0415 -- as above
        from edge.config.reading import load  # noqa: PLC0415 -- as above: pydantic is slow
        from edge.config.warnings import password_in_clear  # noqa: PLC0415 -- as above
        from edge.model.problems import ConfigError  # noqa: PLC0415 -- as above

        if not _readable(path):
            self.unseen.append(f"the configuration: {path} is missing or may not be read by you")
            return None
        self.seen["config"] = str(path)
        self._modes(path)
        try:
            settings = load(path)
        except ConfigError as error:
            self.seen["config_problems"] = tuple(str(problem) for problem in error.problems)
            return None
        self.seen["password_in_clear"] = password_in_clear(settings)
        if os.geteuid() == 0:  # other users must not be able to read secrets anyway
            wrong = unreadable(settings, service_user(path))
            self.seen["config_problems"] = tuple(str(problem) for problem in wrong if readable(problem))
            self.seen["unreadable"] = tuple(str(problem) for problem in wrong if not readable(problem))
        self.seen["log_max_bytes"] = settings.log.max_mib << 20
        self._modes(path, *known_secrets(settings))
        return settings

    def loaded(self, path: Path, settings: Settings) -> None:
        """Compare the running daemon with the configuration file."""
        if self.running is None:
            return
        try:
            self.seen["config_differs"] = differences(self.running, settings)
            self.seen["config_written_us"] = path.stat().st_mtime_ns // 1_000
        except (OSError, *NOT_UNDERSTOOD) as error:
            self.unseen.append(f"whether doord runs with {path}: {error}")

    def boot(self, settings: Settings) -> None:
        """Check whether the firmware's configuration keeps relays at rest."""
        from edge.config.provision import boot_lines  # noqa: PLC0415 -- as above

        wanted = boot_lines(settings)
        if not wanted:
            return
        path = next((path for path in self.paths.boot if exists(path)), None)
        if path is None:
            self.unseen.append(f"the boot configuration: there is no {self.paths.boot[0]}")
            return
        try:
            text = path.read_text("utf-8", "replace")
        except OSError as error:
            self.unseen.append(f"the boot configuration: {error}")
            return
        missing, filters = missing_lines(wanted, text)
        self.seen["boot"] = BootFacts(str(path), missing)
        if filters:
            named = ", ".join(f"[{name}]" for name in filters)
            self.unseen.append(f"the boot configuration: whether {named} in {path} applies to this computer")

    def log(self, path: Path, client: Client | None) -> None:
        """Check the log's file, disk, chain and history; the history comes from the daemon if it answers."""
        self.seen["log_path"] = str(path)
        live = DaemonSource(client) if client is not None else None
        self._disk(path)
        try:
            path.stat()
        except FileNotFoundError:
            self.seen["log_missing"] = True
            return
        except OSError as error:  # no permission for the folder
            self.unseen.append(f"the log: {error}")
            self._history(live, None)
            return
        if _readable(path):
            self._file(path, live)
            return
        self.unseen.append(f"the log: {path} may not be read by you")
        self._history(live, None)

    def copied(self, path: Path) -> None:
        """Look at a copied log; its newest record gives the time. Raises OSError when there is no such file."""
        self.seen["now_us"] = 0
        if not stat.S_ISREG(path.stat().st_mode):
            raise OSError(f"{path} is no file")
        self.seen["log_path"] = str(path)
        self._file(path, None, copied=True)
        self.unseen.append("everything but the log: only a copied log was looked at")

    def machine(self) -> None:
        """Supply voltage, temperature and memory, as far as the kernel shows them."""
        self.seen["machine"], unseen = look_at_machine(self.paths)
        self.unseen += unseen

    def facts(self) -> Facts:
        """The collected facts."""
        return Facts(tool_version=__version__, unseen=tuple(self.unseen), **self.seen)

    def _file(self, path: Path, live: Source | None, *, copied: bool = False) -> None:
        """Check the chain of a log file, and read its history: from the daemon, or else from the file."""
        broken = _broken(path, None if copied else NEWEST)
        if live is not None:
            self._history(live, broken)
            return
        with closing(connections.connect_read_only(path)) as db:
            try:
                broken = broken or _damage(db.execute("PRAGMA quick_check(1)").fetchone())
                self._history(FileSource(path), broken, copied=copied)
            except (OSError, db.Error) as error:  # no log, or too damaged to be opened
                self.unseen.append(f"the history: {error}")
                self._history(None, broken or f"the file is damaged: {error}")

    def _history(self, source: Source | None, broken: str | None, *, copied: bool = False) -> None:
        """Count the history in `source`; if it cannot be read, the diagnosis goes on without."""
        if source is None:
            if broken is not None:
                self.seen["history"] = history(None, self.seen["now_us"], broken)
            return
        try:
            with closing(source):
                if copied:
                    records = source.page({"limit": 1, "newest": True}).records
                    self.seen["now_us"] = at_us(records[0]["time"]) if records else 0
                self.seen["history"] = history(source, self.seen["now_us"], broken)
        except (RequestRefused, Unreachable, OSError, *NOT_UNDERSTOOD) as error:
            self.unseen.append(f"the history: {str(error) or type(error).__name__}")
            self._history(None, broken)

    def _modes(self, config: Path, *secrets: Path) -> None:
        modes = [_mode(config, secret=False), *(_mode(path, secret=True) for path in secrets)]
        self.seen["files"] = tuple(mode for mode in modes if mode is not None)

    def _disk(self, path: Path) -> None:
        folder = next((parent for parent in path.absolute().parents if exists(parent)), Path("/"))
        try:
            filesystem = os.statvfs(folder)
        except OSError as error:
            self.unseen.append(f"the disk: {error}")
            return
        self.seen["disk"] = DiskFacts(
            str(folder), filesystem.f_bavail * filesystem.f_frsize, bool(filesystem.f_flag & os.ST_RDONLY)
        )


def look(socket: Path, config: Path, paths: SystemPaths | None = None) -> Facts:
    """All facts about the controller on this computer."""
    now = Gathering(paths or SystemPaths())
    now.seen["now_us"] = to_us(datetime.now(UTC))
    client = now.daemon(socket)
    try:
        now.service()
        settings = now.config(config)
        if settings is not None:
            now.loaded(config, settings)
            now.boot(settings)
        daemon: DaemonFacts | None = now.seen.get("daemon")
        if daemon is not None:
            now.log(Path(daemon.log.path), client)
        elif settings is not None:
            now.log(settings.log.path, client)
        now.machine()
    finally:
        if client is not None:
            client.close()
    return now.facts()


def look_at_copy(log: Path) -> Facts:
    """The facts in a copied log file. Raises OSError when there is no such file."""
    only = Gathering(SystemPaths())
    only.copied(log)
    return only.facts()


def _state(path: Path, failure: Exception) -> str:
    if isinstance(failure, RequestRefused):
        return "refused"
    states = {"FileNotFoundError": "missing", "ConnectionRefusedError": "dead", "PermissionError": "forbidden"}
    return states.get(type(failure.__cause__).__name__, "silent" if exists(path) else "missing")


def _broken(path: Path, newest: int | None = None) -> str | None:
    broken = verify(path, newest).broken
    return None if broken is None else f"record {broken.sequence}: {broken.what}" if broken.sequence else broken.what


def _damage(answer: tuple[str]) -> str | None:
    """The damage in the answer to quick_check (https://www.sqlite.org/pragma.html#pragma_quick_check); None: none."""
    (result,) = answer
    return None if result == "ok" else f"the file is damaged: {result}"


def _group(path: Path) -> str | None:
    try:
        return grp.getgrgid(path.stat().st_gid).gr_name
    except (OSError, KeyError):  # missing, no permission, or a group without a name
        return None


def _mode(path: Path, *, secret: bool) -> FileFacts | None:
    try:
        return FileFacts(str(path), path.stat().st_mode & 0o777, secret, _group(path))
    except OSError:  # systemd's credentials are not visible outside the service
        return None


def _readable(path: Path) -> bool:
    return os.access(path, os.R_OK) and path.is_file()
