"""Unknown cards of the history: kept over a restart, given by their event, and gone when somebody has them."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from edge.access.enrolment.keeping import MOST_NEW_AN_HOUR
from edge.access.enrolment.unknown_cards import AT_ONCE, EVERY_S, store
from edge.socket.peers import RequestError
from tests.scenarios.test_people import ADA, STRANGER, config_of, people, ready
from tests.support.house import House, live

if TYPE_CHECKING:
    from pathlib import Path


def site(folder: Path, **directory: Any) -> Path:
    people(folder)
    config = config_of(folder)
    more = "".join(f"{key} = {value}\n" for key, value in directory.items())
    config.write_text(config.read_text().replace("[directory]\n", f"[directory]\n{more}"))
    return config


async def stored(house: House, folder: Path, count: int) -> None:
    """Wait until so many are in the file."""
    while len(store.load(folder / "unknown-cards.db", 0)[0]) != count:  # noqa: ASYNC110 -- a file tells nobody
        await asyncio.sleep(0.1)
    assert house.door()["lock"] is not None


async def refused(house: House, card: str = STRANGER, door: str = "front") -> int:
    """Show an unknown card; the sequence of its record."""
    await house.sim("card", card, door=door)
    await asyncio.sleep(3)
    (record,) = (await house.request("events", type=["reader.access"], newest=True, limit=1))["records"]
    assert record["data"]["code"] == "unknown_card"
    assert card.partition(":")[2] not in str(record) or len(card) < 5, "no record has the whole number"
    return int(record["sequence"])


async def numbers(house: House, **ask: Any) -> list[str]:
    return [one["written"] for one in (await house.request("cards", **ask))["cards"]]


async def give(house: House, sequence: int, who: str = "ada") -> dict[str, Any]:
    return dict(await house.request("card", action="give", who=who, seen=sequence))


async def refusal(house: House, sequence: int) -> str:
    with pytest.raises(RequestError) as error:
        await give(house, sequence)
    assert error.value.code == "unknown_card"
    return str(error.value)


def test_an_unknown_card_of_before_the_restart_is_given_by_its_event(tmp_path: Path) -> None:
    config = site(tmp_path)
    event: list[int] = []

    async def before(house: House) -> None:
        await ready(house)
        await house.sim("card", ADA)
        event.append(await refused(house))
        event.append(await refused(house))
        records = (await house.request("events", type=["reader.access"]))["records"]
        seen = [record["data"]["details"].get("seen") for record in records]
        assert seen[0] is None
        assert seen[1] == seen[2] != None, "the same card has the same id"  # noqa: E711
        await stored(house, tmp_path, 1)

    async def after(house: House) -> None:
        await ready(house)
        first, second = event
        await asyncio.sleep(1)
        assert await numbers(house) == [STRANGER]
        assert await numbers(house, seen=first) == await numbers(house, seen=second) == [STRANGER]
        assert "not of an unknown card" in await refusal(house, 1)
        assert "no event 999" in await refusal(house, 999)
        given = await give(house, first)
        assert (given["done"], given["card"]["number"]) == (True, STRANGER)
        await stored(house, tmp_path, 0)
        assert "somebody has the card now" in await refusal(house, second)
        assert await numbers(house) == []
        await house.sim("card", STRANGER)
        assert house.door()["lock"] == "unlocked"

    live(config, before)
    kept = shutil.copy(tmp_path / "unknown-cards.db", tmp_path / "backup")
    live(config, after)
    shutil.copy(kept, tmp_path / "unknown-cards.db")

    async def restored(house: House) -> None:
        await ready(house)
        await stored(house, tmp_path, 0)
        assert "somebody has the card now" in await refusal(house, event[0]), "an older file brings nothing back"

    live(config, restored)


def test_a_flood_is_bounded_and_written_seldom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    people(tmp_path)
    writes: list[float] = []
    save = store.save

    async def script(house: House) -> None:
        await ready(house)
        limits = {"put": "door", "entry": {"id": "front", "unknown_cards": 0}}
        assert (await house.request("edit_directory", changes=[limits]))["done"]
        own = await refused(house, "7:7", door="back")

        def counted(*ask: Any) -> None:
            writes.append(house.loop.time())
            save(*ask)

        monkeypatch.setattr(store, "save", counted)
        began_s = house.loop.time()
        for number in range(MOST_NEW_AN_HOUR + 20):
            await house.sim("card", f"9:{number}")
            await asyncio.sleep(2.1)
        lasted_s = house.loop.time() - began_s
        assert len(writes) <= AT_ONCE + lasted_s / EVERY_S + 1
        await asyncio.sleep(EVERY_S * 2)
        held = store.load(tmp_path / "unknown-cards.db", 0)[0]
        assert len(held) == MOST_NEW_AN_HOUR + 1
        assert await numbers(house, seen=own) == ["7:7"], "the other reader's card is still there"

    live(config_of(tmp_path), script)


def test_none_is_kept_where_it_is_switched_off_and_all_are_forgotten_by_command(tmp_path: Path) -> None:
    async def kept(house: House) -> None:
        await ready(house)
        sequence = await refused(house)
        await stored(house, tmp_path, 1)
        assert (await house.request("forget_cards")) == {"forgotten": 1}
        await stored(house, tmp_path, 0)
        assert "not kept any more" in await refusal(house, sequence)
        sequence = await refused(house)
        await stored(house, tmp_path, 1)
        config = config_of(tmp_path)
        config.write_text(config.read_text().replace("[directory]\n", "[directory]\nunknown_cards_days = 0\n"))
        await house.request("reload")
        await refused(house, "12:8")
        assert "not kept any more" in await refusal(house, await refused(house))

    live(site(tmp_path), kept)

    async def off(house: House) -> None:
        await ready(house)
        await stored(house, tmp_path, 0)

    live(config_of(tmp_path), off)


def test_a_disk_that_fails_costs_no_passage(tmp_path: Path) -> None:
    (tmp_path / "unknown-cards.db").mkdir()

    async def script(house: House) -> None:
        await ready(house)
        sequence = await refused(house)
        await house.sim("card", ADA)
        assert house.door()["lock"] == "unlocked"
        assert (await give(house, sequence))["done"], "until the restart it is known all the same"

    live(site(tmp_path), script)
