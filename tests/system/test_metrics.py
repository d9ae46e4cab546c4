"""Figures for Prometheus: what Debian's promtool takes, what the dashboard asks for, what was counted."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edge.model.messages import Event, Subject
from edge.system.metrics import MOST_COMMITS, MOST_LOOKS, Counters, text
from edge.system.metrics_file import MetricsFile
from tests.support.control import door, status
from tests.support.house import House, live, write_config

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
S_NS = 1_000_000_000
EVIL = 'a"b\\c\nd'
FULL = status(
    doors={"front": door(alarm="forced_open", contact="open"), EVIL: door(tamper="x", fault="cut", lock="unlocked")},
    integrations={"pager": {"state": "disabled", "backlog": 7}},
    alerts={"open": [{}, {}]},
    cameras={"hall": {"last_error": "no picture within 5 s", "taken": 3, "dropped": 2}},
)


def records(*types: str, first: int = 1) -> Sequence[Any]:
    subject = Subject("driver", "bench", "bench")
    made = [Event(name, 0, subject) for name in types]
    return [type("Record", (), {"event": event, "sequence": n}) for n, event in enumerate(made, start=first)]


def figures(said: str) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in re.findall(r"^(doorward_\w+(?:\{.*\})?) (\S+)$", said, re.MULTILINE)
    }  # fmt: skip


def promtool(*arguments: str, told: str = "") -> tuple[int, str]:
    """What Debian's promtool answers, and says."""
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("promtool is missing: make test installs Debian's prometheus")
    done = subprocess.run([tool, *arguments], input=told, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_promtool_finds_nothing_wrong() -> None:
    assert promtool("check", "metrics", told=text(FULL, Counters(), S_NS)) == (0, "")
    assert promtool("check", "metrics", told="doorward_x_seconds 1\n")[0] != 0


def test_every_figure_is_on_the_page() -> None:
    names = set(re.findall(r"^# TYPE (doorward_\w+)", text(FULL, Counters(), S_NS), re.MULTILINE))
    page = (ROOT / "docs" / "metrics.md").read_text()
    assert [name for name in names if name.removeprefix("doorward_") not in page] == []


def test_what_is_so_is_one() -> None:
    counts = Counters()
    counts.late(0.02)
    counts.late(0.01)
    found = figures(text(FULL, counts, S_NS))
    assert found['doorward_door_alarm{door="front",alarm="forced_open"}'] == 1
    assert found['doorward_door_alarm{door="front",alarm="held_open"}'] == 0
    assert found['doorward_door_fault{door="a\\"b\\\\c\\nd"}'] == 1
    assert found['doorward_integration_up{integration="pager"}'] == 0
    assert found['doorward_camera_up{camera="hall"}'] == 0
    assert found['doorward_pictures_dropped_total{camera="hall"}'] == 2
    assert (found["doorward_alerts_open"], found["doorward_loop_delay_seconds"]) == (2, 0.02)
    assert figures(text(FULL, counts, S_NS)) == found  # whoever asks takes nothing from who asks next
    for _ in range(MOST_LOOKS):
        counts.late(-0.001)
    assert figures(text(FULL, counts, S_NS))["doorward_loop_delay_seconds"] == 0
    assert "upstream" not in text(status(upstream=None, integrations={}, alerts={"open": []}, cameras={}), counts, S_NS)


def test_records_and_faults_are_counted_and_the_oldest_that_waits_is_known() -> None:
    counts = Counters()
    counts.committed(records("lock.opened", "controller.fault"), 10 * S_NS)
    counts.committed(records("lock.opened", first=3), 20 * S_NS)
    waiting = FULL | {"upstream": FULL["upstream"] | {"cursor": 2}}
    found = figures(text(waiting, counts, 50 * S_NS))
    assert found['doorward_events_total{type="lock.opened"}'] == 2
    assert found['doorward_events_total{type="lock.closed"}'] == 0
    assert found['doorward_driver_faults_total{driver="bench"}'] == 1
    assert found["doorward_upstream_oldest_unacknowledged_seconds"] == 30
    assert counts.waits_s(3, 60 * S_NS) == 0


def test_the_age_is_right_however_much_waits_and_begins_anew_with_another_log() -> None:
    counts = Counters()
    for n in range(1, 10 * MOST_COMMITS):
        counts.committed(records("lock.opened", first=n), n * S_NS)
    assert len(counts.commits) <= MOST_COMMITS
    end_ns = 10 * MOST_COMMITS * S_NS
    assert counts.waits_s(0, end_ns) == 10 * MOST_COMMITS - 1
    assert counts.waits_s(5 * MOST_COMMITS, end_ns) == pytest.approx(5 * MOST_COMMITS, rel=0.01)
    counts.committed(records("controller.storage"), end_ns)
    assert counts.waits_s(0, end_ns + S_NS) == 1
    assert counts.waits_s(1, end_ns + S_NS) == 0


def test_the_daemon_writes_them_in_one_step_and_says_them_at_its_socket(tmp_path: Path) -> None:
    config, file = write_config(tmp_path), tmp_path / "doorward.prom"
    config.write_text(config.read_text() + '\n[metrics]\nfile = "doorward.prom"\n')

    async def script(house: House) -> None:
        await house.sim("open")
        await asyncio.sleep(20)
        while not file.exists():  # noqa: ASYNC110 -- the thread that writes has no part in virtual time
            await asyncio.sleep(0)
        assert not file.with_name(".doorward.prom.new").exists()
        assert file.stat().st_mode & 0o777 == 0o644
        written = figures(file.read_text())
        assert written['doorward_events_total{type="lock.forced_open"}'] == 1
        assert written['doorward_door_open{door="front"}'] == 1
        told = figures((await house.request("metrics"))["text"])
        assert told.keys() == written.keys()

    mask = os.umask(0o027)  # the service's
    try:
        live(config, script)
    finally:
        os.umask(mask)


def test_what_somebody_put_in_the_collectors_folder_leads_to_no_other_file(tmp_path: Path) -> None:
    other = tmp_path / "log.db"
    other.write_text("ours")
    other.chmod(0o600)
    (tmp_path / ".doorward.prom.new").symlink_to(other)
    MetricsFile(tmp_path / "doorward.prom").write("figures")
    assert (other.read_text(), other.stat().st_mode & 0o777) == ("ours", 0o600)
    written = tmp_path / "doorward.prom"
    assert (written.read_text(), written.stat().st_mode & 0o777, written.is_symlink()) == ("figures", 0o644, False)
