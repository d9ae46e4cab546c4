"""One conversation with one reader: which question is next, and what its answers lead to.

One rule: a question is repeated unchanged, with the same sequence number, until it is answered or the
conversation starts anew from number 0. A reader counts as lost after eight seconds without a good
answer, never before. Times are handed in. Source: SIA OSDP v2.2 (IEC 60839-11-5), 5.7 and annex D.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from drivers.osdp import frames, messages, secure
from drivers.osdp.duties import Duties
from drivers.osdp.frames import Frame
from drivers.osdp.introduction import Introduction, UnfittingError, UnkeyedError
from drivers.osdp.messages import CommandCode, Function, Message, Nak, NakReason, OsdpCommand, ReplyCode
from drivers.osdp.profile import (
    ANSWER_NS,
    BUSY_NS,
    DOUBTS,
    GLANCE_NS,
    OFFLINE_NS,
    PATIENT_PROBE,
    PROBE_NS,
    REPEATS,
    SETBACK_NS,
    SHORTEST_NS,
    DeviceReport,
    Happening,
    Heard,
    Offline,
    Online,
    Phase,
    Profile,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from drivers.osdp.switches import Switch


@dataclass(slots=True)
class _Question:
    order: OsdpCommand
    frame: Frame
    switch: str | None = None
    tries: int = 0
    sent_ns: int = 0


class Device:
    """The panel's side of one conversation. The panel takes questions from it and hands the answers to it."""

    def __init__(
        self, profile: Profile, switches: Mapping[str, Switch], random: Callable[[int], bytes], now_ns: int
    ) -> None:
        """`random` gives unpredictable bytes; `now_ns` starts the eight seconds."""
        self.profile = profile
        self.report = DeviceReport()
        self.happenings: list[Happening] = []
        """The panel takes these after each turn."""
        self.wake_ns = now_ns
        """When its next question is due."""
        self.lost = False
        self.online = False
        """Whether it was last reported as `Online`."""
        self._introduction = Introduction(profile, self.report, random)
        self._duties = Duties(profile, switches)
        self.crc = True
        """Whether questions have a CRC-16; False: the one-byte checksum, because the reader knows no CRC."""
        self._sequence = 0
        self._question: _Question | None = None
        self._session: secure.SecureSession | None = None
        self._proven = False
        """Whether the reader has ever proved that it has our key. After that no key is handed over at this address."""
        self._good_ns = now_ns
        self._setbacks = 0
        self._doubts = 0
        self._probes = 0
        self._slowest_ns = 0

    # --- what the driver says ------------------------------------------------------------------

    @property
    def secured(self) -> bool:
        """Whether there is a session under our own key."""
        return self._session is not None and not self._introduction.default

    @property
    def switches(self) -> Mapping[str, Switch]:
        """Its switches, by the name of the point."""
        return self._duties.switches

    def want(self, switch: str, now_ns: int, *, on: bool) -> None:
        """Set a switch, as soon as the line is free."""
        self.switches[switch].wanted = on
        self._hurry(now_ns)

    def say(self, order: OsdpCommand, now_ns: int) -> None:
        """Queue a light or a sound, unless the device is not online."""
        if self.online:
            self._duties.say(order)
            self._hurry(now_ns)

    def rest(self, now_ns: int) -> None:
        """Set every switch to rest."""
        for name, switch in self.switches.items():
            self.want(name, now_ns, on=switch.rest)

    def _hurry(self, now_ns: int) -> None:
        if self._working and self.online and not self._setbacks:
            self.wake_ns = min(self.wake_ns, now_ns)

    # --- what the panel asks -------------------------------------------------------------------

    @property
    def _working(self) -> bool:
        return self._introduction.phase is Phase.ONLINE

    @property
    def probing(self) -> bool:
        """Whether its next question only checks whether the reader is there at all."""
        return not self.online and self._introduction.phase is Phase.IDENTIFY

    @property
    def urgent(self) -> bool:
        """Whether its next question should be asked before those of other readers."""
        return self.online and self._working and self._duties.urgent

    @property
    def patience_ns(self) -> int:
        """How long to wait for the first byte of the answer."""
        tries = self._question.tries if self._question is not None else 0
        if self.probing and self._slowest_ns == 0 and (self._probes - 1) % PATIENT_PROBE:
            return GLANCE_NS
        if self._slowest_ns == 0 or tries >= REPEATS - 1:
            return ANSWER_NS
        return min(ANSWER_NS, max(SHORTEST_NS, 3 * self._slowest_ns + SHORTEST_NS // 2))

    def ask(self, now_ns: int) -> bytes:
        """The bytes of the next question, or of the last one once more."""
        if self._question is None:
            self._question = self._next(now_ns)
        question = self._question
        question.tries += 1
        question.sent_ns = now_ns
        self.report.counts["asked" if question.tries == 1 else "repeated"] += 1
        self._probes += self.probing
        return question.frame.encode()

    def answered(self, frame: Frame, took_ns: int, now_ns: int) -> bool:
        """Take a frame from this address. Returns whether it ends the waiting. `took_ns`: the time until it began."""
        question = self._question
        if question is None:
            return False
        if not frame.security and frame.code in {ReplyCode.BUSY, ReplyCode.NAK}:
            return self._excused(frame, question, now_ns)
        if frame.sequence != self._sequence:
            self.report.counts["stale"] += 1
            return False
        if not (self._introduction.fits(frame) if self._session is None else frame.security):
            self.report.counts["mistrusted"] += 1
            return False
        try:
            data = frame.data if self._session is None else self._session.open(frame)
        except secure.SecureError as error:
            self.report.counts["mistrusted"] += 1
            self._restart(now_ns, str(error))
            return True
        if question.tries == 1:
            self._slowest_ns = max(took_ns, self._slowest_ns * 19 // 20)
        self._count_on()
        message = messages.parse(frame.code, data)
        if isinstance(message, Nak):
            self._refused(message.reason, question, now_ns, plain=False)
        elif self._working:
            self._good(now_ns)
            self._everyday(message, question, now_ns)
        else:
            self._introduced(message, now_ns)
        return True

    def mend(self, burst: bytes, now_ns: int) -> bool:
        """Try to repair a damaged answer: one wrong byte is corrected if the session proves the result.

        That saves a card at a reader that cannot repeat its last answer, although it should.
        """
        if self._session is None or self._question is None:
            return False
        for frame in frames.mended(burst):
            mine = frame.reply and frame.address == self.profile.address and frame.sequence == self._sequence
            if mine and frame.security and self._session.fits(frame):
                self.report.counts["mended"] += 1
                return self.answered(frame, 0, now_ns)
        return False

    def failed(self, now_ns: int, *, damaged: bool) -> None:
        """Note that no answer came, or none that can be used."""
        self.report.counts["damaged" if damaged else "silent"] += 1
        reason = "its answers are damaged: look at cable, termination and baud" if damaged else "no answer"
        question = self._question
        if not damaged:
            self._slowest_ns = min(ANSWER_NS, self._slowest_ns * 3 // 2)
        if question is None or self.probing or question.tries > REPEATS:
            self._restart(now_ns, reason)
        else:
            self.wake_ns = now_ns
            self._judge(now_ns, reason)

    # --- asking ----------------------------------------------------------------------------------

    def _next(self, now_ns: int) -> _Question:
        switch, block = None, b""
        if self._working:
            order, switch = self._duties.next(now_ns)
        else:
            order, block = self._introduction.question()
        address = self.profile.address
        if self._session is not None:
            frame = self._session.seal(address, self._sequence, order.code, order.data)
        else:
            frame = Frame(address, False, self._sequence, order.code, order.data, block, crc=self.crc)
        return _Question(order, frame, switch)

    def _count_on(self) -> None:
        """The question is answered: the next one has the next sequence number."""
        self._question = None
        self._sequence = self._sequence % 3 + 1

    # --- answers -----------------------------------------------------------------------------------

    def _introduced(self, message: Message, now_ns: int) -> None:
        self.wake_ns = now_ns
        if self._introduction.phase is Phase.HAND_OVER:
            if isinstance(message, messages.Ack):
                self.report.key_installed = True
            self._restart(now_ns, "it has a new key")
            self.wake_ns = now_ns
            return
        try:
            session = self._introduction.take(message)
        except UnkeyedError:
            self._unkeyed(now_ns)
        except UnfittingError as error:
            self._restart(now_ns, str(error))
        else:
            self._session = session or self._session
            self._proven = self._proven or self.secured
            self._begin_work(now_ns)

    def _begin_work(self, now_ns: int) -> None:
        if self._working:
            self._duties.begin(now_ns, self.report.abilities)

    def _everyday(self, message: Message, question: _Question, now_ns: int) -> None:
        if question.switch is not None:
            self.happenings += self._duties.accepted(question.switch, now_ns)
        elif isinstance(message, messages.Unreadable):
            self.report.counts["unreadable"] += 1
        elif not isinstance(message, messages.Ack):
            if isinstance(message, messages.LocalStatus):
                self.report.local = message
            self.happenings.append(Heard(self.profile.address, message))
        self._rhythm(question, now_ns)

    def _rhythm(self, question: _Question, now_ns: int) -> None:
        """Set when to ask next."""
        self.wake_ns = now_ns if self.urgent else max(now_ns, question.sent_ns + self.profile.poll_ns)

    def _good(self, now_ns: int) -> None:
        self._good_ns, self._setbacks, self._doubts = now_ns, 0, 0
        if not self.online:
            self.online, self.lost = True, False
            self.happenings.append(Online(self.profile.address))

    def _excused(self, frame: Frame, question: _Question, now_ns: int) -> bool:
        """Take a BUSY or a NAK without authentication: it may only delay or end a conversation."""
        reason = frame.data[0] if frame.data else 0
        lost_count = frame.code == ReplyCode.NAK and reason == NakReason.SEQUENCE
        busy = frame.code == ReplyCode.BUSY and frame.sequence == 0
        if frame.sequence != self._sequence and not lost_count and not busy:
            self.report.counts["stale"] += 1
            return False
        if frame.code == ReplyCode.BUSY:
            self.report.counts["busy"] += 1
            question.tries = 0
            self.wake_ns = now_ns + BUSY_NS
            self._judge(now_ns, "it only answers that it is busy")
        elif reason == NakReason.CHECK and self._knows_no_crc(frame):
            self._without_crc(question, now_ns)
        elif self._session is not None and reason != NakReason.CHECK:
            self.report.counts["refused"] += 1
            self._restart(now_ns, f"it ended the secure channel (NAK {reason})")
        else:
            self._refused(reason, question, now_ns, plain=True)
        return True

    # --- refusals --------------------------------------------------------------------------------------

    def _knows_no_crc(self, refusal: Frame) -> bool:
        """Whether a NAK 1 means that the reader knows no CRC: it uses a checksum itself, and has never claimed CRC."""
        able = self._working and self.report.abilities.level(Function.CHECK) > 0
        return self.crc and not refusal.crc and self._session is None and not able

    def _without_crc(self, question: _Question, now_ns: int) -> None:
        """Ask the same again with a checksum, if a plain channel is allowed; secure channels need CRC."""
        self.report.counts["refused"] += 1
        if self.profile.security == "off":
            self.crc = False
            question.frame = replace(question.frame, crc=False)
            self.wake_ns = now_ns
        else:
            self._restart(now_ns, 'it knows only the checksum, no CRC: no secure channel, see secure = "off"')

    def _refused(self, reason: int, question: _Question, now_ns: int, *, plain: bool) -> None:
        """Handle a NAK. After a plain one, the question is repeated or given up."""
        self.report.counts["refused"] += 1
        phase = self._introduction.phase
        if reason == NakReason.CHECK:
            if plain and question.tries <= REPEATS:
                self.wake_ns = now_ns  # our question was damaged on the line: ask again
            else:
                self._restart(now_ns, "our questions arrive damaged")
        elif reason == NakReason.SEQUENCE:
            self._restart(now_ns, "it reports a wrong sequence number")
        elif phase is Phase.ONLINE:
            self._refused_order(reason, question, now_ns, plain=plain)
        elif phase in {Phase.IDENTIFY, Phase.ABILITIES}:
            self._count_on()
            self._introduction.skip()
            self._begin_work(now_ns)
            self.wake_ns = now_ns
        elif phase is Phase.HAND_OVER:
            self._lose(now_ns, f"it refuses a new key (NAK {reason})")
        else:
            self._unkeyed(now_ns)

    def _refused_order(self, reason: int, question: _Question, now_ns: int, *, plain: bool) -> None:
        """Remember what it cannot do and go on."""
        if plain and reason == NakReason.NEEDS_SECURITY:
            self._lose(now_ns, 'it insists on a secure channel: see secure = "required"')
        elif question.order.code is CommandCode.POLL:
            self._restart(now_ns, f"it refuses to be polled (NAK {reason})")
        else:
            if plain:
                self._count_on()
            self._good(now_ns)
            self.happenings += self._duties.refused(question.order, question.switch, reason)
            self._rhythm(question, now_ns)

    def _unkeyed(self, now_ns: int) -> None:
        """The reader does not have the key that was tried. Reported after several failures: late answers look alike."""
        self._doubts += 1
        if self._doubts < DOUBTS:
            reason = self.report.reason if self.lost else "its proof failed"
            self._restart(now_ns, reason, default=self._introduction.default)
        elif self.profile.security == "install" and not self._introduction.default and not self._proven:
            self._doubts = 0
            self._restart(now_ns, "it does not have our key yet", default=True)
            self.wake_ns = now_ns
        else:
            extra = " and does not take it" if self.profile.security == "install" else ""
            self._lose(now_ns, f"it does not have our key{extra}: see key_file and docs/osdp.md")

    # --- setbacks ----------------------------------------------------------------------------------

    def _restart(self, now_ns: int, reason: str, *, default: bool = False) -> None:
        """Begin the conversation anew from sequence number 0."""
        self.report.counts["restarted"] += not self.lost
        self._question = self._session = None
        self._sequence = 0
        known = not self.lost and self.report.identity is not None
        self._introduction.restart(known=known, default=default)
        self._begin_work(now_ns)
        if known:
            pause_ns = min(PROBE_NS, SETBACK_NS << min(self._setbacks, 8)) if self._setbacks else 0
            self.wake_ns = now_ns + pause_ns
        else:
            self.wake_ns = now_ns + PROBE_NS
        self._setbacks += 1
        self._judge(now_ns, reason)

    def _judge(self, now_ns: int, reason: str) -> None:
        self.report.reason = reason
        if not self.lost and now_ns - self._good_ns >= OFFLINE_NS:
            self._lose(now_ns, reason)

    def _lose(self, now_ns: int, reason: str) -> None:
        """Report the reader lost, once. From now on the conversation is tried from the beginning."""
        first = not self.lost
        self.lost, self.online, self.crc = True, False, True
        self._duties.lose()
        self._restart(now_ns, reason)
        if first:
            self.happenings.append(Offline(self.profile.address, reason))
