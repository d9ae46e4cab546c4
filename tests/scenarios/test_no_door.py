"""A controller that was installed and not configured yet: it runs, drives nothing, and says so wherever one looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.config.provision import first_config
from tests.support.cli import Doorctl
from tests.support.doord import ROOT, Doord

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_an_installed_controller_without_a_door_runs_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "doorward.toml"
    text = first_config((ROOT / "config" / "raspberry-pi.toml").read_text(), "pi")
    for installed, here in (("/var/lib/doorward/log.db", "log.db"), ("/run/doorward/doord.sock", "doord.sock")):
        text = text.replace(installed, str(tmp_path / here))
    config.write_text(text)
    with Doord(config) as doord:
        doorctl = Doorctl(doord.socket, monkeypatch, capsys)
        status = doorctl("status")
        assert status.code == 1
        assert "no door is configured, so nothing is guarded: doorctl diagnose" in status.lines
        found = doorctl("diagnose", "--config", str(config))
        assert "DW-DOOR-NONE" in found.out
        assert str(config) in found.out
        refused = doorctl("unlock", "front", "--yes")
        assert (refused.code, "expected one of none" in refused.err) == (2, True)
    assert "no door is guarded" in doord.output.read_text()
