"""The tables of the configuration file, checked at the border.

One rule: each key has a `description` of what is expected, which error messages use. All other keys
are refused.
"""

from __future__ import annotations

import os.path
import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, TypeAlias, cast
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from edge.model.problems import shown
from edge.settings.home_folder import expanded
from edge.settings.host_names import is_host

ID: Final = re.compile(r"[a-z0-9-]{1,63}")
ID_EXPECTED: Final = "1 to 63 of a-z, 0-9 and -"
LONGEST_NAME: Final = 100
LONGEST_SOCKET: Final = 107
"""Bytes of a Unix socket's path (unix(7): sun_path is 108 with its closing zero)."""
CREDENTIAL: Final = "credential:"
CREDENTIALS: Final = Path("/run/credentials/doord.service")
"""Where systemd puts the service's credentials; $CREDENTIALS_DIRECTORY says so to the service itself."""


def _path(value: object, info: ValidationInfo) -> Path:
    """Resolve a path against the file's folder, and `credential:NAME` against systemd's folder."""
    if not isinstance(value, str) or not value.strip("/.") or "\0" in value:  # "/" has no name
        raise ValueError(f"found {shown(value)}, expected the path of a file")
    places = cast("dict[str, Path]", info.context)
    if (name := value.removeprefix(CREDENTIAL)) == value:
        return Path(os.path.normpath(places["folder"] / expanded(value)))
    if not name or "/" in name or name in {".", ".."}:
        raise ValueError(f"found {shown(value)}, expected credential:NAME as in LoadCredential=NAME:... of the service")
    return places["credentials"] / name


def _identifier(value: object) -> str:
    if not isinstance(value, str) or not ID.fullmatch(value):
        raise ValueError(f"found {shown(value)}, expected {ID_EXPECTED}")
    return value


