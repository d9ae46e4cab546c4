"""All rules of one door: `step(door, policy, item, now) -> (door, events)`.

Its own laws, whatever comes in:
- it reads no clock, does no I/O, and raises for no input and no command;
- openings and closings alternate;
- a lock is never released past its deadline, nor by anything but the table, a schedule or the release input;
- an opening that began while authorised is never forced; its first edge decides;
- a lockdown ends by its cancel only.

R1 to R19 are explained in docs/rules.md. The table is `edge.doors.modes.TRANSITIONS`; the special cases
are here, each with the name of its rule.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from edge.doors.modes import RECORDED, STANDS_OPEN, TRANSITIONS, RefusedByMode, Trigger
from edge.doors.state import (
    NEVER,
    OUTDATED,
    Access,
    Alarm,
    Contact,
    Door,
    Lock,
    NotTaken,
    Opening,
    OperatorMode,
    Span,
    observed_first,
)
from edge.model.event_types import (
    CONTROLLER_INPUT_TAMPER,
    CONTROLLER_INPUT_TRIGGERED,
    CONTROLLER_INPUT_UNSTABLE,
    LOCK_ACCESS_NOT_TAKEN,
    LOCK_CANCEL_LOCKDOWN,
    LOCK_CLOSED,
    LOCK_FORCED_OPEN,
    LOCK_HELD_OPEN,
    LOCK_LOCK_DOWN,
    LOCK_LOCKED,
    LOCK_OPENED,
    LOCK_SCHEDULED_UNLOCK_ENDED,
    LOCK_UNLOCK,
    LOCK_UPDATE,
    READER_TAMPER,
)
from edge.model.messages import (
    NS_PER_S,
    REX,
    SYSTEM,
    Actor,
    Command,
    CommandName,
    ContactFault,
    ContactMoved,
    Event,
    HoldEnds,
    InputStirs,
    InputUnstable,
    InterlockChanged,
    Item,
    Json,
    LockConfirmed,
    Observed,
    PointsBack,
    PointsLost,
    ReleaseInput,
    Restore,
    RexPressed,
    RexReleased,
    ScheduleSays,
    Subject,
    TamperChanged,
)
from edge.model.policy import DoorPolicy, HeldOpenFrom, Relock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NS_PER_MS: Final = NS_PER_S // 1000
REX_RECORDED_NS: Final = 60 * NS_PER_S
NO_ACCESS: Final[Mapping[str, Any]] = MappingProxyType({"access": None, "exit_held": False})
LATE_NS: Final = 100 * NS_PER_MS
"""When a relock is later than this, its record says how late."""


def step(door: Door, policy: DoorPolicy, item: Item | None, now_ns: int) -> tuple[Door, list[Event]]:
    """Process one item, or the passing of time (`None`), in the order in which things happened.

    Deadlines before the item's own time are processed before it, the others after it.
    """
    turn = _Turn(door, policy, now_ns)
    if item is not None:
        turn.pass_deadlines(min(item.at_ns, now_ns) - 1)
        _HANDLERS[type(item)](turn, item)
    turn.pass_deadlines(now_ns)
    return turn.door, turn.events


def next_deadline(door: Door, policy: DoorPolicy) -> int | None:
    """When `step` must be called again although nothing came in (boot clock nanoseconds)."""
    return min((at for at, _ in _deadlines(door, policy)), default=None)


def withhold(door: Door, events: list[Event]) -> tuple[Door, list[Event]]:
    """Keep the `lock.locked` event back until the relay can be driven: its driver is lost (R16)."""
    kept = next((event for event in events if event.type == LOCK_LOCKED), None)
    return (door, events) if kept is None else (replace(door, unrecorded=kept), [e for e in events if e is not kept])


def ended(door: Door, now_ns: int) -> Door:
    """End releases of the lock whose time is over, and nothing else: for a caller whose `step` failed."""
    if door.access is not None and door.access.until_ns <= now_ns:
        door = replace(door, access=None)
    if door.exit_held and (door.rex_level is None or door.rex_level.until_ns <= now_ns):
        door = replace(door, exit_held=False)
    if door.hold_until_ns is not None and door.hold_until_ns <= now_ns:
        door = replace(door, operator=OperatorMode.NONE, hold_until_ns=None)
    return door


@dataclass(slots=True)
class _Turn:
    """One call of `step` in progress: the door and the events so far."""

    door: Door
    policy: DoorPolicy
    now_ns: int
    events: list[Event]
    command: Command | None

    def __init__(self, door: Door, policy: DoorPolicy, now_ns: int) -> None:
        self.door, self.policy, self.now_ns, self.events, self.command = door, policy, now_ns, [], None

    def put(self, **changes: Any) -> None:  # noqa: ANN401 -- the fields of Door, checked by replace()
        self.door = replace(self.door, **changes)

    def record(  # noqa: PLR0913 -- one argument for each part of an event
        self,
        event_type: str,
        at_ns: int,
        *,
        actor: Actor | None = None,
        cause: str | None = None,
        code: str | None = None,
        subject: Subject | None = None,
        correlation: str | None = None,
        details: Mapping[str, Json] | None = None,
    ) -> None:
        if self.command is not None and actor is self.command.actor:
            details = {**(details or {}), **self.command.details}
        self.events.append(
            Event(
                event_type,
                at_ns,
                subject or self.door.subject,
                actor,
                cause,
                success=code is None,
                code=code,
                correlation=self.door.correlation if correlation is None else correlation,
                door=self.door.id,
                details=details or {},
            )
        )

    def repeat(self, events: tuple[Event, ...], correlation: str) -> None:
        """Record events that were made elsewhere, as a part of this passage."""
        self.events += [replace(event, correlation=correlation) for event in events]

    def begin_passage(self) -> None:
        """Give what follows a correlation of its own, unless a passage is under way."""
        door = self.door
        if door.access is None and door.opening is None:
            number = door.passages + 1
            self.put(passages=number, correlation=f"{door.run}-{door.id}-{number}")
            self.put(unlocked_ns=None, unlocked_by=None)

    def pass_deadlines(self, until_ns: int) -> None:
        while due := [(at, run) for at, run in _deadlines(self.door, self.policy) if at <= until_ns]:
            at, run = min(due, key=lambda one: one[0])
            run(self, at)

    def change(self, at_ns: int, cause: str, actor: Actor | None = None, **layers: Any) -> None:  # noqa: ANN401 -- as put
        """Change layers, and draw every consequence of a changed mode in one place."""
        old = self.door
        self.put(**layers)
        new = self.door
        self.put(waits=new.wanted and not (old.standing or new.interlocked_by is None))  # R18
        if new.hold_until_ns is not None and new.operator is not OperatorMode.UNLOCKED:
            self.put(hold_until_ns=None)
        if old.released and not new.released and self.policy.relock is Relock.CLOSED and new.opening is not None:
            self.put(ajar=True)
        new = self.door
        if old.released and not new.released:
            self.lock(old, at_ns, cause, actor)
        elif new.released and not old.released:
            self.put(authorised_from_ns=at_ns, unrecorded=None)
            self.excuse(at_ns)
        if new.mode in STANDS_OPEN and old.mode not in STANDS_OPEN:
            self.stop_held_open()
        elif old.mode in STANDS_OPEN and new.mode not in STANDS_OPEN:
            self.count_held_open(at_ns)

    def lock(self, old: Door, due_ns: int, cause: str, actor: Actor | None) -> None:
        """Record that the lock is told to lock now. Openings until now were authorised (R3, R4)."""
        told_ns = max(due_ns, self.now_ns)
        self.put(authorised_from_ns=None, last_authorised=Span(old.authorised_from_ns or due_ns, told_ns))
        late: dict[str, Json] = {"due": due_ns, "late_s": round((told_ns - due_ns) / NS_PER_S, 3)}
        self.record(LOCK_LOCKED, told_ns, actor=actor, cause=cause, details=late if told_ns > due_ns + LATE_NS else {})
        if self.door.lock_lost:
            self.door, self.events = withhold(self.door, self.events)
        if old.access is not None and old.access.unused and self.door.contact is Contact.CLOSED:
            _access_not_taken(self, due_ns)  # of an access just before
            settled_ns = told_ns + self.policy.debounce_ms * NS_PER_MS
            self.put(not_taken=NotTaken(settled_ns, told_ns, old.access.actor, old.correlation))

    def excuse(self, at_ns: int, grace_ms: int = 0) -> None:
        """Authorise an opening that settled first, although the authorisation from `at_ns` on came before it (R4)."""
        opening = self.door.opening
        if opening is None or opening.forced_ns is None or at_ns > opening.since_ns + grace_ms * NS_PER_MS:
            return
        self.put(opening=replace(opening, authorised=True, forced_ns=None))
        self.count_held_open(opening.since_ns)

    def count_held_open(self, from_ns: int) -> None:
        """Start the held-open count again, if it may run now (R5)."""
        opening = self.door.opening
        if opening is None or not opening.authorised or opening.reported or self.door.mode in STANDS_OPEN:
            return
        held_ns = from_ns + _ns(self.policy.held_open_s)
        self.put(opening=replace(opening, held_ns=held_ns), warning=False)

    def stop_held_open(self) -> None:
        opening = self.door.opening
        if opening is not None and opening.held_ns is not None:
            self.put(opening=replace(opening, held_ns=None), warning=False)


# --- R1, R3, R7, R9, R10, R11: asking for a mode -------------------------------------------------


def _command(turn: _Turn, item: Command) -> None:
    turn.command = item
    trigger = _TRIGGERS[item.name]
    if trigger is Trigger.UNLOCK and item.actor.kind == "user":
        trigger = Trigger.ACCESS
    if trigger in {Trigger.ACCESS, Trigger.UNLOCK, Trigger.HOLD}:
        _unlock(turn, trigger, item)
    else:
        _operator(turn, trigger, item)
    turn.command = None


def _unlock(turn: _Turn, trigger: Trigger, item: Command, *, record: bool = True) -> None:
    door, at_ns, actor = turn.door, item.at_ns, item.actor
    cause = actor.kind if actor.kind in {"user", "rex", "schedule"} else "operator"
    refused = _refusal(turn, trigger)
    if refused is not None:
        code, details = refused
        turn.repeat(item.events, "")
        if record:
            turn.record(LOCK_UNLOCK, at_ns, actor=actor, cause=cause, code=code, correlation="", details=details)
        return
    turn.begin_passage()
    turn.repeat(item.events, turn.door.correlation)
    verdict = TRANSITIONS[door.mode, trigger]
    if trigger is Trigger.HOLD:
        ends = item.for_s is not None
        details = {"for_s": item.for_s} if ends else {"until": "further_notice"}
        turn.record(LOCK_UNLOCK, at_ns, actor=actor, cause=cause, details=details)
        until_ns = at_ns + _ns(item.for_s or 0) if ends else None
        triggers = door.operator_triggers | {trigger}
        turn.put(held_by=actor)
        turn.change(
            at_ns, cause, actor, operator=OperatorMode.UNLOCKED, hold_until_ns=until_ns, operator_triggers=triggers
        )
        return
    seconds = turn.policy.unlock_s if item.for_s is None else item.for_s
    if record:
        turn.record(LOCK_UNLOCK, at_ns, actor=actor, cause=cause, details={"for_s": seconds})
    if trigger is Trigger.REX:
        turn.change(at_ns, cause, exit_held=turn.door.rex_level is not None)
    if verdict is RECORDED:
        return
    until_ns = at_ns + _ns(seconds)
    unused = door.contact is Contact.CLOSED
    if door.access is not None:  # R1: extends, never shortens
        until_ns = max(until_ns, door.access.until_ns)
        unused = unused and door.access.unused
    turn.change(at_ns, cause, access=Access(until_ns, actor, unused), unlocked_ns=at_ns, unlocked_by=actor)
    turn.count_held_open(at_ns)


def _refusal(turn: _Turn, trigger: Trigger) -> tuple[str, dict[str, Json]] | None:
    door, policy = turn.door, turn.policy
    verdict = TRANSITIONS[door.mode, trigger]
    if isinstance(verdict, RefusedByMode):
        return verdict.code, {}
    exits = trigger is Trigger.REX
    may_not = exits and not policy.rex_in_lockdown and not door.release_input
    if door.locked_down and (may_not or trigger is Trigger.HOLD):  # no hold under a release input either
        return "locked_down", {}
    if door.operator is OperatorMode.BLOCKED and (may_not or (trigger is Trigger.ACCESS and door.refuses_access)):
        return "blocked", {}
    exempt = door.release_input or (exits and (policy.rex_in_interlock or not door.interlock_known))
    if door.interlocked_by is not None and not exempt:  # R18
        return "interlock", {"held_by": door.interlocked_by}
    return None


def _operator(turn: _Turn, trigger: Trigger, item: Command) -> None:
    door = turn.door
    turn.put(operator_triggers=door.operator_triggers | {trigger})
    if trigger is Trigger.LOCK_DOWN and not door.locked_down:
        turn.begin_passage()
        turn.record(LOCK_LOCK_DOWN, item.at_ns, actor=item.actor, cause="operator")
        turn.change(item.at_ns, "lockdown", item.actor, locked_down=True, **NO_ACCESS)
    elif trigger is Trigger.CANCEL and door.locked_down:
        turn.begin_passage()
        turn.record(LOCK_CANCEL_LOCKDOWN, item.at_ns, actor=item.actor, cause="operator")
        turn.change(item.at_ns, "lockdown", item.actor, locked_down=False)
    elif trigger is Trigger.LOCK:
        held_off = OperatorMode.LOCKED if door.windowed else OperatorMode.NONE
        operator = door.operator if door.operator is OperatorMode.BLOCKED else held_off
        turn.change(item.at_ns, "operator", item.actor, operator=operator, **NO_ACCESS)
    elif trigger is Trigger.BLOCK and door.operator is not OperatorMode.BLOCKED:
        _say_operator_mode(turn, item, OperatorMode.BLOCKED)
        turn.change(item.at_ns, "operator", item.actor, operator=OperatorMode.BLOCKED, **NO_ACCESS)
    elif trigger is Trigger.UNBLOCK and door.operator is OperatorMode.BLOCKED:
        _say_operator_mode(turn, item, OperatorMode.NONE)
        turn.change(item.at_ns, "operator", item.actor, operator=OperatorMode.NONE)


def _say_operator_mode(turn: _Turn, item: Command, mode: OperatorMode) -> None:
    change: dict[str, Json] = {"operator_mode": [turn.door.operator.value, mode.value]}
    turn.record(LOCK_UPDATE, item.at_ns, actor=item.actor, cause="operator", correlation="", details=change)


def _schedule(turn: _Turn, item: ScheduleSays) -> None:
    """R9: an operator's `lock` holds a schedule off until the window in which it was said is over."""
    if item.events:
        turn.begin_passage()
    turn.repeat(item.events, turn.door.correlation)
    windowed = item.standing or item.waiting
    over = not windowed or any(event.type == LOCK_SCHEDULED_UNLOCK_ENDED for event in item.events)
    operator = turn.door.operator
    if over and operator is OperatorMode.LOCKED:
        operator = OperatorMode.NONE
    turn.put(scheduled_by=item.actor)
    turn.change(item.at_ns, "schedule", item.actor, scheduled=item.standing, operator=operator, windowed=windowed)


