"""Keeps one driver running: opens it, reports its loss once, tries again, says when it is back.

One rule: nothing a driver does, not even a fault in its code, reaches another driver.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from edge.model.messages import Back, Lost
from edge.model.ports import Extensible, Lights, StandingLights

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import BaseModel

    from edge.model.messages import Json, ReaderDisplay
    from edge.model.ports import Driver, Emit
    from edge.settings.controller import DriverSettings

LOG: Final = logging.getLogger(__name__)
RETRY_S: Final = (0.25, 5.0)
"""The first and the longest pause before a lost driver is opened again; it doubles in between."""
LET_GO_S: Final = 1.0
"""How long a lost driver may take to end. After that it is left running, and its signals are ignored."""
STEADY_S: Final = 10.0
"""After a run of this long the pause starts at its shortest again."""


class DriverSupervisor:
    """One driver and its state: `online`, or lost with a reason."""

    def __init__(self, driver: Driver, kind: str, now_ns: Callable[[], int]) -> None:
        """Nothing is touched yet."""
        self.driver = driver
        self.kind = kind
        self.reason: str | None = None
        self.since_ns = now_ns()
        self._now_ns = now_ns
        self._opened = False
        self._reported = False
        self._failed: asyncio.Future[None] | None = None

    @property
    def online(self) -> bool:
        """Whether the driver answers."""
        return self._opened and self.reason is None

    def open(self) -> None:
        """Bring every output to its resting level, before anything else. `run` reports a failure."""
        try:
            self.driver.open()
            self._opened = True
        except Exception as error:  # noqa: BLE001 -- whatever it is, the other drivers open
            self.reason = self._why(error)

    def add(self, points: Mapping[str, BaseModel]) -> str | None:
        """Add points, their outputs at the resting level first. Returns the reason if they are lost, else None."""
        try:
            if not isinstance(self.driver, Extensible):
                return f"driver {self.driver.name} cannot add points while it runs: restart doord"
            self.driver.add(points)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the other points go on
            return self._why(error)
        return self.reason

    async def run(self, take: Emit) -> None:
        """Run until cancelled. `take` receives the driver's signals and the supervisor's own `Lost` and `Back`."""
        loop = asyncio.get_running_loop()
        pause_s = RETRY_S[0]
        if self.reason is not None:
            self._lost(self.reason, take)
        while True:
            if not self._opened:
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, RETRY_S[1])
            began_s = loop.time()
            try:
                await self._serve(take)
            except Exception as error:  # noqa: BLE001 -- whatever it is, only this driver's points suffer
                self._lost(self._why(error), take)
            else:
                self._lost("the driver stopped by itself", take)
            if loop.time() - began_s > STEADY_S:
                pause_s = RETRY_S[0]

    def apply(self, outputs: Mapping[str, bool]) -> bool:
        """Drive outputs. False while the driver is lost: they are driven again when it is back."""
        if not self.online:
            return False
        try:
            self.driver.apply(outputs)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the door goes on
            self._broke(error)
            return False
        return True

    def level(self, point: str) -> bool | None:
        """An input read now, or None when it cannot be read."""
        if not self.online:
            return None
        try:
            return self.driver.level(point)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the door goes on
            self._broke(error)
            return None

    def answer(self, point: str, *, granted: bool) -> None:
        """Show at a reader whether a card was granted, if the driver can."""
        if not self.online or not isinstance(self.driver, Lights):
            return
        try:
            self.driver.answer(point, granted=granted)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the door goes on
            self._broke(error)

    def show(self, point: str, shown: ReaderDisplay) -> None:
        """Show the state of a door at its reader, if the driver can."""
        if not self.online or not isinstance(self.driver, StandingLights):
            return
        try:
            self.driver.show(point, shown)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the door goes on
            self._broke(error)

    def close(self) -> None:
        """Bring every output to its resting level. After that nothing is driven."""
        self._opened = False
        try:
            self.driver.close()
        except Exception:  # whatever it is, the other drivers close
            LOG.exception("driver %s did not close", self.driver.name)

    def facts(self) -> dict[str, Json]:
        """For status and diagnosis."""
        return {"kind": self.kind, "state": "online" if self.online else "lost", "reason": self.reason}

    async def _serve(self, take: Emit) -> None:
        if not self._opened:
            self.driver.open()
            self._opened = True
        self._failed = asyncio.get_running_loop().create_future()
        if self._reported:
            self.reason, self.since_ns, self._reported = None, self._now_ns(), False
            LOG.warning("driver %s is back", self.driver.name)
            take(Back(self.driver.points, self.since_ns))
        failed = self._failed
        running = asyncio.ensure_future(self.driver.run(lambda signal: None if failed.done() else take(signal)))
        try:
            await asyncio.wait({running, failed}, return_when=asyncio.FIRST_COMPLETED)
            if failed.done():
                raise OSError(self.reason)
            if running.cancelled():  # by itself: it has not been cancelled here yet
                raise OSError("the driver cancelled itself")
            running.result()
        finally:
            failed.cancel()
            running.cancel()
            await asyncio.wait({running}, timeout=LET_GO_S)
            if not running.done():
                LOG.error("driver %s does not end", self.driver.name)
            running.add_done_callback(_seen)

    def _broke(self, error: Exception) -> None:
        """A call failed: the driver is lost from now on. `run` reports it, at once or when it starts."""
        self.reason = self._why(error)
        if self._failed is not None and not self._failed.done():
            self._failed.set_result(None)

    def _why(self, error: Exception) -> str:
        """The reason for people: the message of a lost line, or the whole exception of a mistake in the driver."""
        if isinstance(error, OSError):
            return str(error)
        LOG.error("driver %s failed", self.driver.name, exc_info=error)
        return f"internal error: {error!r}"

    def _lost(self, reason: str, take: Emit) -> None:
        self._opened = False
        self.reason = reason
        if not self._reported:
            self._reported, self.since_ns = True, self._now_ns()
            LOG.error("driver %s is lost: %s", self.driver.name, reason)
            take(Lost(self.driver.points, reason, self.since_ns))


def _seen(task: asyncio.Future[None]) -> None:
    """Fetch the exception, or asyncio would log it: it has been reported, or the supervisor is closed."""
    if not task.cancelled():
        task.exception()


def open_all(drivers: Mapping[str, DriverSettings], now_ns: Callable[[], int]) -> dict[str, DriverSupervisor]:
    """R14: when this returns, every lock whose driver is there shows its resting level."""
    supervisors = {}
    for name, settings in drivers.items():
        driver: Driver
        try:
            driver = settings.create(now_ns)
        except Exception as error:  # a library that is missing or broken: the doors on other drivers are guarded
            LOG.exception("driver %s cannot be made", name)
            driver = BrokenDriver(name, frozenset(settings.points), f"cannot be made: {error!r}")
        supervisors[name] = DriverSupervisor(driver, settings.kind, now_ns)
        supervisors[name].open()  # before the library of the next one is loaded
    return supervisors


class BrokenDriver:
    """Takes the place of a driver that could not be made: its points are lost until doord is restarted."""

    def __init__(self, name: str, points: frozenset[str], reason: str) -> None:
        """`reason` is for people."""
        self.name, self.points, self._reason = name, points, reason

    def open(self) -> None:
        """Raises OSError, always."""
        raise OSError(self._reason)

    def add(self, points: Mapping[str, BaseModel]) -> None:
        """The new points are lost like the others."""
        self.points |= points.keys()

    async def run(self, _emit: Emit) -> None:
        """Raises OSError, always."""
        raise OSError(self._reason)

    def apply(self, _outputs: Mapping[str, bool]) -> None:
        """Raises OSError, always."""
        raise OSError(self._reason)

    def level(self, _point: str) -> bool | None:
        """The level is unknown."""
        return None

    def close(self) -> None:
        """Nothing was opened."""

    def describe(self) -> Mapping[str, Json]:
        """Nothing is known."""
        return {}
