"""What `doord` sets for the whole process."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING
from unittest.mock import Mock

from edge.daemon import doord

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_no_thread_keeps_the_loop_waiting_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python lets a thread go on for 5 ms, and two that compute keep the loop from a door for 10 ms."""
    turns: list[float] = []
    config = tmp_path / "doorward.toml"
    config.write_text('[controller]\nsite = "hq"\nid = "lobby"\nname = "Lobby"\n')
    monkeypatch.setattr(sys, "setswitchinterval", turns.append)
    monkeypatch.setattr(doord, "refuse_if_served", no_socket)
    monkeypatch.setattr(doord, "signal", Mock())  # signals are those of this process
    assert doord.main(["--config", str(config)]) == 1
    assert turns == [doord.TURN_S]


def no_socket(_path: Path) -> None:
    raise OSError("it ends here")
