"""`doorctl watch`: what is on the screen at every size, what keys do, and that the terminal is given back."""

from __future__ import annotations

import json
import shlex
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.cli.tables import cell_width
from edge.cli.watching.keys import keys
from edge.cli.watching.screen import HELP, screen
from edge.cli.watching.view import Showing, View
from tests.support.cli import Doorctl
from tests.support.control import FakeDaemon, door, pages, record, status
from tests.support.doord import Doord
from tests.support.golden import check_golden
from tests.support.house import write_config
from tests.support.terminal import DOORCTL, Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NASTY = "Tür \x1b[2J\u202e東京\u0301"
DOWN, UP = "\x1b[B", "\x1b[A"


def many(count: int) -> dict[str, Any]:
    doors = {f"door-{n:02}": door(name=f"Door {n}") for n in range(count)}
    ada = {"at": "2026-11-22T21:55:03.000000Z", "who": "Ada Lovelace", "code": None}
    special = {
        3: {"alarm": "forced_open", "contact": "open"},
        5: {"alarm": "held_open", "contact": "open", "last": ada | {"who": "A very long name indeed"}},
        8: {"tamper": "door-08.tamper"},
        13: {"mode": "locked_down"},
        21: {"fault": "cut", "contact": "unknown", "lock": "unknown"},
        22: {"mode": "accessed", "lock": "unlocked", "contact": "open", "warning": True, "held_open_in_s": 12.0},
        23: {"mode": "accessed", "lock": "unlocked", "unlocked_for_s": 4.0, "last": ada},
        30: {"mode": "unlocked", "lock": "unlocked", "unlocked_by": {"kind": "schedule", "name": "Office hours"}},
    }
    for n, changes in special.items():
        if n < count:
            doors[f"door-{n:02}"] = door(name=f"Door {n}", **changes)
    return status(doors=doors)


def watched(found: dict[str, Any] | None, **more: Any) -> View:
    view = View(found, **more)
    view.records.extend(record(n, "lock.forced_open" if n % 4 == 0 else "lock.opened") for n in range(1, 30))
    return view


def drawn(view: View, width: int = 80, height: int = 24, now_s: float = 0.0) -> str:
    return "\n".join(line.text for line in screen(view, width, height, now_s)) + "\n"


# --- the screen -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "width", "height", "doors"),
    [("80x24-32", 80, 24, 32), ("80x24-4", 80, 24, 4), ("120x40-32", 120, 40, 32), ("45x24-32", 45, 24, 32)],
)
def test_a_screen_looks_like_this(name: str, width: int, height: int, doors: int) -> None:
    text = drawn(watched(many(doors)), width, height)
    assert len(text.splitlines()) <= height
    assert max(map(len, text.splitlines())) <= width
    check_golden(f"cli/watch-{name}.txt", text)


def test_every_one_of_32_doors_is_reached_in_80_by_24() -> None:
    view, seen = watched(many(32)), ""
    for _ in range(40):
        view.pressed("down")
        text = drawn(view)
        [chosen] = [line for line in text.splitlines() if line[2:3] == ">"]
        seen += chosen
    assert all(f">Door {n} " in seen for n in range(32))
    assert seen.index("Door 3 ") < seen.index("Door 0 "), "who needs somebody comes first"


def test_hidden_doors_are_counted_and_never_the_ones_in_alarm() -> None:
    text = drawn(watched(many(500)))
    assert "FORCED OPEN" in text
    assert "more doors, all well" in text
    alarms = status(doors={f"d{n}": door(alarm="held_open", contact="open") for n in range(90)})
    assert "of them need attention" in drawn(watched(alarms))


def test_without_colour_an_alarm_still_shows() -> None:
    [line] = [line for line in drawn(watched(many(4))).splitlines() if "Door 3" in line]
    assert line.startswith("!! Door 3")
    assert "FORCED OPEN" in line


def test_a_countdown_goes_on_between_two_statuses() -> None:
    view = watched(many(32), came_s=100.0)
    assert "locks 4 s" in drawn(view, now_s=100.0)
    assert "locks 2 s" in drawn(view, now_s=102.0)
    assert "22:57:05 Europe/Berlin" in drawn(view, now_s=102.0)
    view.pressed("p")
    assert "locks 4 s" in drawn(view, now_s=109.0), "a pause stands still"


def test_a_daemon_that_went_away_is_said_above_the_last_picture() -> None:
    text = drawn(watched(many(4), trouble="the daemon hung up; trying again"))
    assert "!! the daemon hung up; trying again" in text
    assert "Door 3" in text
    assert "no daemon" in drawn(watched(None, trouble="no daemon at /run/doorward/doord.sock"))


