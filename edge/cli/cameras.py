"""`doorctl camera`: the cameras, a picture to try one, and the pictures of a record."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from edge.cli.tables import say_table
from edge.cli.text import local, say, say_json
from edge.client.connection import Client, Unreachable
from edge.client.zones import zone_name, zone_of

if TYPE_CHECKING:
    import argparse
    from pathlib import Path


def cameras(arguments: argparse.Namespace) -> int:
    """Each camera with its state. 1 when one of them gave no picture the last time."""
    with Client(arguments.socket) as client:
        answer = client.ask("cameras")
        zone = None if arguments.json or not answer["cameras"] else zone_of(client.ask("status"))
    known = answer["cameras"]
    if arguments.json:
        say_json(answer)
    elif zone is None:
        say("there is no camera")
    else:
        rows = [
            (
                name,
                ", ".join(camera["doors"]) or "-",
                str(camera["taken"]),
                str(camera["dropped"]),
                local(camera["last_picture"], zone),
                camera["last_error"] or "-",
            )
            for name, camera in known.items()
        ]
        picture = f"LAST PICTURE ({zone_name(zone, datetime.now(UTC))})"
        header = ("CAMERA", "DOORS", "TAKEN", "DROPPED", picture, "LAST ERROR")
        say_table(rows, header, ["warning" if camera["last_error"] else "" for camera in known.values()])
    return 1 if any(camera["last_error"] for camera in known.values()) else 0


def attempt(arguments: argparse.Namespace) -> int:
    """Ask a camera for a picture now. It is not kept."""
    with Client(arguments.socket) as client:
        picture = client.ask("try_camera", camera=arguments.camera)
    if arguments.json:
        say_json(picture)
    else:
        say(f"{arguments.camera} gives a picture: {picture['kind']}, {picture['bytes']:,} bytes")
    return 0


def save(arguments: argparse.Namespace) -> int:
    """Write the pictures of a record to a folder. 1 when there are none."""
    saved: list[dict[str, Any]] = []
    with Client(arguments.socket) as client:
        for picture in client.ask("pictures", sequence=arguments.sequence)["pictures"]:
            content, kind = _content(client, arguments.sequence, picture["camera"])
            file: Path = arguments.folder / f"{arguments.sequence}-{picture['camera']}.{kind}"
            file.write_bytes(content)
            saved.append({"file": str(file), "camera": picture["camera"], "taken": picture["taken"]})
    if arguments.json:
        say_json({"saved": saved})
    else:
        for line in [picture["file"] for picture in saved] or ["this record has no picture"]:
            say(line)
    return 0 if saved else 1


def _content(client: Client, sequence: int, camera: str) -> tuple[bytes, str]:
    """A picture and its kind, read part by part."""
    content = b""
    while True:
        part = client.ask("picture", sequence=sequence, camera=camera, offset=len(content))
        try:
            content += base64.b64decode(part["content"], validate=True)
        except binascii.Error:
            raise Unreachable("the program at the socket is not doord") from None
        if len(content) >= part["bytes"] or not part["content"]:
            return content, str(part["kind"])
