"""Whether the running daemon has what the configuration on disk says, as far as its status shows.

One rule: only what both name is compared; durations and levels are not in the status and not judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from edge.settings.controller import Settings


def differences(running: Mapping[str, Any], file: Settings) -> tuple[str, ...]:
    """Sentences about what is otherwise. `running` is the daemon's status; KeyError and the like when it is none."""
    who = {"id": file.controller.id, "site": file.controller.site, "name": file.controller.name}
    found = [*_values("controller", running["controller"], who)]
    found += _names("driver", running["drivers"], file.drivers)
    for name in running["drivers"].keys() & file.drivers.keys():
        found += _values(
            f"driver.{name}", {"kind": running["drivers"][name]["kind"]}, {"kind": file.drivers[name].kind}
        )
    found += _names("door", running["doors"], file.doors)
    for door in running["doors"].keys() & file.doors.keys():
        seen, said = running["doors"][door], file.doors[door]
        found += _values(f"door.{door}", {"name": seen["name"]}, {"name": said.name})
        found += _values(f"door.{door}", seen["points"], said.points)
    return tuple(sorted(found))


def _names(what: str, running: Mapping[str, Any], file: Mapping[str, Any]) -> Iterator[str]:
    for name in running.keys() - file.keys():
        yield f"{what}.{name}: doord has it, the file does not"
    for name in file.keys() - running.keys():
        yield f"{what}.{name}: the file has it, doord does not"


def _values(what: str, running: Mapping[str, Any], file: Mapping[str, Any]) -> Iterator[str]:
    for key in running.keys() | file.keys():
        if (seen := running.get(key)) != (said := file.get(key)):
            yield f"{what}.{key}: doord has {_shown(seen)}, the file {_shown(said)}"


def _shown(value: object) -> str:
    return "none" if value is None else repr(value)
