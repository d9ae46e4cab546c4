"""The beginning of a conversation: identity, abilities, challenge, proof, and in install mode a key.

One rule: a reader is trusted only after it has proved that it has the key. The default key is used to hand
over a real one and for nothing else. Source: SIA OSDP v2.2 (IEC 60839-11-5), annex D.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from drivers.osdp import messages, secure
from drivers.osdp.messages import CommandCode, Message, OsdpCommand, ReplyCode
from drivers.osdp.profile import DeviceReport, Phase, Profile

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivers.osdp.frames import Frame


class UnkeyedError(Exception):
    """The reader does not have the key that was tried."""


class UnfittingError(Exception):
    """The reader's answer does not fit the question; the text says what it was."""


class Introduction:
    """The phases of a conversation up to `Phase.ONLINE`."""

    def __init__(self, profile: Profile, report: DeviceReport, random: Callable[[int], bytes]) -> None:
        """`random` gives unpredictable bytes; identity and abilities go into the report."""
        self.phase = Phase.IDENTIFY
        self.default = False
        """Whether the default key is being tried."""
        self._profile = profile
        self._report = report
        self._random = random
        self._challenge = b""
        self._keys: secure.SessionKeys | None = None

    def restart(self, *, known: bool, default: bool = False) -> None:
        """Begin anew; for a reader that is `known`, after identity and abilities."""
        self.default = default
        self._keys = None
        self.phase = Phase.IDENTIFY
        if known:
            self.skip()

    def skip(self) -> None:
        """Identity and abilities are known, or the reader does not tell them: go on with the next phase."""
        self.phase = Phase.ONLINE if self._profile.security == "off" else Phase.CHALLENGE

    def question(self) -> tuple[OsdpCommand, bytes]:
        """The question of this phase, and the security block that goes with it."""
        kind = 0 if self.default else 1
        match self.phase:
            case Phase.IDENTIFY:
                return messages.IDENTIFY, b""
            case Phase.ABILITIES:
                return messages.CAPABILITIES, b""
            case Phase.CHALLENGE:
                self._challenge = self._random(secure.RANDOM_BYTES)
                return OsdpCommand(CommandCode.CHLNG, self._challenge), bytes((secure.CHALLENGE, kind))
            case Phase.PROVE if self._keys is not None:
                return OsdpCommand(CommandCode.SCRYPT, self._keys.panel_cryptogram), bytes((secure.CRYPTOGRAM, kind))
            case Phase.HAND_OVER:
                return messages.keyset(self._profile.key), b""
            case _:
                return messages.POLL, b""

    def fits(self, frame: Frame) -> bool:
        """Whether an unauthenticated frame has the form of an answer in this phase; others are ignored."""
        kind = frame.security[:1]
        if self.phase is Phase.CHALLENGE:
            return frame.code == ReplyCode.CCRYPT and kind == bytes((secure.CHALLENGED,))
        if self.phase is Phase.PROVE:
            return frame.code == ReplyCode.RMAC_I and kind == bytes((secure.FIRST_MAC,))
        expected = {Phase.IDENTIFY: ReplyCode.PDID, Phase.ABILITIES: ReplyCode.PDCAP}
        return not kind and frame.code == expected.get(self.phase, frame.code)

    def take(self, message: Message) -> secure.SecureSession | None:
        """Go one phase on. Returns the session when it begins. Raises UnkeyedError and UnfittingError."""
        match self.phase, message:
            case Phase.IDENTIFY, messages.DeviceIdentity():
                self._report.identity = message
                self.phase = Phase.ABILITIES
            case Phase.ABILITIES, messages.Capabilities():
                self._report.abilities = message
                self.skip()
            case Phase.CHALLENGE, messages.Challenged():
                self._challenged(message)
            case Phase.PROVE, messages.FirstMac() if self._keys is not None:
                if not hmac.compare_digest(message.mac, self._keys.first_mac):
                    raise UnkeyedError
                self.phase = Phase.HAND_OVER if self.default else Phase.ONLINE
                return secure.SecureSession(self._keys)
            case _:
                raise UnfittingError(f"it gave an answer that does not fit ({message})")
        return None

    def _challenged(self, message: messages.Challenged) -> None:
        key = secure.DEFAULT_KEY if self.default else self._profile.key
        keys = secure.SessionKeys.derive(key, self._challenge, message.random)
        if not hmac.compare_digest(message.cryptogram, keys.device_cryptogram):
            raise UnkeyedError
        self._keys = keys
        self.phase = Phase.PROVE
