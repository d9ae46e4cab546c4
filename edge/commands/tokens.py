"""Verifies signatures of commands (Ed25519, compact JSON Web Signature, RFC 7515 and RFC 8037), and reads keys.

One rule: the token never chooses how it is verified. Its `alg` must be the expected one.
Loaded only where keys are configured.
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
"""RFC 8037. With an Ed25519 key this is Ed25519."""
HEADER: Final = frozenset({"alg", "typ", "kid"})
"""The names that a header may have."""
MAX_HEADER: Final = 1_024
"""Characters of an encoded header."""
MAX_KEY_BYTES: Final = 16 * 1024
"""Bytes that are read of a key file; a public key has 113."""
SIGNATURE_BYTES: Final = 64
_EDDSA: Final = jwt.PyJWS(algorithms=[ALGORITHM]).get_algorithm_by_name(ALGORITHM)
"""Only verifies. `jwt.decode` would also parse a forged token, once for each key."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key, with its name and permissions."""

    public: Ed25519PublicKey
    signer: Signer


class Keyring:
    """The configured public keys."""

    def __init__(self, keys: Iterable[PublicKey]) -> None:
        """A token that names no key is tried with each, in this order."""
        self._keys = tuple(keys)

    @property
    def signers(self) -> tuple[Signer, ...]:
        """The signers whose commands are accepted."""
        return tuple(key.signer for key in self._keys)

    def open(self, token: bytes) -> tuple[Signer, bytes]:
        """Return the signer and the signed content. Raises RefusedError when no known key has signed it."""
        signed, _, last = token.rpartition(b".")
        header, _, content = signed.partition(b".")
        signature = _decoded(last)
        if signature is None or len(signature) != SIGNATURE_BYTES:
            raise RefusedError("bad_signature", "expected an Ed25519 signature")
        for key in self._named(_header(header)):
            if _EDDSA.verify(signed, key.public, signature):  # the content is decoded only after that
                return key.signer, _decoded(content) or b""
        raise RefusedError("bad_signature", "no key of this controller has signed this command")

    def _named(self, header: dict[str, Any]) -> tuple[PublicKey, ...]:
        if "kid" not in header:
            return self._keys
        return tuple(key for key in self._keys if header["kid"] in (key.signer.name, key.signer.thumbprint))


def _header(part: bytes) -> dict[str, Any]:
    """The header, which has only the expected names. Raises RefusedError; the sender is not known yet."""
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
        raise RefusedError("bad_signature", f"expected only {', '.join(sorted(HEADER))} in the header, and JWT as typ")
    if not isinstance(header.get("kid", ""), str):
        raise RefusedError("bad_signature", "expected a text as kid")
    return header


def _decoded(part: bytes) -> bytes | None:
    """Base64url without padding (RFC 7515, section 2). Only the canonical form is accepted: unused bits are zero."""
    try:
        content = base64.b64decode(part + b"=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
    return content if base64url(content) == part.decode() else None


def base64url(content: bytes) -> str:
    """Base64url without padding (RFC 7515)."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def thumbprint(public: Ed25519PublicKey) -> str:
    """The key's SHA-256 thumbprint (RFC 7638; RFC 8037, appendix A.3)."""
    x = base64url(public.public_bytes(Encoding.Raw, PublicFormat.Raw))
    return base64url(hashlib.sha256(f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'.encode()).digest())


def public_key(pem: bytes) -> Ed25519PublicKey:
    """Read a public key. Raises ValueError, worded to follow `which is`."""
    if b"PRIVATE KEY" in pem:
        raise ValueError("a private key, expected its public key: a private key must not be on a controller")
    try:
        public = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("no public key, expected an Ed25519 one in PEM") from None
    if not isinstance(public, Ed25519PublicKey):
        raise ValueError("a key of another kind, expected an Ed25519 one")  # noqa: TRY004 -- of a file, not of a type
    return public


def read_keys(chosen: Iterable[KeySettings]) -> tuple[Keyring, dict[str, str]]:
    """Read key files. Returns the usable keys, and the problems of the others by their place in the configuration."""
    keys: dict[str, PublicKey] = {}
    problems: dict[str, str] = {}
    for chosen_key in chosen:
        try:
            public = public_key(_content(chosen_key.file))
        except OSError as error:
            problems[chosen_key.key] = f'found "{chosen_key.file}", expected a file that can be read: {error.strerror}'
            continue
        except ValueError as error:
            problems[chosen_key.key] = f'found "{chosen_key.file}", which is {error}'
            continue
        print_ = thumbprint(public)
        if print_ in keys:
            signer = keys[print_].signer.name
            problems[chosen_key.key] = f'found "{chosen_key.file}", the same key as {signer}, expected another'
        else:
            keys[print_] = PublicKey(public, Signer(chosen_key.name, print_, chosen_key.commands, chosen_key.doors))
    return Keyring(keys.values()), problems


def _content(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(MAX_KEY_BYTES)
