"""The real Unix socket of a whole daemon, in virtual time."""

from __future__ import annotations

import asyncio
import json
import stat
from typing import TYPE_CHECKING, Any

import pytest

from edge.socket.allowances import ALLOWANCES, FOR_DOORS, MOST_KNOWN, Allowances
from edge.socket.lines import MAX_REQUEST_BYTES
from edge.socket.server import RequestError
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
        (b'{"op": "command", "command": "hold_unlocked", "door": "front", "for_s": 0.5}\n', "malformed"),
        (b'{"op": "command", "command": "hold_unlocked", "door": "front", "for_s": NaN}\n', "malformed"),
        (b'{"op": "command", "command": "hold_unlocked", "door": "front", "until": "soon"}\n', "malformed"),
        (
            b'{"op": "command", "command": "hold_unlocked", "all": true, "until": "2001-01-01T00:00:00Z"}\n',
            "expired",
        ),
        (b'{"op": "command", "command": "block", "door": "front", "until": "2099-01-01T00:00:00Z"}\n', "malformed"),
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


def test_nobody_writes_the_history_away_over_the_socket_and_everybody_can_still_lock_down(tmp_path: Path) -> None:
    async def script(house: House) -> None:
        answers = []
        for _ in range(FOR_DOORS.at_once + 20 + 30):
            try:
                await house.request("command", command="block", door="front")
                answers.append("")
            except RequestError as error:
                answers.append(error.code)
        assert answers == [""] * (FOR_DOORS.at_once + 20) + ["too_many"] * 30
        await house.request("command", command="lock_down", door="front")
        with pytest.raises(RequestError, match="try again in 5 s"):
            await house.request("command", command="block", door="front")
        await asyncio.sleep(61)
        await house.request("command", command="block", door="front")

    house = live(write_config(tmp_path), script)
    told = house.last("controller.fault")
    assert (told.code, told.object.id) == ("flooded", "socket")
    assert list(told.details["refused"].values()) == [31]  # type: ignore[union-attr]  # a mapping, as it is written
    assert [record.event.type for record in house.records].count("controller.fault") == 1


def test_reports_and_everything_else_that_is_recorded_have_a_budget_of_each_person() -> None:
    allowances = Allowances(doors=lambda: 4)
    for op, allowance in ALLOWANCES.items():
        at_once = allowance.at_once + (80 if op == "command" else 0)
        for _ in range(at_once):
            allowances.spend(op, "", "uid:1234", 0.0)
        with pytest.raises(RequestError):
            allowances.spend(op, "", "uid:1234", 0.0)
        allowances.spend(op, "", "uid:1235", 0.0)
        allowances.spend(op, "", "uid:1234", 60.0 / allowance.a_minute)
    allowances.spend("status", "", "uid:1234", 0.0)
    for number in range(2 * MOST_KNOWN):
        allowances.spend("export", "", f"web:{number}", 0.0)
    assert len(allowances._budgets) == MOST_KNOWN


def test_a_command_for_many_doors_counts_as_many() -> None:
    allowances = Allowances(doors=lambda: 100)
    for _ in range(22):
        allowances.spend("command", "block", "web:ada", 0.0, 100)
    with pytest.raises(RequestError, match="try again in"):
        allowances.spend("command", "block", "web:ada", 300.0)
