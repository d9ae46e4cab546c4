"""`doorctl camera`: which cameras there are, whether they give pictures, and the pictures of a record."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from edge.cli.text import local, say, say_json, table
from edge.client.connection import Client, Unreachable

if TYPE_CHECKING:
    import argparse
    from pathlib import Path


def cameras(arguments: argparse.Namespace) -> int:
    """Each camera with how it does. 1 when one of them gave no picture when it was last asked."""
    with Client(arguments.socket) as client:
        found = client.ask("cameras")
    known = found["cameras"]
    if arguments.json:
        say_json(found)
    else:
        rows = [
            (
                name,
                ", ".join(one["doors"]) or "-",
                str(one["taken"]),
                str(one["dropped"]),
                local(one["last_picture"]) if one["last_picture"] else "-",
                one["last_error"] or "-",
            )
            for name, one in known.items()
        ]
        header = ("CAMERA", "DOORS", "TAKEN", "DROPPED", "LAST PICTURE", "LAST ERROR")
        for line in table(rows, header) if rows else ["there is no camera"]:
            say(line)
    return 1 if any(one["last_error"] for one in known.values()) else 0


def attempt(arguments: argparse.Namespace) -> int:
    """Have a camera asked for a picture now; it is not kept."""
    with Client(arguments.socket) as client:
        found = client.ask("try_camera", camera=arguments.camera)
    if arguments.json:
        say_json(found)
    else:
        say(f"{arguments.camera} gives a picture: {found['kind']}, {found['bytes']:,} bytes")
    return 0


def save(arguments: argparse.Namespace) -> int:
    """Write the pictures of a record into a folder. 1 when there are none."""
    saved: list[dict[str, Any]] = []
    with Client(arguments.socket) as client:
        for one in client.ask("pictures", sequence=arguments.sequence)["pictures"]:
            content, kind = _content(client, arguments.sequence, one["camera"])
            file: Path = arguments.folder / f"{arguments.sequence}-{one['camera']}.{kind}"
            file.write_bytes(content)
            saved.append({"file": str(file), "camera": one["camera"], "taken": one["taken"]})
    if arguments.json:
        say_json({"saved": saved})
    else:
        for line in [one["file"] for one in saved] or ["this record has no picture"]:
            say(line)
    return 0 if saved else 1


def _content(client: Client, sequence: int, camera: str) -> tuple[bytes, str]:
    """A picture, part by part."""
    content = b""
    while True:
        part = client.ask("picture", sequence=sequence, camera=camera, offset=len(content))
        try:
            content += base64.b64decode(part["content"], validate=True)
        except binascii.Error:
            raise Unreachable("what answers there is not doord") from None
        if len(content) >= part["bytes"] or not part["content"]:
            return content, str(part["kind"])
