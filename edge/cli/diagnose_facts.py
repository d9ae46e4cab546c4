"""Gathers what a diagnosis may look at: the daemon, systemd, files, the log, the computer.

One rule: it only looks, works without a daemon and without root, and whatever cannot be looked
at becomes a sentence in `unseen`.
"""

from __future__ import annotations

import grp
import os
import subprocess
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edge import __version__
from edge.cli.client import Client, Refused, Unreachable
from edge.cli.diagnose_history import history
from edge.cli.sources import DaemonSource, FileSource
from edge.cli.times import to_us
from edge.facts import Boot, Daemon, Disk, Facts, FileMode, Machine, Service, Socket, at_us
from edge.log_verify import verify

if TYPE_CHECKING:
    from edge.settings import Settings

NEWEST: Final = 2_000
"""So many records of the hash chain are walked; `doorctl log verify` walks them all."""
SYSTEMCTL_S: Final = 5.0
_UNIT: Final = ("ActiveState", "UnitFileState", "Result", "NRestarts", "ExecMainStatus", "LoadState")


@dataclass(frozen=True, slots=True)
class Places:
    """Where things are on a Raspberry Pi; tests have their own."""

    boot: tuple[Path, ...] = (Path("/boot/firmware/config.txt"), Path("/boot/config.txt"))
    throttled: tuple[Path, ...] = (
        Path("/sys/devices/platform/soc/soc:firmware/get_throttled"),
        Path("/sys/devices/platform/soc@107c000000/soc:firmware/get_throttled"),
    )
    temperature: Path = Path("/sys/class/thermal/thermal_zone0/temp")
    systemctl: str = "/usr/bin/systemctl"
    systemd: Path = Path("/run/systemd/system")
    """There when systemd runs (sd_booted(3))."""


@dataclass(slots=True)
class Look:
    """One look around; every method adds to `seen`."""

    places: Places
    seen: dict[str, Any] = field(default_factory=dict)
    unseen: list[str] = field(default_factory=list)

    def daemon(self, path: Path) -> Client | None:
        """Ask the daemon; what came of it is a fact of its own. Returns the open connection if it answers."""
        state, error = "answers", None
        client: Client | None = None
        try:
            client = Client(path)
            self.seen["daemon"] = Daemon.from_json(client.ask("facts"))
        except (Unreachable, Refused) as failure:
            state, error = _state(path, failure), str(failure)
        except (KeyError, TypeError, ValueError) as failure:
            self.unseen.append(f"the daemon's account of itself: not understood ({failure!r}): another version?")
        self.seen["socket"] = Socket(str(path), state, _group(path), error)
        if state != "answers" and client is not None:
            client.close()
            client = None
        return client

    def service(self) -> None:
        """What systemd says of the unit, where there is a systemd."""
        if not self.places.systemd.exists():
            self.unseen.append("the service: systemd does not run here")
            return
        command = [self.places.systemctl, "show", "doord.service", f"--property={','.join(_UNIT)}"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SYSTEMCTL_S, check=True)  # noqa: S603 -- a fixed list of words
        except (OSError, subprocess.SubprocessError) as error:
            self.unseen.append(f"the service: {error}")
            return
        said = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
        if said.get("LoadState") == "not-found":
            self.unseen.append("the service: doord.service is not installed")
            return
        self.seen["service"] = Service(
            active=said.get("ActiveState", ""),
            enabled=said.get("UnitFileState", ""),
            result=said.get("Result", ""),
            restarts=_number(said.get("NRestarts")) or 0,
            exit_status=_number(said.get("ExecMainStatus")) or 0,
        )

    def config(self, path: Path) -> Settings | None:
        """Check the configuration as the next start would, and who may touch its files."""
        from edge.config import check_files, load  # noqa: PLC0415 -- pydantic is slow, and a copied log needs none
        from edge.problems import ConfigError  # noqa: PLC0415 -- as above

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
        unreadable = check_files(settings) if os.geteuid() == 0 else ()  # others may rightly not read secrets
        self.seen["config_problems"] = tuple(str(problem) for problem in unreadable)
        self.seen["log_max_bytes"] = settings.log.max_mib << 20
        if settings.mqtt is not None:
            self._modes(path, settings.mqtt.password_file, settings.mqtt.key_file)
        return settings

    def boot(self, settings: Settings) -> None:
        """Whether the firmware holds the relays at rest."""
        from edge.provision import boot_lines  # noqa: PLC0415 -- as above

        wanted = boot_lines(settings)
        if not wanted:
            return
        path = next((path for path in self.places.boot if path.exists()), None)
        if path is None:
            self.unseen.append(f"the boot configuration: there is no {self.places.boot[0]}")
            return
        try:
            text = path.read_text("utf-8", "replace")
        except OSError as error:
            self.unseen.append(f"the boot configuration: {error}")
            return
        present = {line.split("#")[0].strip().replace(" ", "") for line in text.splitlines()}
        self.seen["boot"] = Boot(str(path), tuple(line for line in wanted if line not in present))

    def log(self, path: Path, client: Client | None) -> None:
        """The file, its disk, its chain and what it tells; asks the daemon when the file may not be read."""
        self.seen["log_path"] = str(path)
        self._disk(path)
        try:
            path.stat()
        except FileNotFoundError:
            self.seen["log_missing"] = True
            return
        except OSError as error:
            self.unseen.append(f"the log: {error}")
        broken: str | None = None
        readable = _readable(path)
        if readable:
            found = verify(path, newest=NEWEST).broken
            broken = (
                None if found is None else f"record {found.sequence}: {found.what}" if found.sequence else found.what
            )
        elif path.exists():
            self.unseen.append(f"the log: {path} may not be read by you")
        if client is None and not readable:
            return
        try:
            with closing(DaemonSource(client) if client is not None else FileSource(path)) as source:
                self.seen["history"] = history(source, self.seen["now_us"], broken)
        except (Refused, Unreachable, OSError, ValueError) as error:
            self.unseen.append(f"the history: {error}")
            self.seen["history"] = history(None, self.seen["now_us"], broken)

    def copied(self, path: Path) -> None:
        """Look at a log from elsewhere: the only clock is its newest record."""
        self.seen["now_us"] = 0
        path.stat()
        self.seen["log_path"] = str(path)
        broken = _broken(path)
        try:
            with closing(FileSource(path)) as source:
                records, _ = source.page({"limit": 1, "newest": True})
                self.seen["now_us"] = at_us(records[0]["time"]) if records else 0
                self.seen["history"] = history(source, self.seen["now_us"], broken)
        except (OSError, ValueError) as error:
            self.unseen.append(f"the history: {error}")
            self.seen["history"] = history(None, 0, broken)
        self.unseen.append("everything but the log: only a copied log was looked at")

    def machine(self) -> None:
        """Supply voltage and temperature, where this kernel tells."""
        throttled = next((bits for path in self.places.throttled if (bits := _hex(path)) is not None), None)
        if throttled is None:
            self.unseen.append("the supply voltage: this computer's kernel does not tell")
        milli_c = _number(_text(self.places.temperature))
        self.seen["machine"] = Machine(throttled, None if milli_c is None else milli_c / 1_000)

    def facts(self) -> Facts:
        """What was seen."""
        return Facts(tool_version=__version__, unseen=tuple(self.unseen), **self.seen)

    def _modes(self, config: Path, *secrets: Path | None) -> None:
        found = [_mode(config, secret=False), *(_mode(path, secret=True) for path in secrets if path is not None)]
        self.seen["files"] = tuple(mode for mode in found if mode is not None)

    def _disk(self, path: Path) -> None:
        folder = next((parent for parent in path.absolute().parents if _exists(parent)), Path("/"))
        try:
            found = os.statvfs(folder)
        except OSError as error:
            self.unseen.append(f"the disk: {error}")
            return
        self.seen["disk"] = Disk(str(folder), found.f_bavail * found.f_frsize, bool(found.f_flag & os.ST_RDONLY))