def _rex(turn: _Turn, item: RexPressed) -> None:
    """R7: an edge shunts forced-open always, and unlocks unless told otherwise."""
    policy, at_ns = turn.policy, item.at_ns
    before = turn.door.rex_shunt
    from_ns = before.from_ns if before.holds(at_ns) else at_ns
    turn.put(rex_shunt=Span(from_ns, at_ns + _ns(policy.rex_shunt_s)))
    if policy.rex_level_s:
        turn.put(rex_level=Span(at_ns, at_ns + _ns(policy.rex_level_s)))
    turn.excuse(at_ns, policy.rex_grace_ms)
    if policy.rex_unlocks:
        _unlock(turn, Trigger.REX, Command("rex", CommandName.UNLOCK, REX, at_ns), record=_to_be_recorded(turn, item))


def _rex_released(turn: _Turn, item: RexReleased) -> None:
    """The sensor's input is no longer active; its shunt goes on for as long as after an edge."""
    level = turn.door.rex_level
    if level is not None:
        until_ns = max(turn.door.rex_shunt.until_ns, item.at_ns + _ns(turn.policy.rex_shunt_s))
        turn.put(rex_shunt=Span(level.from_ns, until_ns), rex_level=None)
        turn.change(item.at_ns, "rex", exit_held=False)


