"""`doorctl sign`: makes keys, and signs commands. It needs no daemon and no controller.

One rule: a command that every controller would refuse is not signed. A private key is never shown or overwritten.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import stat
import sys
import time
import uuid
from typing import TYPE_CHECKING, Any, Final

from edge.cli.text import say, say_json
from edge.model.printable import spelt

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

UNITS_S: Final = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
PUBLIC: Final = ".pub.pem"
LONGEST: Final = 64 * 1024
"""Bytes of a token that a controller accepts."""


def sign(arguments: argparse.Namespace) -> int:
    """Make a key, or print a signed command."""
    if arguments.new_key is not None:
        return _new_key(arguments)
    if arguments.key is None or arguments.controller is None or arguments.name is None:
        raise ValueError("expected --key FILE, --controller ID and a command, or --new-key FILE")
    key = _private_key(arguments.key)
    claims = _claims(arguments)
    token = _token(key, claims)
    if len(token) > LONGEST:
        raise ValueError(f"the signed command has {len(token)} bytes, expected at most {LONGEST}")
    if arguments.json:
        say_json({"id": claims["jti"], "token": token})
    else:
        say(token)
    return 0


# --- keys -----------------------------------------------------------------------------------------


def _new_key(arguments: argparse.Namespace) -> int:
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415 -- slow to import
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 -- as above
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    from edge.commands.tokens import thumbprint  # noqa: PLC0415 -- as above

    made = ed25519.Ed25519PrivateKey.generate()
    private = arguments.new_key
    public = private.with_name(private.name.removesuffix(".pem") + PUBLIC)
    _create(public, made.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), 0o644)
    try:
        _create(private, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
    except OSError:
        public.unlink()
        raise
    print_ = thumbprint(made.public_key())
    if arguments.json:
        say_json({"private": str(private), "public": str(public), "thumbprint": print_})
    else:
        say(f"{private}: the private key; keep it where commands are signed, never on a controller")
        say(f"{public}: the public key, for [commands] of each controller; thumbprint {print_}")
    return 0


def _create(file: Path, content: bytes, mode: int) -> None:
    """Write a new file. Raises OSError, also when it exists."""
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise FileExistsError(f"{file} is there already, and a key is never overwritten") from None
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _private_key(file: Path) -> Ed25519PrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 -- slow to import
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415 -- as above
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 -- as above

    with file.open("rb") as stream:
        mode, content = os.fstat(stream.fileno()).st_mode, stream.read(LONGEST)
    if stat.S_ISREG(mode) and mode & (stat.S_IRWXG | stat.S_IRWXO):
        sys.stderr.write(f"doorctl: {spelt(file)}: other users can read or change this private key: chmod 600 it\n")
    try:
        key = load_pem_private_key(content, None)
    except TypeError:
        raise ValueError(f"{file} is encrypted, expected a key that needs no password") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError(f"{file} is not a private key in PEM; doorctl sign --new-key makes one") from None
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise ValueError(f"{file} is a key of another kind, expected an Ed25519 one")  # noqa: TRY004 -- of a file
    return key


# --- commands -------------------------------------------------------------------------------------


def _claims(arguments: argparse.Namespace) -> dict[str, Any]:
    """The claims to sign. Raises ValueError for a command that a controller would refuse."""
    from edge.commands.claims import body_of  # noqa: PLC0415 -- pydantic is slow to import
    from edge.commands.shape import RefusedError, shape  # noqa: PLC0415 -- as above

    body = _whole() if arguments.name == "-" else {"command": arguments.name}
    body = {**body, **_said(arguments)}
    command_id = body.pop("id", None)
    issued_s = int(time.time())
    claims = {
        "aud": arguments.controller,
        "jti": str(uuid.uuid4()) if command_id is None else command_id,
        "iat": issued_s,
        "exp": issued_s + _seconds(arguments.valid_for),
        **body,
    }
    claims.setdefault("actor", {"id": pwd.getpwuid(os.getuid()).pw_name})
    try:
        shape(body_of(dict(claims), arguments.controller))
    except RefusedError as error:
        raise ValueError(f"a controller would refuse it: {error.text} ({error.code})") from None
    return claims


def _said(arguments: argparse.Namespace) -> dict[str, Any]:
    """The keys of the command that the options give."""
    said: dict[str, Any] = {}
    if arguments.door:
        said |= {"door": arguments.door[0]} if len(arguments.door) == 1 else {"doors": arguments.door}
    if arguments.all:
        said["all"] = True
    if arguments.for_s is not None:
        said["for_s"] = arguments.for_s
    if arguments.actor is not None:
        said["actor"] = {"id": arguments.actor}
    if arguments.id is not None:
        said["id"] = arguments.id
    return said


def _whole() -> dict[str, Any]:
    """A command object from stdin, without times: the token has them."""
    from edge.commands.shape import RefusedError, json_object  # noqa: PLC0415 -- pydantic is slow to import

    content = sys.stdin.buffer.read(LONGEST + 1) if hasattr(sys.stdin, "buffer") else sys.stdin.read().encode()
    try:
        body = json_object(content, "stdin")
    except RefusedError as error:
        raise ValueError(error.text) from None
    if claimed := sorted({"aud", "jti", "iat", "exp", "issued_at", "expires_at"} & body.keys()):
        raise ValueError(f"{claimed[0]} is not taken from stdin: use --controller, --id and --valid-for")
    return body


def _seconds(text: str) -> int:
    match = re.fullmatch(r"([0-9]{1,6})([smhd]?)", text)
    if match is None or int(match[1]) == 0:
        raise ValueError(f"--valid-for: found {text!r}, expected a time like 30s, 5m or 2h")
    return int(match[1]) * UNITS_S[match[2]]


def _token(key: Ed25519PrivateKey, claims: dict[str, Any]) -> str:
    import jwt  # noqa: PLC0415 -- slow to import

    from edge.commands.tokens import ALGORITHM, thumbprint  # noqa: PLC0415 -- as above

    content = json.dumps(claims, ensure_ascii=False, separators=(",", ":")).encode()
    header = {"kid": thumbprint(key.public_key())}
    return jwt.PyJWS(algorithms=[ALGORITHM]).encode(content, key, ALGORITHM, header)
