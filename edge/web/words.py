"""Records, elevators and states in the words of the page, the same for templates and live updates.

One rule: pure functions; whatever a colour says, a word says too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from edge.model.printable import masked as visible

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

CLOCK_NOT_SET: Final = "The clock is not set yet: times may be wrong"
CLOCKS: Final = {"synced": "", "rtc": ", by the clock module", "unsynced": "; the clock was not set"}
"""What a record's `clock` adds to its time."""
MODES: Final = {
    "locked": "Locked",
    "accessed": "Access granted",
    "unlocked": "Held unlocked",
    "blocked": "Blocked",
    "locked_down": "Locked down",
    "locked_open": "Released by the fire panel",
}
CONTACTS: Final = {"open": "Open", "closed": "Closed", "unknown": "Unknown", "fault": "Wiring fault"}
LOCKS: Final = {"locked": "Locked", "unlocked": "Unlocked", "unknown": "Unknown"}
TONES: Final = {"alarm": "alarm", "warning": "warning", "info": "calm"}
BADGES: Final = {"alarm": "Alarm", "warning": "Warning"}


@dataclass(frozen=True, slots=True)
class Words:
    """Words with times in the zone of the doors."""

    zone: ZoneInfo

    def local(self, iso: str) -> datetime:
        """A time in a status or record, in the zone of the doors."""
        return datetime.fromisoformat(iso).astimezone(self.zone)

    def in_zone(self, text: str) -> datetime:
        """A local time without an offset."""
        return datetime.fromisoformat(text).replace(tzinfo=self.zone)

    def time(self, iso: str) -> str:
        """The same as text, to the second."""
        return f"{self.local(iso):%Y-%m-%d %H:%M:%S}"

    def elevators(self, status: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Every elevator; `says` has the parts that live updates change: a word for each floor, and a note."""
        found = []
        for key, lift in status.get("elevators", {}).items():
            away = [visible(point) for point in (*lift["lost"], *lift["faulty"])]
            floors = {floor: _floor(facts) for floor, facts in lift["floors"].items()}
            names = {floor: visible(facts["name"]) for floor, facts in lift["floors"].items()}
            note = f"No answer from {', '.join(away)}" if away else ""
            found.append({"id": key, "name": visible(lift["name"]), "floors": names, "says": {**floors, "": note}})
        return found

    def controller(self, status: Mapping[str, Any]) -> dict[str, str]:
        """The line above the doors."""
        quality, log, upstream = status["clock"]["quality"], status["log"], status["upstream"]
        lost = [visible(name) for name, driver in status["drivers"].items() if driver["state"] != "online"]
        notes = [f"Driver {name} is lost" for name in lost]
        notes += [f"The log does not write: {visible(log['writer'])}"] if log["writer"] != "ok" else []
        notes += (
            [f"Upstream: {upstream['state'].replace('_', ' ')}"] if upstream and upstream["state"] != "online" else []
        )
        notes += [CLOCK_NOT_SET] if quality == "unsynced" else []
        return {"time": self.time(status["clock"]["time"]), "note": "; ".join(notes)}

    def record(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """One record on one line."""
        data = record["data"]
        return {
            "sequence": int(record["sequence"]),
            "iso": record["time"],
            "time": self.time(record["time"]),
            "type": visible(record["type"]),
            "message": visible(data["message"]),
            "tone": TONES.get(data["severity"], "calm"),
            "badge": BADGES.get(data["severity"], ""),
            "doubt": "≈" if data["clock"] == "unsynced" else "",
        }

    def facts(self, record: Mapping[str, Any]) -> dict[str, str]:
        """All fields of a record, in words."""
        data, actor, thing = record["data"], record["data"]["actor"] or {}, record["data"]["object"]
        person = [actor.get(key) for key in ("name", "email", "id")]
        facts = {
            "Happened": f"{self.time(record['time'])} {self.zone.key}{CLOCKS[data['clock']]}",
            "Recorded": self.time(record["recordedtime"]),
            "Type": record["type"],
            "Class": data["class"],
            "Severity": data["severity"],
            "Outcome": "done" if data["success"] else "refused",
            "Code": data["code"],
            "Who": ", ".join(dict.fromkeys(one for one in person if one)) + (f" ({actor['kind']})" if actor else ""),
            "Cause": data["cause"],
            "What": f"{thing['name']} ({thing['type']} {thing['id']})",
            "Correlation": data["correlation"],
            "Record": record["id"],
            "Hash": data["hash"],
            "Hash before": data["prev"],
        }
        return {name: visible(value) for name, value in facts.items() if value}

    def today(self, status: Mapping[str, Any]) -> datetime:
        """The time of a status, in the zone of the doors."""
        return self.local(status["clock"]["time"])


def utc_us(moment: datetime) -> int:
    """Microseconds since 1970 UTC."""
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _floor(facts: Mapping[str, Any]) -> str:
    return "May be chosen" if facts["permitted"] else "Unknown" if facts["relay"] == "unknown" else "Closed"