def _rex_level_over(turn: _Turn, at_ns: int) -> None:
    turn.put(rex_level=None)
    turn.change(at_ns, "timer", exit_held=False)


def _to_be_recorded(turn: _Turn, item: RexPressed) -> bool:
    """Whether to record an exit request. Of a restless input: if it begins an access, otherwise once a minute."""
    door = turn.door
    begins = door.access is None and _refusal(turn, Trigger.REX) is None and door.mode not in STANDS_OPEN
    due = not item.restless or begins or item.at_ns >= door.rex_recorded_ns + REX_RECORDED_NS
    if due:
        turn.put(rex_recorded_ns=item.at_ns)
    return due


# --- R2 to R6: the contact ---------------------------------------------------------------------


def _contact(turn: _Turn, item: ContactMoved) -> None:
    door = turn.door
    known = door.contact in {Contact.OPEN, Contact.CLOSED}
    observed = item.observed if known else observed_first(door)
    turn.put(contact=Contact.OPEN if item.open else Contact.CLOSED, seen=True)
    if item.open and door.opening is None:
        _opened(turn, item.at_ns, observed)
    elif item.open and not known:  # still open after a fault: the count starts again
        turn.count_held_open(item.at_ns)
    elif not item.open and door.opening is not None:
        _closed(turn, item.at_ns, observed, door.opening)


