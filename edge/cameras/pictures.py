"""Pictures of what happened at doors: which records get one, and a task for each camera that fetches them.

One rule: best effort. Nobody waits for a camera or for the disk with its pictures. A picture that does not
come soon is given up and counted, because a later one would show something else.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from edge.cameras.fetch import CameraError, Fetcher, PictureSource, picture_kind
from edge.cameras.store import PictureStore
from edge.model.catalogue import CATALOGUE, Severity, matching
from edge.model.cloudevents import rfc3339
from edge.model.event_types import CONTROLLER_FAULT, CONTROLLER_FAULT_CLEARED
from edge.model.messages import NS_PER_S, SYSTEM, ClockQuality, Event, Subject
from edge.socket.server import RequestError
from edge.system.background import in_background
from edge.system.tasks import say_why

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
    from pathlib import Path

    from edge.directory.directory import Directory
    from edge.log.log import Log
    from edge.model.cloudevents import Identity
    from edge.model.messages import Actor, Json, Record
    from edge.settings.cameras import CameraTable, PicturesTable
    from edge.system.clock import Clock

LOG: Final = logging.getLogger(__name__)
MOST_WAITING: Final = 16
"""Records that wait for one camera at most."""
PATIENCE_NS: Final = 10 * NS_PER_S
"""A record that is older when its turn comes gets no picture."""
SWEEP_EVERY_S: Final = 3600.0
CHUNK: Final = 192 * 1024
"""Bytes of a picture in one answer: base64 of them takes less than a millisecond; a multiple of 3."""
MIB: Final = 1 << 20


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _OfRecord(_Model):
    sequence: Annotated[int, Field(gt=0, lt=10**16)]


class _One(_OfRecord):
    camera: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,63}$")]
    offset: Annotated[int, Field(ge=0)] = 0


class _Try(_Model):
    camera: str


@dataclass(slots=True)
class _Camera:
    """One camera, its queue and its counts."""

    id: str
    table: CameraTable
    fetcher: Fetcher
    waiting: asyncio.Queue[tuple[str, int, int]] = field(default_factory=lambda: asyncio.Queue(MOST_WAITING))
    """(epoch, sequence number, boot-clock time) of records that wait for a picture."""
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One request at a time: many cameras serve one client only."""
    taken: int = 0
    dropped: int = 0
    last_error: str | None = None
    last_us: int | None = None
    """Calendar time of the last picture."""


