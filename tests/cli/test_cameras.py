"""`doorctl camera`: what it says, what it writes, and its exit codes."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.cli import Doorctl
from tests.support.control import FakeDaemon

if TYPE_CHECKING:
    from pathlib import Path

HALL = {
    "name": "Hall camera",
    "doors": ["back", "front"],
    "waiting": 0,
    "taken": 12,
    "dropped": 3,
    "last_picture": "2026-11-22T21:57:03.000000Z",
    "last_error": None,
}
KEPT = {"folder": "/var/lib/doorward/pictures", "pictures": 12, "bytes": 1200, "removed": 0, "error": None}
TAKEN = {"camera": "hall", "name": "Hall camera", "bytes": 5, "taken": "2026-11-22T21:57:03.000000Z"}


@pytest.fixture
def doorctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Doorctl:
    return Doorctl(tmp_path / "doord.sock", monkeypatch, capsys)


def test_cameras_are_listed_and_one_without_pictures_is_a_finding(doorctl: Doorctl) -> None:
    with FakeDaemon(doorctl.socket, cameras={"cameras": {"hall": HALL}, "kept": KEPT}):
        said = doorctl("camera", "list")
        assert said.code == 0
        assert all(word in said.out for word in ("hall", "back, front", "12", "3", "2026-11-22"))
        assert doorctl("--json", "camera", "list").json["kept"] == KEPT
    broken = {**HALL, "last_picture": None, "last_error": "no picture within 5 s"}
    with FakeDaemon(doorctl.socket, cameras={"cameras": {"hall": broken}, "kept": KEPT}):
        said = doorctl("camera", "list")
        assert (said.code, "no picture within 5 s" in said.out) == (1, True)
    with FakeDaemon(doorctl.socket, cameras={"cameras": {}, "kept": None}):
        assert (doorctl("camera", "list").code, doorctl("camera", "list").lines) == (0, ["there is no camera"])


def test_a_camera_is_tried(doorctl: Doorctl) -> None:
    with FakeDaemon(doorctl.socket, try_camera={"kind": "jpg", "bytes": 213_004}) as daemon:
        assert doorctl("camera", "try", "hall").lines == ["hall gives a picture: jpg, 213,004 bytes"]
        assert daemon.asked == [{"op": "try_camera", "camera": "hall"}]


def test_the_pictures_of_a_record_are_written_as_they_are(doorctl: Doorctl, tmp_path: Path) -> None:
    content = b"\xff\xd8\xff12"

    def part(ask: dict[str, Any]) -> dict[str, Any]:
        piece = content[ask["offset"] : ask["offset"] + 3]
        return {"kind": "jpg", "bytes": len(content), "content": base64.b64encode(piece).decode()}

    with FakeDaemon(doorctl.socket, pictures={"pictures": [TAKEN]}, picture=part) as daemon:
        said = doorctl("camera", "save", "17", str(tmp_path))
        assert (said.code, said.lines) == (0, [str(tmp_path / "17-hall.jpg")])
        assert (tmp_path / "17-hall.jpg").read_bytes() == content
        assert [ask["offset"] for ask in daemon.asked if ask["op"] == "picture"] == [0, 3]
        assert doorctl("--json", "camera", "save", "17", str(tmp_path)).json["saved"][0]["camera"] == "hall"
    with FakeDaemon(doorctl.socket, pictures={"pictures": []}):
        said = doorctl("camera", "save", "17", str(tmp_path))
        assert (said.code, said.lines) == (1, ["this record has no picture"])