def _opened(turn: _Turn, at_ns: int, observed: Observed) -> None:
    door, policy = turn.door, turn.policy
    authority = _authority(door, at_ns, policy.rex_grace_ms * NS_PER_MS)
    if observed in {Observed.AT_START, Observed.AFTER_FAULT}:  # R14: not known, so not forced
        authority = authority or observed.value
    if door.not_taken is not None and at_ns <= door.not_taken.ended_ns:  # taken after all, at the last moment
        turn.put(not_taken=None)
    elif authority != "access":
        turn.begin_passage()
    details: dict[str, Json] = {"observed": observed.value, "authorised_by": authority}
    turn.record(LOCK_OPENED, at_ns, details=details)
    forced_ns = None if authority else at_ns + (policy.rex_grace_ms + policy.rex_settle_ms) * NS_PER_MS
    turn.put(opening=Opening(at_ns, authorised=bool(authority), forced_ns=forced_ns))
    if authority:
        turn.count_held_open(_held_open_from(turn, at_ns))
    access = turn.door.access
    if access is None:
        return
    access = replace(access, unused=False)
    if policy.relock is Relock.OPEN:  # R3
        access = replace(access, until_ns=min(access.until_ns, at_ns + _ns(policy.relock_delay_s)))
    turn.put(access=access)


