"""A lost card is refused from the next read on, without a broker and after a kill too; upstream hears of it later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.broker import Broker, free_port
from tests.support.cli import Doorctl
from tests.support.doord import Doord
from tests.support.house import write_config
from tests.support.subscriber import Subscriber
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

CARD = "12:3456"
DOORS = ("front", "back", "side", "yard")
"""A door for each read: a reader takes a card that is held to it for one read."""


def configured(folder: Path, port: int) -> Path:
    config = write_config(folder, doors=DOORS)
    text = config.read_text().replace("rex = ", 'reader = { driver = "bench" }\nrex = ')
    config.write_text(f'{text}\n[mqtt]\nurl = "mqtt://127.0.0.1:{port}"\n')
    return config


def codes(doord: Doord, count: int) -> list[Any]:
    """Of the first so many cards that were read."""

    def came() -> list[Any]:
        records = doord.ask("events", type=["reader.access"])["records"]
        return [(one["data"]["code"],) for one in records] if len(records) >= count else []

    return [code for (code,) in until(came, f"{count} cards")]


def show(doord: Doord, door: str) -> None:
    doord.ask("sim", door=door, action="card", argument=CARD)


def test_a_lost_card_is_refused_at_once_without_a_broker_and_upstream_hears_of_it_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    with Doord(configured(tmp_path, port)) as doord:
        doorctl = Doorctl(doord.socket, monkeypatch, capsys)
        until(lambda: doord.ask("status")["log"]["committed"], "the log")
        assert doorctl("people", "add", "Grace Hopper", "--card", CARD).code == 0
        show(doord, "front")
        assert codes(doord, 1) == [None]
        assert doorctl("card", "lost", CARD).code == 0
        show(doord, "back")
        assert codes(doord, 2) == [None, "card_inactive"]
        doord.kill()
        doord.start()
        until(lambda: doord.ask("status")["directory"]["state"] == "ready", "the directory")
        show(doord, "side")
        assert codes(doord, 3) == [None, "card_inactive", "card_inactive"]
        with (
            Broker(tmp_path / "broker", "allow_anonymous true\npersistence false\n", port=port),
            Subscriber(port, "doorward/v1/lab/test") as upstream,
        ):
            upstream.wait(lambda: "card.deactivate" in upstream.types(), "that the card was lost")
            upstream.wait(lambda: upstream.types().count("reader.access") >= len(DOORS) - 1, "who was refused")
            upstream.check_chain()
