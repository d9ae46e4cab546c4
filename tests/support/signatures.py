"""Keys, and tokens signed with them, made with another library's words than those that verify them."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

if TYPE_CHECKING:
    from pathlib import Path


def coded(content: bytes | dict[str, Any]) -> bytes:
    """Base64url of RFC 7515."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def joined(header: bytes | dict[str, Any], claims: bytes | dict[str, Any], signature: bytes) -> bytes:
    return b".".join((coded(header), coded(claims), coded(signature)))


class Pair:
    """A key of somebody who signs; `seed` makes it the same in every run."""

    def __init__(self, seed: int = 1) -> None:
        self.private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        self.public = self.private.public_key()
        self.public_pem = self.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        self.private_pem = self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def write(self, file: Path) -> Path:
        """The public key, as a controller has it."""
        file.write_bytes(self.public_pem)
        return file

    def token(self, claims: dict[str, Any] | bytes, header: dict[str, Any] | bytes | None = None) -> bytes:
        """A compact token; the header is right unless another is given."""
        header = {"alg": "EdDSA", "typ": "JWT"} if header is None else header
        signed = coded(header) + b"." + coded(claims)
        return signed + b"." + coded(self.private.sign(signed))