def _authority(door: Door, at_ns: int, grace_ns: int) -> str | None:
    """What authorised an opening at this moment: judged by the first edge (R4).

    A request to exit may have settled before the opening although it came after it, within the grace (R7).
    """
    now = door.authorised_from_ns
    if now is not None and now <= at_ns:
        return "access" if door.mode not in STANDS_OPEN else door.mode.value
    if door.last_authorised.holds(at_ns):
        return "access"
    spans = [door.rex_shunt, *([door.rex_level] if door.rex_level else [])]
    return "rex" if any(span.holds(at_ns, early_ns=grace_ns) for span in spans) else None


def _held_open_from(turn: _Turn, opened_ns: int) -> int:
    """When the count starts: at the unlock, or at the opening when the time since the unlock is already over."""
    unlocked_ns = turn.door.unlocked_ns
    if turn.policy.held_open_from is HeldOpenFrom.OPEN or unlocked_ns is None:
        return opened_ns
    return unlocked_ns if opened_ns < unlocked_ns + _ns(turn.policy.held_open_s) else opened_ns


def _closed(turn: _Turn, at_ns: int, observed: Observed, opening: Opening) -> None:
    if opening.forced_ns is not None:  # closed again before it was decided, and nothing came that authorised it
        _forced_open(turn, at_ns)
    door = turn.door
    cleared = None if door.alarm is Alarm.NORMAL else door.alarm.value  # R6
    details: dict[str, Json] = {
        "open_s": round((at_ns - opening.since_ns) / NS_PER_S, 3),
        "cleared": cleared,
        "observed": observed.value,
    }
    turn.record(LOCK_CLOSED, at_ns, details=details)
    turn.put(opening=None, alarm=Alarm.NORMAL, warning=False)
    if door.rex_shunt.until_ns <= at_ns + _ns(turn.policy.rex_shunt_s):  # R7: after closing, a fresh one is needed
        turn.put(rex_shunt=NEVER)
    if door.ajar:
        turn.change(max(at_ns, turn.now_ns), "closed", ajar=False)
    if door.access is None:
        return
    if (door.unlocked_ns or 0) > at_ns:  # unlocked while the closing settled: this closing does not end it
        turn.put(access=replace(door.access, unused=True))
    elif turn.policy.relock in {Relock.CLOSE, Relock.CLOSED}:
        turn.change(max(at_ns, turn.now_ns), "closed", access=None)


