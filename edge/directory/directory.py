"""The directory: people, their cards and PINs, and where and when they may pass.

One rule: a directory is a frozen value that has been checked as a whole (`edge.directory.document.reading`):
every reference in it leads to an entry, and everything a door asks is one lookup in an index.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from edge.directory.cards import CardNumber, Format, keys_of, written
from edge.model.messages import Actor

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from edge.directory.pins import HashParameters, PinHash
    from edge.model.messages import CardRead
    from edge.model.schedule import Schedule


class Ask(StrEnum):
    """What a reader asks for."""

    CARD = "card"
    CARD_AND_PIN = "card_and_pin"
    CARD_OR_PIN = "card_or_pin"
    PIN = "pin"


@dataclass(frozen=True, slots=True)
class User:
    """A person."""

    id: str
    name: str
    email: str | None = None

    @property
    def actor(self) -> Actor:
        """The person as a record names them."""
        return Actor("user", self.id, self.name, self.email)


@dataclass(frozen=True, slots=True)
class Card:
    """A card. It is looked up by `key`."""

    id: str
    format: Format
    facility: int | None
    number: str = field(repr=False)
    """Decimal and padded, hexadecimal for raw cards, the hash in hexadecimal for tokens."""
    bits: int | None
    active: bool
    user: str | None
    """The user it was issued to."""
    key: bytes = field(repr=False)

    @property
    def token(self) -> bool:
        """Whether it is a secret of which only the hash is kept."""
        return self.format is Format.TOKEN

    @property
    def shown(self) -> str:
        """Its last digits, for records."""
        return "…" if self.token else CardNumber(self.format, self.facility, self.number).shown

    @property
    def written(self) -> str | None:
        """Its number as it can be entered; None for a token, of which only the hash is kept."""
        return None if self.token else written(self.format, self.facility, self.number, self.bits)


@dataclass(frozen=True, slots=True)
class Member:
    """A person's membership: from when to when, with which cards, PIN and groups. Lists are sorted, to be compared."""

    id: str
    user: str
    enabled: bool = True
    valid_from: datetime | None = None
    """In UTC. From this moment on the member may pass."""
    valid_until: datetime | None = None
    """In UTC. From this moment on the member may not pass."""
    cards: tuple[str, ...] = ()
    backup_cards: tuple[str, ...] = ()
    disabled_cards: tuple[str, ...] = ()
    pin: PinHash | None = None
    pin_alone: bool = False
    """The PIN works without a card, at readers that take one."""
    extended_unlock: bool = False
    visitor: bool = False
    """The controller removes the member, with user and cards, a day after `valid_until`, which a visitor always has."""
    groups: tuple[str, ...] = ()

    def has_left(self, known: datetime | None) -> bool:
        """Whether this is a visitor whose time is over: their cards may go to others. `known`: it is not earlier."""
        over = self.valid_until is not None and known is not None and known >= self.valid_until
        return self.visitor and over


@dataclass(frozen=True, slots=True)
class Group:
    """Doors and floors that its members may pass, always or by a schedule."""

    id: str
    name: str
    doors: frozenset[str] = frozenset()
    stops: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Elevator -> floors."""
    schedule: str | None = None


@dataclass(frozen=True, slots=True)
class ReaderPolicy:
    """What a reader asks for, and how many wrong attempts lock it."""

    ask: Ask = Ask.CARD
    pin_within_s: float = 10.0
    """The longest time from a card to its PIN, and from one key of a PIN to the next."""
    wrong_pins: int = 5
    """This many wrong PINs within `wrong_pins_within_s` lock the keypad for `locked_out_s`."""
    wrong_pins_within_s: float = 60.0
    locked_out_s: float = 60.0
    wrong_pins_an_hour: int = 20
    """This many wrong PINs within an hour lock the keypad too, however slowly they come."""
    unknown_cards: int = 20
    """This many different unknown cards within a minute lock the reader; 0: they only raise the alarm."""


@dataclass(frozen=True, slots=True)
class AntiPassback:
    """Anti-passback of an entry door: `exit` is the door by which people leave the area again."""

    exit: str
    hard: bool
    """True: a second entry without an exit is refused. False: it is only recorded."""
    forget_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class DoorAccess:
    """What the directory says of a door."""

    id: str
    asking: ReaderPolicy = field(default_factory=ReaderPolicy)
    schedule: str | None = None
    extended_unlock_s: float = 20.0
    anti_passback: AntiPassback | None = None


@dataclass(frozen=True, slots=True)
class Floor:
    """A floor of an elevator."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Elevator:
    """A reader in a cabin, and the floors it can allow; its wires are in the configuration."""

    id: str
    name: str
    floors: Mapping[str, Floor]
    asking: ReaderPolicy = field(default_factory=ReaderPolicy)
    permit_s: float = 10.0
    extended_permit_s: float = 20.0


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera that looks at doors."""

    id: str
    name: str
    doors: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Integration:
    """Another system that is connected; records are passed on to one that has a kind."""

    id: str
    name: str
    kind: str | None = None
    """`webhook` or `syslog`."""
    url: str | None = None
    types: tuple[str, ...] = ()
    """Event types, and patterns like `lock.*`; an empty tuple means all."""
    secret: str | None = None
    """The name of the secret that signs requests or is inserted into the url; never the secret itself."""
    format: str | None = None
    """The body that a webhook gets: one of `edge.delivery.receivers.chat.FORMATS`; None: the event itself."""


@dataclass(frozen=True, slots=True)
class Directory:
    """Everything, by id. The default is an empty one: nobody may pass."""

    version: int = 0
    users: Mapping[str, User] = field(default_factory=dict)
    members: Mapping[str, Member] = field(default_factory=dict)
    cards: Mapping[str, Card] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    doors: Mapping[str, DoorAccess] = field(default_factory=dict)
    elevators: Mapping[str, Elevator] = field(default_factory=dict)
    cameras: Mapping[str, Camera] = field(default_factory=dict)
    integrations: Mapping[str, Integration] = field(default_factory=dict)
    by_key: Mapping[bytes, str] = field(default_factory=dict, compare=False, repr=False)
    """`Card.key` -> id of the card."""
    holders: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    """Id of a card -> id of the member who holds it."""
    alone: Mapping[HashParameters, Mapping[bytes, str]] = field(default_factory=dict, compare=False, repr=False)
    """Hash parameters -> digest -> id of the member, for PINs that work without a card."""

    def card(self, read: CardRead) -> Card | None:
        """The card that was read, or None. Never raises."""
        for key in keys_of(read):
            found = self.by_key.get(key)
            if found is not None:
                return self.cards[found]
        return None

    def holder(self, card: str) -> Member | None:
        """The member who holds a card, or None."""
        member = self.holders.get(card)
        return None if member is None else self.members[member]

    def user_of(self, member: Member) -> User:
        """The person behind a member."""
        return self.users[member.user]

    def access(self, door: str) -> DoorAccess:
        """The entry of a door; the defaults for one that has none."""
        return self.doors.get(door) or DoorAccess(door)
