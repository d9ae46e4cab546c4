"""An unknown card outlives a kill of doord, and is given to somebody by its event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.access.enrolment import store
from tests.support.cli import Doorctl
from tests.support.doord import Doord
from tests.support.house import write_config
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

CARD = "12:3456"


def test_an_unknown_card_outlives_a_kill_and_is_given_by_its_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(tmp_path, doors=["front", "back"], unlock_s=600.0)
    config.write_text(config.read_text().replace("rex = ", 'reader = { driver = "bench" }\nrex = '))
    with Doord(config) as doord:
        doorctl = Doorctl(doord.socket, monkeypatch, capsys)
        until(lambda: doord.ask("status")["directory"]["state"] == "ready", "the directory")
        until(lambda: doord.ask("status")["log"]["committed"], "the log")
        assert doorctl("people", "add", "Grace Hopper").code == 0
        doord.ask("sim", door="front", action="card", argument=CARD)
        path = tmp_path / "unknown-cards.db"
        until(lambda: store.load(path, 0)[0], "the card in the file")
        until(lambda: doord.ask("events", type=["reader.access"])["records"], "its record")
        doord.kill()
        doord.start()
        until(lambda: doord.ask("status")["directory"]["state"] == "ready", "the directory")
        until(lambda: doorctl("cards").lines[1:], "the card in memory")
        assert doorctl("cards").lines[1].endswith(f"-    unknown_card: doorctl people card WHO --number {CARD}")
        line = doorctl("events", "--type", "reader.access").lines[-1]
        sequence = line.rpartition(" (--seen ")[2].removesuffix(")")
        assert CARD not in line
        assert doorctl("people", "card", "grace", "--seen", sequence, "--number", CARD).code == 2
        refused = doorctl("people", "card", "grace", "--seen", "1", "--yes")
        assert (refused.code, refused.err) == (2, "doorctl: event 1 is not of an unknown card\n")
        said = doorctl("people", "card", "grace", "--seen", sequence, typed="y\n")
        assert (
            said.out
            == f"give card wiegand26 {CARD} to Grace Hopper (grace-hopper)? [y/N] Grace Hopper has card {CARD}\n"
        )
        until(lambda: not store.load(path, 0)[0], "that the number is gone")
        doord.ask("sim", door="back", action="card", argument=CARD)
        until(lambda: doord.ask("status")["doors"]["back"]["lock"] == "unlocked", "a door that opens")
        assert doorctl("cards", "--forget").out == "0 unknown cards are forgotten\n"