def look(socket: Path, config: Path, places: Places | None = None) -> Facts:
    """Everything that can be seen on this computer."""
    now = Look(places or Places())
    now.seen["now_us"] = to_us(datetime.now(UTC))
    client = now.daemon(socket)
    try:
        now.service()
        settings = now.config(config)
        if settings is not None:
            now.boot(settings)
        daemon: Daemon | None = now.seen.get("daemon")
        if daemon is not None:
            now.log(Path(daemon.log.path), client)
        elif settings is not None:
            now.log(settings.log.path, None)
        now.machine()
    finally:
        if client is not None:
            client.close()
    return now.facts()


def look_at_copy(log: Path) -> Facts:
    """Only a log file. Raises OSError when there is none."""
    only = Look(Places())
    only.copied(log)
    return only.facts()


def _state(path: Path, failure: Exception) -> str:
    if isinstance(failure, Refused):
        return "refused"
    states = {"FileNotFoundError": "missing", "ConnectionRefusedError": "dead", "PermissionError": "forbidden"}
    return states.get(type(failure.__cause__).__name__, "silent" if _exists(path) else "missing")


def _broken(path: Path, newest: int | None = None) -> str | None:
    found = verify(path, newest).broken
    return None if found is None else f"record {found.sequence}: {found.what}" if found.sequence else found.what


def _group(path: Path) -> str | None:
    try:
        return grp.getgrgid(path.stat().st_gid).gr_name
    except (OSError, KeyError):  # not there, not to be seen, or a group without a name: nothing to say
        return None


def _mode(path: Path, *, secret: bool) -> FileMode | None:
    try:
        return FileMode(str(path), path.stat().st_mode & 0o777, secret)
    except OSError:  # systemd's credentials are nobody's to see
        return None


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a directory we may not enter
        return False


def _readable(path: Path) -> bool:
    return os.access(path, os.R_OK) and path.is_file()


def _text(path: Path) -> str | None:
    try:
        return path.read_text("ascii").strip()
    except (OSError, ValueError):  # another kernel, another computer: then it tells nothing
        return None


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.lstrip("-").isdigit() else None


def _hex(path: Path) -> int | None:
    try:
        return int(_text(path) or "", 16)
    except ValueError:
        return None
