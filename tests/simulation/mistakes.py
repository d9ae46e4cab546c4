"""Faults that were mended once, put back one by one: the simulation has to find each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import edge.commands.parsing
import edge.daemon.requests.service
import edge.doors.rules
import edge.log.remembered
import edge.upstream.queue
from edge.doors.debounce import Debouncer
from edge.doors.modes import Mode, RefusedByMode, Trigger
from edge.doors.runner import Runner
from edge.log.commands import CommandTables
from edge.log.writer import Writer

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    import pytest

    from edge.log.log import Log
    from edge.log.prepared import Prepared

    Patch = pytest.MonkeyPatch


def _told_before_it_is_written(patch: Patch) -> None:
    """Listeners hear of records, and the broker gets them, before they are on the medium."""
    commit = Writer._commit

    def early(self: Writer) -> None:
        prepared = self._prepared
        assert prepared is not None
        self._listener.committed_in_thread(self._store, prepared)
        commit(self)

    patch.setattr(Writer, "_commit", early)
    patch.setattr(Writer, "_done", _done_untold)


def _done_untold(self: Writer, prepared: Prepared) -> None:
    self._prepared = None
    self._suspected = self._fresh = False
    self._buffer.done(prepared.work)


def _a_failed_commit_is_written_again(patch: Patch) -> None:
    """A commit whose flush failed is on the medium all the same; it is written once more."""

    def resume(self: Writer, prepared: Prepared) -> None:
        self._prepared = self._store.prepare(prepared.work)

    patch.setattr(Writer, "_resume", resume)


def _modes_are_forgotten(patch: Patch) -> None:
    """A restart remembers no lockdown."""
    patch.setattr(Runner, "_remind", lambda *_: None)


def _an_order_that_is_not_stored_is_done(patch: Patch) -> None:
    """A command is answered before it is on the disk, and `not_stored` is never said."""

    async def at_once(outcomes: Any, _log: Log) -> Any:
        return outcomes

    patch.setattr(edge.daemon.requests.service, "with_disk", at_once)


def _ids_are_forgotten(patch: Patch) -> None:
    """A restart remembers no id of a command."""
    load = CommandTables.load

    def forgets(self: CommandTables, db: sqlite3.Connection) -> None:
        db.execute("DELETE FROM command")
        load(self, db)

    patch.setattr(CommandTables, "load", forgets)


def _a_retained_command_is_obeyed(patch: Patch) -> None:
    """What somebody left on the topic long ago opens a door."""
    patch.setattr(edge.commands.parsing, "_let_in", lambda *_, **__: None)


def _interlocks_know_nothing(patch: Patch) -> None:
    """Holds and pulses release a door while another of its group is released."""
    patch.setattr(Runner, "_interlock", lambda *_: None)


def _exits_are_refused_in_a_lockdown(patch: Patch) -> None:
    """Somebody stays in."""
    table = dict(edge.doors.rules.TRANSITIONS)
    table[Mode.LOCKED_DOWN, Trigger.REX] = RefusedByMode("locked_down")
    patch.setattr(edge.doors.rules, "TRANSITIONS", table)


def _nobody_subscribes_counts_as_delivered(patch: Patch) -> None:
    """A record that the broker took for nobody (0x10) is not sent again."""
    answered = edge.upstream.queue.Queue.answered
    patch.setattr(
        edge.upstream.queue.Queue,
        "answered",
        lambda self, message, code: answered(self, message, 0 if code == 0x10 else code),
    )


def _a_log_goes_back_unnoticed(patch: Patch) -> None:
    """An older copy of the log is put back, and its numbers are used again."""
    patch.setattr(edge.log.remembered, "_went_back", lambda _db, head, *_: (None, head))
    patch.setattr("edge.upstream.witness.StreamWitness.committed", lambda *_: None)
    patch.setattr("edge.upstream.witness.StreamWitness.hear", _hears_nothing)


async def _hears_nothing(*_: object) -> None:
    return


def _a_change_is_dated_when_it_settles(patch: Patch) -> None:
    """An opening has the time of its last edge, not of its first."""
    settle = Debouncer._settle

    def late(self: Debouncer, *, read: bool) -> Any:
        self._first_ns = self._edge_ns + self._quiet_ns
        return settle(self, read=read)

    patch.setattr(Debouncer, "_settle", late)


def _an_unlock_is_not_ended(patch: Patch) -> None:
    """A mistake in a door's deadlines leaves its lock released."""
    deadlines = edge.doors.rules._deadlines
    over = edge.doors.rules._access_over
    patch.setattr(
        edge.doors.rules, "_deadlines", lambda *given: [due for due in deadlines(*given) if due[1] is not over]
    )


MISTAKES: Final[dict[Callable[[Patch], None], str]] = {
    _told_before_it_is_written: "3 records are what happened, in order",
    _a_failed_commit_is_written_again: "3 sequence numbers are told in a row",
    _modes_are_forgotten: "R10 a lockdown is left by its cancel only",
    _an_order_that_is_not_stored_is_done: "R15 what a command was answered is durable",
    _ids_are_forgotten: "4 each id is carried out at most once",
    _a_retained_command_is_obeyed: "4 only a valid command in its time is carried out",
    _interlocks_know_nothing: "R18 interlock",
    _exits_are_refused_in_a_lockdown: "R7 an exit request releases the door",
    _nobody_subscribes_counts_as_delivered: "4 each record is upstream under one id",
    _a_log_goes_back_unnoticed: "4 an id names one record",
    _a_change_is_dated_when_it_settles: "R2 each opening and closing is physical",
    _an_unlock_is_not_ended: "R1 R3 a lock is released for a reason, for its time",
}
"""Fault -> the rule that it breaks."""
