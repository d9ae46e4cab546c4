"""The section `[web]` of the configuration file, checked at the border.

One rule: without TLS the page is for this computer alone.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Final

from pydantic import Field, ValidationInfo, field_validator

from edge.model.problems import shown
from edge.settings.tables import FilePath, Table, within

HIGHEST_PORT: Final = 65_535


class WebTable(Table):
    """`[web]`: the local page, which has a service of its own (`doorweb`)."""

    listen: str = Field(default="127.0.0.1:8443", description='"address:port", like "127.0.0.1:8443" or "[::]:8443"')
    tls: bool = Field(default=True, description="true or false")
    tls_proxy: bool = Field(default=False, description="true or false")
    cert_file: FilePath | None = None
    key_file: FilePath | None = None
    accounts: FilePath = Field(default=Path("/var/lib/doorweb/accounts.json"), description="the path of a file")
    metrics_token_file: FilePath | None = None
    idle_s: int = within((60, 86_400), "seconds", default=1_800)
    session_s: int = within((300, 604_800), "seconds", default=43_200)

    @field_validator("listen")
    @classmethod
    def _an_address(cls, value: str) -> str:
        try:
            _listens_at(value)
        except ValueError as error:
            expected = 'expected an IP address and a port, like "127.0.0.1:8443" or "[::]:8443"'
            raise ValueError(f"found {shown(value)}, {expected}") from error
        return value

    @field_validator("tls")
    @classmethod
    def _not_in_the_open(cls, value: bool, info: ValidationInfo) -> bool:
        listen = info.data.get("listen")
        if not value and listen is not None and not _listens_at(listen)[0].is_loopback:
            raise ValueError(f"found false with listen = {shown(listen)}, which others can reach: expected true")
        return value

    @field_validator("tls_proxy")
    @classmethod
    def _in_front(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("tls") is True:
            raise ValueError("found true with tls = true, expected tls = false: the page speaks TLS itself")
        return value

    @field_validator("cert_file", "key_file")
    @classmethod
    def _with_tls(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and info.data.get("tls") is False:
            raise ValueError("found with tls = false, expected true")
        return value

    @field_validator("key_file")
    @classmethod
    def _a_pair(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and info.data.get("cert_file", value) is None:
            raise ValueError("found without cert_file, expected one as well")
        return value

    @property
    def address(self) -> str:
        """The address at which it listens, without the port."""
        return str(_listens_at(self.listen)[0])

    @property
    def port(self) -> int:
        """The port at which it listens; 0: the kernel chooses one."""
        return _listens_at(self.listen)[1]


def _listens_at(value: str) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]:
    """An address and a port. Raises ValueError."""
    found = re.fullmatch(r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<v4>[0-9.]+)):(?P<port>[0-9]{1,5})", value)
    if found is None or int(found["port"]) > HIGHEST_PORT:
        raise ValueError(value)
    return ipaddress.IPv6Address(found["v6"]) if found["v6"] else ipaddress.IPv4Address(found["v4"]), int(found["port"])
