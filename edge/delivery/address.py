"""Which addresses deliveries may go to: public ones, and private ones only if the configuration names them.

One rule: the address that will be connected to is checked, never a name. A name may resolve differently the
next time (DNS rebinding), and an address has many spellings: ::ffff:127.0.0.1 is 127.0.0.1.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_IPV4: Final = 4
_LAST_IS_IPV4: Final = tuple(ipaddress.IPv6Network(one) for one in ("64:ff9b::/96", "64:ff9b:1::/48", "::/96"))
"""Prefixes whose last 32 bits are an IPv4 address: NAT64 (RFC 6052, 8215), IPv4-compatible (RFC 4291, deprecated)."""
_SITE_LOCAL: Final = ipaddress.IPv6Network("fec0::/10")
_THIS_HOST: Final = ipaddress.IPv4Network("0.0.0.0/8")


@dataclass(frozen=True, slots=True)
class AllowedAddresses:
    """The addresses that `[integrations]` allows."""

    allow_private: bool = False
    networks: tuple[Network, ...] = ()

    def refusal(self, text: str) -> str | None:
        """Why nothing is sent to this address, for people; None: it is allowed. ValueError when it is no address."""
        address = ipaddress.ip_address(text.partition("%")[0])
        for target in meant(address):
            if reason := self._refusal(target):
                return reason
        return None

    def _refusal(self, address: Address) -> str | None:
        if address.is_multicast or address.is_unspecified or address in _THIS_HOST or int(address) == 0xFFFFFFFF:  # noqa: PLR2004 -- the broadcast address
            return f"{address} is not the address of a single computer"
        if self.allow_private or any(address in network for network in self.networks) or is_public(address):
            return None
        return (
            f"{address} is not on the Internet but {_kind(address)}: list its network in [integrations] networks, "
            "or set allow_private = true"
        )

    def refusal_of_any(self, addresses: Sequence[str]) -> str | None:
        """Why a name with these addresses is refused: because of the first that is not allowed. None: all are."""
        return next((reason for text in addresses if (reason := self.refusal(text))), None)


def is_public(address: Address) -> bool:
    """Whether an address is public (IANA's special-purpose address registries, as Python has them)."""
    return address.is_global and not address.is_multicast and not address.is_reserved and address not in _SITE_LOCAL


def is_own(text: str) -> bool:
    """Whether an address and all IPv4 addresses in it are private: plain http is allowed only there."""
    return not any(is_public(target) for target in meant(ipaddress.ip_address(text.partition("%")[0])))


def meant(address: Address) -> tuple[Address, ...]:
    """All addresses that packets to this one may reach: an IPv6 address may contain IPv4 addresses."""
    if isinstance(address, ipaddress.IPv4Address):
        return (address,)
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if any(address in network for network in _LAST_IS_IPV4) and int(address) > 1:  # ::1 is the loopback
        return (_last(address),)
    return (address, *([address.sixtofour] if address.sixtofour else []), *(address.teredo or ()))


def _last(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)


def _kind(address: Address) -> str:
    if address.is_loopback:
        return "this computer's own"
    if address.is_link_local:
        return "a link's own"
    return "private or reserved"
