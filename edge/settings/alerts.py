"""The tables for passing records on: `[integrations]`, `[smtp]`, `[ntfy]` and `[alert.ID]`.

One rule: as in `edge.settings.tables`, each key has a `description` of what is expected, which error messages use.
"""

from __future__ import annotations

import ipaddress
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from edge.model.catalogue import CATALOGUE, Severity, matching
from edge.model.problems import meant, shown
from edge.settings.host_names import is_host, is_web_url
from edge.settings.tables import FilePath, Id, Name, Table

MOST_ALERTS = 64
MOST_EACH = 100
"""Types, doors, people, groups, recipients of one policy."""
SIREN_S = (1.0, 600.0)
QUIET_S = (0.0, 86_400.0)
ESCALATE_S = (1.0, 86_400.0)
WEB_URL_EXPECTED = 'an address like "https://ntfy.example.org"'
HOST_EXPECTED = 'the name or address of a host, like "mail.example.org"; the port has its own key'


def _email(value: object) -> str:
    parts = value.split("@") if isinstance(value, str) else []
    plain = isinstance(value, str) and value.isascii() and value.isprintable() and not set(value) & set(' ,;:<>()[]\\"')
    if len(parts) != 2 or not all(parts) or not plain or len(str(value)) > 254:  # noqa: PLR2004 -- RFC 5321, 4.5.3.1
        raise ValueError(f"found {shown(value)}, expected an e-mail address in ASCII")
    return str(value)


def _network(value: object) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        if isinstance(value, str):
            return ipaddress.ip_network(value)
    except ValueError:
        pass
    raise ValueError(f'found {shown(value)}, expected a network like "10.1.0.0/16" or "fd12::/48"')


def _types(value: object) -> object:
    """Each pattern must match an event type."""
    for one in value if isinstance(value, list) else ():
        if not isinstance(one, str) or not matching([one]):
            raise ValueError(f"found {shown(one)}, {meant(str(one), CATALOGUE)}")
    return value


def _host(value: object) -> str:
    if not isinstance(value, str) or not value.isascii() or not is_host(value):
        raise ValueError(f"found {shown(value)}, expected {HOST_EXPECTED}")
    return value


def _web_url(value: str) -> str:
    """A server's or page's address, to which a path is added."""
    if not is_web_url(value) or "?" in value:
        raise ValueError(f"found {shown(value)}, expected {WEB_URL_EXPECTED}")
    return value.rstrip("/")


Host: TypeAlias = Annotated[str, BeforeValidator(_host)]
Email: TypeAlias = Annotated[str, BeforeValidator(_email)]
WebUrl: TypeAlias = Annotated[str, AfterValidator(_web_url)]
Network: TypeAlias = Annotated[ipaddress.IPv4Network | ipaddress.IPv6Network, BeforeValidator(_network)]
Types: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_types)]
NtfyTopics: TypeAlias = tuple[Annotated[str, Field(pattern=r"^[-_A-Za-z0-9]{1,64}$")], ...]
Names: TypeAlias = tuple[Annotated[str, Field(min_length=1, max_length=64)], ...]


class IntegrationsTable(Table):
    """`[integrations]`: where records may be passed on to; the integrations themselves are in the directory."""

    allow_private: bool = Field(default=False, description="true or false")
    networks: tuple[Network, ...] = Field(
        default=(), strict=False, max_length=MOST_EACH, description='a list of networks like "10.1.0.0/16"'
    )
    ca_file: FilePath | None = None
    tls_strict: bool = Field(default=True, description="true or false")
    warn_tries: int = Field(default=20, ge=1, le=1_000, description="1 to 1000 tries")
    warn_percent: float = Field(default=50.0, ge=1.0, le=100.0, description="1 to 100 percent")
    disable_after_s: float = Field(default=86_400.0, ge=60.0, le=2_592_000.0, description="60 to 2592000 seconds")
    disable_tries: int = Field(default=1_000, ge=1, le=1_000_000, description="1 to 1000000 tries")


