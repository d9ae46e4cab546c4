"""A door is forced before a camera that wants a password: the picture, from the wire to whoever asks for it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tests.support.cameras import JPEG, Camera, html
from tests.support.doord import ROOT, Doord
from tests.support.house import write_config
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "correct horse battery staple"


def doorctl(doord: Doord, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge.cli", "--socket", str(doord.socket), *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def force(doord: Doord) -> None:
    """The front door, once more."""
    doord.sim("front", "close")
    doord.sim("front", "open")


def faults(doord: Doord) -> list[dict[str, Any]]:
    records = doord.ask("events", limit=500)["records"]
    return [one for one in records if one["data"]["object"]["type"] == "camera"]


def test_a_forced_door_before_a_camera_with_a_password(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    (tmp_path / "hall.password").write_text(f"{PASSWORD}\n")
    with Camera(user="doorward", password=PASSWORD) as camera:
        table = f'[camera.hall]\nurl = "{camera.url}"\nusername = "doorward"\npassword_file = "hall.password"\n'
        config.write_text(f'{config.read_text()}\n{table}doors = ["front"]\n')
        with Doord(config) as doord:
            tried = doorctl(doord, "camera", "try", "hall")
            assert (tried.returncode, tried.stdout) == (0, f"hall gives a picture: jpg, {len(JPEG):,} bytes\n")
            doord.sim("front", "open")
            taken: Any = until(lambda: doord.ask("cameras")["cameras"]["hall"]["taken"])
            assert taken == 1
            [forced] = doord.ask("events", type=["lock.forced_open"], limit=10)["records"]
            saved = doorctl(doord, "camera", "save", forced["sequence"].lstrip("0"), str(tmp_path))
            assert saved.returncode == 0, saved.stderr
            [file] = tmp_path.glob("*-hall.jpg")
            assert file.read_bytes() == JPEG
            [kept] = (tmp_path / "pictures").iterdir()
            assert kept.name == f"{forced['id'].rpartition('-')[0]}-{forced['sequence']}-hall.jpg"
            assert not kept.stat().st_mode & 0o007

            camera.answer = html()
            force(doord)
            [fault] = until(lambda: faults(doord))
            assert "no picture" in fault["data"]["details"]["reason"]
            assert doorctl(doord, "camera", "list").returncode == 1
            assert PASSWORD not in doord.output.read_text() + str(doord.ask("status")) + str(faults(doord))
        assert doord.process is None


def test_a_restart_keeps_pictures_and_a_killed_one_leaves_none_half(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    with Camera() as camera:
        config.write_text(f'{config.read_text()}\n[camera.hall]\nurl = "{camera.url}"\ndoors = ["front"]\n')
        doord = Doord(config).start()
        doord.sim("front", "open")
        until(lambda: doord.ask("cameras")["cameras"]["hall"]["taken"])
        [forced] = doord.ask("events", type=["lock.forced_open"], limit=10)["records"]
        camera.hangs = True
        force(doord)
        camera.wait(2)
        doord.kill()
        part = tmp_path / "pictures" / f".{forced['id'].rpartition('-')[0]}-{999:016d}-hall.jpg.part"
        part.write_bytes(JPEG[:100])
        with Doord(config) as doord:
            [one] = doord.ask("pictures", sequence=int(forced["sequence"]))["pictures"]
            assert one["bytes"] == len(JPEG)
            until(lambda: doord.ask("cameras")["kept"]["pictures"])
            assert [path.name for path in (tmp_path / "pictures").iterdir()] == [
                f"{forced['id'].rpartition('-')[0]}-{forced['sequence']}-hall.jpg"
            ]
