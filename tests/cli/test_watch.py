"""`doorctl watch`: what is on the screen, at every size, and that it survives the daemon."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console, Group

from edge.cli.main import main
from edge.cli.watch import screen
from tests.support.cli import Doorctl
from tests.support.control import FakeDaemon, door, pages, record, status
from tests.support.golden import check_golden

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 11, 22, 21, 57, 3, tzinfo=UTC)
NASTY = "Tür \x1b[2J\u202e東京\u0301"


@pytest.fixture(autouse=True)
def plain_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.cli.watch.local", lambda iso: iso[:19].replace("T", " "))


def many(count: int) -> dict[str, Any]:
    doors = {f"door-{n:02}": door(name=f"Door {n}") for n in range(count)}
    special = {
        3: {"alarm": "forced_open", "contact": "open"},
        5: {"alarm": "held_open", "contact": "open"},
        8: {"tamper": "door-08.tamper"},
        13: {"mode": "locked_down"},
        21: {"fault": "cut", "contact": "unknown", "lock": "unknown"},
        22: {"mode": "accessed", "lock": "unlocked", "contact": "open", "warning": True},
        30: {"mode": "unlocked", "lock": "unlocked"},
    }
    for n, changes in special.items():
        if n < count:
            doors[f"door-{n:02}"] = door(name=f"Door {n}", **changes)
    return status(doors=doors)


def rendered(width: int, height: int, found: dict[str, Any] | None, trouble: str | None = None) -> str:
    held = [record(n, "lock.forced_open" if n % 4 == 0 else "lock.opened") for n in range(1, 30)]
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, color_system=None, force_terminal=False)
    console.print(Group(*screen(found, held, trouble, width, height, NOW)))
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "width", "height", "doors"),
    [("80x24-32", 80, 24, 32), ("80x24-100", 80, 24, 100), ("80x24-4", 80, 24, 4), ("120x40-32", 120, 40, 32)],
)
def test_a_screen_looks_like_this(name: str, width: int, height: int, doors: int) -> None:
    text = rendered(width, height, many(doors))
    assert len(text.splitlines()) <= height
    assert max(map(len, text.splitlines())) <= width
    check_golden(f"cli/watch-{name}.txt", text)


def test_every_one_of_32_doors_is_readable_in_80_by_24() -> None:
    text = rendered(80, 24, many(32))
    assert all(f"door-{n:02}" in text for n in range(32))
    assert text.index("door-03") < text.index("door-00")  # who needs somebody comes first


def test_hidden_doors_are_counted_and_never_the_ones_in_alarm() -> None:
    text = rendered(80, 24, many(500))
    assert "FORCED OPEN" in text
    assert "more doors, all well" in text
    alarms = status(doors={f"d{n}": door(alarm="held_open", contact="open") for n in range(90)})
    assert "of them need attention" in rendered(80, 24, alarms)


def test_without_colour_an_alarm_still_shows() -> None:
    [line] = [line for line in rendered(80, 24, many(4)).splitlines() if "door-03" in line]
    assert line.startswith("!! door-03")
    assert "FORCED OPEN" in line


def test_a_daemon_that_went_away_is_said_above_the_last_picture() -> None:
    text = rendered(80, 24, many(4), "the daemon hung up; trying again")
    assert "!! the daemon hung up; trying again" in text
    assert "door-03" in text
    assert "no daemon" in rendered(80, 24, None, "no daemon at /run/doorward/doord.sock")


@given(
    st.integers(20, 200),
    st.integers(5, 80),
    st.dictionaries(st.text(min_size=1, max_size=70), st.sampled_from(["normal", "held_open"]), max_size=60),
)
@settings(max_examples=60)
def test_no_size_and_no_name_breaks_the_screen(width: int, height: int, names: dict[str, str]) -> None:
    found = status(doors={name: door(alarm=alarm) for name, alarm in names.items()})
    held = [record(n, message=NASTY) for n in range(9)]
    lines = screen(found, held, "trouble \x1b[31m", width, height, NOW)
    assert len(lines) <= height
    for line in lines:
        assert line.cell_len <= width
        assert line.plain.isprintable()


def test_it_connects_again_and_shows_what_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first connection breaks off; the second shows a door in alarm."""
    seen: list[str] = []
    pictures: list[str] = []

    def live() -> Iterator[dict[str, Any]]:
        yield {"record": record(3)}
        yield {"status": many(4) if seen else status()}

    def pause(_seconds: float) -> None:
        seen.append("pause")
        if len(seen) == 2:
            raise KeyboardInterrupt

    def draw(*args: Any) -> list[Any]:
        lines = screen(*args)
        pictures.append("\n".join(line.plain for line in lines))
        return lines

    monkeypatch.setattr("edge.cli.watch.time.sleep", pause)
    monkeypatch.setattr("edge.cli.watch.screen", draw)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    with FakeDaemon(tmp_path / "doord.sock", watch=live, events=pages([record(1), record(2)])):
        assert main(["--socket", str(tmp_path / "doord.sock"), "watch"]) == 0
    assert "connecting" in pictures[0]
    assert "front" in pictures[1]
    assert "lock.opened" in pictures[1]
    assert "the daemon hung up; trying again" in pictures[2]
    assert "FORCED OPEN" in pictures[3]
    assert "trying again" not in pictures[3]
    capsys.readouterr()


def test_a_script_gets_the_stream_as_json_or_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    doorctl = Doorctl(tmp_path / "doord.sock", monkeypatch, capsys)
    items = [{"status": status()}, {"record": record(1)}]
    with FakeDaemon(doorctl.socket, watch=items):
        said = doorctl("watch", "--json")
        assert (said.code, said.err) == (2, "doorctl: the daemon hung up\n")
        assert [json.loads(line) for line in said.lines] == items
        said = doorctl("watch")
    assert (said.code, said.err) == (2, "doorctl: watch needs a terminal; in a script use: doorctl watch --json\n")
