"""History over the real socket of a whole daemon: every filter, and the trace that a report leaves."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from edge.socket.peers import RequestError
from tests.scenarios.test_socket import ask
from tests.support.house import House, live, write_config

if TYPE_CHECKING:
    from pathlib import Path


def events(**body: Any) -> bytes:
    return json.dumps({"op": "events", **body}).encode() + b"\n"


def export(**body: Any) -> bytes:
    return json.dumps({"op": "export", **body}).encode() + b"\n"


def test_a_search_finds_what_was_refused_and_why(tmp_path: Path) -> None:
    async def script(house: House) -> None:
        socket = tmp_path / "doord.sock"
        for command in ("lock_down", "unlock", "cancel_lockdown", "unlock"):
            body = {"op": "command", "command": command, "door": "front"}
            await ask(socket, json.dumps(body).encode() + b"\n")
        await house.sim("open")

        async def types(**body: Any) -> list[str]:
            answer = await ask(socket, events(**body))
            return [record["type"] for record in answer["result"]["records"]]

        async with asyncio.timeout(120):
            while "lock.opened" not in await types():  # noqa: ASYNC110 -- the socket is what is asked
                await asyncio.sleep(0.1)
        assert await types(outcome="refused") == ["lock.unlock"]
        assert await types(outcome="refused", code=["locked_down"]) == ["lock.unlock"]
        assert await types(code=["never"]) == []
        assert await types(text="LOCK_DOWN") == ["lock.lock_down"]
        assert await types(text="lock_down", outcome="refused") == []
        assert (await types(outcome="granted", type=["lock.unlock"])) == ["lock.unlock"]

    live(write_config(tmp_path), script)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (events(group=["stuff"]), "unknown_group"),
        (events(outcome="perhaps"), "malformed"),
        (events(text="x" * 201), "malformed"),
        (events(people=["u-1"]), "malformed"),
        (export(action="create", name="r.csv", filters={"group": ["stuff"]}), "unknown_group"),
        (export(action="create", name="r.csv", filters={"limit": 5}), "malformed"),
        (export(action="create"), "malformed"),
        (export(action="finished", export="export-0", records=5), "unknown_export"),
        (export(), "malformed"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, line: bytes, code: str) -> None:
    async def script(_house: House) -> None:
        answer = await ask(tmp_path / "doord.sock", line)
        assert (answer["ok"], answer["code"]) == (False, code)
        assert answer["message"]

    assert live(write_config(tmp_path), script).types == []


def test_who_asked_for_a_report_is_who_the_kernel_says(tmp_path: Path) -> None:
    async def script(_house: House) -> None:
        socket = tmp_path / "doord.sock"
        begun = await ask(socket, export(action="create", name="r.csv", filters={"outcome": "refused"}))
        answer = await ask(socket, export(action="finished", export=begun["result"]["export"], records=3))
        assert answer == {"ok": True, "result": {}}

    seen = live(write_config(tmp_path), script)
    for kind in ("event_export.create", "event_export.finished"):
        event = seen.last(kind)
        assert event.actor is not None
        assert event.actor.id.startswith("uid:")
        assert event.object.name == "r.csv"
        assert event.details["filters"] == {"outcome": "refused"}
    assert seen.last("event_export.finished").details["rows"] == 3


def test_passages_tell_each_door_in_rows(tmp_path: Path) -> None:
    async def script(house: House) -> None:
        await house.sim("rex")
        await house.sim("open")
        await house.sim("close")
        await house.ask("lock_down")
        await house.ask("unlock")
        await house.sim("open", door="back")
        answer: Any = await house.request("passages", door=["front"], limit=10)
        rows = answer["passages"]
        assert [row["tag"] for row in rows] == ["refused", "", "exit"]
        assert [row["type"] for row in rows] == ["lock.unlock", "lock.lock_down", "lock.unlock"]
        assert {row["where"] for row in rows} == {"front door"}
        assert (rows[2]["openings"], rows[2]["open_s"] is not None) == (1, True)
        assert answer["next"] is None
        first: Any = await house.request("passages", door=["front"], limit=1)
        rest: Any = await house.request("passages", door=["front"], before=first["next"])
        assert first["passages"] + rest["passages"] == rows
        with pytest.raises(RequestError, match="stuff"):
            await house.request("passages", group=["stuff"])

    live(write_config(tmp_path, doors=("front", "back")), script)