def _contact_fault(turn: _Turn, item: ContactFault) -> None:
    """A cut or shorted line is tampering until proven otherwise, as Kisi has it."""
    if item.reason is None or turn.door.contact is Contact.FAULT:
        return
    _contact_unknown(turn, Contact.FAULT)
    subject = Subject("controller_input", f"{turn.door.id}.contact", f"{turn.door.name} contact")
    details: dict[str, Json] = {"reason": item.reason}
    turn.record(CONTROLLER_INPUT_TAMPER, item.at_ns, subject=subject, correlation="", details=details)


def _contact_unknown(turn: _Turn, contact: Contact) -> None:
    turn.put(contact=contact)
    turn.stop_held_open()
    if turn.door.access is not None:
        turn.put(access=replace(turn.door.access, unused=False))


# --- R12, R16, R17, R18: inputs and lines -------------------------------------------------------


def _release_input(turn: _Turn, item: ReleaseInput) -> None:
    door = turn.door
    if item.asserted == door.release_input:
        return
    if item.asserted:
        subject = Subject("controller_input", f"{door.id}.release", f"{door.name} release input")
        turn.record(CONTROLLER_INPUT_TRIGGERED, item.at_ns, subject=subject, correlation="")
    turn.change(item.at_ns, "release_input", release_input=item.asserted)


def _tamper(turn: _Turn, item: TamperChanged) -> None:
    door = turn.door
    if item.asserted and item.point not in door.tamper:
        role = item.point.rpartition(".")[2]
        kind, tamper = ("reader", READER_TAMPER) if role == "reader" else ("controller_input", CONTROLLER_INPUT_TAMPER)
        subject = Subject(kind, item.point, f"{door.name} {role}")
        turn.record(tamper, item.at_ns, subject=subject, correlation="")
    turn.put(tamper=door.tamper | {item.point} if item.asserted else door.tamper - {item.point})


def _unstable(turn: _Turn, item: InputUnstable) -> None:
    role = item.point.rpartition(".")[2]
    subject = Subject("controller_input", item.point, f"{turn.door.name} {role}")
    turn.record(CONTROLLER_INPUT_UNSTABLE, item.at_ns, subject=subject, correlation="")


def _stirs(turn: _Turn, item: InputStirs) -> None:
    others = {role: span for role, span in turn.door.stirs.items() if role != item.role}
    turn.put(stirs={**others, item.role: Span(item.at_ns, item.until_ns)} if item.until_ns else others)


