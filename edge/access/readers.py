"""Takes a card or a PIN from a reader to an unlocked door, to floors of an elevator, or to a refusal.

One rule: each reader handles its cards and PINs one at a time, in the order in which they were shown. PINs are
hashed on another thread, so no other reader waits meanwhile. How much a reader may send is limited.
"""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from edge.access import decisions, guesses, keypad
from edge.access.access_points import DoorAccessPoint, ElevatorAccessPoint
from edge.access.anti_passback import NOBODY, passed, pruned
from edge.access.credentials import AccessRefused, AskPin, Code, Now, Presented
from edge.access.decisions import Granted
from edge.access.elevator_rules import Permit
from edge.access.enrolment.keeping import SeenCard
from edge.access.guesses import PersonGuesses
from edge.access.keypad import PinNotGiven
from edge.access.reader_state import Reader, alarm, flooded
from edge.directory.directory import Directory
from edge.model.messages import NS_PER_S, Event
from edge.system.flood_counter import FloodCounter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge.access.access_points import AccessPoint, Answer, Floors
    from edge.access.enrolment.enrolments import Enrolments
    from edge.access.guesses import TooManyGuesses
    from edge.access.reader_state import Credential
    from edge.access.timetable import Timetable
    from edge.directory.pins import HashParameters
    from edge.doors.runner import Runner
    from edge.model.messages import CardRead, Json
    from edge.model.ports import Journal

KEPT: Final = 50
"""Cards kept for `doorctl cards`, in memory only."""
REFUSALS_A_MINUTE: Final = 30
"""Refusals recorded for one reader in a minute. Further ones are counted, and the next record has the count."""
UNCHECKED: Final = AccessRefused(Code.PIN_REQUIRED, details={"reason": "the PIN could not be checked"})
TOO_MANY: Final = AccessRefused(Code.TOO_MANY_ATTEMPTS, details={"reason": "too many unknown cards"})
NOT_LOADED: Final = AccessRefused(Code.UNKNOWN_CARD, details={"reason": "the directory is not loaded yet"})
MINUTE_NS: Final = 60 * NS_PER_S