@given(
    st.integers(20, 200),
    st.integers(5, 80),
    st.dictionaries(st.text(min_size=1, max_size=70), st.sampled_from(["normal", "held_open"]), max_size=60),
    st.lists(st.sampled_from(["up", "down", "end", "enter", "e", "?", "/", "x", "escape", "p", "u", "a"]), max_size=8),
)
@settings(max_examples=60)
def test_no_size_no_name_and_no_key_breaks_the_screen(
    width: int, height: int, names: dict[str, str], pressed: list[str]
) -> None:
    found = status(doors={name: door(name=name, alarm=alarm) for name, alarm in names.items()})
    view = View(found, trouble="trouble \x1b[31m")
    view.records.extend(record(n, message=NASTY) for n in range(9))
    for key in pressed:
        view.pressed(key)
    lines = screen(view, width, height, 0.0)
    assert len(lines) <= height
    for line in lines:
        assert cell_width(line.text) <= width
        assert line.text.isprintable()


# --- keys -------------------------------------------------------------------------------------------


def test_keys_have_names() -> None:
    assert keys("\x1b[A\x1bOBu\r/\x7f\x1b[6~é\x1b[1;5C\x03\x1b") == [
        "up", "down", "u", "enter", "/", "backspace", "page down", "é", "escape",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "command"), [("u", "unlock"), ("l", "lock"), ("h", "hold_unlocked"), ("d", "lock_down")]
)
def test_a_key_that_acts_asks_first_and_means_the_door_that_was_chosen(key: str, command: str) -> None:
    view = watched(many(8))
    assert view.pressed(key) is None
    assert "choose a door first" in drawn(view)
    view.pressed("down")
    assert view.pressed(key) is None
    assert drawn(view).rstrip().endswith(" y/N")
    assert "Door 3" in drawn(view).splitlines()[-1]
    calm = many(8)
    calm["doors"]["door-00"] = door(name="Door 0", alarm="forced_open", contact="open")
    calm["doors"]["door-03"] = door(name="Door 3")
    view.took({"status": calm}, 1.0)  # another door comes first now
    ask = view.pressed("y")
    assert ask is not None
    assert ask.body == {"command": command, "door": "door-03"}
    view.answered(ask, {"outcomes": {"door-03": {"done": False, "code": "x", "message": "Refused: locked down"}}})
    assert "Door 3: Refused: locked down" in drawn(view)


@pytest.mark.parametrize("answer", ["n", "enter", "escape", "q", "u"])
def test_any_other_key_than_y_does_nothing(answer: str) -> None:
    view = watched(many(8))
    view.pressed("down")
    view.pressed("u")
    assert view.pressed(answer) is None
    assert view.asking is None
    assert "nothing was done" in drawn(view)


def test_a_filter_shows_what_has_its_words_and_acts_on_nothing_hidden() -> None:
    view = watched(many(32))
    view.pressed("down")
    for key in ("/", "q", "backspace", "d", "o", "o", "r", " ", "1", "3"):
        assert view.pressed(key) is None
    view.pressed("enter")
    shown = [line for line in drawn(view).splitlines() if line[3:].startswith("Door ")]
    assert [line.split()[:3] for line in shown] == [["!", "Door", "13"]] or "Door 13" in shown[0]
    assert len(shown) == 1
    assert view.pressed("u") is None
    assert "choose a door first" in drawn(view)
    for key in ("/", "escape"):
        view.pressed(key)
    assert "Door 31" in drawn(view, 80, 60)


def test_an_alert_is_acknowledged_and_events_are_listed() -> None:
    found = many(8)
    found["alerts"]["open"] = [{"alert": "forced-7", "door": "door-03"}]
    view = watched(found)
    view.pressed("down")
    ask = view.pressed("a")
    assert ask is not None
    assert (ask.op, ask.body) == ("acknowledge", {"alert": "forced-7"})
    view.answered(ask, {"alert": "forced-7", "count": 1})
    assert "forced-7 is acknowledged" in drawn(view)
    view.pressed("down")
    assert view.pressed("a") is None
    assert "no alert is open" in drawn(view)
    ask = view.pressed("e")
    assert ask is not None
    view.answered(ask, {"records": [record(n, message=f"event {n}") for n in range(100, 0, -1)]})
    assert "event 100" in drawn(view)
    view.pressed("page down")
    assert "event 90" in drawn(view)
    assert "event 91" not in drawn(view)
    view.pressed("escape")
    assert view.mode is Showing.DOOR
    view.pressed("escape")
    assert view.mode is Showing.DOORS


# --- on a terminal ----------------------------------------------------------------------------------