def _lost(turn: _Turn, item: PointsLost) -> None:
    turn.put(lost={**turn.door.lost, **dict.fromkeys(sorted(item.points), item.reason)})
    if item.lock:
        turn.put(lock=Lock.UNKNOWN)
    if item.contact:
        _contact_unknown(turn, Contact.UNKNOWN)
    if f"{turn.door.id}.rex" in item.points and turn.door.rex_level is not None:
        _rex_level_over(turn, item.at_ns)


def _back(turn: _Turn, item: PointsBack) -> None:
    door = turn.door
    turn.put(lost={point: why for point, why in door.lost.items() if point not in item.points})
    if door.unrecorded is not None and not turn.door.lock_lost:
        owed, told_ns = door.unrecorded, max(item.at_ns, turn.now_ns)
        due_ns = owed.details.get("due", owed.at_ns)
        late_s = round((told_ns - int(str(due_ns))) / NS_PER_S, 3)
        turn.put(unrecorded=None)
        turn.events.append(replace(owed, at_ns=told_ns, details={**owed.details, "due": due_ns, "late_s": late_s}))


def _lock_confirmed(turn: _Turn, item: LockConfirmed) -> None:
    turn.put(lock=Lock.UNLOCKED if item.released else Lock.LOCKED)


def _interlock(turn: _Turn, item: InterlockChanged) -> None:
    """R18: what waited for the others of the group takes effect when they are closed and locked."""
    before = turn.door
    turn.put(interlocked_by=item.held_by, interlock_known=item.known)
    turn.change(item.at_ns, "interlock")
    if before.waits and turn.door.standing:
        cause = "schedule" if turn.door.operator is OperatorMode.NONE else "operator"
        turn.record(LOCK_UNLOCK, item.at_ns, actor=SYSTEM, cause=cause, details={"waited_for": before.interlocked_by})


def _restore(turn: _Turn, item: Restore) -> None:
    """R14: a lockdown and an operator's mode return; what cannot be understood is left out."""
    door = turn.door
    known = {mode.value: mode for mode in OperatorMode}
    operator = known.get(str(item.memory.get("operator")), OperatorMode.NONE)
    if operator is OperatorMode.NONE or door.operator_triggers & OUTDATED[operator]:
        operator = door.operator
    locked_down = door.locked_down
    if not door.operator_triggers & {Trigger.LOCK_DOWN, Trigger.CANCEL}:
        locked_down = item.memory.get("locked_down") is True
    memory = item.memory.get("hold_until_ns")
    until_ns = door.hold_until_ns
    if operator is not door.operator:
        until_ns = memory if isinstance(memory, int) else None
    if until_ns is not None and until_ns <= item.at_ns:
        operator = OperatorMode.NONE
    changed = (locked_down, operator) != (door.locked_down, door.operator)
    ended = NO_ACCESS if changed and (locked_down or operator is OperatorMode.BLOCKED) else {}
    turn.put(hold_until_ns=until_ns)
    turn.change(item.at_ns, "restored", locked_down=locked_down, operator=operator, **ended)


def _hold_ends(turn: _Turn, item: HoldEnds) -> None:
    if turn.door.hold_until_ns is not None:
        turn.put(hold_until_ns=max(item.until_ns, item.at_ns))


def _hold_over(turn: _Turn, at_ns: int) -> None:
    """The door returns to what its schedule says then."""
    turn.change(at_ns, "timer", operator=OperatorMode.NONE)


# --- deadlines ------------------------------------------------------------------------------------


