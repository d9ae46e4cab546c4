"""PINs: hashed with scrypt (RFC 7914), compared in constant time, never kept or shown.

One rule: a PIN in clear lives only as long as the call that hashes or checks it. One hash takes
16 MiB and some 50 ms on a PC, 150 to 300 ms on a Raspberry Pi: never on a thread that serves doors.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import Final

PIN: Final = re.compile(r"[0-9]{4,12}")
PIN_EXPECTED: Final = "4 to 12 digits"
SALT_BYTES: Final = 16
DIGEST_BYTES: Final = 32
_LOG2_N: Final = range(10, 18)
_R: Final = range(1, 17)
_P: Final = range(1, 5)
_MAX_BYTES: Final = 64 << 20
"""Memory that a hash in a document may need."""
_TEXT: Final = re.compile(
    r"scrypt\$ln=(?P<ln>[0-9]{1,2}),r=(?P<r>[0-9]{1,2}),p=(?P<p>[0-9])\$(?P<salt>[^$]{1,88})\$(?P<digest>[^$]{43})"
)
HASH_EXPECTED: Final = "scrypt$ln=14,r=8,p=1$SALT$DIGEST, both in base64 without padding"


@dataclass(frozen=True, slots=True)
class HashParameters:
    """How a PIN is hashed. PINs with the same parameters can be looked up with one hash."""

    salt: bytes = field(repr=False)
    log2_n: int = 14
    r: int = 8
    p: int = 1

    def digest(self, pin: str) -> bytes:
        """Hash a PIN: the slow step."""
        return hashlib.scrypt(
            pin.encode(errors="surrogatepass"),
            salt=self.salt,
            n=1 << self.log2_n,
            r=self.r,
            p=self.p,
            dklen=DIGEST_BYTES,
            maxmem=2 * _MAX_BYTES,
        )


@dataclass(frozen=True, slots=True)
class PinHash:
    """A PIN as it is stored: its hash."""

    recipe: HashParameters
    digest: bytes = field(repr=False)

    def is_of(self, digest: bytes) -> bool:
        """Whether a digest made with the same parameters is this PIN's; in constant time."""
        return hmac.compare_digest(self.digest, digest)

    @property
    def text(self) -> str:
        """The hash as it is written in a document."""
        recipe = self.recipe
        parameters = f"ln={recipe.log2_n},r={recipe.r},p={recipe.p}"
        return f"scrypt${parameters}${_base64(recipe.salt)}${_base64(self.digest)}"


def hashed(pin: str, salt: bytes) -> PinHash:
    """Hash a PIN that has arrived in clear. Slow."""
    recipe = HashParameters(salt)
    return PinHash(recipe, recipe.digest(pin))


def parse(text: str) -> PinHash:
    """Read a hash from a document. Raises ValueError when it is not a hash, or takes too much memory or time."""
    found = _TEXT.fullmatch(text)
    if found is None:
        raise ValueError(f"expected {HASH_EXPECTED}")
    log2_n, r, p = (int(found[name]) for name in ("ln", "r", "p"))
    if log2_n not in _LOG2_N or r not in _R or p not in _P or 128 * r << log2_n > _MAX_BYTES:
        raise ValueError("expected ln 10 to 17, r 1 to 16, p 1 to 4 and at most 64 MiB of memory")
    return PinHash(HashParameters(_bytes(found["salt"]), log2_n, r, p), _bytes(found["digest"]))


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"expected {HASH_EXPECTED}") from None