def _name(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_NAME or not value.isprintable():
        raise ValueError(f"found {shown(value)}, expected 1 to {LONGEST_NAME} printable characters")
    return value


def _topic(value: str) -> str:
    bad = not value.isprintable() or any(c in value for c in "+#") or value.startswith("$")
    if bad or len(value) > LONGEST_NAME or not all(value.split("/")):
        raise ValueError(f"found {shown(value)}, expected levels like doorward/v1, none of them empty, without + and #")
    return value


FilePath: TypeAlias = Annotated[Path, BeforeValidator(_path)]
Id: TypeAlias = Annotated[str, BeforeValidator(_identifier)]
Name: TypeAlias = Annotated[str, BeforeValidator(_name)]
Topic: TypeAlias = Annotated[str, AfterValidator(_topic)]
Wires: TypeAlias = dict[str, Any]
"""A point's inline table before its driver has read it."""


def within(span: tuple[float, float], unit: str, **more: Any) -> Any:  # noqa: ANN401 - as pydantic's Field has it
    """A field for a number of `unit` within `span`."""
    low, high = span
    return Field(ge=low, le=high, description=f"{low:g} to {high:g} {unit}", **more)


class Table(BaseModel):
    """What all tables have in common: no unknown keys, no guessing at types, no change afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True)


class ControllerTable(Table):
    """`[controller]`: who this controller is."""

    id: Id = Field(description=f"the controller's id, {ID_EXPECTED}")
    site: Id = Field(description=f"the site's id, {ID_EXPECTED}")
    name: Name = Field(description="a name for people")
    time_zone: str = Field(default="UTC", description='a time zone like "Europe/Berlin"')
    release: Wires | None = Field(default=None, description='a table like { driver = "gpio", line = 5 }', repr=False)

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, OSError, ValueError) as error:  # unknown, a folder or not readable, not a name at all
            expected = 'a time zone that this computer knows, like "Europe/Berlin"'
            raise ValueError(f"found {shown(value)}, expected {expected}") from error
        return value


class LogTable(Table):
    """`[log]`: where the records are and how long they stay."""

    path: FilePath = Field(default=Path("/var/lib/doorward/log.db"), description="the path of a file")
    retention_days: int = Field(default=0, ge=0, le=36500, description="0 (for ever) to 36500 days")
    max_mib: int = Field(default=1024, ge=16, le=1_048_576, description="16 to 1048576 MiB")


class MqttTable(Table):
    """`[mqtt]`: the upstream broker."""

    PORTS: ClassVar = {"mqtt": 1883, "mqtts": 8883}
    REFUSED: ClassVar = {
        "password": "a password does not belong into this file, which others may read: put it into a file of its own "
        'and name that with password_file = "/etc/doorward/mqtt.password" or "credential:NAME"'
    }

    url: str = Field(description='"mqtts://host:port" or "mqtt://host:port"')
    username: str | None = Field(default=None, min_length=1, max_length=255, description="a user name")
    password_file: FilePath | None = None
    ca_file: FilePath | None = None
    tls_strict: bool = Field(default=True, description="true or false")
    cert_file: FilePath | None = None
    key_file: FilePath | None = None
    ack: Literal["broker", "application"] = "broker"
    window: int = within((1, 1000), "messages", default=20)
    prefix: Topic = Field(default="doorward/v1", description="an MQTT topic without wildcards")
    keepalive_s: int = within((5, 3600), "seconds", default=30)

    @field_validator("url")
    @classmethod
    def _an_address(cls, value: str) -> str:
        expected = 'expected "mqtts://host:port" or "mqtt://host:port"'
        if "@" in value:
            raise ValueError(f"found a user name or password in it, {expected}, with username and password_file")
        try:
            parts, port = urlsplit(value), urlsplit(value).port
        except ValueError as error:
            raise ValueError(f"found {shown(value)}, {expected}") from error
        whole = value == value.strip() and value.isprintable() and " " not in value
        if parts.scheme not in cls.PORTS or not is_host(parts.hostname or "") or port == 0 or not whole or _rest(parts):
            raise ValueError(f"found {shown(value)}, {expected}")
        return value

    @field_validator("password_file")
    @classmethod
    def _somebodys(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and info.data.get("username", "") is None:
            raise ValueError("found without username, expected one as well")
        return value

    @field_validator("ca_file", "tls_strict", "cert_file", "key_file")
    @classmethod
    def _with_tls(cls, value: object, info: ValidationInfo) -> object:
        if value is not None and urlsplit(info.data.get("url", "mqtts:")).scheme == "mqtt":
            raise ValueError("found with an mqtt:// url, which is not encrypted: expected mqtts://")
        return value

    @field_validator("key_file")
    @classmethod
    def _a_pair(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and info.data.get("cert_file", value) is None:
            raise ValueError("found without cert_file, expected one as well")
        return value

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return urlsplit(self.url).scheme == "mqtts"

    @property
    def host(self) -> str:
        """The broker's name or address."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The broker's port: 1883, or 8883 with TLS, unless the url says another."""
        parts = urlsplit(self.url)
        return parts.port or self.PORTS[parts.scheme]


def _rest(parts: SplitResult) -> bool:
    return bool(parts.path.strip("/") or parts.query or parts.fragment)


class ControlTable(Table):
    """`[control]`: the socket for `doorctl`."""

    socket: FilePath = Field(default=Path("/run/doorward/doord.sock"), description="the path of a socket")

    @field_validator("socket")
    @classmethod
    def _fits(cls, value: Path) -> Path:
        if len(str(value).encode()) > LONGEST_SOCKET:
            raise ValueError(f'found "{value}", expected at most {LONGEST_SOCKET} bytes for the path of a socket')
        return value


class DirectoryTable(Table):
    """`[directory]`: who may pass, and who may change that."""

    file: FilePath | None = None
    managed: Literal["here", "file", "upstream"] = Field("here", description='"here", "file" or "upstream"')
    unknown_cards_days: int = Field(90, ge=0, le=3650)
    """How long an unknown card is kept after it was shown; 0: none is."""

    @field_validator("managed")
    @classmethod
    def _has_a_file(cls, value: str, info: ValidationInfo) -> str:
        if value == "file" and info.data.get("file") is None:
            raise ValueError('found "file" without a file, expected file = "PATH" in [directory] as well')
        return value


class MetricsTable(Table):
    """`[metrics]`: figures for Prometheus, in a file that node-exporter reads."""

    file: FilePath | None = None
