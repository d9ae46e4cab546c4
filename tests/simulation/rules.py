"""What must hold, with the rule of the contract: while a life goes on, after each life, and in the end."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from edge.log.verify import verify
from edge.model.event_types import CONTROLLER_GAP, CONTROLLER_STORAGE, LOCK_CLOSED, LOCK_FORCED_OPEN, LOCK_OPENED
from tests.simulation.truth import EXITS, SLACK_S

if TYPE_CHECKING:
    from edge.model.messages import Event
    from tests.simulation.life import Life
    from tests.simulation.truth import DoorTruth
    from tests.simulation.world import World

MOVES: Final = {LOCK_OPENED: True, LOCK_CLOSED: False}
WRITERS_OWN: Final = {CONTROLLER_STORAGE, CONTROLLER_GAP}
STANDS_S: Final = 1.5
"""A leaf that has not moved for so long has been seen."""
BOUNCE_S: Final = 0.03
"""The contact bounces for so long after a move."""
RESTLESS_S: Final = 12.0
"""After a storm an input may be called restless for so long."""
PRESSED_S: Final = 1.0
"""A button that is pressed again within so long may not have been let go."""
FAR_S: Final = 8.0
"""Longer than an exit request excuses an opening."""


def watch(world: World, life: Life) -> None:
    """R10, R14: a lockdown is left only by its cancel, across any restart."""
    runner, known = life.daemon.runner, False

    def look(name: str) -> None:
        if known and world.doors[name].is_down and not runner.door(name).locked_down:
            world.breaks("R10 a lockdown is left by its cancel only", f"{name} is {runner.door(name).mode}")

    async def remembered() -> None:
        nonlocal known
        await life.daemon.log.remembered()
        await asyncio.sleep(0.001)
        if not life.stop.is_set():
            known = True
            for name in world.doors:
                look(name)

    runner.listeners.append(look)
    life.asked.append(asyncio.ensure_future(remembered()))


def after_life(world: World, life: Life) -> None:
    """All rules that a life shows when it is over."""
    for door in world.doors.values():
        _released(world, life, door)
        _moves(world, life, door)
        _forced(world, life, door)
        _exits(world, life, door)
    if world.settings.doors["front"].policy.interlock:
        _interlocked(world, life)
    _in_order(world, life)
    _durable(world, life)


def in_the_end(world: World) -> None:
    """What must hold once everything has been well for some time."""
    result = verify(world.disk.folder / "log.db")
    if not result.ok:
        world.breaks("3 the hash chain holds", str(result.broken))
    for sequence, row in world.disk.records().items():
        ids = world.broker.consumer.ids.get(row.hash, set())
        if len(ids) != 1:
            world.breaks("4 each record is upstream under one id", f"record {sequence} has {sorted(ids)}")
    if world.life.daemon.unwritten:
        world.breaks("R15 a stop flushes the log", f"{world.life.daemon.unwritten} events were not written")


def _served_s(life: Life) -> float:
    """Up to when it saw to its doors."""
    return min(life.over_s, life.served_s)


def _exits(world: World, life: Life, door: DoorTruth) -> None:
    """R7: an exit request releases the door, whatever its mode."""
    released, pressed_s = spans(life, f"{door.name}.lock"), 0.0
    for exit_ in sorted(door.permissions, key=lambda one: one.from_s):
        at_s = exit_.from_s
        if exit_.kind != "rex":
            continue
        fresh, pressed_s = at_s - pressed_s > PRESSED_S, at_s
        if not fresh or not life.began_s + 0.5 < at_s < _served_s(life) - 0.5:
            continue
        if not any(begun <= at_s + SLACK_S and at_s <= ended for begun, ended in released):
            world.breaks("R7 an exit request releases the door", f"{door.name} at {at_s:.3f}")


def spans(life: Life, point: str) -> list[tuple[float, float]]:
    """When an output was on."""
    found, since = [], None
    for at_ns, level in life.driver.history(point):
        if level and since is None:
            since = at_ns / 1e9
        elif not level and since is not None:
            found.append((since, at_ns / 1e9))
            since = None
    return found if since is None else [*found, (since, life.over_s)]


def _released(world: World, life: Life, door: DoorTruth) -> None:
    """R1, R3, R10: no lock is released without a reason, past its deadline, or in a lockdown but by an exit."""
    bolt = world.plan.settings["relock"] == "closed"
    for from_s, until_s in spans(life, f"{door.name}.lock"):
        gap_s = door.not_permitted(from_s, until_s)
        while bolt and gap_s is not None and door.seems_open(gap_s):
            gap_s = door.not_permitted(gap_s + SLACK_S, until_s)
        if gap_s is not None:
            world.breaks(
                "R1 R3 a lock is released for a reason, for its time", f"{door.name} is released at {gap_s:.3f}"
            )
        for down_s, up_s in door.down:
            begun, ended = max(from_s, down_s), min(until_s, up_s)
            if begun + SLACK_S < ended:
                gap_s = door.not_permitted(begun + SLACK_S, ended, EXITS)
                if gap_s is not None and not (bolt and door.seems_open(gap_s)):
                    world.breaks("R10 in a lockdown only exits release", f"{door.name} is released at {gap_s:.3f}")


def _interlocked(world: World, life: Life) -> None:
    """R18: nothing but an exit releases a door while another of its group is released."""
    for door in world.doors.values():
        for other in world.doors.values():
            for from_s, _ in spans(life, f"{door.name}.lock"):
                if other is door or door.permits(from_s, EXITS):
                    continue
                if any(begun + 0.001 < from_s < ended - 0.001 for begun, ended in spans(life, f"{other.name}.lock")):
                    world.breaks("R18 interlock", f"{door.name} is released at {from_s:.3f} beside {other.name}")


def _moves(world: World, life: Life, door: DoorTruth) -> None:
    """R2: openings and closings alternate, each is one that there was, and each that there was is one."""
    was_open, seen = False, set()
    for event in life.events:
        if event.door != door.name or event.type not in MOVES:
            continue
        if MOVES[event.type] is was_open:
            world.breaks("R2 openings and closings alternate", f"{door.name}: {event.type} twice")
        was_open = MOVES[event.type]
        at_s = event.at_ns / 1e9
        edge = event.details["observed"] == "edge" and door.quiet(at_s, at_s)
        if edge and not any(-0.001 < at_s - moved_s < BOUNCE_S for moved_s, _ in door.moves):
            world.breaks("R2 each opening and closing is physical", f"{door.name}: {event.type} at {at_s:.3f}")
        seen.add((round(at_s, 3), was_open))
    ends = [*[at_s for at_s, _ in door.moves[1:]], life.over_s]
    for (at_s, opened), end_s in zip(door.moves, ends, strict=False):
        stood = end_s - at_s > STANDS_S and _served_s(life) - at_s > STANDS_S and at_s > life.began_s + 0.5
        if stood and door.quiet(at_s - RESTLESS_S, at_s + 1) and not seen & {(round(at_s, 3), opened)}:
            world.breaks("R2 each opening and closing is recorded", f"{door.name}: {opened} at {at_s:.3f}")


def _forced(world: World, life: Life, door: DoorTruth) -> None:
    """R4: an opening is forced exactly when nothing authorised it."""
    released = spans(life, f"{door.name}.lock")
    forced = [event for event in life.events if event.type == LOCK_FORCED_OPEN and event.door == door.name]
    for event in _openings(life, door):
        at_s = event.at_ns / 1e9
        if (
            not door.quiet(at_s - RESTLESS_S, at_s + 1)
            or _served_s(life) < at_s + 2
            or event.details["observed"] != "edge"
        ):
            continue
        is_forced = any(abs(one.at_ns - event.at_ns) < 1_000_000 for one in forced)
        if is_forced and any(begun + SLACK_S < at_s < ended - SLACK_S for begun, ended in released):
            world.breaks("R4 what is authorised is not forced", f"{door.name} at {at_s:.3f}")
        if not is_forced and not any(begun - FAR_S < at_s < ended + FAR_S for begun, ended in released):
            world.breaks("R4 what nothing authorised is forced", f"{door.name} at {at_s:.3f}")


def _openings(life: Life, door: DoorTruth) -> list[Event]:
    return [event for event in life.events if event.type == LOCK_OPENED and event.door == door.name]


def _in_order(world: World, life: Life) -> None:
    """3: what is told is what happened, in order; a stop that flushed the log has told all."""
    told = [record.event for _, record in life.told if record.event.type not in WRITERS_OWN]
    handed = life.events[: len(told)]
    if [(one.type, one.at_ns) for one in told] != [(one.type, one.at_ns) for one in handed]:
        world.breaks("3 records are what happened, in order", f"{len(told)} were told")
    for (stream, record), (next_stream, following) in pairwise(life.told):
        if stream == next_stream and following.sequence != record.sequence + 1:
            world.breaks("3 sequence numbers are told in a row", f"{following.sequence} after {record.sequence}")
    if life.stopped and not life.daemon.unwritten and len(told) < len(life.events):
        world.breaks("R15 a stop flushes the log", f"{len(life.events) - len(told)} events were not told of")


def _durable(world: World, life: Life) -> None:
    """R15, 3: what was told is on the disk, under dense numbers."""
    rows = world.disk.records()
    world.trace.append((life.over_s, len(rows), [(event.type, event.at_ns) for event in life.events]))
    if sorted(rows) != list(range(1, len(rows) + 1)):
        world.breaks("3 sequence numbers are dense", f"{len(rows)} records up to {max(rows)}")
    hashes = {number: row.hash for number, row in rows.items()}
    stored = {(row.type, row.at_ns) for row in rows.values()}
    for event in life.events[: life.promised]:
        if (event.type, event.at_ns) not in stored:
            world.breaks("R15 what a command was answered is durable", f"{event.type} at {event.at_ns / 1e9:.3f}")
            return
    for stream, record in life.told:
        if stream == life.daemon.log.stream and hashes.get(record.sequence) != record.hash:
            world.breaks("R15 what was told is durable", f"record {record.sequence} was told and is not there")
            return
    if any(one.forgot for one in world.lives):
        return
    for sequence, digest in world.broker.stored.get(life.daemon.log.stream, {}).items():
        if hashes.get(sequence) != digest:
            world.breaks("R15 what was sent is durable", f"record {sequence} is upstream and not there")
            return
