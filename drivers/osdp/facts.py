"""What is known of a reader, as JSON values for `doorctl status` and `doorctl diagnose`.

One rule: no key, and nothing a card said, ever appears here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from drivers.osdp.messages import Function
from drivers.osdp.switches import Relay

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drivers.osdp.device import Device
    from edge.model.messages import Json

COUNTED: Final = (
    "asked",
    "repeated",
    "silent",
    "damaged",
    "mended",
    "restarted",
    "busy",
    "refused",
    "mistrusted",
    "stale",
    "unreadable",
)


def device_facts(device: Device) -> dict[str, Json]:
    """State, trust, check, identity, abilities, tamper, power and error counters of one reader."""
    report = device.report
    facts: dict[str, Json] = {
        "state": "online" if device.online else "lost",
        "reason": None if device.online else report.reason,
        "last_trouble": report.reason if report.counts["restarted"] else None,
        "secure": _trust(device),
        "key_installed": report.key_installed,
        "check": "CRC-16" if device.crc else "checksum",
        "counts": {name: report.counts[name] for name in COUNTED},
    }
    if report.identity is not None:
        who = report.identity
        facts |= {
            "vendor": who.vendor,
            "model": who.model,
            "version": who.version,
            "serial": who.serial,
            "firmware": who.firmware,
        }
    if report.local is not None:
        facts |= {"tamper": report.local.tamper, "power_failure": report.local.power_failure}
    relays = [switch for switch in device.switches.values() if isinstance(switch, Relay)]
    if relays:
        facts["relays_expire"] = all(relay.timed for relay in relays)
    facts["abilities"] = _abilities(report.abilities.functions)
    return facts


def _trust(device: Device) -> str:
    if device.secured:
        return "own key"
    mode = device.profile.security
    return {"required": "no session", "install": "no session, install mode", "off": "off"}[mode]


def _abilities(functions: Mapping[int, tuple[int, int]]) -> dict[str, Json]:
    names = {ability.value: ability.name.lower() for ability in Function}
    return {names.get(code, str(code)): [level, units] for code, (level, units) in sorted(functions.items())}