@pytest.fixture
def ended() -> Iterator[threading.Event]:
    """Set at the end, so that streams end too."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def daemon(tmp_path: Path, ended: threading.Event) -> Iterator[FakeDaemon]:
    found = many(32)
    found["doors"]["door-23"]["unlocked_for_s"] = found["doors"]["door-22"]["held_open_in_s"] = None  # they stand still
    found["alerts"]["open"] = [{"alert": "forced-7", "door": "door-03"}]

    def live() -> Iterator[dict[str, Any]]:
        yield {"status": found}
        ended.wait()

    answers = pages([record(n) for n in range(1, 9)])
    done = {"outcomes": {"door-03": {"done": True, "code": None, "message": ""}}}
    with FakeDaemon(
        tmp_path / "doord.sock",
        watch=live,
        events=answers,
        command=done,
        acknowledge={"alert": "forced-7", "count": 1},
    ) as served:
        yield served
        ended.set()


def at_rest(text: str) -> str:
    """The clock goes on: its seconds vary."""
    head, _, rest = text.partition("\n")
    return f"{head[:26]}:SS{head[29:]}\n{rest}"


def test_a_technician_watches_chooses_and_acts(daemon: FakeDaemon) -> None:
    """Each screen as it is seen at 80x24."""
    with Terminal("--socket", daemon.path, "watch") as terminal:
        check_golden("cli/terminal-watch.txt", at_rest(terminal.until(lambda text: "more doors" in text)))
        assert terminal.sent.count("\x1b[1;31m") >= 2
        terminal.type(DOWN + "u")
        check_golden("cli/terminal-watch-asks.txt", at_rest(terminal.until(lambda text: "y/N" in text)))
        assert daemon.of("command") == []
        terminal.type("y")
        terminal.until(lambda text: "Door 3: unlocked" in text)
        assert daemon.of("command") == [{"op": "command", "command": "unlock", "door": "door-03"}]
        terminal.type("a")
        terminal.until(lambda text: "forced-7 is acknowledged" in text)
        terminal.type("\r")
        check_golden("cli/terminal-watch-door.txt", at_rest(terminal.until(lambda text: "(door-03)" in text)))
        terminal.type("e")
        check_golden("cli/terminal-watch-events.txt", at_rest(terminal.until(lambda text: "22:00:08" in text)))
        assert daemon.of("events")[-1]["door"] == ["door-03"]
        terminal.type("?")
        check_golden("cli/terminal-watch-help.txt", at_rest(terminal.until(lambda text: HELP[0][1] in text)))
        terminal.type("\x1b/13\r")
        terminal.until(lambda text: "Door 13" in text and "Door 3 " not in text)
        terminal.type("q")
        assert terminal.ended() == 0
        assert terminal.is_plain


def test_a_resize_is_followed(daemon: FakeDaemon) -> None:
    with Terminal("--socket", daemon.path, "watch") as terminal:
        terminal.until(lambda text: "more doors" in text)
        terminal.resize(120, 50)
        terminal.until(lambda text: all(f"Door {n} " in text for n in range(32)))
        terminal.resize(60, 10)
        text = terminal.until(lambda text: "more doors" in text)
        assert max(map(len, text.splitlines())) <= 60
        terminal.type("q")
        assert terminal.ended() == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 0)], ids=str)
def test_a_signal_gives_the_terminal_back(daemon: FakeDaemon, number: int, code: int) -> None:
    with Terminal("--socket", daemon.path, "watch") as terminal:
        terminal.until(lambda text: "more doors" in text)
        assert not terminal.is_plain
        terminal.process.send_signal(number)
        assert terminal.ended() == code
        assert terminal.is_plain


def test_an_error_gives_the_terminal_back(daemon: FakeDaemon) -> None:
    daemon.answers["watch"] = [{"status": {"nonsense": 1}}]
    with Terminal("--socket", daemon.path, "watch") as terminal:
        assert terminal.ended() == 1
        assert terminal.is_plain
        assert "KeyError" in terminal.sent


def test_ctrl_z_gives_the_terminal_back_until_it_goes_on(daemon: FakeDaemon) -> None:
    line = f"{shlex.join(DOORCTL)} --socket {daemon.path} watch"
    script = f"set -m; {line}; echo stopped; read answer; fg >/dev/null; echo over"
    with Terminal(script, program=("bash", "--norc", "-c")) as terminal:
        terminal.until(lambda text: "more doors" in text)
        terminal.type("\x1a")
        terminal.until(lambda text: "stopped" in text)
        assert terminal.is_plain
        terminal.type("\n")
        terminal.until(lambda text: "more doors" in text)
        assert not terminal.is_plain
        terminal.type("q")
        assert terminal.ended() == 0
        assert terminal.is_plain
        assert "over" in terminal.screen


def test_it_survives_a_restart_of_doord(tmp_path: Path) -> None:
    doord = Doord(write_config(tmp_path))
    doord.start()
    with Terminal("--socket", doord.socket, "watch") as terminal:
        terminal.until(lambda text: "front door" in text)
        doord.stop()
        terminal.until(lambda text: "!! no daemon" in text and "front door" in text)
        doord.start()
        terminal.until(lambda text: "!!" not in text)
        terminal.type(DOWN + "dy")
        terminal.until(lambda text: "locked down" in text)
        assert doord.ask("status")["doors"]["front"]["mode"] == "locked_down"
        terminal.type("q")
        assert terminal.ended() == 0
    doord.stop()


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


def test_a_terminal_that_cannot_draw_is_told(daemon: FakeDaemon) -> None:
    with Terminal("--socket", daemon.path, "watch", environment={"TERM": "dumb"}) as terminal:
        assert terminal.ended() == 2
        assert "watch needs a terminal that can draw" in terminal.screen
