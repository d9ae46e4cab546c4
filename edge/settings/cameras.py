"""The tables of pictures: `[camera.ID]` and `[pictures]`.

One rule: as in `edge.settings.tables`, each key has a `description` of what is expected, which error messages use.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from edge.model.catalogue import matching
from edge.model.problems import meant, shown
from edge.settings.host_names import is_web_url
from edge.settings.tables import FilePath, Id, Table, within

MOST_CAMERAS: Final = 64
MOST_EACH: Final = 100
"""Doors of a camera, patterns of types."""
_ADDRESS: Final = '"http://192.168.1.20/snapshot.jpg" or the same with https'


def _url(value: str) -> str:
    """A text that can stand in a request line as it is: nothing in it ends the line."""
    if "@" in value:
        raise ValueError(f"found a user name or password in it, expected {_ADDRESS}, with username and password_file")
    if not is_web_url(value):
        raise ValueError(f"found {shown(value)}, expected {_ADDRESS}")
    return value


def _types(value: object) -> object:
    """Each pattern must match an event type."""
    for one in value if isinstance(value, list) else ():
        if not isinstance(one, str) or not matching([one]):
            raise ValueError(f"found {shown(one)}, {meant(str(one), matching([]))}")
    return value


Url: TypeAlias = Annotated[str, AfterValidator(_url)]
Types: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_types)]


class CameraTable(Table):
    """`[camera.ID]`: where a camera's picture comes from; its name is in the directory."""

    REFUSED: ClassVar = {
        "password": "a password does not belong into this file, which others may read: put it into a file of its own "
        'and name that with password_file = "/etc/doorward/camera.password" or "credential:NAME"'
    }

    url: Url = Field(description=_ADDRESS)
    username: str | None = Field(
        default=None, min_length=1, max_length=255, pattern=r"^[!#-9;-\[\]-~]+$", description="a user name in ASCII"
    )
    password_file: FilePath | None = None
    ca_file: FilePath | None = None
    tls_strict: bool = Field(default=True, description="true or false")
    doors: tuple[Id, ...] = Field(default=(), strict=False, max_length=MOST_EACH, description="a list of ids of doors")

    @field_validator("password_file")
    @classmethod
    def _somebodys(cls, value: object, info: ValidationInfo) -> object:
        if value is not None and info.data.get("username", "") is None:
            raise ValueError("found without username, expected one as well")
        return value


class PicturesTable(Table):
    """`[pictures]`: which events get pictures, where they are kept, and for how long."""

    folder: FilePath | None = Field(default=None, description="the path of a folder")
    max_mib: int = within((1, 65_536), "MiB", default=256)
    keep_days: int = within((1, 3650), "days", default=90)
    types: Types = Field(default=(), strict=False, max_length=MOST_EACH, description="a list of event types")
