"""The configuration that was in force is kept, and guards at a start at which its file cannot be used."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from edge.config.source import ConfigSource
from edge.model.problems import ConfigError
from tests.support.configs import GOOD, MQTT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge.settings.controller import Settings

SPOILT: dict[str, Callable[[Path], object]] = {
    "a typing error": lambda file: file.write_text(GOOD + "[controler]\n"),
    "no TOML": lambda file: file.write_text("[["),
    "empty": lambda file: file.write_text(""),
    "gone": lambda file: file.unlink(),
    "a folder in its place": lambda file: (file.unlink(), file.mkdir()),
    "another encoding": lambda file: file.write_text(GOOD, encoding="utf-16"),
    "too large": lambda file: file.write_bytes(b"#" * (1 << 20) + b"\n"),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "doorward.toml"
    path.write_text(GOOD)
    return path


def source(file: Path) -> ConfigSource:
    return ConfigSource(file, file.with_name("configuration.kept"))


def in_force(file: Path) -> ConfigSource:
    """A start and what follows: it is kept."""
    began = source(file)
    began.start()
    began.keep()
    return began


def started(file: Path) -> tuple[ConfigSource, Settings]:
    began = source(file)
    return began, began.start()


@pytest.mark.parametrize("spoil", SPOILT)
def test_what_was_in_force_guards_when_the_file_cannot_be_used(file: Path, spoil: str) -> None:
    in_force(file)
    SPOILT[spoil](file)
    again, settings = started(file)
    assert [*settings.doors] == ["front"]
    assert settings.file == file
    assert again.refused
    assert again.facts()["refused"] == [str(problem) for problem in again.refused]  # type: ignore[index,call-overload]
    again.keep()
    assert source(file).start().doors.keys() == {"front"}, "and again, until the file is mended"


@pytest.mark.parametrize("spoil", SPOILT)
def test_a_first_start_refuses(file: Path, spoil: str) -> None:
    SPOILT[spoil](file)
    with pytest.raises(ConfigError):
        source(file).start()
    with pytest.raises(ConfigError):
        ConfigSource(file).start()


def test_it_is_for_our_own_eyes_and_replaced_as_a_whole(file: Path, tmp_path: Path) -> None:
    in_force(file)
    kept = tmp_path / "configuration.kept"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    before = kept.stat()
    in_force(file)
    assert kept.stat() == before, "what has not changed wears no card"
    file.write_text(GOOD.replace("front", "back"))
    in_force(file)
    file.unlink()
    assert [*source(file).start().doors] == ["back"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["configuration.kept"]


def test_a_mended_file_is_in_force_again(file: Path) -> None:
    in_force(file)
    file.write_text("[[")
    again, _ = started(file)
    file.write_text(GOOD.replace("front", "back"))
    settings, content = again.read()
    assert again.refused, "reading it is not yet taking it over"
    again.accept(content)
    assert (again.refused, [*settings.doors]) == ((), ["back"])
    again.keep()
    file.unlink()
    assert [*source(file).start().doors] == ["back"]


@pytest.mark.parametrize("damage", [b"", b"# kept by doord from", b"\xff\xfe\x00", GOOD.encode()])
def test_a_kept_file_that_is_not_ours_to_use_is_none(file: Path, tmp_path: Path, damage: bytes) -> None:
    """Without its first line nobody knows whose doors they are."""
    (tmp_path / "configuration.kept").write_bytes(damage)
    file.write_text("[[")
    with pytest.raises(ConfigError, match="TOML"):
        source(file).start()


def test_another_configurations_doors_are_not_ours(file: Path, tmp_path: Path) -> None:
    in_force(file)
    other = tmp_path / "other.toml"
    other.write_text("[[")
    with pytest.raises(ConfigError):
        source(other).start()


def test_a_disk_that_takes_nothing_leaves_nothing_behind(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, _ = started(file)

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        began.keep()
    assert [path.name for path in tmp_path.iterdir()] == ["doorward.toml"]


# --- a version that understands less ------------------------------------------------------------------


def kept_by_another_version(file: Path, text: str) -> None:
    """What this version would never have taken over."""
    in_force(file)
    kept = file.with_name("configuration.kept")
    kept.write_bytes(kept.read_bytes().split(b"\n", 1)[0] + b"\n" + text.encode())
    file.write_text(text)


def test_what_no_door_needs_is_left_out(file: Path) -> None:
    kept_by_another_version(
        file, MQTT + "fancy = 1\n[home_assistant]\n[smtp]\nhostess = 1\n[alert.x]\ntypes = []\n[metrics]\n"
    )
    again, settings = started(file)
    assert [*settings.doors] == ["front"]
    assert (settings.mqtt, settings.smtp, settings.home_assistant, settings.alerts) == (None, None, None, {})
    assert again.left_out == ("alert", "home_assistant", "mqtt", "smtp")
    assert {problem.key for problem in again.refused} >= {"mqtt.fancy", "smtp.hostess"}


@pytest.mark.parametrize(
    "more", ["[commands]\nfancy = 1\n", "[log]\nfancy = 1\n", '[door.back]\nlock = { driver = "sim", fancy = 1 }\n']
)
def test_nothing_is_guessed_about_wires_signatures_or_the_log(file: Path, more: str) -> None:
    """A key of a lock may be its polarity; without a key of [commands] unsigned commands would count."""
    kept_by_another_version(file, GOOD + more)
    with pytest.raises(ConfigError, match="fancy"):
        source(file).start()
