"""Serves `directory_export`, `directory_import` and `apply_import`: the directory out of doord and into it, as a file.

One rule: a file comes and goes in pieces of bounded size. An import is planned and told first; what is put in force is
what was told, or nothing when somebody else changed the directory meanwhile.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from edge.access.edits import BroughtBy, adopt_directory, elsewhere
from edge.daemon.requests.desk import DeskAsk
from edge.people.exchange.difference import planning_document
from edge.people.exchange.export import document_text, sheet_rows
from edge.people.exchange.plan import MOST_PROBLEMS, planning_sheet
from edge.people.exchange.sheet import COLUMNS, SheetError
from edge.people.slices import aside
from edge.socket.peers import RequestError
from edge.system.memory import too_large
from edge.system.tasks import say_why

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime

    from edge.access.people import People
    from edge.directory.directory import Card, Directory
    from edge.doors.runner import Runner
    from edge.model.messages import Actor, Json
    from edge.people.exchange.plan import ImportPlan

LARGEST: Final = 64 << 20
"""Characters of a file; a document of 100,000 cards has about 40 million with the hashes of PINs."""
LARGEST_PIECE: Final = 60_000
KEPT_S: Final = 600.0
"""How long an import is kept after the last request about it: it may have PINs in clear."""


class _Export(DeskAsk):
    form: Literal["json", "csv"]
    after: int = Field(0, ge=0, le=10_000_000)
    version: int | None = Field(None, ge=0, le=2**53 - 1)


class _Import(DeskAsk):
    action: Literal["begin", "send", "plan", "drop"]
    form: Literal["json", "csv"] | None = None
    import_: str | None = Field(None, alias="import", max_length=40)
    text: str | None = Field(None, max_length=LARGEST_PIECE, repr=False)
    combined: bool = False


class _Apply(DeskAsk):
    import_: str = Field(alias="import", max_length=40)


@dataclass(slots=True)
class _Session:
    """One import, until it is in force, given up or forgotten."""

    id: str
    actor: Actor
    form: str
    combined: bool
    pieces: list[str] = field(default_factory=list, repr=False)
    size: int = 0
    plan: ImportPlan | None = None


class DirectoryExchange:
    """Serves the requests. There is one import at a time: another one ends it."""

    def __init__(self, people: People, runner: Runner, seen: Callable[[], Sequence[Card]]) -> None:
        """`people` has the directory in force; `seen` returns the cards that readers saw."""
        self._people, self._runner, self._seen = people, runner, seen
        self._session: _Session | None = None
        self._freeing: asyncio.Task[None] | None = None
        self._planning = asyncio.Lock()
        self._forgetting: asyncio.TimerHandle | None = None
        self.ops: dict[str, Callable[[dict[str, Any], Actor], Awaitable[Json]]] = {
            "directory_export": self._export,
            "directory_import": self._import,
            "apply_import": self._apply,
        }

    # --- out -----------------------------------------------------------------------------------------

    async def _export(self, body: dict[str, Any], actor: Actor) -> Json:
        ask = _Export.model_validate(body)
        directory = self._loaded()
        if ask.version not in {None, directory.version}:
            text = f"version {directory.version} is in force, no more version {ask.version}: begin again"
            raise RequestError("stale", text, {"in_force": directory.version})
        if ask.form == "json":
            own = {"uid:0", f"uid:{os.geteuid()}"}  # they can read the file with the hashes anyway
            piece = await aside(document_text(directory, ask.after, hashes=actor.id in own))
            return {"version": directory.version, "text": piece.text, "next": piece.next}
        rows = await aside(sheet_rows(directory, ask.after, self._people.zone, self._known()))
        told: list[Json] = [[*row] for row in rows.rows]
        return {"version": directory.version, "columns": [*COLUMNS], "rows": told, "next": rows.next}

    def _loaded(self) -> Directory:
        if not self._people.readers.loaded:
            raise RequestError("busy", "the directory is not loaded yet: try again in a moment")
        return self._people.directory.in_force

    def _known(self) -> datetime | None:
        moment = self._people.timetable.moment()
        return moment.at if moment.trusted else moment.known

    # --- in ------------------------------------------------------------------------------------------

    async def _import(self, body: dict[str, Any], actor: Actor) -> Json:
        ask = _Import.model_validate(body)
        if ask.action == "begin":
            return self._begin(ask, actor)
        session = self._of(ask.import_, actor)
        if ask.action == "send":
            return self._take(session, ask.text or "")
        if ask.action == "drop":
            self._drop(session)
            return {}
        async with self._planning:
            return await self._plan(session)

    def _begin(self, ask: _Import, actor: Actor) -> Json:
        self._here()
        if ask.form is None:
            raise RequestError("malformed", "form: missing, expected json or csv")
        session = _Session(secrets.token_hex(8), actor, ask.form, ask.combined)
        if self._session is not None:
            self._drop(self._session)
        self._session = session
        self._keep(session)
        return {"import": session.id}

    def _take(self, session: _Session, text: str) -> Json:
        size = session.size + len(text)
        if size > LARGEST:
            reason = f"found more than {LARGEST >> 20} million characters: put it into the [directory] file instead"
            raise RequestError("too_large", reason)
        if session.plan is not None:
            raise RequestError("malformed", "expected nothing more after the plan: begin another import")
        session.pieces.append(text)
        session.size = size
        return {"received": size}

    async def _plan(self, session: _Session) -> Json:
        if session.plan is not None:
            raise RequestError("malformed", "it is planned already")
        if reason := await asyncio.to_thread(too_large, session.size):
            raise RequestError("too_large", reason)
        text, directory = "".join(session.pieces), self._loaded()
        source, doors, zone = Path(f"import by {session.actor.name}"), [*self._runner.doors], self._people.zone
        if session.form == "json":
            document = text.encode(errors="replace")
            steps = planning_document(directory, document, source, zone, doors=doors)
        else:
            steps = planning_sheet(
                directory, text, source, zone, doors=doors, seen=self._seen(), combined=session.combined
            )
        try:
            plan = await aside(steps, freeze=True)
        except SheetError as error:
            raise RequestError("malformed", str(error)) from None
        session.plan, session.pieces = plan, []
        self._keep(session)
        problems: list[Json] = [*plan.problems[:MOST_PROBLEMS]]
        kinds: dict[str, Json] = {kind: {**counts} for kind, counts in plan.kinds.items()}
        return {
            "version": directory.version,
            "changes": plan.changes,
            "counts": {**plan.counts},
            "kinds": kinds,
            "told": [*plan.told],
            "notes": [*plan.notes],
            "problems": problems,
            "more_problems": len(plan.problems) - len(problems),
        }

    async def _apply(self, body: dict[str, Any], actor: Actor) -> Json:
        session = self._of(_Apply.model_validate(body).import_, actor)
        self._here()
        plan = session.plan
        if plan is None or plan.problems:
            raise RequestError("malformed", "expected an import that was planned, without problems")
        if not plan.changes:
            self._drop(session)
            version: dict[str, Json] = {"version": plan.before.version}
            return {"done": True, "code": None, "message": "", "outcomes": version}
        origin = BroughtBy(Path(f"import by {actor.name or actor.id}"), actor)
        answer = await adopt_directory(self._people, plan.after, origin)
        if answer.code in {None, "stale"}:
            self._drop(session)
        outcomes: Json = {**answer.outcomes}
        return {"done": answer.code is None, "code": answer.code, "message": answer.text, "outcomes": outcomes}

    def _here(self) -> None:
        if (where := elsewhere(self._people.managed, upstream=False)) is not None:
            raise RequestError("managed_elsewhere", where)

    def _of(self, own: str | None, actor: Actor) -> _Session:
        session = self._session
        if session is None or session.id != own or session.actor.id != actor.id:
            text = "this import is not known any more: another one was begun, or it was left for too long; begin again"
            raise RequestError("unknown_import", text)
        self._keep(session)
        return session

    def _keep(self, session: _Session) -> None:
        """Forget it when nothing is asked about it for a while."""
        if self._forgetting is not None:
            self._forgetting.cancel()
        self._forgetting = asyncio.get_running_loop().call_later(KEPT_S, self._drop, session)

    def _drop(self, session: _Session) -> None:
        if self._session is session:
            self._session = None
        plan, session.plan = session.plan, None
        if plan is not None:
            self._freeing = asyncio.create_task(aside(plan.freeing()), name="import")
            self._freeing.add_done_callback(say_why)
