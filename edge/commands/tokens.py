"""Signatures of commands: Ed25519 over a compact JSON Web Signature (RFC 7515, RFC 8037), and the keys that count.

One rule: nothing that a token says of itself decides how it is verified; `alg` is compared, never obeyed.
Loaded only where there are keys.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from edge.commands.shape import RefusedError, Signer, strict_json

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from edge.settings.controller import KeySettings

ALGORITHM: Final = "EdDSA"
"""RFC 8037; with an Ed25519 key it is Ed25519."""
HEADER: Final = frozenset({"alg", "typ", "kid"})
"""Everything that may stand in a header."""
MAX_HEADER: Final = 1_024
"""Characters of a header, as it is sent."""
MAX_KEY_BYTES: Final = 16 * 1024
"""Of a key file; a public key has 113."""
SIGNATURE_BYTES: Final = 64
_EDDSA: Final = jwt.PyJWS(algorithms=[ALGORITHM]).get_algorithm_by_name(ALGORITHM)
"""Verifies and nothing else: a whole `jwt.decode` would read a long forgery once more for each key."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key, and who signs with it."""

    public: Ed25519PublicKey
    signer: Signer


class Keyring:
    """The keys that count."""

    def __init__(self, keys: Iterable[PublicKey]) -> None:
        """Try them in this order, unless a token names one."""
        self._keys = tuple(keys)

    @property
    def signers(self) -> tuple[Signer, ...]:
        """Whose signatures count."""
        return tuple(key.signer for key in self._keys)

    def open(self, token: bytes) -> tuple[Signer, bytes]:
        """Return who signed, and what; RefusedError when no known key did."""
        signed, _, last = token.rpartition(b".")
        header, _, content = signed.partition(b".")
        signature = _decoded(last)
        if signature is None or len(signature) != SIGNATURE_BYTES:
            raise RefusedError("bad_signature", "this is no Ed25519 signature")
        for key in self._named(_header(header)):
            if _EDDSA.verify(signed, key.public, signature):  # the content is not looked at before
                return key.signer, _decoded(content) or b""
        raise RefusedError("bad_signature", "no key of this controller has signed this")

    def _named(self, header: dict[str, Any]) -> tuple[PublicKey, ...]:
        if "kid" not in header:
            return self._keys
        return tuple(key for key in self._keys if header["kid"] in (key.signer.name, key.signer.thumbprint))


def _header(part: bytes) -> dict[str, Any]:
    """The header, if it is one that says nothing of interest; it is read before its sender is known."""
    if len(part) > MAX_HEADER:
        raise RefusedError("bad_signature", f"the header has {len(part)} characters, expected at most {MAX_HEADER}")
    try:
        header = strict_json(_decoded(part) or b"")
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict) or header.get("alg") != ALGORITHM:
        raise RefusedError("bad_signature", f"expected alg {ALGORITHM} in the header")
    typ = header.get("typ", "JWT")
    if not header.keys() <= HEADER or not isinstance(typ, str) or typ.upper() != "JWT":
        raise RefusedError("bad_signature", f"expected nothing but {', '.join(sorted(HEADER))} (JWT) in the header")
    if not isinstance(header.get("kid", ""), str):
        raise RefusedError("bad_signature", "expected a text as kid")
    return header


def _decoded(part: bytes) -> bytes | None:
    """Base64url without padding (RFC 7515, section 2), in its one spelling: spare bits are zero."""
    try:
        found = base64.b64decode(part + b"=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
    return found if base64url(found) == part.decode() else None


def base64url(content: bytes) -> str:
    """As RFC 7515 has it, without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def thumbprint(public: Ed25519PublicKey) -> str:
    """The key's SHA-256 thumbprint (RFC 7638; RFC 8037, appendix A.3)."""
    x = base64url(public.public_bytes(Encoding.Raw, PublicFormat.Raw))
    return base64url(hashlib.sha256(f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'.encode()).digest())


def public_key(pem: bytes) -> Ed25519PublicKey:
    """Read a public key. Raises ValueError with a sentence."""
    if b"PRIVATE KEY" in pem:
        raise ValueError("a private key, which belongs on no controller: expected its public one")
    try:
        found = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("no public key, expected an Ed25519 one in PEM") from None
    if not isinstance(found, Ed25519PublicKey):
        raise ValueError("a key of another kind, expected an Ed25519 one")  # noqa: TRY004 -- of a file, not of a type
    return found


def read_keys(chosen: Iterable[KeySettings]) -> tuple[Keyring, dict[str, str]]:
    """Read key files: those that can be used, and what is wrong with the others, by their key in the configuration."""
    keys: dict[str, PublicKey] = {}
    problems: dict[str, str] = {}
    for one in chosen:
        try:
            public = public_key(_content(one.file))
        except OSError as error:
            problems[one.key] = f'found "{one.file}", expected a file that can be read: {error.strerror}'
            continue
        except ValueError as error:
            problems[one.key] = f'found "{one.file}", which is {error}'
            continue
        print_ = thumbprint(public)
        if print_ in keys:
            problems[one.key] = f'found "{one.file}", the same key as {keys[print_].signer.name}, expected another'
        else:
            keys[print_] = PublicKey(public, Signer(one.name, print_, one.commands, one.doors))
    return Keyring(keys.values()), problems


def _content(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(MAX_KEY_BYTES)
