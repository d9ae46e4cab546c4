"""Configuration files for tests: a good one to spoil, and what is said about it then."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

from edge.config.reading import load
from edge.model.problems import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """
[controller]
id = "hq"
site = "hq"
name = "HQ"
[driver.gp]
kind = "gpio"
[driver.sim]
kind = "simulated"
[door.front]
lock = { driver = "sim", resting = "locked" }
"""
MQTT = GOOD + '[mqtt]\nurl = "mqtts://broker.example.org"\n'


def settings_of(tmp_path: Path, text: str) -> Any:
    file = tmp_path / "doorward.toml"
    file.write_text(dedent(text))
    return load(file)


def problems_of(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        settings_of(tmp_path, text)
    assert all(problem.file == tmp_path / "doorward.toml" for problem in refused.value.problems)
    return [f"{problem.key}: {problem.message}" for problem in refused.value.problems]
