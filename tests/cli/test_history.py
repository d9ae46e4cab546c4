"""`doorctl events` and `export`: the right records, in order, a page at a time, and safe to open."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.cli.history import _show_after
from edge.cli.pages import PAGE, ascending, newest
from edge.client.connection import Unreachable
from edge.client.sources import DaemonSource, RecordPage
from edge.directory.directory import Directory, Group, Member, User
from edge.directory.document.writing import written
from edge.directory.store import DirectoryStore, StoredDirectory
from edge.model.messages import SYSTEM
from edge.model.printable import spelt
from edge.reports.file import COLUMNS, write_csv
from edge.reports.search_words import NOWHERE
from tests.support.cli import Doorctl
from tests.support.control import DOOR, FakeDaemon, RefusalError, pages, record, status
from tests.support.golden import check_golden
from tests.support.logs import forced, journal, opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.client.sources import Source
    from tests.support.control import Answer


ROOT = Path(__file__).parents[2]


@pytest.fixture
def doorctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Doorctl]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield Doorctl(tmp_path / "doord.sock", monkeypatch, capsys)
    monkeypatch.undo()
    time.tzset()


def sequences(text: str) -> list[int]:
    return [int(json.loads(line)["sequence"]) for line in text.splitlines()]


class Pages:
    """A source of many records that counts what is asked of it, and holds none back."""

    def __init__(self, count: int) -> None:
        self._answer = pages(record(n) for n in range(1, count + 1))
        self.given = 0

    def page(self, asked: dict[str, Any]) -> RecordPage:
        answer = self._answer(asked)
        self.given += len(answer["records"])
        return RecordPage(**answer)

    def close(self) -> None:
        pass


# --- which records ---------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 500, 501, 1_100])
def test_no_more_than_the_limit_comes_while_the_log_grows(limit: int) -> None:
    held = [record(n) for n in range(1, 1_201)]

    class Growing(Pages):
        def page(self, asked: dict[str, Any]) -> RecordPage:
            found = RecordPage(**pages(held)(asked))
            held.extend(record(len(held) + n) for n in range(1, 8))
            return found

    found = [int(one["sequence"]) for one in newest(Growing(0), {}, limit)]
    assert found == [*range(1_201 - limit, 1_201)]


@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 1_000, 1_234])
@pytest.mark.parametrize("limit", [1, 499, 500, 501, 1_000, 1_001, 5_000])
def test_the_newest_come_oldest_first_without_gap_or_repeat(count: int, limit: int) -> None:
    found = [int(r["sequence"]) for r in newest(Pages(count), {}, limit)]
    assert found == list(range(max(1, count - limit + 1), count + 1))


class Sparse:
    """Every third record of 3,000 fits; a page looks at 50 of them, and is empty where none fits."""

    def page(self, asked: dict[str, Any]) -> RecordPage:
        newest_first, last = asked.get("newest", False), asked.get("before") or 3_001
        left = range((asked.get("after") or 0) + 1, last)
        looked_at = (left[::-1] if newest_first else left)[:50]
        fits = [record(n) for n in looked_at if n % 3 == 0 and not 1_000 < n < 1_200]
        skipped, rest = fits[: asked.get("skip", 0)], fits[asked.get("skip", 0) :]
        page = rest[: asked["limit"]]
        if len(rest) > len(page):
            return RecordPage(page, int(page[-1]["sequence"]), len(skipped))
        return RecordPage(page, looked_at[-1] if len(looked_at) < len(left) else None, len(skipped))

    def close(self) -> None:
        pass


@pytest.mark.parametrize("limit", [1, 4, 40, 500, 501, 900, 2_000])
def test_short_and_empty_pages_are_not_the_end(limit: int) -> None:
    fit = [n for n in range(1, 3_001) if n % 3 == 0 and not 1_000 < n < 1_200]
    assert [int(r["sequence"]) for r in newest(Sparse(), {}, limit)] == fit[-limit:]


def test_a_long_history_is_never_held_in_memory() -> None:
    source: Source = Pages(20 * PAGE)
    flow = ascending(source, {})
    for number in range(1, 3 * PAGE):
        assert int(next(flow)["sequence"]) == number
        assert source.given <= number + PAGE  # type: ignore[attr-defined]
    flow = newest(source, {}, 10 * PAGE)
    for number in range(10 * PAGE + 1, 13 * PAGE):
        assert int(next(flow)["sequence"]) == number
    assert source.given <= 3 * PAGE + 1 + 4 * PAGE  # type: ignore[attr-defined]


def test_events_asks_for_90_days_and_10_000_unless_told_otherwise(doorctl: Doorctl) -> None:
    with FakeDaemon(doorctl.socket, events=pages([record(1)])) as daemon:
        before = datetime.now(UTC).timestamp()
        assert doorctl("events").code == 0
        begin, ask = daemon.of("events")
    assert begin.keys() == {"op", "since_us", "before", "limit", "newest", "skip"}
    assert begin["skip"] == 9_999
    for one in (begin, ask):
        assert before - one["since_us"] / 1e6 == pytest.approx(90 * 86_400, abs=600)


def test_every_filter_reaches_the_daemon(doorctl: Doorctl) -> None:
    words = "--since 2026-11-22 --until 2026-11-22T12:00Z --door front --door back --type lock.opened --class access"
    words += " --group staff --outcome refused --code unknown_card --text tür"
    known = status(doors={"front": DOOR, "back": DOOR | {"name": "Back door"}})
    with FakeDaemon(doorctl.socket, status=known, person={"person": {"user": "ann"}}) as daemon:
        assert doorctl("events", *words.split(), "--user", "ann@example.org", "--limit", "7").code == 0
        ask = daemon.of("events")[-1]
    assert ask == {
        "op": "events",
        "since_us": 1_795_302_000_000_000,
        "until_us": 1_795_348_800_000_000,
        "door": ["front", "back"],
        "type": ["lock.opened"],
        "class": "access",
        "user": ["ann"],
        "group": ["staff"],
        "outcome": "refused",
        "code": ["unknown_card"],
        "text": "tür",
        "before": None,
        "limit": 7,
        "newest": True,
    }


def test_a_passage_is_looked_for_in_all_of_the_log_unless_told_otherwise(doorctl: Doorctl) -> None:
    held = [record(1, correlation="run-front-1"), record(2), record(3, correlation="run-front-1")]
    with FakeDaemon(doorctl.socket, events=pages(held)) as daemon:
        shown = doorctl("events", "--correlation", "run-front-1", "--json")
        assert doorctl("events", "--correlation", "run-front-1", "--since", "2026-11-22").code == 0
        asked = [ask.get("since_us") is None for ask in daemon.of("events")]
    assert sequences(shown.out) == [1, 3]
    assert set(asked[:2]) == {True}
    assert set(asked[2:]) == {False}


def test_events_in_words_and_in_json(doorctl: Doorctl) -> None:
    held = [
        record(1),
        record(2, "lock.forced_open", message="Front door forced open"),
        record(3, "controller_input.unstable", severity="warning", message="Input Front door contact is unstable"),
        record(4, "controller.start", subject="controller", clock="unsynced", message="HQ lobby started"),
    ]
    with FakeDaemon(doorctl.socket, events=pages(held)):
        said, raw = doorctl("events"), doorctl("events", "--json")
    check_golden("cli/events.txt", said.out)
    assert [json.loads(line) for line in raw.lines] == held


def test_that_the_clock_was_not_set_is_said_once_and_so_is_its_end(doorctl: Doorctl) -> None:
    held = [record(n, clock="unsynced" if n in {2, 3} else "synced") for n in range(1, 6)]
    with FakeDaemon(doorctl.socket, events=pages(held)):
        said = doorctl("events")
    marks = [number for number, line in enumerate(said.lines) if line.startswith("---")]
    assert marks == [1, 4]
    assert "not set" in said.lines[1]
    assert said.lines[4] == "--- the clock is set"


def test_no_records_are_said_to_people_and_are_nothing_to_a_script(doorctl: Doorctl) -> None:
    with FakeDaemon(doorctl.socket):
        said = doorctl("events", "--json", "--door", "front")
    assert (said.code, said.out, said.err) == (0, "", "doorctl: no record matches\n")


def test_a_misspelt_type_is_not_taken_for_silence(doorctl: Doorctl) -> None:
    with FakeDaemon(doorctl.socket) as daemon:
        said = doorctl("events", "--type", "lock.open")
        assert (said.code, daemon.asked) == (2, [])
        assert "'lock.open' is not an event type; did you mean lock.opened, " in said.err
        assert doorctl("export", "-", "--type", "\x1b").code == 2


def test_a_log_that_cannot_be_read_is_said(doorctl: Doorctl) -> None:
    def no(_ask: dict[str, Any]) -> None:
        raise RefusalError("log_unavailable", "the log cannot be read now")

    with FakeDaemon(doorctl.socket, events=no):
        said = doorctl("events")
    assert (said.code, said.err) == (1, "doorctl: the log cannot be read now\n")


# --- following --------------------------------------------------------------------------------------


def growing(held: list[dict[str, Any]]) -> Answer:
    """Pages of what is held when they are asked for."""

    def answer(ask: dict[str, Any]) -> Any:
        return pages(held)(ask)

    return answer


def test_follow_goes_on_without_gap_over_a_restart_of_the_daemon(
    doorctl: Doorctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = [record(1), record(2)]
    pauses = []

    def live() -> Iterator[dict[str, Any]]:
        if len(held) == 2:
            yield {"status": status(log=status()["log"] | {"committed": 2})}
            held.append(record(3))
            yield {"record": held[-1]}
            held.extend([record(4), record(5)])  # while the stream is down
        else:
            yield {"status": status(log=status()["log"] | {"committed": 5})}

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("edge.cli.history.time.sleep", pause)
    with FakeDaemon(doorctl.socket, events=growing(held), watch=live):
        said = doorctl("events", "--follow", "--json")
    assert said.code == 0
    assert sequences(said.out) == [1, 2, 3, 4, 5]
    again = "doorctl: the daemon hung up; trying again\n"
    assert said.err == f"{again}doorctl: the daemon is back\n{again}"


def test_follow_begins_anew_with_a_new_log(doorctl: Doorctl, monkeypatch: pytest.MonkeyPatch) -> None:
    held = [record(1), record(2)]

    def live() -> Iterator[dict[str, Any]]:
        yield {"status": status(log=status()["log"] | {"committed": 2})}
        held[:] = [record(1, message="the first of the new log")]
        yield {"status": status(stream="lobby/ffffffffff", log=status()["log"] | {"committed": 1})}

    def pause(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("edge.cli.history.time.sleep", pause)
    with FakeDaemon(doorctl.socket, events=growing(held), watch=live):
        said = doorctl("events", "--follow", "--json")
    assert sequences(said.out) == [1, 2, 1]


# --- files ------------------------------------------------------------------------------------------


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A dead daemon's log: 1,200 records of two doors."""

    async def run() -> None:
        async with journal(tmp_path / "log.db") as held:
            await held.write(*(forced(n, n, "back") if n % 3 == 0 else opened(n, n) for n in range(1_200)))

    asyncio.run(run())
    return tmp_path / "log.db"