def _deadlines(door: Door, policy: DoorPolicy) -> list[tuple[int, Callable[[_Turn, int], None]]]:
    due: list[tuple[int, Callable[[_Turn, int], None]]] = []
    if door.access is not None:
        due.append((_over_ns(door, policy, door.access.until_ns), _access_over))
    if door.rex_level is not None:
        due.append((door.rex_level.until_ns, _rex_level_over))
    if door.hold_until_ns is not None:
        due.append((door.hold_until_ns, _hold_over))
    if door.not_taken is not None:
        due.append((door.not_taken.at_ns, _access_not_taken))
    opening = door.opening
    if opening is not None and opening.forced_ns is not None:
        due.append((_decided_ns(door, policy, opening.since_ns, opening.forced_ns), _forced_open))
    if opening is not None and opening.held_ns is not None:
        due.append((opening.held_ns, _held_open))
        if policy.held_open_warning_s and not door.warning:
            due.append((opening.held_ns - _ns(policy.held_open_warning_s), _warn))
    return due


def _over_ns(door: Door, policy: DoorPolicy, until_ns: int) -> int:
    """When an access is over. With a bolt, not while the contact is settling: the door may just have been opened."""
    stirs = door.stirs.get("contact", NEVER) if policy.relock is Relock.CLOSED else NEVER
    return max(until_ns, stirs.until_ns) if stirs.from_ns <= until_ns else until_ns


def _decided_ns(door: Door, policy: DoorPolicy, opened_ns: int, forced_ns: int) -> int:
    """When an opening becomes forced: not while an input that began in time to authorise it is still settling."""
    grace_ns = {"release": 0, "rex": policy.rex_grace_ms * NS_PER_MS}
    spans = ((span, grace_ns[role]) for role, span in door.stirs.items() if role in grace_ns)
    return max([forced_ns, *(span.until_ns for span, late_ns in spans if span.from_ns <= opened_ns + late_ns)])


def _access_over(turn: _Turn, at_ns: int) -> None:
    turn.change(at_ns, "opened" if turn.door.opening and turn.policy.relock is Relock.OPEN else "timer", access=None)


def _access_not_taken(turn: _Turn, _at_ns: int) -> None:
    missed = turn.door.not_taken
    if missed is not None:
        turn.record(LOCK_ACCESS_NOT_TAKEN, missed.ended_ns, actor=missed.actor, correlation=missed.correlation)
        turn.put(not_taken=None)


def _forced_open(turn: _Turn, at_ns: int) -> None:
    opening = turn.door.opening
    if opening is not None:
        turn.put(opening=replace(opening, forced_ns=None), alarm=Alarm.FORCED_OPEN)
        turn.record(LOCK_FORCED_OPEN, min(at_ns, opening.since_ns + turn.policy.rex_grace_ms * NS_PER_MS))


def _warn(turn: _Turn, _at_ns: int) -> None:
    turn.put(warning=True)


def _held_open(turn: _Turn, at_ns: int) -> None:
    opening = turn.door.opening
    if opening is not None:
        turn.put(opening=replace(opening, held_ns=None, reported=True), alarm=Alarm.HELD_OPEN)
        turn.put(warning=turn.policy.held_open_warning_s > 0)
        turn.record(LOCK_HELD_OPEN, at_ns, actor=turn.door.unlocked_by)


def _ns(seconds: float) -> int:
    return round(seconds * NS_PER_S)


_TRIGGERS: Final = {
    CommandName.UNLOCK: Trigger.UNLOCK,
    CommandName.LOCK: Trigger.LOCK,
    CommandName.HOLD_UNLOCKED: Trigger.HOLD,
    CommandName.LOCK_DOWN: Trigger.LOCK_DOWN,
    CommandName.CANCEL_LOCKDOWN: Trigger.CANCEL,
    CommandName.BLOCK: Trigger.BLOCK,
    CommandName.UNBLOCK: Trigger.UNBLOCK,
}

_HANDLERS: Final[dict[type, Callable[[_Turn, Any], None]]] = {
    Command: _command,
    ContactMoved: _contact,
    ContactFault: _contact_fault,
    RexPressed: _rex,
    RexReleased: _rex_released,
    HoldEnds: _hold_ends,
    ReleaseInput: _release_input,
    TamperChanged: _tamper,
    InputUnstable: _unstable,
    InputStirs: _stirs,
    PointsLost: _lost,
    PointsBack: _back,
    LockConfirmed: _lock_confirmed,
    InterlockChanged: _interlock,
    Restore: _restore,
    ScheduleSays: _schedule,
}
