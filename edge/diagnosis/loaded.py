"""Compares the running daemon with the configuration on disk, as far as its status shows.

One rule: only what is in both is compared; durations and levels are not in the status.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from edge.settings.controller import Settings


def differences(running: Mapping[str, Any], file: Settings) -> tuple[str, ...]:
    """The differences as sentences. `running` is the daemon's status; KeyError and the like when it is malformed."""
    told = running["controller"]  # by another release perhaps, which may say less or more
    who = {key: told[key] for key in ("id", "site", "name", "time_zone") if key in told}
    sentences = [*_values("controller", who, {key: getattr(file.controller, key) for key in who})]
    sentences += _names("driver", running["drivers"], file.drivers)
    for name in running["drivers"].keys() & file.drivers.keys():
        sentences += _values(
            f"driver.{name}", {"kind": running["drivers"][name]["kind"]}, {"kind": file.drivers[name].kind}
        )
    sentences += _names("door", running["doors"], file.doors)
    for door in running["doors"].keys() & file.doors.keys():
        in_force, written = running["doors"][door], file.doors[door]
        sentences += _values(f"door.{door}", {"name": in_force["name"]}, {"name": written.name})
        sentences += _values(f"door.{door}", in_force["points"], written.points)
    return tuple(sorted(sentences))


def _names(section: str, running: Mapping[str, Any], file: Mapping[str, Any]) -> Iterator[str]:
    for name in running.keys() - file.keys():
        yield f"{section}.{name}: doord has it, the file does not"
    for name in file.keys() - running.keys():
        yield f"{section}.{name}: the file has it, doord does not"


def _values(section: str, running: Mapping[str, Any], file: Mapping[str, Any]) -> Iterator[str]:
    for key in running.keys() | file.keys():
        if (in_force := running.get(key)) != (written := file.get(key)):
            yield f"{section}.{key}: doord has {_shown(in_force)}, the file {_shown(written)}"


def _shown(value: object) -> str:
    return "none" if value is None else repr(value)