def test_a_dead_daemons_log_is_read_directly(doorctl: Doorctl, log: Path) -> None:
    since = ["--since", "2020-01-01"]
    said = doorctl("events", "--log", str(log), "--json", *since)
    assert said.code == 0
    assert sequences(said.out) == list(range(1, 1_201))
    assert sequences(doorctl("events", "--log", str(log), "--json", "--limit", "3", *since).out) == [1198, 1199, 1200]
    some = doorctl("events", "--log", str(log), "--json", "--door", "back", "--type", "lock.forced_open", *since)
    assert len(some.lines) == 400
    ann = doorctl("events", "--log", str(log), "--json", "--user", "ann@example.org", *since)
    assert {json.loads(line)["data"]["actor"]["name"] for line in ann.lines} == {"Ann"}
    assert len(ann.lines) == 800


def loaded(*command: str) -> set[str]:
    """What of the slow to load a command did load."""
    code = (
        "import sys, edge.cli.main\n"
        "assert edge.cli.main.main(sys.argv[1:]) == 0\n"
        "slow = ('asyncio', 'pydantic', 'sqlite_utils', 'edge.model.messages', 'edge.directory.directory',"
        "'tomllib', 'shutil')\n"
        "print(*(name for name in slow if name in sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *command], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout, "it printed records"
    return set(done.stderr.split())


def test_a_search_waits_for_nothing_that_it_does_not_need(doorctl: Doorctl, log: Path) -> None:
    directory = Directory(1, members={"m": Member("m", "u-1", groups=("all",))}, groups={"all": Group("all", "All")})
    DirectoryStore(log.with_name("directory.db")).replace(
        StoredDirectory(1, b"", "", "", SYSTEM, 0), written(directory)
    )
    assert loaded("events", "--log", str(log), "--since", "2000-01-01", "--group", "all") == set()
    with FakeDaemon(doorctl.socket, events=pages([record(1)])):
        assert loaded("--socket", str(doorctl.socket), "events") == set()


def test_what_is_no_log_is_said(doorctl: Doorctl, tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("not a database, but long enough to look like a file of its own kind" * 9)
    for name in ("notes.db", "missing.db"):
        said = doorctl("events", "--log", str(tmp_path / name))
        assert said.code == 2
        assert said.err.startswith("doorctl: ")
        assert doorctl("diagnose", "--log", str(tmp_path / name)).code in {1, 2}


def test_verify_names_the_first_broken_record(doorctl: Doorctl, log: Path) -> None:
    said, raw = doorctl("log", "verify", str(log)), doorctl("log", "verify", str(log), "--json")
    assert (said.code, said.out) == (0, f"{log}: 1200 records are intact, 1 to 1200\n")
    assert raw.json.items() >= {"ok": True, "checked": 1200, "broken": None}.items()
    content = log.read_bytes()
    log.write_bytes(content.replace(b'{"number":700}', b'{"number":701}'))
    said, raw = doorctl("log", "verify", str(log)), doorctl("log", "verify", str(log), "--json")
    assert (said.code, raw.code) == (1, 1)
    assert "record 701 is broken" in said.out
    assert raw.json["broken"]["sequence"] == 701
    assert doorctl("log", "verify").code == 2


def test_what_cannot_be_looked_up_in_a_file_is_said(doorctl: Doorctl, log: Path, tmp_path: Path) -> None:
    said = doorctl("events", "--log", str(log), "--group", "staff")
    assert (said.code, said.out) == (2, "")
    assert said.err == f"doorctl: {NOWHERE}\n"
    assert doorctl("export", str(tmp_path / "r.csv"), "--log", str(log), "--group", "staff").code == 2
    assert not (tmp_path / "r.csv").exists()


def test_a_group_is_looked_up_in_the_directory_beside_the_log(doorctl: Doorctl, log: Path) -> None:
    directory = Directory(
        1,
        users={"u-1": User("u-1", "Ann"), "u-2": User("u-2", "Bob")},
        members={
            "m-1": Member("m-1", "u-1", groups=("staff",)),
            "m-2": Member("m-2", "u-2", groups=("board",)),
            "m-3": Member("m-3", "u-2"),
        },
        groups={"staff": Group("staff", "Everybody"), "board": Group("board", "Board")},
    )
    DirectoryStore(log.with_name("directory.db")).replace(
        StoredDirectory(1, b"", "", "", SYSTEM, 0), written(directory)
    )
    words = ["events", "--log", str(log), "--json", "--since", "2020-01-01", "--group"]
    assert len(sequences(doorctl(*words, "everybody").out)) == 800
    assert doorctl(*words, "board").out == ""
    said = doorctl(*words, "stuff")
    assert (said.code, said.err) == (2, "doorctl: no group 'stuff'; did you mean staff?\n")
    DirectoryStore(log.with_name("directory.db")).replace(StoredDirectory(2, b"", "", "", SYSTEM, 0), ['{"groups": 5}'])
    assert "is damaged" in doorctl(*words, "staff").err
    log.with_name("directory.db").write_bytes(b"no database at all" * 100)
    assert doorctl(*words, "staff").code == 2


def test_a_file_is_searched_by_outcome_code_and_text(doorctl: Doorctl, log: Path) -> None:
    words = ["events", "--log", str(log), "--json", "--since", "2020-01-01"]
    assert len(sequences(doorctl(*words, "--text", "BACK").out)) == 400
    assert sequences(doorctl(*words, "--text", '"number":77}').out) == [78]
    assert len(sequences(doorctl(*words, "--outcome", "granted").out)) == 1_200
    assert doorctl(*words, "--outcome", "refused").out == ""
    assert doorctl(*words, "--code", "unknown_card").out == ""


# --- who asks for a report -----------------------------------------------------------------------------


def test_a_report_is_asked_for_before_and_told_of_after(doorctl: Doorctl, tmp_path: Path) -> None:
    """What comes while it is written, and the records about the report itself, are not part of it."""
    held = [record(n) for n in range(1, 4)]
    begun = {"export": "export-9", "through": 2}
    report = tmp_path / "report.jsonl"
    with FakeDaemon(doorctl.socket, events=pages(held), export=begun) as daemon:
        said = doorctl("export", str(report), "--door", "front", "--outcome", "granted", "--limit", "7")
    assert (said.code, said.err) == (0, f"2 records written to {report}\n")
    assert [json.loads(line) for line in report.read_text().splitlines()] == held[:2]
    create, finished = daemon.of("export")
    assert create.pop("filters").pop("since_us") > 0
    assert create == {"op": "export", "action": "create", "name": "report.jsonl", "limit": 7}
    assert finished == {"op": "export", "action": "finished", "export": "export-9", "records": 2}


def test_a_report_that_is_given_up_is_told_too(doorctl: Doorctl, tmp_path: Path) -> None:
    with FakeDaemon(doorctl.socket, events=pages([record(1)])) as daemon:
        assert doorctl("export", str(tmp_path / "none" / "report.csv")).code == 2
    [_, finished] = daemon.of("export")
    assert finished.items() >= {"records": 0, "code": "given_up"}.items()


def test_a_report_of_a_file_asks_nobody(doorctl: Doorctl, log: Path, tmp_path: Path) -> None:
    with FakeDaemon(doorctl.socket) as daemon:
        assert doorctl("export", str(tmp_path / "r.csv"), "--log", str(log), "--since", "2020-01-01").code == 0
    assert daemon.asked == []


def test_json_lines_are_the_records_as_on_the_wire(doorctl: Doorctl, log: Path, tmp_path: Path) -> None:
    words = ["--log", str(log), "--since", "2020-01-01"]
    assert doorctl("export", str(tmp_path / "r.JSONL"), *words).code == 0
    assert (tmp_path / "r.JSONL").read_text().count("\n") == 1_200
    found = [json.loads(line) for line in (tmp_path / "r.JSONL").read_text().splitlines()]
    assert found == [json.loads(line) for line in doorctl("events", "--json", *words).lines]


# --- CSV ---------------------------------------------------------------------------------------------


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_the_report_is_written_whole(doorctl: Doorctl, log: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.csv"
    report.write_text("of last week")
    words = ["export", str(report), "--log", str(log), "--since", "2020-01-01"]
    said = doorctl(*words)
    assert (said.code, said.out, said.err) == (0, "", f"1200 records written to {report}\n")
    text = report.read_bytes().decode()
    assert text.count("\r\n") == 1_201
    found = rows(text)
    assert [int(row["sequence"]) for row in found] == list(range(1, 1_201))
    assert found[1].items() >= {"actor_email": "ann@example.org", "subject": "doors/front", "success": "true"}.items()
    assert json.loads(found[7]["details"]) == {"number": 7}
    assert doorctl(*words, "--json").json == {"file": str(report), "records": 1_200}
    assert rows(doorctl("export", "-", *words[2:], "--limit", "2").out)[0]["sequence"] == "1199"


def test_a_report_for_a_spreadsheet_is_shown_rightly_by_it(
    doorctl: Doorctl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    summer = {**record(1, message="J\u00fcrgen"), "time": "2026-07-01T22:30:00.123456Z"}
    winter = {**record(2), "time": "2026-12-01T22:30:00.123456Z"}
    report = tmp_path / "report.csv"
    with FakeDaemon(doorctl.socket, events=pages([summer, winter]), export={"export": "e", "through": 9}):
        assert doorctl("export", str(report), "--spreadsheet", "--since", "2020-01-01").code == 0
        assert doorctl("export", "-", "--spreadsheet", "--since", "2020-01-01").out.startswith("\ufefflocal_time,time,")
    assert report.read_bytes().startswith(b"\xef\xbb\xbflocal_time,time,")
    found = rows(report.read_text(encoding="utf-8-sig"))
    assert [row["local_time"] for row in found] == ["2026-07-02 00:30:00", "2026-12-01 23:30:00"]
    assert [row["time"] for row in found] == [summer["time"], winter["time"]]
    assert found[0]["message"] == "J\u00fcrgen"


def test_a_report_that_breaks_off_leaves_the_old_one(doorctl: Doorctl, tmp_path: Path) -> None:
    report = tmp_path / "report.csv"
    report.write_text("of last week")
    asked = []

    def breaks(ask: dict[str, Any]) -> Any:
        asked.append(ask)
        if len(asked) > 1:
            raise RefusalError("log_unavailable", "the disk has gone")
        return pages([record(n) for n in range(1, 700)])(ask)

    with FakeDaemon(doorctl.socket, events=breaks):
        assert doorctl("export", str(report)).code == 1
    assert report.read_text() == "of last week"
    assert [path.name for path in tmp_path.iterdir() if "report" in path.name] == ["report.csv"]


def test_a_report_cannot_be_written_there(doorctl: Doorctl, tmp_path: Path) -> None:
    with FakeDaemon(doorctl.socket, events=pages([record(1)])):
        said = doorctl("export", str(tmp_path / "none" / "report.csv"))
    assert said.code == 2
    assert "No such file or directory" in said.err


def test_what_is_no_plain_file_is_not_replaced_by_a_report(doorctl: Doorctl, tmp_path: Path) -> None:
    fifo, real, link = tmp_path / "pipe.csv", tmp_path / "real.csv", tmp_path / "link.csv"
    os.mkfifo(fifo)
    real.write_text("of last week")
    real.chmod(0o600)
    link.symlink_to(real)
    with FakeDaemon(doorctl.socket, events=pages([record(1)])):
        said = doorctl("export", str(fifo))
        assert (said.code, "is no plain file" in said.err) == (2, True)
        assert doorctl("export", str(link)).code == 0
    assert fifo.is_fifo()
    assert link.is_symlink()
    assert rows(real.read_text())[0]["sequence"] == "1"
    assert real.stat().st_mode & 0o777 == 0o600


class Torn:
    """A connection that breaks off once."""

    def __init__(self, answers: int, then: Torn | None = None) -> None:
        self.answers, self.then = answers, then

    def ask(self, _op: str, **asked: Any) -> Any:
        if not self.answers:
            raise Unreachable("the daemon hung up")
        self.answers -= 1
        return {"records": [record(asked["after"] + 1)], "next": asked["after"] + 1, "skipped": 0}

    def again(self) -> Torn:
        if self.then is None:
            raise Unreachable("no daemon")
        return self.then


def test_who_reads_slowly_is_connected_again_and_misses_nothing() -> None:
    """The daemon lets go of who asks nothing for ten minutes, as `| less` does."""
    source = DaemonSource(Torn(2, Torn(1, Torn(1))))  # type: ignore[arg-type]  # all that it needs of a client
    found = [int(source.page({"after": after}).records[0]["sequence"]) for after in range(4)]
    assert found == [1, 2, 3, 4]
    with pytest.raises(Unreachable):
        source.page({"after": 4})
    with pytest.raises(Unreachable):
        DaemonSource(Torn(0, Torn(1))).page({"after": 0})  # type: ignore[arg-type]  # as above


def test_what_was_shown_before_the_daemon_went_away_is_not_shown_again() -> None:
    source = DaemonSource(Torn(2))  # type: ignore[arg-type]  # as above
    records: list[dict[str, Any]] = []
    shown: list[int] = []
    with pytest.raises(Unreachable):
        shown.extend(_show_after(records.append, source, {}, 0, {"record": record(9)}))
    assert shown == [1, 2], "from here it goes on"
    assert len(records) == 2


@pytest.mark.parametrize("count", ["0", "-1", "2147483649", "9" * 5_000, "\u0663x"])
def test_a_count_is_a_whole_number_that_can_be_counted(doorctl: Doorctl, count: str) -> None:
    said = doorctl("events", "--limit", count)
    assert said.code == 2
    assert "expected a whole number from 1 to 2147483648" in said.err


def test_what_was_said_before_it_went_wrong_is_not_lost() -> None:
    script = (
        "import sys\nfrom edge.cli import main as cli\ncli.main = lambda: sys.stdout.write('kept') and 1\ncli.run()"
    )
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=env, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, b"kept")
    words = [sys.executable, "-c", "import os, sys; os.close(1); os.execv(sys.executable, sys.argv[1:])"]
    status = [sys.executable, "-m", "edge.cli", "status"]
    done = subprocess.run([*words, *status], cwd=ROOT, env=env, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (2, b"doorctl: there is no standard output\n")


RUNS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # the last four of East Asian keyboards
NAMES = (
    st.text(max_size=30)
    | st.text(" \t\r\n;|,'\"=+a\uff1d", max_size=30)
    | st.sampled_from(["@SUM(A1)", "  =1", "a,b\nc"])
)


@given(NAMES, NAMES)
def test_no_name_becomes_a_formula_and_none_is_lost(name: str, message: str) -> None:
    out = io.StringIO(newline="")
    actor = {"kind": "user", "id": "u-1", "name": name, "email": "a@example.org"}
    assert write_csv(out, [record(1, actor=actor, message=message, code=None)]) == 1
    [row] = rows(out.getvalue())
    assert tuple(row) == COLUMNS
    for cell, value in ((row["actor_name"], name), (row["message"], message)):
        assert cell.replace("'", "") == spelt(value).replace("'", "")
        assert not cell.lstrip().startswith(RUNS)
    assert row["code"] == ""
    for delimiter in ";|\t":  # as where the comma is the decimal sign
        for cells in csv.reader(io.StringIO(out.getvalue(), newline=""), delimiter=delimiter):
            assert not any(cell.lstrip().startswith(RUNS) for cell in cells)


@pytest.mark.parametrize(
    ("name", "cell"), [("Ada;=1+1;b", "Ada;'=1+1;b"), ('Ada;"=1"', 'Ada;"\'=1"'), ("Ada - 1; b", "Ada - 1; b")]
)
def test_a_formula_is_not_hidden_behind_another_separator(name: str, cell: str) -> None:
    out = io.StringIO(newline="")
    write_csv(out, [record(1, actor={"kind": "user", "id": "u-1", "name": name, "email": None})])
    assert rows(out.getvalue())[0]["actor_name"] == cell
