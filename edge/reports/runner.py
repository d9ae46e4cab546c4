"""Writes the scheduled reports of a running daemon, in a thread of its own.

One rule: nothing waits for it, and while the calendar is not set it writes nothing. A report that cannot be
written is recorded as failed and tried again an hour later.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge.model.messages import SYSTEM, ClockQuality
from edge.reports.exports import Exports, shown
from edge.reports.file import written
from edge.reports.scheduled import DueReport, Rhythm, file_name, labels, missing, next_due
from edge.reports.search_words import UnknownGroupError
from edge.reports.searches import Filters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import tzinfo

    from edge.directory.directory import Directory
    from edge.log.log import Log
    from edge.log.reading.query import Query
    from edge.model.messages import Json, Record
    from edge.settings.reports import ReportTable
    from edge.system.clock import Clock

LOOK_S: Final = 30.0
"""How often it looks whether a report is due; the calendar may be set meanwhile."""
AGAIN_US: Final = 3_600 * 1_000_000
"""A report that could not be written is tried again after this long."""
BREATH_S: Final = 0.005


@dataclass(slots=True)
class _Job:
    name: str
    report: ReportTable
    rhythm: Rhythm
    look_us: int = 0
    """Calendar time of the next look."""
    looked_us: int = 0
    """Calendar time of the last look."""
    wrote: dict[Path, int] = field(default_factory=dict)
    """File of this run -> when it was due."""


class ReportRunner:
    """The scheduled reports of one controller. Belongs to one event loop."""

    def __init__(  # noqa: PLR0913 -- each part has one owner
        self,
        reports: Mapping[str, ReportTable],
        zone: tzinfo,
        *,
        log: Log,
        clock: Clock,
        directory: Callable[[], Directory],
        cloudevent: Callable[[Record], Json],
        breath_s: float = BREATH_S,
    ) -> None:
        """Nothing is touched before `run`. `cloudevent` is called in a thread; the calendar says what is due."""
        self._log, self._clock, self._directory, self._cloudevent = log, clock, directory, cloudevent
        self._exports, self._breath_s = Exports(log, clock, directory), breath_s
        self._zone = zone
        self._jobs = [_Job(name, table, Rhythm(table.every, table.at, zone)) for name, table in reports.items()]
        self._stop = threading.Event()

    async def run(self) -> None:
        """Run until cancelled. A report that is being written is then given up; an existing file of it stays."""
        if not self._jobs:
            return
        await self._log.opened()
        threads = ThreadPoolExecutor(1, thread_name_prefix="reports")
        try:
            while True:
                for job in self._jobs:
                    await self._look(threads, job)
                await asyncio.sleep(LOOK_S)
        finally:
            self._stop.set()
            threads.shutdown(wait=False)

    async def _look(self, threads: ThreadPoolExecutor, job: _Job) -> None:
        """Write the reports that are due."""
        clock = self._clock
        now_us = clock.wall_us()
        if clock.quality() is ClockQuality.UNSYNCED:
            return
        set_back, job.looked_us = now_us < job.looked_us, now_us
        if now_us < job.look_us and not set_back:
            return
        try:
            dues = await asyncio.get_running_loop().run_in_executor(threads, self._dues, job, now_us, set_back)
        except OSError as error:
            job.look_us = now_us + AGAIN_US
            export = self._exports.create(f"{job.name}.{job.report.suffix}", {**job.report.filters()}, SYSTEM)
            self._exports.finished(export, 0, "failed", {"error": str(error)})
            return
        for due in dues:
            if not await self._write(threads, job, due):
                job.look_us = now_us + AGAIN_US
                return
        job.look_us = next_due(job.rhythm, now_us).at_us

    async def _write(self, threads: ThreadPoolExecutor, job: _Job, due: DueReport) -> bool:
        """Write one report and record the result; False when it has to be tried again."""
        file = job.report.folder / file_name(job.name, due, job.report.suffix)
        through, filters = self._log.committed, _filters(job, due)
        export = self._exports.create(file.name, shown(filters), SYSTEM)
        rows = 0
        code: str | None = "failed"  # whatever ends it, a mistake of ours too
        also: dict[str, Json] = {}
        try:
            query = replace(filters.query(self._directory()), before=through + 1)
            rows = await asyncio.get_running_loop().run_in_executor(threads, self._file, job, due, file, query)
            code, also = None, {"file": str(file)}
        except (OSError, UnknownGroupError) as error:
            also = {"error": str(error)}
        except asyncio.CancelledError:
            code = "given_up"
            raise
        finally:
            self._exports.finished(export, rows, code, also)
        return code is None

    # --- in the thread ---

    def _dues(self, job: _Job, now_us: int, set_back: bool) -> list[DueReport]:
        """The reports to write now.

        When the calendar was set back, reports that it wrote too early are removed and written again later. Of
        missed reports only those are made up for that have records.
        """
        if set_back:
            for file in [file for file, at_us in job.wrote.items() if at_us > now_us]:
                file.unlink(missing_ok=True)
                del job.wrote[file]
        dues = missing(job.rhythm, now_us, self._there(job), job.report.keep)
        return [due for due in dues if due is dues[-1] or self._something(job, due)]

    def _something(self, job: _Job, due: DueReport) -> bool:
        try:
            query = _filters(job, due).query(self._directory())
        except UnknownGroupError:
            return True  # writing the report reports the error
        return next(self._walk(query), None) is not None

    def _there(self, job: _Job) -> list[str]:
        folder = job.report.folder
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        return labels(job.name, job.report.every, job.report.suffix, [path.name for path in folder.iterdir()])

    def _file(self, job: _Job, due: DueReport, file: Path, query: Query) -> int:
        zone = self._zone if job.report.format == "spreadsheet" else None
        count = written(file, (self._cloudevent(record) for record in self._walk(query)), zone)  # type: ignore[misc]  # an object
        job.wrote[file] = due.at_us
        for label in [label for label in self._there(job) if label <= due.label][: -job.report.keep]:
            old = job.report.folder / f"{job.name}-{label}.{job.report.suffix}"
            old.unlink(missing_ok=True)
            job.wrote.pop(old, None)
        return count

    def _walk(self, query: Query) -> Iterator[Record]:
        from edge.log.reading.walk import walk  # noqa: PLC0415 -- sqlite-utils takes 70 ms that doors need not wait for

        return walk(Path(self._log.health().path), query, lambda: not self._stop.wait(self._breath_s))


def _filters(job: _Job, due: DueReport) -> Filters:
    return Filters.model_validate({**job.report.filters(), "since_us": due.since_us, "until_us": due.until_us})
