"""Gathers what a diagnosis may look at: the daemon, systemd, files, the log, the computer.

One rule: it only looks, works without a daemon and without root, and whatever cannot be looked
at becomes a sentence in `unseen`.
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
"""So many records of the hash chain are walked; `doorctl log verify` walks them all."""
NOT_UNDERSTOOD: Final = (AttributeError, KeyError, TypeError, ValueError)
"""What an answer of another version, or one from a stranger, comes to."""


@dataclass(slots=True)
class Gathering:
    """One look around; every method adds to `seen`."""

    paths: SystemPaths
    seen: dict[str, Any] = field(default_factory=dict)
    unseen: list[str] = field(default_factory=list)
    running: Mapping[str, Any] | None = None
    """The daemon's account of itself as it came."""

    def daemon(self, path: Path) -> Client | None:
        """Ask the daemon; what came of it is a fact of its own. Returns the open connection if it answers."""
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
            self.unseen.append(f"the daemon's account of itself: not understood ({failure!r}): another version?")
        self.seen["socket"] = SocketFacts(str(path), state, _group(path), error)
        if state != "answers" and client is not None:
            client.close()
            client = None
        return client

    def service(self) -> None:
        """What systemd says of the unit, where there is a systemd."""
        found = look_at_service(self.paths)
        if isinstance(found, str):
            self.unseen.append(f"the service: {found}")
        else:
            self.seen["service"] = found

    def config(self, path: Path) -> Settings | None:
        """Check the configuration as the next start would, and who may touch its files."""
        from edge.config.checking import readable, service_user, unreadable  # noqa: PLC0415 -- a copied log needs none
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
        if os.geteuid() == 0:  # others may rightly not read secrets
            wrong = unreadable(settings, service_user(path))
            self.seen["config_problems"] = tuple(str(one) for one in wrong if readable(one))
            self.seen["unreadable"] = tuple(str(one) for one in wrong if not readable(one))
        self.seen["log_max_bytes"] = settings.log.max_mib << 20
        self._modes(path, *known_secrets(settings))
        return settings

    def loaded(self, path: Path, settings: Settings) -> None:
        """Whether the daemon runs with what the file says."""
        if self.running is None:
            return
        try:
            self.seen["config_differs"] = differences(self.running, settings)
            self.seen["config_written_us"] = path.stat().st_mtime_ns // 1_000
        except (OSError, *NOT_UNDERSTOOD) as error:
            self.unseen.append(f"whether doord runs with {path}: {error}")

    def boot(self, settings: Settings) -> None:
        """Whether the firmware holds the relays at rest."""
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
        """The file, its disk, its chain and what it tells; asks the daemon when the file may not be read."""
        self.seen["log_path"] = str(path)
        live = DaemonSource(client) if client is not None else None
        self._disk(path)
        try:
            path.stat()
        except FileNotFoundError:
            self.seen["log_missing"] = True
            return
        except OSError as error:  # a folder that is not yours to enter
            self.unseen.append(f"the log: {error}")
            self._history(live, None)
            return
        if _readable(path):
            self._file(path, live)
            return
        self.unseen.append(f"the log: {path} may not be read by you")
        self._history(live, None)

    def copied(self, path: Path) -> None:
        """Look at a log from elsewhere: the only clock is its newest record. Raises OSError when there is none."""
        self.seen["now_us"] = 0
        if not stat.S_ISREG(path.stat().st_mode):
            raise OSError(f"{path} is no file")
        self.seen["log_path"] = str(path)
        self._file(path, None, copied=True)
        self.unseen.append("everything but the log: only a copied log was looked at")

    def machine(self) -> None:
        """Supply voltage, temperature and memory, where this kernel tells."""
        self.seen["machine"], unseen = look_at_machine(self.paths)
        self.unseen += unseen

    def facts(self) -> Facts:
        """What was seen."""
        return Facts(tool_version=__version__, unseen=tuple(self.unseen), **self.seen)

    def _file(self, path: Path, live: Source | None, *, copied: bool = False) -> None:
        """The chain of a log file, and its history: as the daemon tells it, or else the file."""
        broken = _broken(path, None if copied else NEWEST)
        if live is not None:
            self._history(live, broken)
            return
        with closing(connections.connect_read_only(path)) as db:
            try:
                broken = broken or _damage(db.execute("PRAGMA quick_check(1)").fetchone())
                self._history(FileSource(path), broken, copied=copied)
            except (OSError, db.Error) as error:  # no log at all, or so damaged that it does not open
                self.unseen.append(f"the history: {error}")
                self._history(None, broken or f"the file is damaged: {error}")

    def _history(self, source: Source | None, broken: str | None, *, copied: bool = False) -> None:
        """What `source` tells; a page that cannot be read costs the history, not the diagnosis."""
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
        found = [_mode(config, secret=False), *(_mode(path, secret=True) for path in secrets)]
        self.seen["files"] = tuple(mode for mode in found if mode is not None)

    def _disk(self, path: Path) -> None:
        folder = next((parent for parent in path.absolute().parents if exists(parent)), Path("/"))
        try:
            found = os.statvfs(folder)
        except OSError as error:
            self.unseen.append(f"the disk: {error}")
            return
        self.seen["disk"] = DiskFacts(str(folder), found.f_bavail * found.f_frsize, bool(found.f_flag & os.ST_RDONLY))


def look(socket: Path, config: Path, paths: SystemPaths | None = None) -> Facts:
    """Everything that can be seen on this computer."""
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
    """Only a log file. Raises OSError when there is none."""
    only = Gathering(SystemPaths())
    only.copied(log)
    return only.facts()


def _state(path: Path, failure: Exception) -> str:
    if isinstance(failure, RequestRefused):
        return "refused"
    states = {"FileNotFoundError": "missing", "ConnectionRefusedError": "dead", "PermissionError": "forbidden"}
    return states.get(type(failure.__cause__).__name__, "silent" if exists(path) else "missing")


def _broken(path: Path, newest: int | None = None) -> str | None:
    found = verify(path, newest).broken
    return None if found is None else f"record {found.sequence}: {found.what}" if found.sequence else found.what


def _damage(answer: tuple[str]) -> str | None:
    """SQLite's own look at the file (https://www.sqlite.org/pragma.html#pragma_quick_check)."""
    (said,) = answer
    return None if said == "ok" else f"the file is damaged: {said}"


def _group(path: Path) -> str | None:
    try:
        return grp.getgrgid(path.stat().st_gid).gr_name
    except (OSError, KeyError):  # not there, not to be seen, or a group without a name: nothing to say
        return None


def _mode(path: Path, *, secret: bool) -> FileFacts | None:
    try:
        return FileFacts(str(path), path.stat().st_mode & 0o777, secret, _group(path))
    except OSError:  # systemd's credentials are nobody's to see
        return None


def _readable(path: Path) -> bool:
    return os.access(path, os.R_OK) and path.is_file()
