"""One scenario for each rule of the contract, through the whole daemon, in virtual time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.support.house import House, live, write_config

if TYPE_CHECKING:
    from pathlib import Path


def test_r1_an_unlock_releases_and_the_mode_before_returns(tmp_path: Path) -> None:
    async def script(house: House) -> None:
        assert await house.ask("unlock") == {"done": True, "code": None, "message": ""}
        assert (house.door()["mode"], house.door()["lock"]) == ("accessed", "unlocked")
        await asyncio.sleep(2)
        await house.ask("unlock", for_s=10.0)
        await asyncio.sleep(9.9)
        assert house.door()["lock"] == "unlocked"
        await asyncio.sleep(0.2)
        assert (house.door()["mode"], house.door()["lock"]) == ("locked", "locked")

    house = live(write_config(tmp_path, unlock_s=5.0), script)
    assert house.types == ["lock.unlock", "lock.unlock", "lock.locked", "lock.access_not_taken"]
    assert house.last("lock.unlock").actor is not None


def test_r2_openings_and_closings_alternate(tmp_path: Path) -> None:
    async def script(house: House) -> None:
        await house.ask("hold_unlocked")
        for _ in range(3):
            await house.sim("open")
            await house.sim("bounce")
            await house.sim("close")

    house = live(write_config(tmp_path), script)
    assert house.types[1:] == ["lock.opened", "lock.closed"] * 3
    assert house.last("lock.closed").details["open_s"] > 0


@pytest.mark.parametrize(
    ("relock", "expected"),
    [
        ("open", ["lock.unlock", "lock.opened", "lock.locked", "lock.closed"]),
        ("close", ["lock.unlock", "lock.opened", "lock.closed", "lock.locked"]),
        ("timer", ["lock.unlock", "lock.opened", "lock.closed", "lock.locked"]),
    ],
)
def test_r3_the_lock_follows_opening_closing_or_the_timer(tmp_path: Path, relock: str, expected: list[str]) -> None:
    async def script(house: House) -> None:
        await house.ask("unlock")
        await house.sim("open")
        await asyncio.sleep(1)
        await house.sim("close")
        assert house.door()["lock"] == ("unlocked" if relock == "timer" else "locked")
        await asyncio.sleep(10)

    assert live(write_config(tmp_path, relock=relock, unlock_s=5.0), script).types == expected


def test_r4_an_opening_without_authority_is_forced(tmp_path: Path) -> None:
    async def script(house: House) -> None:
        await house.sim("open")
        assert house.door()["alarm"] == "forced_open"

    house = live(write_config(tmp_path), script)
    assert house.types == ["lock.opened", "lock.forced_open"]
    assert house.records[-3].event.at_ns == house.records[-2].event.at_ns, "dated by the edge, not by the decision"


def test_r5_held_open_counts_from_the_unlock_and_warns_before(tmp_path: Path) -> None:
    async def script(house: House) -> None:
        await house.ask("unlock")
        await asyncio.sleep(3)
        await house.sim("open")
        await asyncio.sleep(21.8)
        assert not house.door()["warning"]
        await asyncio.sleep(0.2)
        assert house.door()["warning"]
        await asyncio.sleep(5)
        assert house.door()["alarm"] == "held_open"

    house = live(write_config(tmp_path, held_open_s=30.0, held_open_warning_s=5.0), script)
    assert house.types == ["lock.unlock", "lock.opened", "lock.locked", "lock.held_open"]
    assert house.last("lock.held_open").at_ns - house.last("lock.unlock").at_ns == 30 * 10**9


def test_r6_closing_ends_the_alarm_and_names_it(tmp_path: Path) -> None:
    async def script(house: House) -> None:
        await house.sim("open")
        await asyncio.sleep(5)
        await house.sim("close")
        assert house.door()["alarm"] == "normal"

    assert live(write_config(tmp_path), script).last("lock.closed").details["cleared"] == "forced_open"


def test_r7_an_exit_request_unlocks_or_only_shunts_and_a_stuck_button_masks_nothing(tmp_path: Path) -> None:
    async def exit_twice(house: House) -> None:
        await house.sim("rex")
        await house.sim("open")
        await house.sim("close")
        await house.sim("open")

    house = live(write_config(tmp_path), exit_twice)
    assert house.types == [
        *("lock.unlock", "lock.opened", "lock.closed", "lock.locked"),
        *("lock.opened", "lock.forced_open"),
    ]
    assert house.last("lock.unlock").cause == "rex"


def test_r7_an_exit_request_that_only_shunts(tmp_path: Path) -> None:
    async def script(house: House) -> None:
        await house.sim("rex")
        assert house.door()["lock"] == "locked"
        await house.sim("open")

    assert live(write_config(tmp_path, rex=", unlocks = false"), script).types == ["lock.opened"]


def test_r8_access_not_taken(tmp_path: Path) -> None:
    async def script(house: House) -> None:
        await house.ask("unlock")
        await asyncio.sleep(6)

    assert live(write_config(tmp_path), script).types == ["lock.unlock", "lock.locked", "lock.access_not_taken"]


def test_r10_a_lockdown_of_the_whole_controller(tmp_path: Path) -> None:
    async def script(house: House) -> None:
        await house.ask("hold_unlocked", "back")
        answer = await house.request("command", command="lock_down", all=True)
        assert set(answer["outcomes"]) == {"front", "back"}
        refused = await house.ask("unlock")
        assert (refused["done"], refused["code"]) == (False, "locked_down")
        assert house.door("back")["lock"] == "locked"
        await house.sim("rex")
        assert house.door()["lock"] == "unlocked", "life safety first"
        assert house.door()["mode"] == "locked_down"
        await house.request("command", command="cancel_lockdown", all=True)
        assert house.door("back")["mode"] == "unlocked", "what the operator said before"

    live(write_config(tmp_path, doors=("front", "back")), script)


def test_r11_operator_modes(tmp_path: Path) -> None:
    async def script(house: House) -> None:
        await house.ask("hold_unlocked")
        assert house.door()["mode"] == "unlocked"
        await house.ask("lock")
        await house.ask("block")
        assert house.door()["mode"] == "blocked"
        assert (await house.ask("unlock"))["done"], "refuses access, not operators"
        await house.ask("unblock")

    house = live(write_config(tmp_path, unlock_s=1.0), script)
    assert house.types[:2] == ["lock.unlock", "lock.locked"]


def test_r12_and_r13_the_release_input_of_the_controller_opens_every_door(tmp_path: Path) -> None:
    async def script(house: House) -> None:
        await house.ask("lock_down")
        await house.sim("release", "on", "controller")
        for door in ("front", "back"):
            assert (house.door(door)["mode"], house.door(door)["lock"]) == ("locked_open", "unlocked")
        await house.ask("lock", "back")
        await house.sim("open", door="back")
        await house.sim("close", door="back")
        assert house.door("back")["lock"] == "unlocked", "nothing may lock the door"
        await house.sim("release", "off", "controller")
        assert house.door()["mode"] == "locked_down", "what was below comes back"
        assert house.door("back")["mode"] == "locked"

    config = write_config(tmp_path, doors=("front", "back"), controller='release = { driver = "bench" }')
    house = live(config, script)
    assert "lock.forced_open" not in house.types
    assert house.types.count("controller_input.triggered") == 2


def test_r14_modes_return_an_unlock_does_not_and_an_open_door_is_not_forced(tmp_path: Path) -> None:
    config = write_config(tmp_path, doors=("front", "back", "side"))

    async def before(house: House) -> None:
        await house.ask("lock_down")
        await house.ask("hold_unlocked", "back")
        await house.ask("unlock", "side", for_s=600.0)

    async def after(house: House) -> None:
        assert [house.door(d)["mode"] for d in ("front", "back", "side")] == ["locked_down", "unlocked", "locked"]
        bench = house.daemon.drivers["bench"].driver
        assert bench.history("side.lock")[0][1] is False

    live(config, before)
    live(config, after)


def test_r14_a_hold_with_an_end_ends_after_a_restart_too(tmp_path: Path) -> None:
    config = write_config(tmp_path)

    async def before(house: House) -> None:
        assert (await house.ask("hold_unlocked", for_s=3600.0))["done"]

    async def after(house: House) -> None:
        assert house.door("front")["mode"] == "unlocked"
        assert house.door("front")["held_until"]
        await asyncio.sleep(3601)
        assert (house.door("front")["mode"], house.door("front")["lock"]) == ("locked", "locked")

    async def later(house: House) -> None:
        assert house.door("front")["mode"] == "locked"

    live(config, before)
    assert "lock.locked" in live(config, after).types
    live(config, later)


def test_r15_a_stop_rests_the_locks_and_is_the_last_record(tmp_path: Path) -> None:
    async def script(house: House) -> None:
        await house.ask("unlock", for_s=600.0)

    house = live(write_config(tmp_path), script)
    bench = house.daemon.drivers["bench"].driver
    assert bench.history("front.lock")[-1][1] is False
    assert house.records[-1].event.type == "controller.stop"


def test_r16_a_cut_cable_is_one_fault_and_its_return_forces_nothing(tmp_path: Path) -> None:
    async def script(house: House) -> None:
        await house.sim("cut")
        assert (house.door()["contact"], house.door()["lock"]) == ("unknown", "unknown")
        assert house.door("back")["contact"] == "closed", "other doors do not notice"
        await house.sim("open")
        await house.ask("hold_unlocked")
        await house.sim("mend")
        assert (house.door()["contact"], house.door()["lock"]) == ("open", "unlocked"), "the relay is put right"

    house = live(write_config(tmp_path, doors=("front", "back")), script)
    assert [r.event.type for r in house.records if "fault" in r.event.type] == [
        "controller.fault",
        "controller.fault_cleared",
    ]
    assert house.last("lock.opened").details["observed"] == "after_fault"
    assert "lock.forced_open" not in house.types


def test_r17_bounce_gives_one_change_dated_by_its_first_edge_and_unrest_is_said_once(tmp_path: Path) -> None:
    async def script(house: House) -> None:
        await house.sim("bounce", "500")
        await asyncio.sleep(2)
        assert house.types == []
        began_ns = house.clock.now_ns()
        await house.sim("open")
        await asyncio.sleep(2)
        assert house.last("lock.opened").at_ns == began_ns
        await house.sim("bounce", "5000")
        await asyncio.sleep(8)

    config = write_config(tmp_path)
    config.write_text(config.read_text().replace('"simulated"', '"simulated"\nbounce_ms = 200.0'))
    types = live(config, script).types
    assert types.count("controller_input.unstable") == 1
    assert types.count("lock.opened") == 1 + types.count("lock.closed")


def test_r18_one_door_of_an_interlock_group_at_a_time(tmp_path: Path) -> None:
    async def script(house: House) -> None:
        await house.ask("unlock", for_s=5.0)
        refused = await house.ask("unlock", "back")
        assert (refused["done"], refused["code"]) == (False, "interlock")
        await house.sim("open")
        await asyncio.sleep(10)
        assert (await house.ask("unlock", "back"))["code"] == "interlock", "still open"
        await house.sim("close")
        assert (await house.ask("unlock", "back"))["done"]

    live(write_config(tmp_path, doors=("front", "back"), interlock="sluice"), script)


def test_r19_a_step_of_the_calendar_moves_no_deadline(tmp_path: Path) -> None:
    async def script(house: House) -> None:
        await house.ask("unlock", for_s=5.0)
        house.clock.step(3_600_000_000)
        await asyncio.sleep(4.9)
        assert house.door()["lock"] == "unlocked"
        await asyncio.sleep(0.2)
        assert house.door()["lock"] == "locked"

    house = live(write_config(tmp_path), script)
    assert house.last("controller.clock_adjusted").details["step_s"] == pytest.approx(3600, abs=1)