class Readers:
    """All readers of this controller. Every method is called on the loop and returns at once."""

    def __init__(  # noqa: PLR0913 -- each part has one owner
        self,
        runner: Runner,
        timetable: Timetable,
        elevators: Floors,
        log: Journal,
        *,
        now_ns: Callable[[], int],
        light: Callable[[str, bool], None],
        enrolments: Enrolments,
    ) -> None:
        """Everybody is refused until `directory` is called. `light(point, granted)` shows the outcome at the reader."""
        self._runner, self._timetable, self._elevators, self._log = runner, timetable, elevators, log
        self._now_ns, self._light, self._enrolments = now_ns, light, enrolments
        self._directory = Directory()
        self.loaded = False
        """Whether a directory is in force."""
        self._readers: dict[str, Reader] = {}
        self.passback = NOBODY
        """Who is inside, and by which door."""
        self._passing: dict[str, set[str]] = {}
        """Door -> members who were granted access while its contact has not opened yet."""
        self._hasher: ThreadPoolExecutor | None = None
        self._flood = FloodCounter(self._flooded)
        self._persons = PersonGuesses()
        self.cards: deque[SeenCard] = deque(maxlen=KEPT)
        """The latest cards, the newest last."""
        self.keep: Callable[[CardRead], str | None] = lambda _read: None
        """Keeps an unknown card for longer, and returns what its record calls it."""

    def directory(self, directory: Directory) -> None:
        """Decide by this directory from now on."""
        self._directory, self.loaded = directory, True
        self.passback = pruned(self.passback, directory)

    def take(self, place: str, shown: Credential) -> None:
        """Take a card or keys from the reader of a door or an elevator; `place` is its id."""
        reader = self._readers.get(shown.point)
        if reader is None:
            reader = self._readers[shown.point] = Reader(shown.point, self._behind(place))
        if reader.repeated(shown):
            return
        if not reader.accept(shown, self._now_ns()):
            self._flood.count(shown.point)
            return
        self._go_on(reader)

    def _behind(self, place: str) -> AccessPoint:
        if place in self._runner.doors:
            return DoorAccessPoint(place, self._runner, self._timetable, self._log)
        return ElevatorAccessPoint(place, self._elevators, self._log)

    def moved(self, door: str) -> None:
        """Note a change of a door: when it opens, those who were granted access have passed."""
        members = self._passing.get(door)
        if members is None:
            return
        state = self._runner.door(door)
        if state.opening is not None:
            self._passed(door, members)
        if state.opening is not None or (state.access is None and state.not_taken is None):
            del self._passing[door]

    def now(self, point: str = "") -> Now:
        """What a decision at this reader goes by now."""
        now_ns, timetable, reader = self._now_ns(), self._timetable, self._readers.get(point)
        locked = reader is not None and guesses.pins_locked(reader.guesses, now_ns)
        persons = partial(self._persons.locked, now_ns=now_ns)
        return Now(timetable.moment(), now_ns, timetable.running_access, locked, persons)

    def stop(self) -> None:
        """Stop: cards and PINs that still wait are not decided."""
        for reader in self._readers.values():
            for pending in (reader.timer, reader.hashing):
                if pending is not None:
                    pending.cancel()
        if self._hasher is not None:
            self._hasher.shutdown(wait=False)

    # --- one card or PIN at a time ---------------------------------------------------------------

    def _go_on(self, reader: Reader) -> None:
        while reader.hashing is None:
            if reader.seen:
                self._judge(reader, *reader.seen.popleft())
            elif reader.inbox:
                shown = reader.inbox.popleft()
                self._step(reader, shown, shown.at_ns)
            else:
                self._arm(reader)
                return

    def _step(self, reader: Reader, shown: Credential | None, at_ns: int) -> None:
        asking = reader.access_point.asking(self._directory)
        reader.keypad, seen = keypad.step(reader.keypad, asking, shown, self._now_ns())
        reader.seen += [(credential, at_ns) for credential in seen]

    def _judge(self, reader: Reader, seen: Presented | PinNotGiven, at_ns: int) -> None:
        if isinstance(seen, PinNotGiven):
            refused = decisions.lapsed(self._directory, seen.card)
            self._carry_out(
                reader, refused, Presented(seen.card, pin=""), at_ns
            )  # the card was noted when its PIN was asked for
            return
        recipes = decisions.recipes(self._directory, reader.access_point.asking(self._directory), seen)
        if recipes and not guesses.pins_locked(reader.guesses, self._now_ns()):
            reader.hashing = asyncio.create_task(
                self._hash(reader, seen, recipes, at_ns), name=f"PIN at {reader.point}"
            )
        else:
            self._decide(reader, seen, at_ns, {})

    async def _hash(self, reader: Reader, seen: Presented, recipes: tuple[HashParameters, ...], at_ns: int) -> None:
        if self._hasher is None:
            self._hasher = ThreadPoolExecutor(1, thread_name_prefix="pins")
        loop, digests = asyncio.get_running_loop(), {}
        try:
            for recipe in recipes:
                digests[recipe] = await loop.run_in_executor(self._hasher, recipe.digest, seen.pin or "")
        except Exception as error:  # noqa: BLE001 -- such as no memory for a hash
            self._runner.mistake(error)
            self._next(reader, partial(self._carry_out, reader, UNCHECKED, seen, at_ns))
        else:
            self._next(reader, partial(self._decide, reader, seen, at_ns, digests))

    def _next(self, reader: Reader, end: Callable[[], None]) -> None:
        """Go on after a hash with `end`; the next card is handled even if that fails."""
        reader.hashing = None
        for step in (end, partial(self._go_on, reader)):
            try:
                step()
            except Exception as error:  # noqa: BLE001 -- our own mistake
                self._runner.mistake(error)

    def _decide(self, reader: Reader, seen: Presented, at_ns: int, digests: Mapping[HashParameters, bytes]) -> None:
        now = self.now(reader.point)
        now_ns = now.ns
        access_point, directory = reader.access_point, self._directory
        answer: Answer = NOT_LOADED
        if seen.card is not None and guesses.cards_locked(reader.guesses, now_ns):
            answer = TOO_MANY
        elif self.loaded:
            answer = access_point.decide(directory, seen, now, digests, self.passback)
        plain = answer.granted if isinstance(answer, Permit) else answer
        reader.keypad = keypad.judged(reader.keypad, access_point.asking(directory), seen, plain, now_ns)
        enrolled = self.loaded and self._enrolments.offer(directory, access_point.id, seen, at_ns, now.moment.at_least)
        too_many = None
        if self.loaded and not enrolled:  # a card that somebody waits for is no guess
            too_many = reader.count(answer, seen, access_point.asking(directory), now_ns, self._persons)
        self._carry_out(reader, answer, seen, at_ns, too_many, enrolled=enrolled)

    def _carry_out(  # noqa: PLR0913 -- what is known of a card, by name
        self,
        reader: Reader,
        answer: Answer,
        seen: Presented,
        at_ns: int,
        too_many: TooManyGuesses | None = None,
        *,
        enrolled: bool = False,
    ) -> None:
        self._note(reader, answer, seen, at_ns)
        if isinstance(answer, AskPin):
            return
        events = reader.access_point.events(self._directory, answer, seen, at_ns)
        if too_many is not None:
            access_point = reader.access_point
            self._log.append([alarm(access_point.reader(self._directory), access_point.door, too_many, at_ns)])
        if isinstance(answer, AccessRefused):
            done = False
            self._refuse(reader, answer, seen, events)
        else:
            done = reader.access_point.admit(self._directory, answer, events)
            if done and isinstance(answer, Granted):
                self._admitted(reader.access_point.id, answer)
        self._light(reader.point, done or enrolled)

    def _note(self, reader: Reader, answer: Answer, seen: Presented, at_ns: int) -> None:
        """Keep a card for `doorctl cards`: once, also when its PIN has still to follow."""
        if seen.card is None or seen.pin is not None:
            return
        code = answer.code.value if isinstance(answer, AccessRefused) else None
        member = answer.granted.member if isinstance(answer, Permit) else answer.member
        self.cards.append(
            SeenCard(at_ns, reader.access_point.id, seen.card, code, None if member is None else member.id)
        )

    def _refuse(self, reader: Reader, refused: AccessRefused, seen: Presented, events: list[Event]) -> None:
        now_ns = self._now_ns()
        if now_ns - reader.window_ns > MINUTE_NS:
            reader.window_ns, reader.refused = now_ns, 0
        reader.refused += 1
        if reader.refused > REFUSALS_A_MINUTE:
            reader.unrecorded += 1
            return
        more: dict[str, Json] = {"unrecorded": reader.unrecorded} if reader.unrecorded else {}
        reader.unrecorded = 0
        if self.loaded and seen.card is not None and refused.code is Code.UNKNOWN_CARD:
            own = self.keep(seen.card)
            more |= {} if own is None else {"seen": own}
        reader.access_point.refuse(refused, [replace(event, details={**event.details, **more}) for event in events])

    def _flooded(self, counts: Mapping[str, int]) -> None:
        now_ns = self._now_ns()
        self._log.append([flooded(point, count, now_ns) for point, count in counts.items()])

    def _admitted(self, door: str, granted: Granted) -> None:
        state, member = self._runner.door(door), granted.member.id
        if self._directory.access(door).anti_passback is None and not self._is_exit(door):
            return
        if self._runner.settings(door).policy.has_contact and state.access is not None and state.opening is None:
            self._passing.setdefault(door, set()).add(member)
        else:
            self._passed(door, {member})

    def _is_exit(self, door: str) -> bool:
        pairs = (access.anti_passback for access in self._directory.doors.values())
        return any(pair is not None and pair.exit == door for pair in pairs)

    def _passed(self, door: str, members: set[str]) -> None:
        for member in members:
            self.passback = passed(self.passback, self._directory, door, member, self._now_ns())

    def _arm(self, reader: Reader) -> None:
        if reader.timer is not None:
            reader.timer.cancel()
            reader.timer = None
        due_ns = keypad.next_deadline(reader.keypad)
        if due_ns is not None:
            delay_s = max(0, due_ns - self._now_ns()) / NS_PER_S
            reader.timer = asyncio.get_running_loop().call_later(delay_s, self._due, reader)

    def _due(self, reader: Reader) -> None:
        reader.timer = None
        if reader.hashing is None:
            self._step(reader, None, self._now_ns())
            self._go_on(reader)