class Cameras:
    """The cameras of one controller."""

    def __init__(  # noqa: PLR0913 -- each part has one owner
        self,
        cameras: Mapping[str, CameraTable],
        pictures: PicturesTable,
        beside: Path,
        *,
        log: Log,
        clock: Clock,
        identity: Callable[[], Identity],
        directory: Callable[[], Directory],
    ) -> None:
        """Nothing happens before `start`. Pictures are in `pictures/` beside the file `beside` unless configured.

        `directory` returns the directory in force, which has names and further doors of cameras.
        """
        self._log, self._clock, self._identity, self._directory = log, clock, identity, directory
        self._cameras = {name: _Camera(name, table, _fetcher(table)) for name, table in cameras.items()}
        alarms = {row.type for row in CATALOGUE.values() if row.severity is Severity.ALARM}
        self._types = frozenset(alarms) | (matching(pictures.types) if pictures.types else frozenset())
        self._store = PictureStore(
            pictures.folder or beside.with_name("pictures"), pictures.max_mib * MIB, pictures.keep_days
        )
        self._swept: str | None = None
        """Why the last sweep of the folder failed; None: it did not."""
        self._tasks: list[asyncio.Task[None]] = []

    # --- for the daemon ---------------------------------------------------------------------------------

    def start(self) -> None:
        """The log is open."""
        self._log.on_commit(self._committed)
        self._spawn(self._sweep(), "pictures")
        for camera in self._cameras.values():
            self._spawn(self._serve(camera), f"camera {camera.id}")

    async def close(self) -> None:
        """Stop; records that wait get no picture."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def facts(self) -> dict[str, Json]:
        """For `doorctl status` and `doorctl cameras`."""
        return {
            name: {
                "name": self._subject(camera).name,
                "doors": [*sorted(self._doors(camera))],
                "waiting": camera.waiting.qsize(),
                "taken": camera.taken,
                "dropped": camera.dropped,
                "last_picture": None if camera.last_us is None else rfc3339(camera.last_us),
                "last_error": camera.last_error,
            }
            for name, camera in self._cameras.items()
        }

    @property
    def ops(self) -> dict[str, Callable[[dict[str, Any], Actor], Awaitable[Json]]]:
        """The operations that the control socket serves."""
        return {"cameras": self._list, "try_camera": self._try, "pictures": self._of, "picture": self._content}

    # --- fetching -----------------------------------------------------------------------------------------

    def _committed(self, records: Sequence[Record]) -> None:
        for record in records:
            if record.event.door is None or record.event.type not in self._types:
                continue
            for camera in self._cameras.values():
                if record.event.door not in self._doors(camera):
                    continue
                try:
                    camera.waiting.put_nowait((self._identity().epoch, record.sequence, record.event.at_ns))
                except asyncio.QueueFull:
                    camera.dropped += 1

    async def _serve(self, camera: _Camera) -> None:
        while True:
            epoch, sequence, at_ns = await camera.waiting.get()
            if self._clock.now_ns() - at_ns > PATIENCE_NS:  # the disk or the camera took too long
                camera.dropped += 1
                continue
            try:
                content = await self._fetch(camera)
                await self._put(epoch, sequence, camera.id, content)
            except (CameraError, OSError) as error:
                self._tell(camera, str(error))
            else:
                camera.taken += 1
                self._tell(camera, None)

    async def _fetch(self, camera: _Camera) -> bytes:
        async with camera.busy:
            content = await camera.fetcher.fetch()
        camera.last_us = self._clock.wall_us()
        return content

    async def _put(self, epoch: str, sequence: int, camera: str, content: bytes) -> None:
        try:
            await in_background(lambda: self._store.put(epoch, sequence, camera, content), "picture")
        except OSError as error:
            raise OSError(f"its picture cannot be kept in {self._store.folder}: {error.strerror or error}") from error

    def _tell(self, camera: _Camera, error: str | None) -> None:
        """Record once that a camera fails, and once that it works again."""
        before, camera.last_error = camera.last_error, error
        if (before is None) == (error is None):
            return
        kind = CONTROLLER_FAULT_CLEARED if error is None else CONTROLLER_FAULT
        details: dict[str, Json] = {} if error is None else {"reason": error}
        self._log.append([Event(kind, self._clock.now_ns(), self._subject(camera), SYSTEM, details=details)])

    async def _sweep(self) -> None:
        """Remove pictures that are too old; none while the calendar is not set."""
        while True:
            clock = self._clock
            now_us = None if clock.quality() is ClockQuality.UNSYNCED else clock.wall_us()
            try:
                await in_background(lambda now_us=now_us: self._store.sweep(now_us), "pictures")  # type: ignore[misc]  # bound now
                self._swept = None
            except OSError as error:
                if self._swept is None:
                    LOG.warning("old pictures cannot be removed: %s", error)
                self._swept = str(error)
            await asyncio.sleep(SWEEP_EVERY_S)

    # --- requests -----------------------------------------------------------------------------------------

    async def _list(self, _body: dict[str, Any], _actor: Actor) -> Json:
        store = self._store
        kept: dict[str, Json] = {"folder": str(store.folder), "pictures": store.count, "bytes": store.bytes}
        return {"cameras": self.facts(), "kept": {**kept, "removed": store.removed, "error": self._swept}}

    async def _try(self, body: dict[str, Any], _actor: Actor) -> Json:
        """Fetch a picture as a test; it is not stored."""
        name = _Try.model_validate(body).camera
        camera = self._cameras.get(name)
        if camera is None:
            raise RequestError("unknown_camera", f"no camera {name!r}; expected one of {', '.join(self._cameras)}")
        try:
            content = await self._fetch(camera)
        except CameraError as error:
            raise RequestError("no_picture", f"camera {name}: {error}") from None
        return {"kind": picture_kind(content), "bytes": len(content)}

    async def _of(self, body: dict[str, Any], _actor: Actor) -> Json:
        """List the pictures of a record."""
        sequence, epoch = _OfRecord.model_validate(body).sequence, self._identity().epoch
        pictures = await self._look(lambda: self._store.of(epoch, sequence))
        return {
            "pictures": [
                {
                    "camera": picture.camera,
                    "name": self._name(picture.camera),
                    "bytes": picture.bytes,
                    "taken": rfc3339(picture.taken_us),
                }
                for picture in pictures
            ]
        }

    async def _content(self, body: dict[str, Any], _actor: Actor) -> Json:
        """A part of a picture, from `offset` on."""
        ask, epoch = _One.model_validate(body), self._identity().epoch
        content = await self._look(lambda: self._store.read(epoch, ask.sequence, ask.camera))
        if content is None:
            raise RequestError("not_found", "there is no such picture; it may have been removed for its age")
        part = base64.b64encode(content[ask.offset : ask.offset + CHUNK]).decode("ascii")
        return {"kind": picture_kind(content), "bytes": len(content), "content": part}

    async def _look(self, work: Callable[[], Any]) -> Any:  # noqa: ANN401 -- whatever the work finds
        results: list[Any] = []
        try:
            await in_background(lambda: results.append(work()), "pictures")
        except OSError as error:
            raise RequestError("unavailable", f"the pictures cannot be read: {error}") from None
        return results[0]

    # --- names and doors ------------------------------------------------------------------------------------

    def _doors(self, camera: _Camera) -> frozenset[str]:
        known = self._directory().cameras.get(camera.id)
        return frozenset(camera.table.doors) | (frozenset() if known is None else known.doors)

    def _name(self, camera: str) -> str:
        known = self._directory().cameras.get(camera)
        return camera if known is None else known.name

    def _subject(self, camera: _Camera) -> Subject:
        return Subject("camera", camera.id, self._name(camera.id))

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(say_why)
        self._tasks.append(task)


def _fetcher(table: CameraTable) -> Fetcher:
    at = PictureSource(table.url, table.username, table.password_file)
    return Fetcher(at, table.ca_file, tls_strict=table.tls_strict)
