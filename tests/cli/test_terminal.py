"""What somebody at a terminal of 80x24 sees: colour, lines that fit, times of the controller."""

from __future__ import annotations

import asyncio
import io
import re
from typing import TYPE_CHECKING, Any

import pytest

from edge.cli.tables import cell_width, hanging, table_rows, wrapped
from edge.cli.terminal import columns, painted
from tests.cli.test_wiring import Building
from tests.support.cli import Doorctl
from tests.support.control import FakeDaemon, RefusalError, door, pages, record, status
from tests.support.golden import check_golden
from tests.support.logs import forced, journal, opened
from tests.support.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALARM = "2026-11-22T21:52:03.000000Z"
LONG = "Refused: Front door unlocked by Ada Lovelace, who may pass it only during Working days, Mon-Fri 06:00-22:00"


def building() -> dict[str, Any]:
    """Something is wrong with most of it."""
    forced_open = door(name="Front door", alarm="forced_open", contact="open")
    forced_open["conditions"][0]["since"] = ALARM
    return status(
        doors={
            "front": forced_open,
            "server-room": door(name="Server room", tamper="server-room.tamper", fault="line lost", lock="unknown"),
            "back": door(name="Back door", mode="accessed", lock="unlocked", unlocked_for_s=4.2),
            "garage": door(name="Garage", mode="unlocked", lock="unlocked", held_until="2026-11-23T07:00:00.000000Z"),
            "vault": door(name="Vault of the north wing", mode="locked_down"),
        },
        drivers={
            "bench": status()["drivers"]["bench"],
            "bus": status()["drivers"]["bench"] | {"state": "lost", "reason": "no answer on /dev/ttyAMA0 for 8 s"},
        },
        log=status()["log"] | {"writer": "failed", "error": "disk full", "dropped": 3},
        upstream=status()["upstream"] | {"state": "offline", "last_error": "no route to host", "backlog": 12},
    )


def history() -> list[dict[str, Any]]:
    refused = record(4, "lock.unlock", success=False, code="outside_schedule", message=LONG, severity="warning")
    return [
        record(1, message="Front door opened", clock="unsynced"),
        record(2, "lock.forced_open", message="Front door forced open"),
        record(3, message="東京 opened", subject="doors/warehouse-north"),
        {**refused, "time": "2026-11-22T23:30:00.000000Z"},
    ]


def seen_cards() -> list[dict[str, Any]]:
    card = {
        "at": "2026-11-22T21:57:03.000000Z", "reader": "warehouse.reader", "format": "wiegand26", "written": "12:3456",
        "bits": 26, "parity": True, "card": None, "user": None, "code": "unknown_card",
    }  # fmt: skip
    known = {"written": "12:3457", "card": "blue-1", "user": "emmy-noether", "code": None}
    return [card, {**card, **known}, {**card, **known, "code": "outside_schedule"}]


def alerts() -> dict[str, Any]:
    raised = {"alert": "forced-7", "door": "front", "count": 2, "raised": ALARM, "message": "Front door forced open"}
    return {"open": [raised], "waiting": {"mail": 3}, "last_errors": {"mail": "connection refused"}}


def refused(ask: dict[str, Any]) -> None:
    raise RefusalError("unknown_door", f"no door {ask['door']!r}")


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[FakeDaemon]:
    clock = [0.0]  # it stands still: what the building does not show, it never shows
    with FakeDaemon(
        tmp_path / "doord.sock",
        status=building(),
        events=pages(history()),
        alerts=alerts(),
        cards={"cards": seen_cards()},
        facts=Building(clock).facts,
        command=refused,
    ) as served:
        yield served


def shown(daemon: FakeDaemon, *words: object, columns: int = 80, **environment: str) -> tuple[int, str]:
    environment["DOORWARD_SOCKET"] = str(daemon.path)
    with Terminal(*words, columns=columns, environment=environment) as terminal:
        code = terminal.ended()
        return code, terminal.sent.replace("\r\n", "\n").replace("\x1b", "^[")