class SmtpTable(Table):
    """`[smtp]`: the server that takes e-mails."""

    host: Host = Field(description=HOST_EXPECTED)
    port: int = Field(default=587, ge=1, le=65535, description="1 to 65535")
    tls: Literal["starttls", "tls"] = "starttls"
    sender: Email
    username: str | None = Field(default=None, min_length=1, max_length=255, description="a user name")
    password_file: FilePath | None = None
    ca_file: FilePath | None = None
    tls_strict: bool = Field(default=True, description="true or false")

    @field_validator("password_file")
    @classmethod
    def _somebodys(cls, value: object, info: ValidationInfo) -> object:
        if value is not None and info.data.get("username", "") is None:
            raise ValueError("found without username, expected one as well")
        return value


class NtfyTable(Table):
    """`[ntfy]`: the ntfy server that takes notifications for phones."""

    REFUSED: ClassVar = {
        key: f"a secret does not belong into this file, which others may read: expected {key}_file, the path of a file"
        for key in ("token", "password")
    }

    url: WebUrl = Field(description=WEB_URL_EXPECTED)
    token_file: FilePath | None = None
    username: str | None = Field(
        default=None, min_length=1, max_length=255, pattern=r"^[!-9;-~]+$", description="a user name in ASCII"
    )
    password_file: FilePath | None = Field(default=None, validate_default=True)
    page: WebUrl | None = Field(default=None, description='an address like "https://doors.example.org:8443"')
    ca_file: FilePath | None = None
    tls_strict: bool = Field(default=True, description="true or false")

    @field_validator("username")
    @classmethod
    def _one_way_in(cls, value: object, info: ValidationInfo) -> object:
        if value is not None and info.data.get("token_file") is not None:
            raise ValueError("found beside token_file, expected one of the two")
        return value

    @field_validator("password_file")
    @classmethod
    def _a_pair(cls, value: object, info: ValidationInfo) -> object:
        if "username" in info.data and (value is None) != (info.data["username"] is None):
            raise ValueError("expected username and password_file together")
        return value


class SirenTable(Table):
    """`siren = { door, for_s }`: a door's buzzer."""

    door: Id = Field(description="the id of a door")
    for_s: float = Field(default=60.0, ge=SIREN_S[0], le=SIREN_S[1], description="1 to 600 seconds")


class ActionsTable(Table):
    """The people to tell, and the channels."""

    mqtt: bool = Field(default=False, description="true or false")
    webhook: Names = Field(
        default=(), strict=False, max_length=MOST_EACH, description="a list of ids of integrations of kind webhook"
    )
    email: tuple[Email, ...] = Field(
        default=(), strict=False, max_length=MOST_EACH, description="a list of e-mail addresses"
    )
    ntfy: NtfyTopics = Field(
        default=(),
        strict=False,
        max_length=MOST_EACH,
        description="a list of topics of 1 to 64 letters, digits, - and _",
    )
    siren: SirenTable | None = Field(default=None, description='a table like { door = "front", for_s = 60 }')


class AlertTable(ActionsTable):
    """`[alert.ID]`: which records raise an alert, and how people are told."""

    name: Name | None = Field(default=None, description="a name for people")
    types: Types = Field(strict=False, min_length=1, max_length=MOST_EACH, description="a list of event types")
    doors: tuple[Id, ...] = Field(default=(), strict=False, max_length=MOST_EACH, description="a list of ids of doors")
    people: Names = Field(default=(), strict=False, max_length=MOST_EACH, description="a list of ids of users")
    groups: Names = Field(default=(), strict=False, max_length=MOST_EACH, description="a list of ids of groups")
    outcome: Literal["any", "success", "failure"] = "any"
    schedule: str | None = Field(default=None, min_length=1, max_length=64, description="the id of an access schedule")
    severity: Severity = Field(default=Severity.WARNING, strict=False)
    quiet_s: float = Field(default=300.0, ge=QUIET_S[0], le=QUIET_S[1], description="0 to 86400 seconds")
    escalate_after_s: float | None = Field(
        default=None, ge=ESCALATE_S[0], le=ESCALATE_S[1], description="1 to 86400 seconds"
    )
    escalate_to: ActionsTable | None = Field(
        default=None, description="a table of ways: mqtt, webhook, email, ntfy, siren"
    )
