"""The real Unix socket of a whole daemon, in virtual time."""

from __future__ import annotations

import asyncio
import json
import stat
from typing import TYPE_CHECKING, Any

import pytest

from edge.control import MAX_REQUEST_BYTES
from tests.support.house import House, live, write_config

if TYPE_CHECKING:
    from pathlib import Path


async def ask(path: Path, line: bytes) -> dict[str, Any]:
    reader, writer = await asyncio.open_unix_connection(str(path), limit=1 << 22)
    writer.write(line)
    answer = json.loads(await reader.readline())
    writer.close()
    await writer.wait_closed()
    return dict(answer)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"nonsense\n", "malformed"),
        (b"[]\n", "malformed"),
        (b"[" * 60_000 + b"\n", "malformed"),
        (b'{"op": 7}\n', "malformed"),
        (b'{"op": "reboot"}\n', "unknown_op"),
        (b'{"op": "command", "command": "unlock"}\n', "malformed"),
        (b'{"op": "command", "command": "explode", "door": "front"}\n', "malformed"),
        (b'{"op": "command", "command": "unlock", "door": "attic"}\n', "unknown_door"),
        (b'{"op": "command", "command": "unlock", "door": "front", "for_s": 1e9}\n', "malformed"),
        (b'{"op": "command", "command": "lock", "door": "front", "for_s": 5}\n', "malformed"),
        (b'{"op": "command", "command": "unlock", "door": "front", "actor": "root"}\n', "malformed"),
        (b'{"op": "events", "limit": 100000}\n', "malformed"),
        (b'{"op": "sim", "door": "front", "action": "explode"}\n', "malformed"),
        (b'{"op": "replay", "from": 1}\n', "no_upstream"),
        (b'{"op": "' + b"x" * MAX_REQUEST_BYTES + b'"}\n', "too_large"),
    ],
)
def test_what_makes_no_sense_is_refused_and_moves_nothing(tmp_path: Path, line: bytes, code: str) -> None:
    async def script(_house: House) -> None:
        answer = await ask(tmp_path / "doord.sock", line)
        assert (answer["ok"], answer["code"]) == (False, code)
        assert answer["message"]

    assert live(write_config(tmp_path), script).types == []


def test_a_command_has_the_callers_uid_as_actor(tmp_path: Path) -> None:
    async def script(_house: House) -> None:
        answer = await ask(tmp_path / "doord.sock", b'{"op": "command", "command": "unlock", "door": "front"}\n')
        assert answer["result"]["outcomes"]["front"]["done"]
        mode = (tmp_path / "doord.sock").stat().st_mode
        assert stat.S_IMODE(mode) == 0o660

    actor = live(write_config(tmp_path), script).last("lock.unlock").actor
    assert actor is not None
    assert actor.id.startswith("uid:")


def test_watching_shows_the_status_first_and_then_every_record(tmp_path: Path) -> None:
    async def script(house: House) -> None:
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "doord.sock"), limit=1 << 22)
        writer.write(b'{"op": "watch"}\n')
        first = json.loads(await reader.readline())
        assert first["item"]["status"]["doors"]["front"]["mode"] == "locked"
        await house.sim("open")
        seen, status = [], None
        while len(seen) < 2 or status is None:
            item = json.loads(await reader.readline())["item"]
            if "record" in item:
                seen.append(item["record"]["type"])
            else:
                status = item["status"]
        assert seen == ["lock.opened", "lock.forced_open"]
        assert status["doors"]["front"]["alarm"] == "forced_open"
        writer.close()
        await writer.wait_closed()

    live(write_config(tmp_path), script)