COMMANDS: dict[str, tuple[str, ...]] = {
    "status": ("status",),
    "events": ("events",),
    "cards": ("cards",),
    "alerts": ("alerts",),
    "sync": ("sync",),
    "help": (),
    "mistyped": ("evnets",),
    "mistyped-option": ("events", "--dor", "front"),
    "mistyped-door": ("unlock", "frnt", "--yes"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_on_a_terminal_of_80_columns(daemon: FakeDaemon, name: str) -> None:
    code, text = shown(daemon, *COMMANDS[name])
    plain = re.sub(r"\^\[\[[0-9;]*m", "", text)
    assert max(map(cell_width, plain.splitlines())) <= 80
    check_golden(f"cli/terminal-{name}.txt", f"{text}exit code {code}\n")


def test_a_wide_terminal_is_used(daemon: FakeDaemon) -> None:
    _, text = shown(daemon, "events", columns=200)
    assert any(LONG in line and "lock.unlock" in line for line in text.splitlines())
    _, text = shown(daemon, "status", columns=200)
    assert any("TAMPER" in line and "fault: line lost" in line for line in text.splitlines())


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_colour_where_nobody_wants_it(daemon: FakeDaemon, environment: dict[str, str]) -> None:
    _, text = shown(daemon, "status", **environment)
    assert "FORCED OPEN" in text
    assert "^[" not in text


def test_a_summary_ends_a_wiring_check(daemon: FakeDaemon) -> None:
    building = Building([0.0], tamper=[(0, "front.tamper")])
    daemon.answers |= {"facts": building.facts, "status": building.facts, "command": building.command}
    daemon.answers["cards"] = building.cards
    code, text = shown(daemon, "test", "front", "--yes", "--wait", "0.01")
    assert code == 1
    *_, last = text.splitlines()
    assert last == "^[[1;31mfront: 3 ok, 5 FAILED (contact, rex, tamper, lock, reader)^[[0m"


def test_a_summary_ends_a_diagnosis(daemon: FakeDaemon, tmp_path: Path) -> None:
    async def write() -> None:
        async with journal(tmp_path / "log.db") as written:
            for number in range(3):
                written.log.append([forced(number, number)])
            written.log.append([opened(3, 3)])

    asyncio.run(write())
    code, text = shown(daemon, "diagnose", "--log", tmp_path / "log.db")
    assert (code, text.splitlines()[-1]) == (1, "^[[33m1 warning^[[0m")
    assert max(map(len, text.splitlines())) <= 90, "with what colours it"


def test_a_pipe_gets_whole_lines_in_the_controllers_time(
    daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    doorctl = Doorctl(daemon.path, monkeypatch, capsys)
    assert doorctl("events").lines[-1].startswith("2026-11-23 00:30:00  ! front        lock.unlock   ")
    assert doorctl("events").lines[-1].endswith(LONG)
    assert doorctl("cards").lines[1].endswith("unknown_card: doorctl people card WHO --number 12:3456")
    assert doorctl("cards").lines[1].startswith("2026-11-22 22:57:03   ")


# --- columns and lines ------------------------------------------------------------------------------


def test_no_word_is_broken_and_none_is_lost() -> None:
    text = "a sentence with words of some length, und ein Donaudampfschifffahrtskapitän"
    for width in range(5, 90):
        lines = wrapped(text, width)
        assert " ".join(lines).split() == text.split()
        assert all(cell_width(line) <= width or " " not in line for line in lines)


def test_what_hangs_stands_below_the_beginning() -> None:
    assert hanging("12:00 !! one two three", 9, 16) == ["12:00 !! one two", "         three"]


def test_columns_shrink_from_the_widest_and_never_below_a_word() -> None:
    rows = [("front", "one two three four", "x y"), ("back", "five", "東京")]
    text = [line for row in table_rows(rows, ("A", "LONGEST", "C"), 24) for line in row]
    assert all(cell_width(line) <= 24 for line in text)
    assert text == [
        "A      LONGEST      C",
        "front  one two      x y",
        "       three four",
        "back   five         東京",
    ]
    for row in table_rows(rows, ("A", "LONGEST", "C"), 3):
        assert row


def test_a_table_without_a_width_is_left_alone() -> None:
    long = "a " * 150 + "b"
    assert [*table_rows([(long, 7)], ("A", "B"), None)][1] == [f"{long}  7"]


def test_nothing_is_made_to_fit_what_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", io.StringIO())
    monkeypatch.setenv("COLUMNS", "40")
    assert columns() is None
    assert painted("x", "alarm") == "x"
