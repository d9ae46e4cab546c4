"""The secure channel: both sides prove that they have the key; data is encrypted and authenticated.

One rule: a frame is accepted only if its authentication code continues the chain; anything else
raises `SecureError` and changes nothing. Source: SIA OSDP v2.2 (IEC 60839-11-5), annex D.
AES comes from `cryptography`, loaded with the first session.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from drivers.osdp import messages
from drivers.osdp.frames import MAC, Frame

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB

DEFAULT_KEY: Final = bytes(range(0x30, 0x40))
"""SCBK-D, which everybody knows: good for handing over a real key, and for nothing else."""
RANDOM_BYTES: Final = 8
CHALLENGE, CHALLENGED, CRYPTOGRAM, FIRST_MAC = 0x11, 0x12, 0x13, 0x14
COMMAND, REPLY, COMMAND_SECRET, REPLY_SECRET = 0x15, 0x16, 0x17, 0x18
_BLOCK: Final = 16
_END: Final = 0x80
_NONE: Final = bytes(_BLOCK)


class SecureError(ValueError):
    """The frame is not from the other side of this channel; the text says why."""


@dataclass(frozen=True, slots=True)
class SessionKeys:
    """The keys of one session, and the cryptograms with which each side proves that it has the base key."""

    encrypt: bytes
    mac1: bytes
    mac2: bytes
    device_cryptogram: bytes
    panel_cryptogram: bytes

    @classmethod
    def derive(cls, key: bytes, panel_random: bytes, device_random: bytes) -> SessionKeys:
        """From the base key and both sides' eight random bytes (annex D.4)."""
        encrypt, mac1, mac2 = (_ecb(key, bytes((1, tag)) + panel_random[:6] + bytes(8)) for tag in (0x82, 0x01, 0x02))
        return cls(
            encrypt,
            mac1,
            mac2,
            _ecb(encrypt, panel_random + device_random),
            _ecb(encrypt, device_random + panel_random),
        )

    @property
    def first_mac(self) -> bytes:
        """Where the chain starts: the device's answer to the panel's cryptogram."""
        return _ecb(self.mac2, _ecb(self.mac1, self.panel_cryptogram))


class SecureSession:
    """One side of an established channel; the panel's, unless `device`."""

    def __init__(self, keys: SessionKeys, *, device: bool = False) -> None:
        """Start with the chain's first link."""
        self._keys = keys
        self._device = device
        self._theirs = keys.first_mac if not device else _NONE
        self._ours = keys.first_mac if device else _NONE
        # The device has "sent" the first link; commands continue it, replies continue the command.

    def seal(self, address: int, sequence: int, code: int, data: bytes) -> Frame:
        """Encrypt and authenticate. Each sealed frame continues the chain: repeat its bytes, do not seal twice."""
        kind = (REPLY if self._device else COMMAND) + (2 if data else 0)
        secret = _cbc(self._keys.encrypt, _inverse(self._theirs), _padded(data)) if data else b""
        frame = Frame(address, self._device, sequence, code, secret, bytes((kind,)))
        self._ours = self._mac(frame.covered, self._theirs)
        return frame.with_mac(self._ours)

    def open(self, frame: Frame) -> bytes:
        """Check and decrypt a frame that the other side has sealed. Returns its data. Raises SecureError."""
        kinds = (COMMAND, COMMAND_SECRET) if self._device else (REPLY, REPLY_SECRET)
        if frame.security[:1] not in {bytes((kind,)) for kind in kinds}:
            raise SecureError("plain talk inside a secure channel")
        mac = self._mac(frame.covered, self._ours)
        if not hmac.compare_digest(mac[:MAC], frame.mac):
            raise SecureError("the authentication code is wrong")
        if frame.security[0] == kinds[1]:
            data = self._decrypt(frame.data)
        elif frame.data and frame.code != messages.ReplyCode.NAK:
            raise SecureError("data that is not encrypted")
        else:
            data = frame.data  # some devices authenticate a refusal but do not encrypt its reason
        self._theirs = mac
        return data

    def fits(self, frame: Frame) -> bool:
        """Whether a frame would be accepted; changes nothing."""
        return hmac.compare_digest(self._mac(frame.covered, self._ours)[:MAC], frame.mac)

    def _decrypt(self, secret: bytes) -> bytes:
        if not secret or len(secret) % _BLOCK:
            raise SecureError("encrypted data of an odd length")
        plain = _cbc(self._keys.encrypt, _inverse(self._ours), secret, decrypt=True).rstrip(b"\0")
        if plain[-1:] != bytes((_END,)):
            raise SecureError("encrypted data without its end")
        return plain[:-1]

    def _mac(self, content: bytes, chain: bytes) -> bytes:
        """Blocks but the last with one key, the last with the other (annex D.5)."""
        whole = content if len(content) % _BLOCK == 0 else _padded(content)
        if len(whole) > _BLOCK:
            chain = _cbc(self._keys.mac1, chain, whole[:-_BLOCK])[-_BLOCK:]
        return _cbc(self._keys.mac2, chain, whole[-_BLOCK:])


def _padded(data: bytes) -> bytes:
    return data + bytes((_END,)) + bytes(-(len(data) + 1) % _BLOCK)


def _inverse(block: bytes) -> bytes:
    return bytes(byte ^ 0xFF for byte in block)


def _ecb(key: bytes, block: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # noqa: PLC0415 -- loaded when used

    # ECB of single blocks of fresh random content is what the standard derives its keys with.
    cipher: Cipher[ECB] = Cipher(algorithms.AES(key), modes.ECB())  # noqa: S305 -- as above
    return cipher.encryptor().update(block)


def _cbc(key: bytes, chain: bytes, blocks: bytes, *, decrypt: bool = False) -> bytes:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # noqa: PLC0415 -- loaded when used

    cipher: Cipher[CBC] = Cipher(algorithms.AES(key), modes.CBC(chain))
    return (cipher.decryptor() if decrypt else cipher.encryptor()).update(blocks)
