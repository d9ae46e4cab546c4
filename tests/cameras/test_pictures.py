"""Pictures of alarms, with a whole daemon: what has one, and that nobody ever waits for a camera."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from edge.cameras.fetch import LARGEST, CameraError, Fetcher
from edge.cameras.pictures import CHUNK, MOST_WAITING
from edge.model.messages import ClockQuality
from edge.socket.server import RequestError
from tests.support.house import House, live, write_config

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 1_500
DAY_US = 86_400_000_000


class Scripted:
    """What cameras do when they are asked, by their address."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.content = JPEG
        self.trouble: str | None = None
        self.takes_s = 0.5
        self.answers = asyncio.Event()
        self.answers.set()

    async def fetch(self, fetcher: Fetcher) -> bytes:
        self.asked.append(fetcher._camera.url)
        await asyncio.sleep(self.takes_s)
        await self.answers.wait()
        if self.trouble is not None:
            raise CameraError(self.trouble)
        return self.content


@pytest.fixture
def cameras(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    scripted = Scripted()

    def counted(work: Callable[[], None], _name: str) -> asyncio.Future[None]:
        return asyncio.get_running_loop().run_in_executor(None, work)  # virtual time stands still meanwhile

    async def fetch(fetcher: Fetcher) -> bytes:
        return await scripted.fetch(fetcher)

    monkeypatch.setattr(Fetcher, "fetch", fetch)
    monkeypatch.setattr("edge.cameras.pictures.in_background", counted)
    return scripted


def config(
    folder: Path, *, pictures: str = "", directory: dict[str, Any] | None = None, doors: tuple[str, ...] = ("front",)
) -> Path:
    path = write_config(folder, doors=("front", "back"))
    looks_at = ", ".join(f'"{door}"' for door in doors)
    text = f'[camera.hall]\nurl = "http://10.0.0.9/hall.jpg"\ndoors = [{looks_at}]\n[pictures]\n{pictures}'
    if directory is not None:
        (folder / "directory.json").write_text(json.dumps({"version": 1, **directory}))
        text += '\n[directory]\nfile = "directory.json"\n'
    path.write_text(f"{path.read_text()}\n{text}")
    return path


def sequence(house: House, event_type: str) -> int:
    return next(r.sequence for r in reversed(house.records) if r.event.type == event_type)


async def pictures(house: House, event_type: str) -> list[str]:
    found = await house.request("pictures", sequence=sequence(house, event_type))
    return [one["camera"] for one in found["pictures"]]


def test_an_alarm_has_a_picture_and_nothing_else_has(tmp_path: Path, cameras: Scripted) -> None:
    async def script(house: House) -> None:
        await house.ask("unlock")
        await house.sim("open")
        await house.sim("close")
        await house.sim("open", door="back")
        await asyncio.sleep(10)
        assert cameras.asked == []
        await house.sim("open")
        await asyncio.sleep(2)
        assert cameras.asked == ["http://10.0.0.9/hall.jpg"]
        assert await pictures(house, "lock.forced_open") == ["hall"]
        assert await pictures(house, "lock.opened") == []
        [one] = (await house.request("pictures", sequence=sequence(house, "lock.forced_open")))["pictures"]
        assert (one["name"], one["bytes"], one["taken"][:4]) == ("hall", len(JPEG), "2026")
        [file] = (tmp_path / "pictures").iterdir()
        assert file.read_bytes() == JPEG
        facts = (await house.request("cameras"))["cameras"]["hall"]
        assert (facts["taken"], facts["dropped"], facts["last_error"], facts["waiting"]) == (1, 0, None, 0)

    live(config(tmp_path), script)


def test_other_types_have_pictures_where_that_is_wanted(tmp_path: Path, cameras: Scripted) -> None:
    async def script(house: House) -> None:
        await house.ask("unlock")
        await asyncio.sleep(1)
        assert await pictures(house, "lock.unlock") == ["hall"]
        assert len(cameras.asked) == 1

    live(config(tmp_path, pictures='types = ["lock.unl*"]'), script)


def test_the_directory_gives_a_camera_its_name_and_further_doors(tmp_path: Path, cameras: Scripted) -> None:
    known = {"cameras": [{"id": "hall", "name": "Hall camera", "doors": ["back"]}]}

    async def script(house: House) -> None:
        await asyncio.sleep(5)
        cameras.trouble = "it answered 503"
        await house.sim("open", door="back")
        await asyncio.sleep(2)
        fault = house.last("controller.fault")
        assert (fault.object.type, fault.object.id, fault.object.name) == ("camera", "hall", "Hall camera")
        assert fault.details == {"reason": "it answered 503"}
        status: Any = house.daemon.status.whole()
        assert status["cameras"]["hall"]["doors"] == ["back", "front"]

    live(config(tmp_path, directory=known), script)


def test_a_camera_that_gives_none_is_said_once_and_once_that_it_does_again(tmp_path: Path, cameras: Scripted) -> None:
    async def script(house: House) -> None:
        cameras.trouble = "it answered 500"
        for trouble in ("it answered 500", "no picture within 5 s", None, None):
            cameras.trouble = trouble
            await house.sim("open")
            await asyncio.sleep(5)
            await house.sim("close")
            await asyncio.sleep(5)
        said = [r.event.type for r in house.records if r.event.object.type == "camera"]
        assert said == ["controller.fault", "controller.fault_cleared"]
        assert await pictures(house, "lock.forced_open") == ["hall"]

    live(config(tmp_path), script)


def test_nobody_waits_for_a_camera_and_what_waits_too_long_is_given_up(tmp_path: Path, cameras: Scripted) -> None:
    async def script(house: House) -> None:
        cameras.answers.clear()
        for _ in range(MOST_WAITING + 3):
            await house.sim("open")
            await house.sim("close")
        assert house.types.count("lock.forced_open") == MOST_WAITING + 3
        assert len(cameras.asked) == 1
        facts = (await house.request("cameras"))["cameras"]["hall"]
        assert (facts["waiting"], facts["dropped"]) == (MOST_WAITING, 2)
        await asyncio.sleep(30)
        cameras.answers.set()
        await asyncio.sleep(5)
        facts = (await house.request("cameras"))["cameras"]["hall"]
        assert (facts["waiting"], facts["taken"], facts["dropped"]) == (0, 1, MOST_WAITING + 2)
        assert len(cameras.asked) == 1

    live(config(tmp_path), script)


def test_a_stop_waits_for_no_camera(tmp_path: Path, cameras: Scripted) -> None:
    async def script(house: House) -> None:
        cameras.answers.clear()
        await house.sim("open")
        assert len(cameras.asked) == 1

    house = live(config(tmp_path), script)
    assert house.records[-1].event.type == "controller.stop"


def test_a_folder_that_takes_nothing_is_said_and_harms_nobody(tmp_path: Path, cameras: Scripted) -> None:
    (tmp_path / "pictures").write_text("not a folder")

    async def script(house: House) -> None:
        await house.sim("open")
        await asyncio.sleep(2)
        assert "its picture cannot be kept in" in str(house.last("controller.fault").details["reason"])
        (tmp_path / "pictures").unlink()
        await house.sim("close")
        await house.sim("open")
        await asyncio.sleep(2)
        assert house.last("controller.fault_cleared").object.id == "hall"
        kept = (await house.request("cameras"))["kept"]
        assert (kept["pictures"], kept["folder"]) == (1, str(tmp_path / "pictures"))

    live(config(tmp_path), script)
    assert cameras.asked


@pytest.mark.usefixtures("cameras")
def test_a_picture_comes_in_parts(tmp_path: Path) -> None:
    async def script(house: House) -> None:
        await house.sim("open")
        await asyncio.sleep(2)
        number, content = sequence(house, "lock.forced_open"), b""
        while len(content) < len(JPEG):
            part = await house.request("picture", sequence=number, camera="hall", offset=len(content))
            assert (part["kind"], part["bytes"]) == ("jpg", len(JPEG))
            more = base64.b64decode(part["content"])
            assert 0 < len(more) <= CHUNK
            content += more
        assert content == JPEG
        for wrong in ({"camera": "door"}, {"sequence": number - 1}):
            with pytest.raises(RequestError) as caught:
                await house.request("picture", **{"sequence": number, "camera": "hall", **wrong})
            assert caught.value.code == "not_found"
        for wrong in ({"camera": "../hall"}, {"sequence": 0}, {"offset": -1}, {"sequence": "1"}, {"more": 1}):
            with pytest.raises(RequestError) as caught:
                await house.request("picture", **{"sequence": number, "camera": "hall", **wrong})
            assert caught.value.code == "malformed"

    live(config(tmp_path), script)


def test_somebody_at_the_camera_tries_it(tmp_path: Path, cameras: Scripted) -> None:
    async def script(house: House) -> None:
        assert await house.request("try_camera", camera="hall") == {"kind": "jpg", "bytes": len(JPEG)}
        cameras.trouble = "it refuses the user name or the password"
        with pytest.raises(RequestError, match="camera hall: it refuses the user name or the password"):
            await house.request("try_camera", camera="hall")
        with pytest.raises(RequestError, match="no camera 'yard'; expected one of hall"):
            await house.request("try_camera", camera="yard")
        assert not any(r.event.object.type == "camera" for r in house.records)

    live(config(tmp_path), script)
    assert list((tmp_path / "pictures").iterdir()) == []


def test_old_pictures_go_when_somebody_vouches_for_the_calendar(tmp_path: Path, cameras: Scripted) -> None:
    path = config(tmp_path, pictures="keep_days = 2")

    async def script(house: House) -> None:
        house.clock.set_quality(ClockQuality.UNSYNCED)
        await house.sim("open")
        await asyncio.sleep(2)
        [file] = (tmp_path / "pictures").iterdir()
        then_s = house.clock.wall_us() / 1e6
        os.utime(file, (then_s, then_s))
        house.clock.step(3 * DAY_US, ClockQuality.UNSYNCED)
        await asyncio.sleep(3700)
        assert file.exists()
        house.clock.set_quality(ClockQuality.SYNCED)
        await asyncio.sleep(3700)
        assert not file.exists()
        assert (await house.request("cameras"))["kept"]["removed"] == 1

    live(path, script)
    assert cameras.asked


def test_without_a_camera_there_is_nothing_to_ask(tmp_path: Path) -> None:
    async def script(house: House) -> None:
        assert await house.request("cameras") == {"cameras": {}, "kept": None}
        assert await house.request("pictures", sequence=1) == {"pictures": []}
        with pytest.raises(RequestError, match="none is configured"):
            await house.request("try_camera", camera="hall")

    live(write_config(tmp_path), script)
    assert not (tmp_path / "pictures").exists()


def test_no_picture_needs_more_than_one_answer_may_hold() -> None:
    assert CHUNK % 3 == 0
    assert LARGEST < 8 << 20  # what the page takes at most
