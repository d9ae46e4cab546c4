"""Which addresses deliveries may go to: the Internet's, and of our own network only what the configuration names.

One rule: what is judged is the address that will be connected to, never a name. Names change between
two looks (DNS rebinding), and an address has many spellings: ::ffff:127.0.0.1 is 127.0.0.1.
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
"""NAT64 (RFC 6052, 8215), and the compatible addresses of RFC 4291, which are long out of use."""
_SITE_LOCAL: Final = ipaddress.IPv6Network("fec0::/10")
_THIS_HOST: Final = ipaddress.IPv4Network("0.0.0.0/8")


@dataclass(frozen=True, slots=True)
class Reach:
    """What `[integrations]` says of addresses."""

    allow_private: bool = False
    networks: tuple[Network, ...] = ()

    def refusal(self, text: str) -> str | None:
        """Why nothing is sent to this address, for people; None when it may be. ValueError when it is none."""
        address = ipaddress.ip_address(text.partition("%")[0])
        for one in meant(address):
            if reason := self._refusal(one):
                return reason
        return None

    def _refusal(self, address: Address) -> str | None:
        if address.is_multicast or address.is_unspecified or address in _THIS_HOST or int(address) == 0xFFFFFFFF:  # noqa: PLR2004 -- the broadcast address
            return f"{address} is no address of one computer"
        if self.allow_private or any(address in network for network in self.networks) or is_public(address):
            return None
        return (
            f"{address} is not on the Internet but {_kind(address)}: list its network in [integrations] networks, "
            "or set allow_private = true"
        )

    def refusal_of_any(self, addresses: Sequence[str]) -> str | None:
        """Why a name with these addresses is refused: one that may not be is enough."""
        return next((reason for text in addresses if (reason := self.refusal(text))), None)


def is_public(address: Address) -> bool:
    """Whether an address is one of the Internet's (IANA's special-purpose registries, as Python has them)."""
    return address.is_global and not address.is_multicast and not address.is_reserved and address not in _SITE_LOCAL


def is_own(text: str) -> bool:
    """Whether an address is of our own network in all its meanings: plain http stays there."""
    return not any(is_public(one) for one in meant(ipaddress.ip_address(text.partition("%")[0])))


def meant(address: Address) -> tuple[Address, ...]:
    """The address, and the IPv4 addresses that an IPv6 one stands for: a router may well follow either."""
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
